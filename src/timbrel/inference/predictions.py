"""Several predictions: a sequence that says what is in it, and draws itself in a notebook."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import overload

from timbrel.inference.prediction import Prediction
from timbrel.wording import plain, shorten

# Windows are put into words when they are asked for, so not all are counted of a long recording.
_COUNTED = 5000
_NAMED = 5


class Predictions(Sequence[Prediction]):
    """Predictions in their order; equal to any other sequence of the same ones.

    Args:
        items: the predictions. A sequence that makes them when they are asked for is kept as it is.
    """

    def __init__(self, items: Iterable[Prediction] = ()) -> None:
        self._items = items if isinstance(items, Sequence) else tuple(items)

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> Prediction: ...
    @overload
    def __getitem__(self, index: slice) -> Predictions: ...
    def __getitem__(self, index: int | slice) -> Prediction | Predictions:
        found = self._items[index]
        return Predictions(found) if isinstance(index, slice) else found

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Predictions | list | tuple):
            return NotImplemented
        return len(self) == len(other) and all(map(operator.eq, self, other))

    # Equal to lists, which have none.
    __hash__ = None

    def __add__(self, other: Sequence[Prediction]) -> Predictions:
        if not isinstance(other, Predictions | list | tuple):
            return NotImplemented
        return Predictions([*self, *other])

    def __repr__(self) -> str:
        count = len(self)
        what = f"{count:,} prediction{'' if count == 1 else 's'}"
        if not count or count > _COUNTED:
            return f"<{what}>"
        counts = Counter(_kind(item) for item in self).most_common()
        said = [f"{times} {shorten(kind, 40)}" for kind, times in counts[:_NAMED]]
        return plain(f"<{what}: {', '.join(said)}{', …' if len(counts) > _NAMED else ''}>")

    def _repr_html_(self) -> str:
        from timbrel.inference.drawing import predictions_html

        return predictions_html(self)


def _kind(item: Prediction) -> str:
    if item.error is not None:
        return "not usable"
    return item.label if item.label is not None else "without an event"
