"""What a notebook shows of a training, an evaluation, a data set and a model.

Needs neither Jinja2 nor matplotlib: models are looked at where only predicting is installed, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from timbrel.display.html import bar, named, note, sentences, table, text, title
from timbrel.report.facts import Counted
from timbrel.report.scores import interval, strip
from timbrel.wording import duration, frequency, known, percent, plural, shorten

# Larger tables are for the report.
_CLASSES = 24
_ROWS = 20
_NAME = 24


def score_text(evaluation: Mapping) -> str:
    """The honest score in a few words."""
    low, high = interval(evaluation["file"], "accuracy")
    between = "" if low is None else f", 95 % interval {percent(low, 0)} to {percent(high, 0)}"
    counted = Counted.of(evaluation)
    if not counted.answers:
        return "no score"
    return (
        f"{percent(evaluation['file']['accuracy'])} of {plural(counted.recordings, 'recording')} "
        f"right{between}"
    )


def score_parts(evaluation: Mapping) -> list[str]:
    """The score with its interval, what it stands beside, what is taken for what."""
    counted = Counted.of(evaluation)
    if not counted.answers:
        return [title("No score"), _notes(evaluation)]
    heading = title(
        f"{percent(evaluation['file']['accuracy'])} of "
        f"{plural(counted.recordings, 'recording')} right"
    )
    held = "whole groups" if counted.grouped else "groups split"
    way = f"{counted.folds} folds" if counted.crossed else "held out"
    facts = note(text(evaluation["recipe"]), f"{way}, {held}", _between(evaluation))
    return [heading, facts, _strip(evaluation, counted), _matrix(evaluation), _notes(evaluation)]


def _between(evaluation: Mapping) -> str:
    low, high = interval(evaluation["file"], "accuracy")
    return "" if low is None else f"95 % interval {percent(low)} to {percent(high)}"


def _strip(evaluation: Mapping, counted: Counted) -> str:
    rows = []
    for row in strip(evaluation, counted):
        span = None if row.low is None else (row.low, row.high)
        drawn = bar(row.share, "" if row.main else "other", ends=span)
        said = f'<span class="soft">{text(row.note)}</span>'
        rows.append((text(row.name), drawn, percent(row.share), said))
    return table(("asked about", "right", "", "what it is"), rows, numbers=(2,))


def _notes(evaluation: Mapping) -> str:
    return sentences((evaluation.get("protocol") or {}).get("notes") or ())


def _matrix(evaluation: Mapping) -> str:
    """The confusion matrix, a cell as strong as its share of its row."""
    labels, counts = evaluation["labels"], evaluation["confusion"]
    if len(labels) > _CLASSES:
        return note(f"The confusion matrix of {len(labels)} classes is in the report.")
    short = [shorten(label, _NAME) for label in labels]
    heads = "".join(
        f'<th scope="col" class="turned" title="{text(label)}"><span>{named(cut)}</span></th>'
        for label, cut in zip(labels, short, strict=True)
    )
    rows = "".join(
        f'<tr><th scope="row" title="{text(label)}">{named(cut)}</th>'
        f"{_cells(labels, counts, number)}</tr>"
        for number, (label, cut) in enumerate(zip(labels, short, strict=True))
    )
    return (
        '<p class="small">What is taken for what: a row for each true class, a column for each '
        'answer.</p><div class="wide"><table class="matrix">'
        f'<thead><tr><th></th>{heads}<th scope="col" class="share"><span>right</span></th></tr>'
        f"</thead><tbody>{rows}</tbody></table></div>"
    )


def _cells(labels: Sequence[str], counts: Sequence[Sequence[float]], row: int) -> str:
    total = sum(counts[row])
    cells = []
    for column, times in enumerate(counts[row]):
        if not times:
            cells.append("<td></td>")
            continue
        share = times / total
        # At these strengths, black is read on white, and white on black.
        ink = "51,137,207" if row == column else "210,105,30"
        said = f"{labels[row]}, heard as {labels[column]}: {times:g} ({percent(share, 0)})"
        cells.append(
            f'<td style="background:rgba({ink},{0.14 + 0.56 * share:.2f})" title="{text(said)}">'
            f"{times:g}</td>"
        )
    right = percent(counts[row][row] / total, 0) if total else ""
    return f'{"".join(cells)}<td class="share">{right}</td>'


def finding_parts(findings: Sequence, kinds: Mapping[str, str]) -> list[str]:
    """What is wrong or odd about recordings, the first ones in full, and how many of each kind.

    Args:
        findings: with `path`, `kind`, `message` and `action`.
        kinds: what each kind means.
    """
    if not findings:
        return []
    counts = Counter(item.kind for item in findings)
    said = [f"{text(kinds[kind])}: {count}" for kind, count in counts.items()]
    rows = [
        (
            named(item.path),
            f'<span class="n">{text(item.kind)}</span>',
            f"{text(item.message)} {text(item.action)}",
        )
        for item in findings[:_ROWS]
    ]
    parts = [note(*said), table(("recording", "finding", "what, and what to do"), rows)]
    if len(findings) > _ROWS:
        parts.append(note(f"… and {len(findings) - _ROWS:,} more"))
    return parts


def model_rows(models: Sequence[str], evaluations: Sequence[Mapping]) -> str:
    """Finished models side by side."""
    rows = []
    for model, evaluation in zip(models, evaluations, strict=True):
        low, high = interval(evaluation["file"], "accuracy")
        against = (evaluation.get("against_first") or {}).get("points")
        rows.append(
            (
                named(model),
                bar(evaluation["file"]["accuracy"], ends=None if low is None else (low, high)),
                percent(evaluation["file"]["accuracy"]),
                "" if low is None else f"{percent(low)} to {percent(high)}",
                f"{100 * against:+.1f} points".replace("-", "−") if known(against) else "",
            )
        )
    head = ("model", "right", "", "95 % interval", "against the first")
    return table(head, rows, numbers=(2, 3, 4))


def fact_table(rows: Sequence[tuple[str, str]]) -> str:
    """Names and what there is to say of them; takes names as text, the rest as HTML."""
    return table(("", ""), [(text(what), said) for what, said in rows if said])


def model_parts(found: Mapping) -> list[str]:
    """What a model is, from what it says of itself; anybody may have written that.

    Args:
        found: what `ModelInfo.to_dict` gives.
    """
    front_end, labels = found["front_end"], found["labels"]
    seconds, hop = (duration(front_end[key]) for key in ("window", "hop"))
    picture = front_end["picture"] or "a picture"
    hears = f"{picture} of {seconds} at {frequency(front_end['rate'])}, every {hop}"
    parameters, learned = found["network"]["parameters"], found["provenance"]["trained_on"]
    rows = [
        ("classes", f"{len(labels)}: {', '.join(map(named, labels[:_CLASSES]))}"),
        ("hears", text(hears)),
        ("parameters", f"{parameters:,}" if parameters else ""),
        ("model.onnx", f"{found['bytes'] / 1e6:.1f} MB"),
        ("right", _claimed(found["scores"])),
        ("threshold", f"{found['threshold']:.3f}; below it the answer is unknown"),
        ("trained on", f"{learned:,} different files" if learned else ""),
    ]
    recipe = found["recipe"]
    return [
        title(text(recipe["name"] or "model")),
        note(text(found["model"]), text(recipe["description"] or "")),
        fact_table(rows),
        sentences(found["notes"]),
    ]


def _claimed(scores: Mapping | None) -> str:
    """The score that a model says it has."""
    part, files = ((scores or {}).get(key) for key in ("file", "held_out_files"))
    accuracy = part.get("accuracy") if isinstance(part, dict) else None
    if not isinstance(accuracy, int | float) or not isinstance(files, int) or not files:
        return "it does not say"
    said = f"{percent(accuracy)} of {plural(files, 'recording')} that it never heard"
    spans = part.get("ci95")
    span = spans.get("accuracy") if isinstance(spans, dict) else None
    if isinstance(span, list) and len(span) == 2 and all(isinstance(x, int | float) for x in span):
        said += f", 95 % interval {percent(span[0])} to {percent(span[1])}"
    return said
