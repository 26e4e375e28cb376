"""Work on many items at once, with the results in the order of the items."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# Results that may wait for their turn, per thread: enough to keep all busy, few enough to hold.
_AHEAD = 2


def cores() -> int:
    """Processor cores that this process may use; in a container, often fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_order(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    stop: Callable[[], object] = lambda: None,
) -> Iterator[Result]:
    """Apply a function in a thread per core; yield its results in order.

    Only a few items are taken ahead of the one whose result is wanted, so that neither a long
    iterator nor large results fill the memory. Whoever stops early waits for what is running, not
    for the rest.

    Args:
        function: what to do with an item.
        items: the items.
        stop: called when the work is given up (an error, Ctrl-C, nobody wants more), to make what
            is running end early.

    Raises:
        Whatever `function` raises, when its turn comes.
    """
    workers = cores()
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(workers)
    given_up = True
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > _AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
        given_up = False
    finally:
        if given_up:
            stop()
        pool.shutdown(cancel_futures=True)
