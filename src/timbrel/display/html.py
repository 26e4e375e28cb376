"""HTML that objects show in a notebook: no script, no other file, light or dark.

Text has the colour of the notebook, lines and backgrounds are half transparent, and the two colours
of bars contrast with white and with black, so it works in either theme. Without the style sheet,
tables and words remain. The HTML is well-formed XML too.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from timbrel.text import decimals, percent, round_up, shorten

# Doubled, so that the tables of a notebook's own style sheet do not come first.
_ME = ".timbrel.timbrel"
_STYLE = f"""<style>
{_ME}{{--blue:#3389cf;--orange:#d2691e;--line:rgba(128,128,128,.32);--wash:rgba(128,128,128,.16);
max-width:860px;margin:4px 0 8px;font:14px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,
"Helvetica Neue","Liberation Sans",sans-serif;color:inherit;overflow-wrap:break-word}}
{_ME} p{{margin:0 0 4px}}
{_ME} .title{{font-size:18px;font-weight:650;line-height:1.3}}
{_ME} .soft{{opacity:.74}}
{_ME} .small{{font-size:13px}}
{_ME} .wide{{overflow-x:auto}}
{_ME} table{{border-collapse:collapse;border:0;margin:6px 0 8px;font-size:13px;line-height:1.4;
width:auto;max-width:100%;table-layout:auto;color:inherit;background:none}}
{_ME} tr,{_ME} tr:nth-child(n),{_ME} tr:nth-child(n):hover{{background:none;border:0}}
{_ME} th,{_ME} td{{padding:3px 16px 3px 0;text-align:left;vertical-align:top;border:0;
border-bottom:1px solid var(--line);background:none;color:inherit;font-weight:400;
white-space:normal;max-width:420px}}
{_ME} thead th{{font-size:12px;vertical-align:bottom}}
{_ME} thead th span{{opacity:.74}}
{_ME} tbody th{{font-weight:600;overflow-wrap:anywhere;min-width:90px}}
{_ME} .n{{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}}
{_ME} .bar{{display:inline-block;position:relative;width:min(150px,24vw);height:10px;
border-radius:2px;background:var(--wash);vertical-align:-1px}}
{_ME} .bar b{{position:absolute;left:0;top:0;bottom:0;border-radius:2px;background:var(--blue)}}
{_ME} .bar.other b{{background:rgba(128,128,128,.7)}}
{_ME} .bar i{{position:absolute;top:-3px;bottom:-3px;border:solid currentColor;
border-width:0 1.5px;opacity:.6}}
{_ME} .bar i::before{{content:"";position:absolute;left:0;right:0;top:50%;
border-top:1.5px solid currentColor}}
{_ME} .tag{{display:inline-block;padding:0 7px;border-radius:9px;font-size:12px;line-height:18px;
border:1px solid currentColor;opacity:.85;white-space:nowrap}}
{_ME} .tag.yes{{background:rgba(51,137,207,.2);border-color:var(--blue);opacity:1}}
{_ME} .tag.no{{background:rgba(210,105,30,.2);border-color:var(--orange);opacity:1}}
{_ME} ul{{margin:4px 0 6px;padding-left:18px}}
{_ME} audio{{display:block;height:36px;width:100%;max-width:420px;margin-top:6px}}
{_ME} .line{{display:grid;grid-template-columns:minmax(70px,max-content) 1fr;gap:3px 12px;
align-items:center;margin:8px 0 4px;font-size:13px}}
{_ME} .line .name{{max-width:190px;text-align:right}}
{_ME} .line .track{{position:relative;height:16px;border-radius:2px;background:var(--wash)}}
{_ME} .line .track i{{position:absolute;top:0;bottom:0;min-width:2px;border-radius:2px;
background:var(--blue)}}
{_ME} .line .track.other i{{background:none;border:1.5px solid currentColor;opacity:.55;
box-sizing:border-box}}
{_ME} .line .ticks{{position:relative;grid-column:2;height:19px;font-size:12px}}
{_ME} .line .ticks span{{position:absolute;white-space:nowrap;transform:translateX(-50%);
border-top:5px solid transparent}}
{_ME} .line .ticks span::before{{content:"";position:absolute;left:50%;top:-5px;height:5px;
border-left:1px solid currentColor;opacity:.5}}
{_ME} .matrix td{{padding:0;width:34px;min-width:34px;height:26px;text-align:center;
vertical-align:middle;border:1px solid var(--line);font-variant-numeric:tabular-nums}}
{_ME} .matrix tbody th{{text-align:right;border:0;padding:0 8px 0 0;vertical-align:middle;
white-space:nowrap;font-weight:400}}
{_ME} .matrix thead th{{border:0;padding:0 0 4px}}
{_ME} .matrix thead th.turned{{height:1px}}
{_ME} .matrix thead th.turned span{{writing-mode:vertical-rl;transform:rotate(180deg);opacity:1;
white-space:nowrap;margin:0 auto;display:block}}
{_ME} .matrix .share{{border:0;padding-left:12px;width:auto;text-align:right;white-space:nowrap}}
{_ME} svg{{display:block;width:100%;max-width:640px;height:auto}}
</style>"""

# Characters that are not allowed in XML, odd bytes of a file name, and characters that change the
# direction of the text.
_NO_TEXT = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def text(value: object) -> str:
    """Escape text from outside: names of files, labels, messages."""
    return html.escape(_NO_TEXT.sub("\ufffd", str(value)), quote=True)


def named(value: object) -> str:
    """Escape a name, which may be written in another direction than the text around it."""
    return f"<bdi>{text(value)}</bdi>" if value else ""


def block(*parts: str) -> str:
    """HTML for a notebook: the parts, with a style sheet of their own."""
    return f'<div class="timbrel">{_STYLE}{"".join(parts)}</div>'


def title(content: str) -> str:
    """A heading; takes HTML."""
    return f'<p class="title">{content}</p>'


def note(*contents: str) -> str:
    """A line of small soft text; takes HTML, parts of which that are empty are left out."""
    line = " · ".join(content for content in contents if content)
    return f'<p class="soft small">{line}</p>' if line else ""


def tag(content: str, kind: str = "") -> str:
    """A word in a frame; `kind` is "yes" for accepted, "no" for rejected."""
    return f'<span class="tag {kind}">{text(content)}</span>'


def bar(share: float, kind: str = "", *, ends: tuple[float, float] | None = None) -> str:
    """A bar of a share, 0 to 1; `kind` is "other" for one that does not count.

    Args:
        share: how much of it is filled.
        kind: a class of the style sheet.
        ends: both ends of an interval, drawn over it.
    """
    whisker = ""
    if ends is not None:
        low, high = ends
        whisker = f'<i style="left:{_percent(low)};width:{_percent(max(high - low, 0))}"></i>'
    return f'<span class="bar {kind}"><b style="width:{_percent(share)}"></b>{whisker}</span>'


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Sequence[int] = ()
) -> str:
    """A table; takes HTML. The first column names the rows.

    Args:
        head: names of the columns, as text.
        rows: cells, as HTML; where there are fewer than columns, the last takes all that remain.
        numbers: columns that stand to the right.
    """
    kinds = [' class="n"' if column in numbers else "" for column in range(len(head))]
    heads = "".join(
        f'<th scope="col"{kind}><span>{text(item)}</span></th>'
        for item, kind in zip(head, kinds, strict=True)
    )
    named_columns = f"<thead><tr>{heads}</tr></thead>" if any(head) else ""
    lines = []
    for row in rows:
        cells = [f"<td{kind}>{cell}</td>" for cell, kind in zip(row, kinds, strict=False)]
        cells[0] = f'<th scope="row"{kinds[0]}>{row[0]}</th>'
        if len(row) < len(head):
            cells[-1] = f'<td colspan="{len(head) - len(row) + 1}">{row[-1]}</td>'
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return f'<div class="wide"><table>{named_columns}<tbody>{"".join(lines)}</tbody></table></div>'


def sentences(items: Sequence[object], *, few: int = 5) -> str:
    """Texts as a list, the first few and how many more there are."""
    if not items:
        return ""
    lines = [f"<li>{text(item)}</li>" for item in items[:few]]
    if len(items) > few:
        lines.append(f"<li>… and {len(items) - few} more</li>")
    return f'<ul class="soft small">{"".join(lines)}</ul>'


def _percent(share: float) -> str:
    return f"{100 * min(max(share, 0.0), 1.0):.1f}%"


# Rows of one timeline; labels beyond these share the last.
_ROWS = 12
_OTHERS = "others"
_TICKS = 6
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200)


@dataclass(frozen=True)
class Span:
    """A stretch of a recording and the answer for it.

    Attributes:
        start, end: in seconds.
        label: the answer.
        probability: of the answer, 0 to 1; None where that is not known.
        accepted: whether the answer is one of the classes.
    """

    start: float
    end: float
    label: str
    probability: float | None
    accepted: bool


def timeline(spans: Sequence[Span], seconds: float, *, title: str) -> str:
    """Draw spans on an axis from 0 to `seconds`; the higher their probability, the stronger.

    Args:
        spans: in the order of time.
        seconds: where the axis ends.
        title: a description, for screen readers.
    """
    # Neighbours with the same answer that touch are one; its probability is the mean of theirs.
    merged: list[list[Span]] = []
    for span in spans:
        last = merged[-1][-1] if merged else None
        if last and last.label == span.label and span.start <= last.end + 1e-6:
            merged[-1].append(span)
        else:
            merged.append([span])
    rows: dict[str, list[Span]] = {}
    for group in merged:
        known = [span.probability for span in group if span.probability is not None]
        mean = math.fsum(known) / len(known) if known else None
        joined = replace(group[0], end=group[-1].end, probability=mean)
        rows.setdefault(joined.label, []).append(joined)
    # Unknown comes last; the others stand in the order of their first span.
    order = sorted(rows, key=lambda label: not rows[label][0].accepted)
    if len(order) > _ROWS:
        rest = order[_ROWS - 1 :]
        order = [*order[: _ROWS - 1], _OTHERS]
        rows[_OTHERS] = [span for label in rest for span in rows[label]]
    lines = ""
    for label in order:
        kind = "" if all(span.accepted for span in rows[label]) else " other"
        marks = ""
        for span in rows[label]:
            left, right = (min(max(at / seconds, 0.0), 1.0) for at in (span.start, span.end))
            style = f"left:{100 * left:.2f}%;width:{100 * (right - left):.2f}%"
            words = f"{clock(span.start, seconds)} to {clock(span.end, seconds)}: {span.label}"
            if span.accepted and span.probability is not None:
                style += f";opacity:{0.3 + 0.7 * min(max(span.probability, 0.0), 1.0):.2f}"
                words += f", {percent(span.probability)}"
            marks += f'<i style="{style}" title="{text(words)}"></i>'
        lines += (
            f'<span class="name" title="{text(label)}">{named(shorten(label, 28))}</span>'
            f'<span class="track{kind}">{marks}</span>'
        )
    # The next round number of seconds.
    least = seconds / _TICKS
    if least > _STEPS[-1]:
        step: float = math.ceil(least / _STEPS[-1]) * _STEPS[-1]
    elif least >= 1:
        step = next(step for step in _STEPS if step >= least)
    else:
        step = round_up(least)
    ticks = "".join(
        f'<span style="left:{100 * number * step / seconds:.2f}%">'
        f"{clock(number * step, seconds, digits=decimals(step))}</span>"
        for number in range(math.floor(seconds / step + 1e-9) + 1)
    )
    return (
        f'<div class="line" role="img" aria-label="{text(title)}">{lines}'
        f'<span class="ticks soft">{ticks}</span></div>'
    )


def clock(at: float, seconds: float, *, digits: int = 2) -> str:
    """Write a time in a recording of so many seconds: `2.5 s`, `4:05`, `1:04:05`."""
    if seconds < 90:
        return f"{at:.{digits}f}\u00a0s"
    whole = round(at)
    hours, rest = divmod(whole, 3600)
    minutes = f"{rest // 60:02d}" if hours or seconds >= 3600 else f"{rest // 60}"
    return f"{hours}:{minutes}:{rest % 60:02d}" if seconds >= 3600 else f"{minutes}:{rest % 60:02d}"
