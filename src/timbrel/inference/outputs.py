"""Where predictions go: stdout, a file, or a folder with a file for each recording."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from timbrel.display.terminal import rows_to
from timbrel.errors import InvalidArgument, OutputError
from timbrel.files import replacing
from timbrel.inference.names import names_for, places
from timbrel.inference.parquet import ParquetWriter, check_parquet
from timbrel.inference.prediction import Prediction
from timbrel.inference.writers import Writer, text_writer

# What is added to the name of a recording: our reader of label files knows both of theirs.
_ENDINGS = {
    "csv": ".csv",
    "jsonl": ".jsonl",
    "audacity": ".txt",
    "raven": ".selections.txt",
    "parquet": ".parquet",
}
FORMATS = tuple(_ENDINGS)

# A row of these is a stretch of sound, so they have no room for a recording that has none.
_STRETCHES = frozenset({"audacity", "raven"})


@dataclass(frozen=True)
class Layout:
    """What is written.

    Attributes:
        form: one of `FORMATS`.
        level: "file", "window" or "event".
        rate: sample rate of the model in Hz.
    """

    form: str = "csv"
    level: str = "file"
    rate: int = 1


class Output:
    """Takes the predictions of one recording after the other.

    A recording that was heard but in which nothing was found gives no prediction, or a single one
    with neither `label` nor `error`, for the sake of its `seconds`.

    Attributes:
        done: recordings that are written whole.
        rows: predictions that were written.
        stopped: whether the work ended before all was done.
    """

    def __init__(self, layout: Layout) -> None:
        self.done = 0
        self.rows = 0
        self.stopped = False
        self._layout = layout
        self._path = ""
        self._rows_before = 0
        self._seconds = 0.0
        self._failed = False

    def begin(self, path: str) -> None:
        """Turn to a recording."""
        self._path = path
        self._rows_before, self._seconds, self._failed = self.rows, 0.0, False

    def write(self, prediction: Prediction) -> None:
        """Write a prediction for the recording that was begun."""
        self._seconds = prediction.seconds or 0.0
        if prediction.error is not None:
            self._failed = self._layout.form in _STRETCHES
        if self._failed or (prediction.label is None and prediction.error is None):
            return
        self._writer().write(prediction)
        self.rows += 1

    def end(self) -> None:
        """Say that this was all for the recording that was begun."""
        if not self._failed:
            self._writer().end_recording(self._seconds)
            self._keep()
            self.done += 1
        self._rows_before = self.rows

    def stop(self) -> None:
        """Say that there will be no more."""
        self.stopped = True

    @property
    def empty(self) -> bool:
        """Whether nothing is written yet, not even that nothing was found."""
        return not self.done and not self.rows

    @property
    def shown(self) -> bool:
        """Whether rows are written to a terminal."""
        return False

    @property
    def cut(self) -> str | None:
        """The recording of which only the beginning is written, if there is one."""
        return self._path if self.rows > self._rows_before else None

    def _writer(self) -> Writer:
        raise NotImplementedError

    def discard(self) -> None:
        """Leave nothing of the recording that was begun, where it has a file of its own."""

    def _keep(self) -> None:
        """Let the file of the recording appear, where it has one of its own."""


class _Together(Output):
    """All recordings on one stream."""

    def __init__(self, layout: Layout, writer: Writer, followed: IO | None = None) -> None:
        super().__init__(layout)
        self._only = writer
        self._followed = followed

    def write(self, prediction: Prediction) -> None:
        """Write a prediction, so that whoever follows sees it at once."""
        super().write(prediction)
        if self._followed is not None:
            self._followed.flush()

    @property
    def shown(self) -> bool:
        """Whether rows are written to a terminal."""
        return self._followed is not None and self._followed.isatty()

    def _writer(self) -> Writer:
        return self._only


class _Apart(Output):
    """A file for each recording, which appears when it is whole."""

    def __init__(self, layout: Layout, names: dict[str, Path]) -> None:
        super().__init__(layout)
        self._names = names
        self._files = ExitStack()
        self._open: Writer | None = None

    def _writer(self) -> Writer:
        if self._open is None:
            target = self._names[self._path]
            self._open = self._files.enter_context(_appearing(target, self._layout))
        return self._open

    def discard(self) -> None:
        """Leave nothing of the recording that was begun and not ended."""
        self._files.__exit__(_Unchanged, _Unchanged(), None)
        self._open = None

    def _keep(self) -> None:
        self._files.close()
        self._open = None

    @property
    def cut(self) -> None:
        """There is none: a file holds all of its recording."""
        return None


class _Unchanged(Exception):
    """What was there before is to stay."""


@contextmanager
def opened(
    target: str | None, files: Sequence[str], *, given: Iterable[str] = (), layout: Layout
) -> Iterator[Output]:
    """Open what predictions go to.

    A file appears under its name when the block ends, with what was written until then; when
    it raises, or was stopped before anything was written, what was there before is untouched.

    Args:
        target: a file; a folder, there already or ending with `/`; or None for stdout.
        files: the recordings, in order.
        given: the files and folders that the recordings were found in; a folder of outputs has
            the sub-folders of the deepest folder that holds all of them.
        layout: what to write.

    Raises:
        InvalidArgument: the format does not go with the target, or the target holds something
            else that would be lost.
        MissingExtra: Parquet is wanted and pyarrow not installed.
        OutputError: it cannot be written.
    """
    if layout.form == "parquet":
        if target is None:
            raise InvalidArgument("Parquet is not text; name a file or a folder with -o.")
        check_parquet()
    folder = target is not None and is_folder(target)
    if layout.form == "audacity" and len(files) > 1 and not folder:
        raise InvalidArgument(
            f"A label track is of one recording, and there are {len(files)}; name a folder for "
            "them, as in -o labels/."
        )
    if folder:
        with _apart(target, files, given, layout) as output:
            yield output
    elif target is None:
        stream = _stdout()
        yield _Together(layout, _writer(stream, layout), followed=stream)
    elif os.path.exists(target) and not os.path.isfile(target):
        with _straight(target, layout) as output:
            yield output
    else:
        with _together(target, files, layout) as output:
            yield output


def is_folder(target: str) -> bool:
    """Whether outputs are to go into a folder of that name, not into a file."""
    return target.endswith(("/", os.sep)) or os.path.isdir(target)


@contextmanager
def _together(target: str, files: Sequence[str], layout: Layout) -> Iterator[Output]:
    if os.path.exists(target):
        for file in files:
            if os.path.exists(file) and os.path.samefile(file, target):
                raise InvalidArgument(
                    f"{target} is one of the recordings; name another file with -o."
                )
    try:
        with _appearing(target, layout) as writer:
            output = _Together(layout, writer)
            yield output
            if output.stopped and output.empty:
                raise _Unchanged
    except _Unchanged:
        pass


@contextmanager
def _straight(target: str, layout: Layout) -> Iterator[Output]:
    """Write to what is no file, a device or a named pipe, which must not be replaced by one."""
    try:
        with _open(target, layout) as stream, closing(_writer(stream, layout)) as writer:
            yield _Together(layout, writer, followed=stream)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError.of(target, error) from error


@contextmanager
def _apart(
    target: str, files: Sequence[str], given: Iterable[str], layout: Layout
) -> Iterator[Output]:
    folder = Path(target)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError.of(target, error) from error
    root, inside = places(files, given)
    inside = [
        ("stdin",) if file == "-" else place for file, place in zip(files, inside, strict=True)
    ]
    names = {
        file: folder / name
        for file, name in zip(files, names_for(inside, _ENDINGS[layout.form]), strict=True)
    }
    if os.path.exists(root) and os.path.samefile(root, folder):
        _check_beside(names.values())
    output = _Apart(layout, names)
    try:
        yield output
    finally:
        output.discard()


def _check_beside(names: Iterable[Path]) -> None:
    """See that nothing that lies beside a recording is lost: it may be what somebody labelled."""
    for name in names:
        if name.exists():
            raise InvalidArgument(
                f"{name} is there already, beside its recording, and may be somebody's work; move "
                "it away, or name another folder with -o."
            )


def _writer(stream: IO, layout: Layout) -> Writer:
    if layout.form == "parquet":
        return ParquetWriter(stream)
    return text_writer(rows_to(stream), form=layout.form, level=layout.level, rate=layout.rate)


@contextmanager
def _appearing(target: str | Path, layout: Layout) -> Iterator[Writer]:
    """A writer whose file appears under its name when the block ends well."""
    with (
        replacing(target) as temporary,
        _open(temporary, layout) as stream,
        closing(_writer(stream, layout)) as writer,
    ):
        yield writer


def _open(path: str | Path, layout: Layout) -> IO:
    if layout.form == "parquet":
        return open(path, "wb")
    return open(path, "w", encoding="utf-8", newline="\n")


def _stdout() -> IO:
    """Stdout, in UTF-8 for other programs whatever the terminal understands."""
    if sys.stdout is None:
        raise OutputError("There is no stdout to write to; name a file with -o.")
    how = {} if sys.stdout.isatty() else {"encoding": "utf-8"}
    sys.stdout.reconfigure(newline="\n", **how)
    return sys.stdout
