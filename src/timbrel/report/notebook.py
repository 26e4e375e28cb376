"""Scores, findings and models laid out for a notebook.

Needs neither Jinja2 nor matplotlib: models are shown where only predicting is installed, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from timbrel.display.html import bar, named, note, sentences, table, text, title
from timbrel.report.view import Figure, ScoreView, Table, model_tables
from timbrel.text import percent, shorten

# Larger tables are for the report.
_CLASSES = 24
_ROWS = 20
_NAME = 24


def score_parts(view: ScoreView) -> list[str]:
    """The score with its interval, other accuracies, the mistakes and the other results."""
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
    for place, column in enumerate(shown.columns):
        drawn = bool(shown.figures(place))
        head += [column, ""] if drawn else [column]
        if drawn or not (place == 0 or column in shown.words):
            numbers.append(len(head) - 1)
    rows: list[list[str]] = []
    for row in shown.rows[:_ROWS]:
        cells = []
        for place, cell in enumerate(row):
            if isinstance(cell, Figure):
                ends = None if cell.low is None or cell.high is None else (cell.low, cell.high)
                kind = "other" if main_first and rows else ""
                cells += [
                    "" if cell.value is None else bar(cell.value, kind, ends=ends),
                    f'{cell.text} <span class="soft">{cell.interval}</span>',
                ]
            else:
                cells.append(named(cell) if place == 0 else text(cell))
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
            taken = f"{label}, taken for {labels[column]}: {times:g} ({percent(share, 0)})"
            cells.append(
                f'<td style="background:rgba({ink},{0.14 + 0.56 * share:.2f})" '
                f'title="{text(taken)}">{times:g}</td>'
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
    """Findings on recordings, the first ones in full, and how many there are of each kind.

    Args:
        findings: with `path`, `kind`, `message` and `action`.
        kinds: what each kind means.
    """
    if not findings:
        return []
    counts = Counter(item.kind for item in findings)
    totals = [f"{text(kinds[kind])}: {count}" for kind, count in counts.items()]
    rows = [
        (
            named(item.path),
            f'<span class="n">{text(item.kind)}</span>',
            f"{text(item.message)} {text(item.action)}",
        )
        for item in findings[:_ROWS]
    ]
    parts = [note(*totals), table(("recording", "finding", "what, and what to do"), rows)]
    if len(findings) > _ROWS:
        parts.append(note(f"… and {len(findings) - _ROWS:,} more"))
    return parts


def model_parts(found: Mapping[str, Any]) -> list[str]:
    """A model and its score; takes the result of `ModelInfo.to_dict`."""
    about, score, *_ = model_tables(found)
    return [
        title(named(about.title)),
        html_table(about),
        html_table(score),
        sentences(found["notes"]),
    ]
