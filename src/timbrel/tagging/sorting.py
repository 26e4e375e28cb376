"""Sort files into a folder for each class, in batches: journal, act, journal.

A batch is written to the journal as planned and is on disk before the first file of it is touched;
it is written as done when all of it is on disk. Copies are made aside first, so that a file appears
under its name only when it is whole.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from timbrel.audio.reading import NO_FILE
from timbrel.errors import FULL, OutputError
from timbrel.inference.prediction import Prediction
from timbrel.tagging.acts import (
    can_rename,
    carry_out,
    copy_times,
    copy_whole,
    link_text,
    remove_source,
    sha256_of,
    sync,
)
from timbrel.tagging.delta import leads_back, make_delta
from timbrel.tagging.journal import Journal, cannot_write
from timbrel.tagging.labelling import Labeller, NotLabelled
from timbrel.tagging.names import UNSURE, FreeNames, folder_names

MODES = ("link", "copy", "move")

# Files, seconds and bytes of copies after which a batch is carried out.
_FILES, _SECONDS, _BYTES = 256, 1.0, 256 << 20

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)

_CHANGED = "it changed while it was read; run the command again"

PREDICTED = ("label", "predicted", "probability", "accepted", "seconds")


@dataclass(frozen=True)
class Placed:
    """A file and where it went.

    Attributes:
        prediction: what the model says of it, or why it could not be used.
        to: its new place, relative to the folder of the sorted library, joined with `/`; None
            where it stayed.
        note: what is worth knowing, if anything.
    """

    prediction: Prediction
    to: str | None = None
    note: str | None = None


class Places:
    """Chooses the place of each file.

    Args:
        out: the folder of the sorted library.
        labels: the classes.
        keep_folders: keep the sub-folders below each class folder.

    Attributes:
        folders: the folder of each class.
    """

    def __init__(self, out: Path, labels: list[str], *, keep_folders: bool) -> None:
        self.folders = folder_names(labels)
        self._keep_folders = keep_folders
        self._free = FreeNames(out)

    def take(self, path: str, prediction: Prediction) -> str:
        """A place for a file, relative to `out`; nobody else is given the same."""
        folder = self.folders[prediction.label] if prediction.accepted else UNSURE
        parent, _, name = path.rpartition("/")
        if self._keep_folders and parent:
            folder = f"{folder}/{parent}"
        return f"{folder}/{self._free.take(folder, name)}"


@dataclass
class _Item:
    """A file of a batch, from its prediction to its place."""

    path: str
    prediction: Prediction
    plan: dict = field(default_factory=dict)
    staged: Path | None = None
    seen: tuple[int, int] | None = None
    note: str | None = None
    state: str = "waiting"

    def fail(self, error: OSError) -> None:
        """Leave the file where it is."""
        self.state = "failed"
        self.prediction = Prediction(path=self.prediction.path, error=reason(error))

    @property
    def placed(self) -> Placed:
        """How it ended."""
        return Placed(self.prediction, self.plan["to"] if self.state == "done" else None, self.note)


class Sorter:
    """Places files, batch by batch.

    Args:
        source: the folder that is sorted.
        out: the folder of the sorted library.
        places: where each file goes.
        mode: "link", "copy" or "move".
        journal: where everything is written down.
        staging: an empty folder in `out` for copies in the making.
        labeller: writes labels into the files; None for files as they are.
        first: number of the first plan.
    """

    def __init__(
        self,
        source: Path,
        out: Path,
        places: Places,
        *,
        mode: str,
        journal: Journal,
        staging: Path,
        labeller: Labeller | None = None,
        first: int = 0,
    ) -> None:
        self._source, self._out, self._places = source, out, places
        self._mode, self._journal, self._staging = mode, journal, staging
        self._labeller, self._next = labeller, first
        self._batch: list[_Item] = []
        self._since, self._bytes = 0.0, 0
        self._folders: set[str] = set()
        self._said: set[str] = set()
        self._disk: tuple[Path, bool] | None = None

    def add(self, path: str, prediction: Prediction) -> Iterator[Placed]:
        """Take a file (relative to `source`); yields what was carried out, when a batch is full.

        Raises:
            OutputError: nothing more can be written; what was done is in the journal.
        """
        if not self._batch:
            self._since, self._bytes = time.monotonic(), 0
        self._batch.append(_Item(path, prediction))
        if self._mode != "link":
            file = self._source / path
            self._bytes += file.stat().st_size if file.is_file() else 0
        late = time.monotonic() - self._since >= _SECONDS
        if late or len(self._batch) >= _FILES or self._bytes >= _BYTES:
            yield from self.finish()

    def finish(self) -> Iterator[Placed]:
        """Carry out the batch as far as it got; errors as for `add`."""
        batch, self._batch = self._batch, []
        for item in batch:
            if item.prediction.error is not None:
                item.state = "failed"
        while waiting := [item for item in batch if item.state == "waiting"]:
            self._carry_out(waiting)
        failed = [item for item in batch if item.state == "failed"]
        self._journal.write(map(_failed_line, failed), sync=False)
        yield from (item.placed for item in batch)

    def _carry_out(self, items: list[_Item]) -> None:
        """One round; whose place was taken by somebody else meanwhile stays waiting."""
        for item in items:
            self._attempt(item, self._prepare)
        planned = [item for item in items if item.state == "planned"]
        folders = [line for item in planned for line in self._new_folders(item.plan["to"])]
        self._journal.write([*folders, *(item.plan for item in planned)])
        for item in planned:
            self._attempt(item, self._act)
        acted = [item for item in planned if item.state == "acted"]
        self._sync(acted)
        for item in acted:
            self._attempt(item, self._end)
        if any(item.plan["kind"] == "replace" for item in acted):
            self._sync(acted)
        ends = [_end_line(item.plan["n"], done=item.state == "done") for item in planned]
        self._journal.write(ends, sync=False)

    def _attempt(self, item: _Item, step: object) -> None:
        try:
            step(item)
        except OSError as error:
            if error.errno in FULL:
                raise cannot_write(self._out, error) from error
            if self._mode == "link" and error.errno in _NO_LINKS:
                raise OutputError(
                    f"'{self._out}' cannot hold symbolic links ({error.strerror}). Use --copy or "
                    "--move."
                ) from error
            item.fail(error)

    def _prepare(self, item: _Item) -> None:
        source = self._source / item.path
        number, self._next = self._next, self._next + 1
        how = self._stage(item, source, number)
        to = self._places.take(item.path, item.prediction)
        if self._mode == "link":
            how["text"] = link_text(source, (self._out / to).parent)
        said = {name: getattr(item.prediction, name) for name in PREDICTED}
        item.plan = {"line": "plan", "n": number, "path": item.path, "to": to, **how, **said}
        item.state = "planned"

    def _stage(self, item: _Item, source: Path, number: int) -> dict:
        """Make what will be renamed to its place, if anything; return how the plan is carried out.

        Raises:
            OSError: the file cannot be read, or not be moved.
        """
        if self._mode == "link":
            source.lstat()
            return {"kind": "link"}
        label = item.prediction.label if self._labeller and item.prediction.accepted else None
        if self._mode == "move":
            self._check_movable(source)
            if label is None and self._can_rename(source):
                return {"kind": "rename"}
        item.staged, item.seen = self._staging / f"{number}{source.suffix}", _state(source)
        original = copy_whole(source, item.staged)
        made = original if label is None else self._labelled(item, source, label)
        if self._mode == "copy":
            return {"kind": "copy", "sha256": made}
        delta = make_delta(source, item.staged) if made != original else None
        if delta and not leads_back(delta, item.staged, original):
            raise OSError(errno.EIO, _CHANGED)
        return {"kind": "replace", "sha256": made, "original": original, "delta": delta}

    def _labelled(self, item: _Item, source: Path, label: str) -> str:
        """Write the label into the staged copy, or leave it as it was; return its SHA-256."""
        item.staged.chmod(0o600)
        try:
            self._labeller.write(item.staged, label, original=source)
        except NotLabelled as error:
            text = str(error)
            if not error.of_kind:
                item.note = f"{item.prediction.path}: {text}"
            elif text not in self._said:
                item.note = text
                self._said.add(text)
            return copy_whole(source, item.staged)
        copy_times(source, item.staged)
        sync(item.staged)
        return sha256_of(item.staged)

    @staticmethod
    def _check_movable(source: Path) -> None:
        if not os.access(source.parent, os.W_OK):
            raise OSError(
                errno.EACCES, "its folder is read-only, so it cannot be moved; --copy copies it"
            )

    def _can_rename(self, source: Path) -> bool:
        if self._disk is None or self._disk[0] != source.parent:
            self._disk = (source.parent, can_rename(source, self._staging))
        return self._disk[1]

    def _new_folders(self, to: str) -> Iterator[dict]:
        """A line for each folder that must be made for a file."""
        for parent in reversed(Path(to).parents[:-1]):
            name = parent.as_posix()
            if name not in self._folders:
                self._folders.add(name)
                if not os.path.lexists(self._out / parent):
                    yield {"line": "folder", "name": name}

    def _act(self, item: _Item) -> None:
        target = self._out / item.plan["to"]
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise OSError(
                errno.ENOTDIR, f"there is a file where its folder '{target.parent}' should be"
            ) from error
        try:
            carry_out(item.plan, self._source / item.path, target, staged=item.staged)
        except FileExistsError:
            item.state = "waiting"
            if item.staged is not None:
                item.staged.unlink(missing_ok=True)
            return
        item.state = "acted"

    def _end(self, item: _Item) -> None:
        source, target = self._source / item.path, self._out / item.plan["to"]
        if item.plan["kind"] == "replace" and _state(source) != item.seen:
            target.unlink()
            raise OSError(errno.EIO, _CHANGED)
        remove_source(item.plan, source, target)
        item.state = "done"

    def _sync(self, items: list[_Item]) -> None:
        folders = {(self._out / item.plan["to"]).parent for item in items}
        if self._mode == "move":
            folders |= {(self._source / item.path).parent for item in items}
        for folder in sorted(folders):
            sync(folder)


def _state(path: Path) -> tuple[int, int]:
    """What changes when a file does: size and time."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _end_line(number: int, *, done: bool) -> dict:
    return {"line": "done" if done else "dropped", "n": number}


def _failed_line(item: _Item) -> dict:
    return {"line": "failed", "path": item.path, "error": item.prediction.error}


def reason(error: OSError) -> str:
    """Why a file could not be placed or taken back, in words."""
    if error.errno == errno.ENOENT:
        return NO_FILE
    return (error.strerror or str(error)).rstrip(".")
