"""Where predictions go: stdout, a file, or a folder with a file for each recording."""

from __future__ import annotations

import io
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from pathlib import Path
from typing import IO

from timbrel.errors import InvalidArgument, OutputError
from timbrel.files import folded, replacing
from timbrel.inference.formats import FORMATS, Format
from timbrel.inference.prediction import Prediction
from timbrel.text import rows_to


class Output:
    """Takes the predictions of one recording after the other; `opened` makes one.

    For each recording, call `begin`, `write` for each of its predictions, and `end`.

    Args:
        kind: the format.
        open_writer: opens what a recording is written to, by its path.
        own_files: whether that is a file for each, which appears when it is closed.
        stream: flushed after each prediction, so that a reader can follow.

    Attributes:
        done: recordings that are written whole.
        rows: predictions that were written.
        stopped: whether the work ended before all was done.
    """

    def __init__(
        self,
        kind: type[Format],
        open_writer: Callable[[str], AbstractContextManager[Format]],
        *,
        own_files: bool = False,
        stream: IO | None = None,
    ) -> None:
        self.done = 0
        self.rows = 0
        self.stopped = False
        self._kind, self._open_writer, self._own_files = kind, open_writer, own_files
        self._stream = stream
        self._writer: Format | None = None
        self._opened = ExitStack()
        self._path = ""
        self._rows_before = 0
        self._seconds = 0.0
        self._left_out = False

    def begin(self, path: str) -> None:
        """Turn to a recording."""
        self._path = path
        self._rows_before, self._seconds, self._left_out = self.rows, 0.0, False

    def write(self, prediction: Prediction) -> None:
        """Write a prediction for the recording that was begun.

        One with `no_event` gives no row; its `seconds` are used. A recording with an error that
        the format has no room for is left out.
        """
        self._seconds = prediction.seconds or 0.0
        if prediction.error is not None:
            self._left_out = not self._kind.has_errors
        if not self._left_out and not prediction.no_event:
            self._opened_writer().write(prediction)
            self.rows += 1
        if self._stream is not None:
            self._stream.flush()

    def end(self) -> None:
        """End the recording that was begun."""
        if not self._left_out:
            self._opened_writer().end_recording(self._seconds)
            self._opened.close()
            self._writer = None
            self.done += 1
        self._rows_before = self.rows

    def stop(self) -> None:
        """Note that no more will be written."""
        self.stopped = True

    def discard(self) -> None:
        """Remove what is written of the recording that was begun, if it has a file of its own."""
        self._opened.__exit__(_Unchanged, _Unchanged(), None)

    @property
    def empty(self) -> bool:
        """Whether nothing is written yet, not even that nothing was found."""
        return not self.done and not self.rows

    @property
    def shown(self) -> bool:
        """Whether rows are written to a terminal."""
        return self._stream is not None and self._stream.isatty()

    @property
    def cut(self) -> str | None:
        """The recording of which only the beginning is written, if there is one."""
        begun = self.rows > self._rows_before
        return self._path if begun and not self._own_files else None

    def _opened_writer(self) -> Format:
        if self._writer is None:
            self._writer = self._opened.enter_context(self._open_writer(self._path))
        return self._writer


class _Unchanged(Exception):
    """Raised to keep what was there before."""


@contextmanager
def opened(
    target: str | None,
    files: Sequence[str],
    *,
    given: Iterable[str] = (),
    form: str = "csv",
    level: str = "file",
    rate: int = 1,
) -> Iterator[Output]:
    """Open what predictions go to.

    A file appears under its name when the block ends, with what was written until then; when
    it raises, or was stopped before anything was written, what was there before is untouched.

    Args:
        target: a file; a folder, there already or ending with `/`; or None for stdout.
        files: the recordings, in order.
        given: the files and folders that the recordings were found in; a folder of outputs has
            the sub-folders of the deepest folder that holds all of them.
        form: one of `FORMATS`.
        level: "file", "window" or "event".
        rate: sample rate of the model in Hz.

    Raises:
        InvalidArgument: the format does not go with the target, or the target holds something
            else that would be lost.
        MissingExtra: a package that the format needs is not installed.
        OutputError: it cannot be written.
    """
    kind = FORMATS[form]
    if target is None:
        kind.check_target("stdout", len(files))
    else:
        kind.check_target("folder" if is_folder(target) else "file", len(files))

    def open_stream(path: str | Path) -> IO:
        if kind.binary:
            return open(path, "wb")
        return open(path, "w", encoding="utf-8", newline="\n")

    def writer_to(stream: IO) -> Format:
        return kind(stream if kind.binary else rows_to(stream), level=level, rate=rate)

    @contextmanager
    def appearing(path: str | Path) -> Iterator[Format]:
        with (
            replacing(path) as temporary,
            open_stream(temporary) as stream,
            closing(writer_to(stream)) as writer,
        ):
            yield writer

    if target is None:
        if sys.stdout is None:
            raise OutputError("There is no stdout to write to; name a file with -o.")
        if isinstance(sys.stdout, io.TextIOWrapper):
            # Other programs get UTF-8 always.
            encoding = None if sys.stdout.isatty() else "utf-8"
            sys.stdout.reconfigure(newline="\n", encoding=encoding)
        writer = writer_to(sys.stdout)
        yield Output(kind, lambda path: nullcontext(writer), stream=sys.stdout)
    elif is_folder(target):
        names = _names_in_folder(target, files, given, kind.extension)
        output = Output(kind, lambda path: appearing(names[path]), own_files=True)
        try:
            yield output
        finally:
            output.discard()
    elif os.path.exists(target) and not os.path.isfile(target):
        # A device or a named pipe, which must not be replaced by a file.
        try:
            with open_stream(target) as stream, closing(writer_to(stream)) as writer:
                yield Output(kind, lambda path: nullcontext(writer), stream=stream)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError.of(target, error) from error
    else:
        for file in files if os.path.exists(target) else ():
            if os.path.exists(file) and os.path.samefile(file, target):
                raise InvalidArgument(
                    f"{target} is one of the recordings; name another file with -o."
                )
        try:
            with appearing(target) as writer:
                output = Output(kind, lambda path: nullcontext(writer))
                yield output
                if output.stopped and output.empty:
                    raise _Unchanged
        except _Unchanged:
            pass


def is_folder(target: str) -> bool:
    """Whether outputs are to go into a folder of that name, not into a file."""
    return target.endswith(("/", os.sep)) or os.path.isdir(target)


def _names_in_folder(
    target: str, files: Sequence[str], given: Iterable[str], extension: str
) -> dict[str, Path]:
    """The output of each recording in a folder, which is made where it is not there.

    Raises:
        InvalidArgument: a file exists next to a recording, which somebody may have made.
        OutputError: the folder cannot be made.
    """
    folder = Path(target)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError.of(target, error) from error
    root, inside = places(files, given)
    inside = [
        ("stdin",) if file == "-" else place for file, place in zip(files, inside, strict=True)
    ]
    names = [folder / name for name in names_for(inside, extension)]
    if os.path.exists(root) and os.path.samefile(root, folder):
        for name in names:
            if name.exists():
                raise InvalidArgument(
                    f"{name} exists already next to its recording and may be somebody's work; "
                    "move it away, or name another folder with -o."
                )
    return dict(zip(files, names, strict=True))


def places(files: Sequence[str], given: Iterable[str]) -> tuple[str, list[tuple[str, ...]]]:
    """The deepest folder that holds all that was given, and the place of each file in it.

    Args:
        files: the recordings.
        given: the files and folders that they were found in.

    Returns:
        The folder, and for each recording the folders in it and its name.
    """
    paths = [Path(os.path.abspath(file)) for file in files]
    folders = {Path(os.path.abspath(path)) for path in given if os.path.isdir(path)}
    starts = folders | {path.parent for path in paths if folders.isdisjoint(path.parents)}
    try:
        root = os.path.commonpath(starts)
    except ValueError:  # No recording, or several drives of Windows.
        root = ""
    return root, [path.relative_to(root).parts if root else path.parts for path in paths]


def names_for(inside: Sequence[tuple[str, ...]], extension: str) -> list[Path]:
    """Where the output of each recording goes: its name without extension, unless two share it.

    Names that differ in their case alone, or in how an accent is encoded, are one on some systems.

    Args:
        inside: folders and name of each recording, as `places` gives them.
        extension: what takes the place of the extension.

    Returns:
        A path for each recording, never one for two of them.
    """
    # Of another drive on Windows, its letter; never a place outside the folder.
    whole = {place: "/".join(part.rstrip(":\\/") for part in place).lstrip("/") for place in inside}
    stems = {place: os.path.splitext(name)[0] for place, name in whole.items()}
    shared = Counter(map(folded, stems.values()))
    taken: set[str] = set()
    names = {}
    for place, stem in stems.items():
        base = whole[place] if shared[folded(stem)] > 1 else stem
        name, number = base, 1
        while folded(name) in taken:
            number += 1
            name = f"{base}-{number}"
        taken.add(folded(name))
        names[place] = Path(name + extension)
    return [names[place] for place in inside]
