"""Predictions as HTML: what a notebook shows of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from timbrel.display.html import bar, block, named, note, sentences, table, tag, text, title
from timbrel.display.timeline import Span, clock, timeline
from timbrel.inference.prediction import Prediction
from timbrel.wording import duration, percent, plural, shorten

# Rows of a table, timelines one below the other, and stretches of one.
_ROWS = 20
_TIMELINES = 6
_STRETCHES = 1000
_LONG_PATH = 44
_LONG_LABEL = 48


def prediction_html(item: Prediction) -> str:
    """The answer, how sure it is, and the most probable classes."""
    parts = [_heading(item), note(_path(item.path), _when(item), *_length(item))]
    if item.error is None and item.predicted is not None and not item.accepted:
        guess = f"{_label(item.predicted)} is most probable, but {percent(item.probability)}"
        parts.append(f'<p class="small">{guess} is too little to vouch for it.</p>')
    if item.top:
        parts.append(
            table(
                ("class", "probability", ""),
                [
                    (_label(label), bar(share, _kind(item, place)), percent(share))
                    for place, (label, share) in enumerate(item.top)
                ],
                numbers=(2,),
            )
        )
    return block(*parts, sentences(item.warnings))


def _heading(item: Prediction) -> str:
    if item.error is not None:
        return title("Could not be used") + f"<p>{text(item.error)}</p>"
    if item.label is None:
        return title("No event was found")
    if item.predicted is None:
        return title(f"{_label(item.label)} {tag('silence')}")
    return title(f"{_label(item.label)} {_verdict(item)}")


def predictions_html(items: Sequence[Prediction]) -> str:
    """A timeline of each recording where times are known, and a table."""
    return block(*predictions_parts(items))


def predictions_parts(items: Sequence[Prediction]) -> list[str]:
    """The same, to stand beside something else."""
    if not items:
        return [note("No predictions.")]
    shown = items[:_ROWS]
    parts = [_timelines(items), _table(shown)]
    if len(items) > len(shown):
        parts.append(note(f"… and {len(items) - len(shown):,} more"))
    return parts


def _timelines(items: Sequence[Prediction]) -> str:
    """The first few recordings of which stretches are known."""
    # A long recording has windows by the thousand, too many to see, and each takes time to make.
    every = -(-len(items) // _STRETCHES)
    recordings: dict[str, list[Prediction]] = {}
    for item in items if every == 1 else _some(items, every):
        if item.start is not None and item.end is not None and item.label is not None:
            recordings.setdefault(item.path, []).append(item)
    parts = [
        _timeline(path, found, alone=len(recordings) == 1)
        for path, found in list(recordings.items())[:_TIMELINES]
    ]
    if len(recordings) > _TIMELINES:
        parts.append(note(f"… and {plural(len(recordings) - _TIMELINES, 'more recording')}"))
    if every > 1 and parts:
        parts.append(note(f"One of {every} is drawn."))
    return "".join(parts)


def _some(items: Sequence[Prediction], every: int) -> Iterator[Prediction]:
    """One of so many; where the one after it follows at once, it stands for all up to the next."""
    for place in range(0, len(items), every):
        item, *following = items[place : place + 2]
        until = items[min(place + every, len(items) - 1)]
        goes_on = until.path == item.path and until.start is not None
        if following and goes_on and _touch(item, following[0]):
            item = replace(item, end=max(item.end, until.start))
        yield item


def _touch(one: Prediction, other: Prediction) -> bool:
    times = one.end, other.start
    return one.path == other.path and None not in times and times[1] <= times[0] + 1e-6


def _timeline(path: str, found: Sequence[Prediction], *, alone: bool) -> str:
    seconds = max([found[0].seconds or 0.0, *(item.end for item in found)])
    if not seconds > 0:
        return ""
    spans = [
        Span(item.start, item.end, item.label, item.probability, bool(item.accepted))
        for item in found
    ]
    head = "" if alone and not path else f"<p>{_path(path)}</p>"
    what = f"What is heard in {path or 'the waveform'}, and when."
    return head + timeline(spans, seconds, what=what)


def _table(items: Sequence[Prediction]) -> str:
    """A row a prediction; columns only for what there is."""
    timed = any(item.start is not None for item in items)
    several = len({item.path for item in items}) > 1 or not timed
    folder = _folder([item.path for item in items]) if several else ""
    # A table of windows names its recording above the timeline.
    head = [*(["recording"] if several else []), *(["time"] if timed else [])]
    rows = []
    for item in items:
        path = _path(item.path.removeprefix(folder))
        first = [*([path] if several else []), *([_when(item)] if timed else [])]
        rows.append([*first, *_cells(item)])
    where = note(f"in {named(folder[:-1])}") if folder else ""
    head += ["answer", "probability", "", "next"]
    return where + table(head, rows, numbers=(len(head) - 2,))


def _folder(paths: Sequence[str]) -> str:
    """The folder that several paths share, with the slash behind it."""
    if len(set(paths)) < 2:
        return ""
    shared = []
    for names in zip(*(path.split("/")[:-1] for path in paths), strict=False):
        if len(set(names)) > 1:
            break
        shared.append(names[0])
    # Alone, the slash of all files says nothing.
    return "/".join([*shared, ""]) if any(shared) else ""


def _cells(item: Prediction) -> tuple[str, ...]:
    if item.error is not None:
        return (f"{tag('not usable', 'no')} {text(item.error)}",)
    if item.label is None:
        return ('<span class="soft">no event</span>',)
    if item.predicted is None:
        return (f"{tag(item.label)} silence",)
    drawn = bar(item.probability, "" if item.accepted else "other")
    if not item.accepted:
        perhaps = f'<span class="soft">perhaps {_label(item.predicted)}</span>'
        return tag(item.label), drawn, percent(item.probability), perhaps
    following = "".join(f"{_label(label)} {percent(share)}" for label, share in item.top[1:2])
    return (
        _label(item.label),
        drawn,
        percent(item.probability),
        f'<span class="soft">{following}</span>',
    )


def _verdict(item: Prediction) -> str:
    return tag("accepted", "yes") if item.accepted else tag("not accepted", "no")


def _kind(item: Prediction, place: int) -> str:
    return "" if item.accepted and place == 0 else "other"


def _label(label: str) -> str:
    short = shorten(label, _LONG_LABEL)
    return named(label) if short == label else f'<span title="{text(label)}">{named(short)}</span>'


def _path(path: str) -> str:
    """A path, of which the end tells most."""
    if not path:
        return "waveform"
    if len(path) <= _LONG_PATH:
        return named(path)
    return f'<span title="{text(path)}">{named("…" + path[1 - _LONG_PATH :])}</span>'


def _when(item: Prediction) -> str:
    if item.start is None or item.end is None:
        return ""
    seconds = item.seconds or item.end
    start = f"{item.start:.2f}" if seconds < 90 else clock(item.start, seconds)
    return f'<span class="n">{start}–{clock(item.end, seconds)}</span>'


def _length(item: Prediction) -> tuple[str, ...]:
    if item.seconds is None:
        return ()
    return (f"{duration(item.seconds)} long",)
