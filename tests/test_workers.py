"""Work in threads, in the order of the items; and what worker processes can be asked to do.

How processes behave that crash, hang or are killed is in test_isolated.py.
"""

import inspect
import os
import subprocess
import sys
import threading
import time

import pytest

from timbrel.worker import function_of
from timbrel.workers import Task, in_order


def test_results_come_in_the_order_of_the_items():
    def slow_first(number):
        time.sleep(0.02 if number == 0 else 0)
        return number

    assert list(in_order(slow_first, range(50))) == list(range(50))
    assert list(in_order(str, [])) == []


def test_few_items_are_taken_ahead():
    taken = []

    def items():
        for number in range(1000):
            taken.append(number)
            yield number

    results = in_order(str, items())
    next(results)
    assert len(taken) < 300
    results.close()


def test_an_error_comes_in_its_turn_and_ends_the_work():
    done = []

    def fail_at_five(number):
        done.append(number)
        if number == 5:
            raise ValueError("five")
        return number

    results = in_order(fail_at_five, range(10_000))
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="five"):
        next(results)
    assert len(done) < 1000


def test_whoever_stops_early_does_not_wait_for_the_rest():
    started = threading.Semaphore(0)

    def work(number):
        started.release()
        time.sleep(0.01)

    results = in_order(work, range(100_000))
    next(results)
    before = time.monotonic()
    results.close()
    assert time.monotonic() - before < 60


@pytest.mark.parametrize(("taken", "stopped"), [(20, 0), (19, 1), (1, 1)])
def test_work_that_is_given_up_is_told_to_stop(taken, stopped):
    calls = []
    results = in_order(str, range(19), stop=lambda: calls.append("stop"))
    for _ in zip(range(taken), results, strict=False):
        pass
    results.close()
    assert len(calls) == stopped


def test_an_error_stops_what_is_running():
    """The other threads wait for `stop`; without it this would never end."""
    stopped = threading.Event()

    def work(number):
        if number == 0:
            raise ValueError("zero")
        stopped.wait()

    with pytest.raises(ValueError, match="zero"):
        next(in_order(work, range(10), stop=stopped.set))


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
def test_cores_are_those_that_may_be_used():
    program = (
        "import os; from timbrel.workers import WorkerPool, cores\n"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "print(cores(), WorkerPool()._size)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1", "1"]


@pytest.mark.parametrize("task", Task)
def test_every_task_has_a_function_that_takes_a_reading(task):
    first, *settings = inspect.signature(function_of(task)).parameters.values()
    assert first.kind is first.POSITIONAL_OR_KEYWORD
    assert all(setting.kind is setting.KEYWORD_ONLY for setting in settings)


def test_nothing_but_a_task_can_be_asked_for():
    """A worker that is asked for any other function ends without an answer."""
    command = [sys.executable, "-m", "timbrel.worker"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        worker.stdin.write(b'{"task": "os.getcwd", "reading": {"path": "x"}, "settings": {}}\n')
        worker.stdin.flush()
        assert worker.wait(60) == 1
        assert worker.stdout.read() == b"timbrel decodes\n"
