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
    """The answer, its probability, and the most probable classes."""
    if item.error is not None:
        heading = title("Could not be used") + f"<p>{text(item.error)}</p>"
    elif item.label is None:
        heading = title("No event was found")
    elif item.predicted is None:
        heading = title(f"{_label(item.label)} {tag('silence')}")
    else:
        verdict = tag("accepted", "yes") if item.accepted else tag("not accepted", "no")
        heading = title(f"{_label(item.label)} {verdict}")
    length = "" if item.seconds is None else f"{duration(item.seconds)} long"
    parts = [heading, note(_path(item.path), _times(item), length)]
    if item.error is None and item.predicted is not None and not item.accepted:
        guess = f"{_label(item.predicted)} is most probable, but {percent(item.probability)}"
        parts.append(f'<p class="small">{guess} is too little to vouch for it.</p>')
    if item.top:
        rows = [
            (
                _label(label),
                bar(share, "" if item.accepted and place == 0 else "other"),
                percent(share),
            )
            for place, (label, share) in enumerate(item.top)
        ]
        parts.append(table(("class", "probability", ""), rows, numbers=(2,)))
    return block(*parts, sentences(item.warnings))


def predictions_html(items: Sequence[Prediction]) -> str:
    """A timeline of each recording where times are known, and a table."""
    return block(*predictions_parts(items))


def predictions_parts(items: Sequence[Prediction]) -> list[str]:
    """The parts of `predictions_html`, to stand beside something else."""
    if not items:
        return [note("No predictions.")]
    shown = items[:_ROWS]
    parts = [_timelines(items), _table(shown)]
    if len(items) > len(shown):
        parts.append(note(f"… and {len(items) - len(shown):,} more"))
    return parts


def _timelines(items: Sequence[Prediction]) -> str:
    """Timelines of the first few recordings whose predictions have times."""
    # A long recording has windows by the thousand, too many to see, and each takes time to make.
    every = -(-len(items) // _STRETCHES)
    recordings: dict[str, list[Prediction]] = {}
    for item in items if every == 1 else _thinned(items, every):
        if item.start is not None and item.end is not None and item.label is not None:
            recordings.setdefault(item.path, []).append(item)
    parts = []
    for path, found in list(recordings.items())[:_TIMELINES]:
        seconds = max([found[0].seconds or 0.0, *(item.end for item in found)])
        if seconds > 0:
            spans = [
                Span(item.start, item.end, item.label, item.probability, bool(item.accepted))
                for item in found
            ]
            head = f"<p>{_path(path)}</p>" if path or len(recordings) > 1 else ""
            what = f"What is heard in {path or 'the waveform'}, and when."
            parts.append(head + timeline(spans, seconds, what=what))
    if len(recordings) > _TIMELINES:
        parts.append(note(f"… and {plural(len(recordings) - _TIMELINES, 'more recording')}"))
    if every > 1 and recordings:
        parts.append(note(f"One of {every} is drawn."))
    return "".join(parts)


def _thinned(items: Sequence[Prediction], every: int) -> Iterator[Prediction]:
    """One of so many, as long as all up to the next if the one after it follows at once."""
    for place in range(0, len(items), every):
        item, *following = items[place : place + 2]
        until = items[min(place + every, len(items) - 1)]
        if following and until.path == item.path == following[0].path and until.start is not None:
            end, start = item.end, following[0].start
            if end is not None and start is not None and start <= end + 1e-6:
                item = replace(item, end=max(end, until.start))
        yield item


def _table(items: Sequence[Prediction]) -> str:
    """A row a prediction; columns only for what there is."""
    paths = [item.path for item in items]
    has_times = any(item.start is not None for item in items)
    # A table of the windows of one recording has its name above the timeline.
    has_paths = len(set(paths)) > 1 or not has_times
    shared: list[str] = []
    if len(set(paths)) > 1:
        for names in zip(*(path.split("/")[:-1] for path in paths), strict=False):
            if len(set(names)) > 1:
                break
            shared.append(names[0])
    # The root alone is not worth a line.
    folder = "/".join([*shared, ""]) if any(shared) else ""
    rows = []
    for item in items:
        cells = [_path(item.path.removeprefix(folder))] if has_paths else []
        if has_times:
            cells.append(_times(item))
        rows.append([*cells, *_cells(item)])
    head = ["recording"] if has_paths else []
    if has_times:
        head.append("time")
    head += ["answer", "probability", "", "next"]
    where = note(f"in {named(folder[:-1])}") if folder else ""
    return where + table(head, rows, numbers=(len(head) - 2,))


def _cells(item: Prediction) -> tuple[str, ...]:
    """The cells after path and times; where there are fewer than four, the last is wider."""
    if item.error is not None:
        return (f"{tag('not usable', 'no')} {text(item.error)}",)
    if item.label is None:
        return ('<span class="soft">no event</span>',)
    if item.predicted is None:
        return (f"{tag(item.label)} silence",)
    if not item.accepted:
        answer, kind = tag(item.label), "other"
        next_label = f"perhaps {_label(item.predicted)}"
    else:
        answer, kind = _label(item.label), ""
        next_label = "".join(f"{_label(label)} {percent(share)}" for label, share in item.top[1:2])
    return (
        answer,
        bar(item.probability, kind),
        percent(item.probability),
        f'<span class="soft">{next_label}</span>',
    )


def _label(label: str) -> str:
    short = shorten(label, _LONG_LABEL)
    return named(label) if short == label else f'<span title="{text(label)}">{named(short)}</span>'


def _path(path: str) -> str:
    """A path; of a long one the end, which says most."""
    if not path:
        return "waveform"
    if len(path) <= _LONG_PATH:
        return named(path)
    return f'<span title="{text(path)}">{named("…" + path[1 - _LONG_PATH :])}</span>'


def _times(item: Prediction) -> str:
    if item.start is None or item.end is None:
        return ""
    seconds = item.seconds or item.end
    start = f"{item.start:.2f}" if seconds < 90 else clock(item.start, seconds)
    return f'<span class="n">{start}–{clock(item.end, seconds)}</span>'
