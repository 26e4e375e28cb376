"""What a notebook shows of a score, of a data set's findings and of a model.

Needs neither Jinja2 nor matplotlib: models are looked at where only predicting is installed, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from timbrel.display.html import bar, named, note, sentences, table, text, title
from timbrel.report.view import Figure, ModelView, ScoreView, Table
from timbrel.text import percent, shorten

# Larger tables are for the report.
_CLASSES = 24
_ROWS = 20
_NAME = 24


def score_parts(view: ScoreView) -> list[str]:
    """The score with its interval, what it stands beside, what is taken for what."""
    if not view.answers:
        return [title("No score"), note(text(view.measured)), sentences(view.notes)]
    return [
        title(text(view.headline)),
        note(text(view.recipe), text(view.scored_on)),
        html_table(view.compared, main_first=True),
        confusion_matrix(view.labels, view.matrix),
        *(f'<p class="small">{text(statement)}</p>' for statement in view.statements),
        sentences(view.notes),
    ]


def html_table(shown: Table, *, main_first: bool = False) -> str:
    """Lay out a table; shares are drawn as bars with their intervals, too.

    Args:
        shown: the table; only its first rows are shown where there are many.
        main_first: let the bar of the first row stand out.
    """
    head, numbers = [], []
    drawn = [
        any(isinstance(row[place], Figure) for row in shown.rows)
        for place in range(len(shown.columns))
    ]
    for place, column in enumerate(shown.columns):
        head += [column, ""] if drawn[place] else [column]
        if drawn[place] or not (place == 0 or column in shown.words):
            numbers.append(len(head) - 1)
    rows = []
    for row in shown.rows[:_ROWS]:
        cells = []
        for place, cell in enumerate(row):
            if isinstance(cell, Figure):
                ends = None if cell.low is None else (cell.low, cell.high)
                kind = "other" if main_first and rows else ""
                drawn_bar = "" if cell.value is None else bar(cell.value, kind, ends=ends)
                cells += [drawn_bar, f'{cell.text} <span class="soft">{cell.interval}</span>']
            elif place == 0:
                cells.append(named(cell))
            else:
                cells.append(text(cell))
        rows.append(cells)
    more = len(shown.rows) - _ROWS
    return table(head, rows, numbers=numbers) + (note(f"… and {more:,} more") if more > 0 else "")


def confusion_matrix(labels: Sequence[str], counts: Sequence[Sequence[float]]) -> str:
    """The confusion matrix, a cell as strong as its share of its row."""
    if len(labels) > _CLASSES:
        return note(f"The confusion matrix of {len(labels)} classes is in the report.")
    short = [shorten(label, _NAME) for label in labels]
    heads = "".join(
        f'<th scope="col" class="turned" title="{text(label)}"><span>{named(cut)}</span></th>'
        for label, cut in zip(labels, short, strict=True)
    )
    rows = []
    for place, (label, cut, row) in enumerate(zip(labels, short, counts, strict=True)):
        total, cells = sum(row), []
        for column, times in enumerate(row):
            if not times:
                cells.append("<td></td>")
                continue
            share = times / total
            # At these strengths, black is read on white, and white on black.
            ink = "51,137,207" if place == column else "210,105,30"
            said = f"{label}, taken for {labels[column]}: {times:g} ({percent(share, 0)})"
            cells.append(
                f'<td style="background:rgba({ink},{0.14 + 0.56 * share:.2f})" '
                f'title="{text(said)}">{times:g}</td>'
            )
        right = percent(row[place] / total, 0) if total else ""
        rows.append(
            f'<tr><th scope="row" title="{text(label)}">{named(cut)}</th>{"".join(cells)}'
            f'<td class="share">{right}</td></tr>'
        )
    return (
        '<p class="small">What is taken for what: a row for each true class, a column for each '
        'answer.</p><div class="wide"><table class="matrix">'
        f'<thead><tr><th></th>{heads}<th scope="col" class="share"><span>right</span></th></tr>'
        f"</thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


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


def model_parts(view: ModelView) -> list[str]:
    """What a model says of itself; anybody may have written that."""
    return [
        title(named(view.about.title)),
        html_table(view.about),
        html_table(view.score),
        sentences(view.notes),
    ]
