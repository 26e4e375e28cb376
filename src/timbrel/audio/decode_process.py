"""The parent's end of `timbrel.audio.decode_worker`: start one, ask it, end it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys

import numpy as np

from timbrel.audio.decode_worker import READY
from timbrel.errors import DecoderError

_START_SECONDS = 120.0
END_SECONDS = 5.0
ADVICE = "convert it with another program, or take it out"


class GoneError(Exception):
    """The process ended before it answered; whoever asked it says why."""


class DecodeProcess:
    """One process that decodes; used by one thread at a time.

    Attributes:
        process: the process.
        seconds_left: how long it may go on with what it does now; counted down by others.
        overdue: whether it took longer, and was ended for that.
        ready: whether it has started.
        answered: whether it has answered before.
        in_step: whether its last answer was read to the end, so that it can be asked again.

    Raises:
        DecoderError: it cannot be started.
    """

    def __init__(self) -> None:
        self.seconds_left = _START_SECONDS
        self.overdue = self.ready = self.answered = self.in_step = False
        try:
            self.process = subprocess.Popen(
                command(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_environment(),
                # Ctrl-C in a terminal goes to this process alone, which then ends the other.
                process_group=None if os.name == "nt" else 0,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            raise DecoderError.of(str(error)) from error

    def ask(self, request: bytes, seconds: float) -> tuple[dict, dict[str, np.ndarray]]:
        """Send a request; return the reply, and the arrays that come with it.

        Args:
            request: a line, as `timbrel.audio.decode_worker` explains.
            seconds: how long nothing may be heard of the process, its start not counted.

        Raises:
            GoneError: the process ended before it answered.
            MemoryError: an array does not fit in the memory.
        """
        self.in_step = False
        self._await_start()
        self.seconds_left = seconds
        try:
            self.process.stdin.write(request)
            self.process.stdin.flush()
        except OSError:  # A broken pipe.
            raise GoneError from None
        while "alive" in (reply := self._reply()):
            self.seconds_left = seconds
        arrays = {}
        for name, kind, shape in reply.get("arrays", ()):
            array = arrays[name] = np.empty(shape, dtype=kind)
            # What is longer than the reader's buffer goes into the array without another copy.
            if array.size and self.process.stdout.readinto(array.reshape(-1)) < array.nbytes:
                raise GoneError
        self.in_step = self.answered = True
        return reply, arrays

    def what_ended_it(self) -> str:
        """Say what became of a process that is gone, as what is wrong with the file it read."""
        try:
            status = self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            return f"the decoder stopped answering; {ADVICE}"
        how = _named(status)
        if how == "SIGKILL":
            return (
                "the decoder was killed while it read this, perhaps because memory ran out; "
                "cut it into shorter recordings"
            )
        return f"the decoder crashed on it ({how}); {ADVICE}"

    def why_not_started(self) -> str:
        """Say why a process that never became ready did not."""
        if self.overdue:
            return f"nothing was heard of one for {_START_SECONDS:.0f} s"
        said = self.process.stderr.read().decode(errors="replace").strip()
        return said.splitlines()[-1] if said else _named(self.process.wait())

    def kill(self) -> None:
        """End the process, whatever it does."""
        self.process.kill()

    def close(self) -> None:
        """End the process and let go of all that belongs to it."""
        self.kill()
        # A process that waits for a dead drive cannot be ended by anybody; leave it.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(END_SECONDS)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(OSError):
                stream.close()

    def _reply(self) -> dict:
        line = self.process.stdout.readline()
        if not line.endswith(b"\n"):
            raise GoneError
        return json.loads(line)

    def _await_start(self) -> None:
        while not self.ready:
            line = self.process.stdout.readline()
            if not line:
                raise GoneError
            self.ready = line.endswith(READY)
        self.process.stderr.close()


def command() -> list[str]:
    """What starts a worker: names of files mean the same there, and the working folder is safe.

    Without `-P`, a file in the working folder that is called `numpy.py` would be imported.
    """
    options = ("-P", "-X", f"utf8={sys.flags.utf8_mode}")
    return [sys.executable or "python", *options, "-m", "timbrel.audio.decode_worker"]


def _environment() -> dict[str, str]:
    """This process's own, and the folders that it imports from."""
    folders = [path or os.curdir for path in sys.path if isinstance(path, str)]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(folders),
        # There is a process for each core already: no threads for NumPy's linear algebra.
        "OPENBLAS_NUM_THREADS": "1",
    }


def _named(status: int) -> str:
    """A signal by its name, another exit status by its number."""
    with contextlib.suppress(ValueError):
        return signal.Signals(-status).name
    return f"exit status {status:#x}" if status > 255 else f"exit status {status}"
