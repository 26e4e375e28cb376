"""Predictions for a recording or a part of it, and their HTML for a notebook."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

from timbrel.display.html import (
    Span,
    bar,
    block,
    clock,
    named,
    note,
    sentences,
    table,
    tag,
    text,
    timeline,
    title,
)
from timbrel.findings import Finding
from timbrel.text import counted, duration, percent, plain, plural, shorten

# Rows of a table, timelines one below the other, and stretches of one.
_ROWS = 20
_TIMELINES = 6
_STRETCHES = 1000
_LONG_PATH = 44
_LONG_LABEL = 48


def predictions_parts(items: Sequence[Prediction]) -> list[str]:
    """HTML of several predictions: a timeline of each recording where times are known, a table."""
    if not items:
        return [note("No predictions.")]
    shown = items[:_ROWS]
    parts = [_timelines(items), _table(shown)]
    if len(items) > len(shown):
        parts.append(note(f"… and {len(items) - len(shown):,} more"))
    return parts


def _timelines(items: Sequence[Prediction]) -> str:
    """Timelines of the first few recordings whose predictions have times."""
    # Of a long recording, some windows are drawn: each takes time to make.
    every = -(-len(items) // _STRETCHES)
    recordings: dict[str, list[Span]] = {}
    lengths: dict[str, float] = {}
    for item in items if every == 1 else _thinned(items, every):
        if item.start is not None and item.end is not None and item.label is not None:
            accepted = bool(item.accepted)
            span = Span(item.start, item.end, item.label, item.probability, accepted)
            recordings.setdefault(item.path, []).append(span)
            lengths.setdefault(item.path, item.seconds or 0.0)
    parts = []
    for path, spans in list(recordings.items())[:_TIMELINES]:
        seconds = max([lengths[path], *(span.end for span in spans)])
        if seconds > 0:
            head = f"<p>{_path(path)}</p>" if path or len(recordings) > 1 else ""
            summary = f"Answers for {path or 'the waveform'} over time."
            parts.append(head + timeline(spans, seconds, title=summary))
    if len(recordings) > _TIMELINES:
        parts.append(note(f"… and {plural(len(recordings) - _TIMELINES, 'more recording')}"))
    if every > 1 and recordings:
        parts.append(note(f"One of {every} is drawn."))
    return "".join(parts)


def _thinned(items: Sequence[Prediction], every: int) -> Iterator[Prediction]:
    """One in `every`; it lasts until the next one is drawn where its windows touch."""
    for place in range(0, len(items), every):
        item, *following = items[place : place + 2]
        until = items[min(place + every, len(items) - 1)]
        if following and until.path == item.path == following[0].path and until.start is not None:
            end, start = item.end, following[0].start
            if end is not None and start is not None and start <= end + 1e-6:
                item = replace(item, end=max(end, until.start))
        yield item


def _table(items: Sequence[Prediction]) -> str:
    """A row a prediction; columns only for known values. An error or silence fills its row."""
    paths = [item.path for item in items]
    several = len(set(paths)) > 1
    has_times = any(item.start is not None for item in items)
    # A table of the windows of one recording has its name above the timeline.
    has_paths = several or not has_times
    shared: list[str] = []
    for names in zip(*(path.split("/")[:-1] for path in paths), strict=False):
        if not several or len(set(names)) > 1:
            break
        shared.append(names[0])
    # The root alone is not worth a line.
    folder = "/".join([*shared, ""]) if any(shared) else ""
    rows = []
    for item in items:
        cells = [_path(item.path.removeprefix(folder))] if has_paths else []
        if has_times:
            cells.append(_times(item))
        if item.error is not None:
            cells.append(f"{tag('not usable', 'no')} {text(item.error)}")
        elif item.label is None:
            cells.append('<span class="soft">no event</span>')
        elif item.predicted is None:
            cells.append(f"{tag(item.label)} silence")
        else:
            answer, kind = _label(item.label), ""
            others = "".join(f"{_label(label)} {percent(share)}" for label, share in item.top[1:2])
            if not item.accepted:
                answer, kind = tag(item.label), "other"
                others = f"perhaps {_label(item.predicted)}"
            share = item.probability or 0.0
            cells += [answer, bar(share, kind), percent(share)]
            cells.append(f'<span class="soft">{others}</span>')
        rows.append(cells)
    head = ["recording"] if has_paths else []
    if has_times:
        head.append("time")
    head += ["answer", "probability", "", "next"]
    heading = note(f"in {named(folder[:-1])}") if folder else ""
    return heading + table(head, rows, numbers=(len(head) - 2,))


def _label(label: str) -> str:
    short = shorten(label, _LONG_LABEL)
    return named(label) if short == label else f'<span title="{text(label)}">{named(short)}</span>'


def _path(path: str) -> str:
    """A path; of a long one the end."""
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


UNKNOWN = "unknown"

# Predictions for windows are made when they are read, so `repr` does not count those of a long
# recording; of the labels that it counts, it names a few.
_COUNTED = 5000
_NAMED = 5


@dataclass(frozen=True, repr=False)
class Prediction:
    """The answer for one recording, window or event; every output format uses these fields.

    Attributes:
        path: the recording, as it was named; empty for sound without a name.
        label: the answer: a class, or "unknown" where the model is not sure enough of any.
        predicted: the most probable class; None for digital silence.
        probability: of `predicted`, 0 to 1.
        accepted: whether `probability` reaches the threshold.
        top: the most probable classes with their probabilities, best first.
        seconds: length of the recording.
        error: why the recording could not be used; then `label` to `seconds` are None.
        start, end: seconds of the original recording, for windows and events.
        findings: what is odd about the recording, or why it could not be used; not written to
            outputs.
    """

    path: str
    label: str | None = None
    predicted: str | None = None
    probability: float | None = None
    accepted: bool | None = None
    top: tuple[tuple[str, float], ...] = ()
    seconds: float | None = None
    error: str | None = None
    start: float | None = None
    end: float | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is odd about the recording but did not stop its use, in words."""
        return tuple(item.reason for item in self.findings if not item.unusable)

    @property
    def no_event(self) -> bool:
        """Whether this only says that no event was found in the recording, and how long it is."""
        return self.label is None and self.error is None

    def __repr__(self) -> str:
        name = repr(self.path) if self.path else "waveform"
        if self.start is not None and self.end is not None:
            name += f", {self.start:.2f}–{self.end:.2f} s"
        if self.error is not None:
            answer = f"not usable, {self.error}"
        elif self.label is None:
            answer = "no event"
        elif self.predicted is None:
            answer = f"{self.label}, silence"
        else:
            guess = "" if self.accepted else f", most probably {self.predicted}"
            answer = f"{self.label}{guess} {percent(self.probability)}"
        return plain(f"Prediction({name}: {answer})")

    def _repr_html_(self) -> str:
        if self.error is not None:
            heading = title("Could not be used") + f"<p>{text(self.error)}</p>"
        elif self.label is None:
            heading = title("No event was found")
        elif self.predicted is None:
            heading = title(f"{_label(self.label)} {tag('silence')}")
        else:
            verdict = tag("accepted", "yes") if self.accepted else tag("not accepted", "no")
            heading = title(f"{_label(self.label)} {verdict}")
        length = "" if self.seconds is None else f"{duration(self.seconds)} long"
        parts = [heading, note(_path(self.path), _times(self), length)]
        if self.error is None and self.predicted is not None and not self.accepted:
            guess = f"{_label(self.predicted)} is most probable, but {percent(self.probability)}"
            parts.append(f'<p class="small">{guess} is below the threshold.</p>')
        if self.top:
            rows = [
                (
                    _label(label),
                    bar(share, "" if self.accepted and place == 0 else "other"),
                    percent(share),
                )
                for place, (label, share) in enumerate(self.top)
            ]
            parts.append(table(("class", "probability", ""), rows, numbers=(2,)))
        return block(*parts, sentences(self.warnings))

    def to_dict(self) -> dict:
        """Return all fields but `findings` as JSON data; those that are empty are None."""
        top = [{"label": label, "probability": value} for label, value in self.top]
        return {
            "path": self.path,
            "start": self.start,
            "end": self.end,
            "label": self.label,
            "predicted": self.predicted,
            "probability": self.probability,
            "accepted": self.accepted,
            "top": top or None,
            "seconds": self.seconds,
            "error": self.error,
        }


class Predictions(Sequence[Prediction]):
    """Predictions in order; equal to a list or a tuple of the same ones.

    Args:
        items: the predictions, or what `make` makes them of.
        make: makes a prediction of an item, each time it is read: there may be a million.
    """

    def __init__(
        self,
        items: Iterable[Prediction] | Sequence[Any] = (),
        make: Callable[[Any], Prediction] | None = None,
    ) -> None:
        self._items: Sequence[Any] = items if isinstance(items, Sequence) else tuple(items)
        self._make = make

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> Prediction: ...
    @overload
    def __getitem__(self, index: slice) -> Predictions: ...
    def __getitem__(self, index: int | slice) -> Prediction | Predictions:
        if isinstance(index, slice):
            return Predictions(self._items[index], self._make)
        item = self._items[index]
        return item if self._make is None else self._make(item)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Predictions | list | tuple):
            return NotImplemented
        return len(self) == len(other) and all(map(operator.eq, self, other))

    def __add__(self, other: Sequence[Prediction]) -> Predictions:
        if not isinstance(other, Predictions | list | tuple):
            return NotImplemented
        return Predictions([*self, *other])

    def __repr__(self) -> str:
        count = counted(len(self), "prediction")
        if not 0 < len(self) <= _COUNTED:
            return f"<{count}>"
        counts = Counter(
            "not usable" if item.error is not None else item.label or "without an event"
            for item in self
        ).most_common()
        labels = ", ".join(f"{times} {shorten(label, 40)}" for label, times in counts[:_NAMED])
        return plain(f"<{count}: {labels}{', …' if len(counts) > _NAMED else ''}>")

    def _repr_html_(self) -> str:
        return block(*predictions_parts(self))
