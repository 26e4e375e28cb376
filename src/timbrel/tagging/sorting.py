"""Sort files into a folder for each class, in batches: journal, act, journal.

A batch is written to the journal as planned and is on disk before the first file of it is touched;
it is written as done when all of it is on disk. Copies are made in a staging folder first, so that
a file appears under its name only when it is whole.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from timbrel.errors import FULL, DataError, InvalidArgument, OutputError
from timbrel.inference.formats import cell, csv_line
from timbrel.inference.prediction import Prediction
from timbrel.tagging.journal import VERSION, Journal, Plan, cannot_write, opened, read_journal
from timbrel.tagging.labels import Labeller, NotLabelled, apply_delta, make_delta
from timbrel.tagging.moves import (
    clear,
    copy_times,
    copy_whole,
    link_text,
    reason,
    rename_new,
    settle,
    sha256_of,
    sync,
)
from timbrel.tagging.names import JOURNAL, STAGING, TABLE, Places, numbered

MODES = ("link", "copy", "move")

# Files and seconds after which a batch is carried out.
_FILES, _SECONDS = 256, 1.0

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)

_CHANGED = "it changed while it was read; run the command again"

_PREDICTED = ("label", "predicted", "probability", "accepted", "seconds")

# What two runs that sort the same library into the same folder must have in common.
_SETTINGS = {
    "mode": "another way of placing",
    "model": "another model",
    "threshold": "another threshold",
    "keep_folders": "another choice of `keep_folders`",
    "write_tags": "another choice of `write_tags`",
}


@dataclass
class Item:
    """A file of the library, from its prediction to its place.

    Attributes:
        path: the file, relative to the library, joined with `/`.
        prediction: what the model says of it, or why it could not be used or placed.
        to: its new place, relative to the folder of the sorted library, joined with `/`; None
            where it stayed.
        note: what is worth knowing, if anything.
        place: where it is about to be placed.
        plan: how.
        staged: the copy that will be renamed to its place, if any.
        seen: size and time of change (ns) of the file before it was copied.
    """

    path: str
    prediction: Prediction
    to: str | None = None
    note: str | None = None
    place: str | None = None
    plan: Plan = field(init=False)
    staged: Path | None = None
    seen: tuple[int, int] = (0, 0)


def read_before(out: Path, run: dict) -> Journal:
    """Read the journal in `out`, if there is one, and check that this run may go on there.

    Args:
        out: the folder of the sorted library.
        run: the run line of the journal, without `line`, `version` and `made`.

    Raises:
        DataError: the journal cannot be read, or undo has begun.
        InvalidArgument: the same folder was sorted into `out` in another way.
    """
    path = out / JOURNAL
    journal = read_journal(path) if path.exists() else Journal(path)
    if journal.undo:
        raise DataError(
            f"'{out}' is half taken back. End that first: timbrel tag --undo \"{path}\""
        )
    for old in journal.runs:
        differs = [text for key, text in _SETTINGS.items() if old[key] != run[key]]
        if old["source"] == run["source"] and differs:
            raise InvalidArgument(
                f"'{run['typed']}' was sorted into '{out}' before, with {differs[0]}. Choose "
                f'another folder with `to`, or take that back first: timbrel tag --undo "{path}"'
            )
    return journal


@contextlib.contextmanager
def sorting(
    out: Path, run: dict, places: Places, labeller: Labeller | None = None
) -> Iterator[Sorter]:
    """Open a sorted library, or make it; what an interrupted run left unfinished is taken back.

    Args:
        out: its folder.
        run: as for `read_before`.
        places: where each file goes.
        labeller: writes labels into the files; None for files as they are.

    Raises:
        DataError, InvalidArgument: as for `read_before`, or another process is at work on it.
        OutputError: it cannot be written.
    """
    read_before(out, run)
    made = next(n for n, folder in enumerate((out, *out.parents)) if os.path.lexists(folder))
    try:
        out.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise OutputError(f"Cannot write {out}: it is a file. Choose another folder.") from error
    except OSError as error:
        raise cannot_write(out, error) from error
    staging = out / STAGING
    with opened(out / JOURNAL) as journal:
        read_before(out, run)  # Again, now that no other process writes to it.
        if not journal.runs and staging.exists():
            raise OutputError(f"'{staging}' exists, but no journal beside it. Move it away.")
        try:
            journal.write([{"line": "run", "version": VERSION, **run, "made": made}])
            journal.runs.append(run)
            sync(out)
            clear(staging)
            settle(journal, take=True)
            try:
                staging.mkdir()
            except OSError as error:
                raise cannot_write(staging, error) from error
            yield Sorter(run, places, labeller, journal)
            journal.write([])
        finally:
            clear(staging)


class Sorter:
    """Places files, batch by batch.

    Attributes:
        journal: where everything is written down; it has been read before this run.
    """

    def __init__(
        self, run: dict, places: Places, labeller: Labeller | None, journal: Journal
    ) -> None:
        self.journal, self._out = journal, journal.path.parent
        self._run, self._source, self._mode = run, Path(run["source"]), run["mode"]
        self._places, self._labeller = places, labeller
        self._batch: list[Item] = []
        self._began = 0.0
        self._folders: set[str] = set()
        # Devices from which files cannot be renamed into `out`.
        self._other_devices: set[int] = set()

    def add(self, path: str, prediction: Prediction) -> list[Item]:
        """Take a file, relative to the library; returns what was carried out, when a batch is full.

        Raises:
            OutputError: nothing more can be written; what was done is in the journal.
        """
        if not self._batch:
            self._began = time.monotonic()
        self._batch.append(Item(path, prediction))
        full = len(self._batch) >= _FILES or time.monotonic() - self._began >= _SECONDS
        return self.finish() if full else []

    def finish(self) -> list[Item]:
        """Carry out the batch as far as it got; errors as for `add`."""
        batch, self._batch = self._batch, []
        waiting = [item for item in batch if item.prediction.error is None]
        while waiting:
            waiting = self._carry_out(waiting)
        failed = [
            {"path": item.path, "error": item.prediction.error} for item in batch if not item.to
        ]
        self.journal.write(({"line": "failed"} | row for row in failed), sync=False)
        self.journal.failed += ({"run": self._run} | row for row in failed)
        return batch

    def _carry_out(self, items: list[Item]) -> list[Item]:
        """Place files; returns those that must be tried again, in another place or another way."""
        planned, again = [], []
        for item in items:
            with self._failing(item):
                item.plan = self._plan(item)
                planned.append(item)
        folders = []
        for item in planned:
            for parent in reversed(Path(item.plan.to).parents[:-1]):
                name = parent.as_posix()
                if name not in self._folders and not os.path.lexists(self._out / name):
                    folders.append({"line": "folder", "name": name})
                self._folders.add(name)
        self.journal.write([*folders, *(item.plan.line() for item in planned)])
        changed = set()
        for item in planned:
            with self._failing(item):
                if self._act(item):
                    item.to = item.plan.to
                    item.plan.done = True
                    self.journal.plans[item.plan.n] = item.plan
                    changed.add((self._out / item.to).parent)
                    if item.plan.moved:
                        changed.add(item.plan.source.parent)
                else:
                    again.append(item)
        for folder in sorted(changed):
            sync(folder)
        ends = ({"line": "done" if item.to else "dropped", "n": item.plan.n} for item in planned)
        self.journal.write(ends, sync=False)
        return again

    @contextlib.contextmanager
    def _failing(self, item: Item) -> Iterator[None]:
        """Leave a file where it is if something cannot be done with it, and others can go on."""
        try:
            yield
        except OSError as error:
            if error.errno in FULL:
                raise cannot_write(self._out, error) from error
            if self._mode == "link" and error.errno in _NO_LINKS:
                raise OutputError(
                    f"'{self._out}' cannot hold symbolic links ({error.strerror}). Use --copy or "
                    "--move."
                ) from error
            item.to = None
            item.prediction = Prediction(path=item.prediction.path, error=reason(error))

    def _plan(self, item: Item) -> Plan:
        """Choose a place, and make what will be renamed to it, if anything."""
        source, answer = self._source / item.path, item.prediction
        labeller = self._labeller if answer.accepted else None
        if self._mode == "move" and not os.access(source.parent, os.W_OK):
            raise OSError(
                errno.EACCES, "its folder is read-only, so it cannot be moved; --copy copies it"
            )
        found = source.lstat() if self._mode == "link" else source.stat()
        item.place = item.place or self._places.take(item.path, answer)
        plan = Plan(
            run=self._run,
            n=self.journal.next,
            path=item.path,
            to=item.place,
            kind=self._mode,
            **{name: getattr(answer, name) for name in _PREDICTED},
        )
        self.journal.next += 1
        if self._mode == "link":
            plan.text = link_text(source, (self._out / plan.to).parent)
        elif self._mode == "move" and labeller is None and found.st_dev not in self._other_devices:
            plan.kind, plan.size, plan.sha256 = "rename", found.st_size, sha256_of(source)
        else:
            staged = item.staged = self._out / STAGING / f"{plan.n}{source.suffix}"
            item.seen = (found.st_size, found.st_mtime_ns)
            original = plan.sha256 = copy_whole(source, staged)
            if labeller is not None:
                staged.chmod(0o600)
                try:
                    labeller.write(staged, plan.label, original=source)
                    copy_times(source, staged)
                    sync(staged)
                    plan.sha256 = sha256_of(staged)
                except NotLabelled as error:
                    item.note = str(error) if error.of_kind else f"{answer.path}: {error}"
                    copy_whole(source, staged)
            plan.size = staged.stat().st_size
            if self._mode == "move":
                plan.kind, plan.original = "replace", original
                if plan.sha256 != original:
                    plan.delta = make_delta(source, staged)
                    digest = hashlib.sha256()
                    apply_delta(plan.delta, staged, digest.update)
                    if digest.hexdigest() != original:
                        raise OSError(errno.EIO, _CHANGED)
        return plan

    def _act(self, item: Item) -> bool:
        """Do what was planned; False if it must be planned again."""
        source, target = item.plan.source, self._out / item.plan.to
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise OSError(
                errno.ENOTDIR, f"there is a file where its folder '{target.parent}' should be"
            ) from error
        try:
            if item.plan.kind == "link":
                os.symlink(item.plan.text, target)
            else:
                rename_new(item.staged or source, target)
        except FileExistsError:  # Somebody else has taken its place since.
            item.place = None
            return False
        except OSError as error:
            if item.plan.kind != "rename" or error.errno != errno.EXDEV:
                raise
            self._other_devices.add(source.stat().st_dev)
            return False
        if item.plan.kind == "replace":
            sync(target.parent)  # The source goes when the copy is on disk for good.
            try:
                found = source.stat()
                if (found.st_size, found.st_mtime_ns) != item.seen:
                    raise OSError(errno.EIO, _CHANGED)
                os.unlink(source)
            except OSError:
                os.unlink(target)
                raise
        return True


def write_table(journal: Journal) -> Path:
    """Write the table of all files that were placed or, in the last run, failed; returns its path.

    A table that somebody else made or changed is left alone; the new one is numbered.

    Raises:
        OutputError: it cannot be written.
    """
    out = journal.path.parent
    partial = out / STAGING / TABLE
    last = {run["source"]: run for run in journal.runs}

    def rows() -> Iterator[list[str]]:
        yield ["path", *_PREDICTED, "error", "to"]
        for plan in journal.plans.values():
            yield [plan.name, *(cell(getattr(plan, key)) for key in _PREDICTED), "", plan.to]
        for row in journal.failed:
            if row["run"] is last[row["run"]["source"]]:
                name = f"{row['run']['typed'].rstrip('/')}/{row['path']}"
                yield [name, *("" for _ in _PREDICTED), row["error"], ""]

    try:
        with open(partial, "w", encoding="utf-8", newline="") as stream:
            stream.writelines(map(csv_line, rows()))
            stream.flush()
            os.fsync(stream.fileno())
        for name, sums in journal.tables.items():
            target = out / name
            if target.is_file() and sha256_of(target) in sums:
                break
        else:
            number = 1
            while os.path.lexists(target := out / numbered("tags", ".csv", number)):
                number += 1
        line = {"line": "table", "name": target.name, "sha256": sha256_of(partial)}
        journal.write([line])
        os.replace(partial, target)
    except OutputError:
        raise
    except OSError as error:
        raise cannot_write(out / TABLE, error) from error
    return target
