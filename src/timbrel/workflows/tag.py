"""`timbrel tag`: a sample library, sorted into a folder for each class, and taken back."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from timbrel.dataset.manifest import find_recordings
from timbrel.display.bars import NoBars, Steps, progress_bars, telling_steps
from timbrel.display.html import bar, block, named, note, sentences, table, text, title
from timbrel.errors import DataError, InvalidArgument
from timbrel.files import with_slashes
from timbrel.inference.prediction import Prediction
from timbrel.inference.predictor import Predictor, load
from timbrel.tagging.journal import State
from timbrel.tagging.labelling import Labeller
from timbrel.tagging.names import JOURNAL, UNSURE
from timbrel.tagging.sorted_library import Library, look_at, opened, write_table
from timbrel.tagging.sorting import MODES, Placed, Places, Sorter
from timbrel.tagging.taking_back import TakenBack, take_library_back
from timbrel.wording import first_names, plain, plural
from timbrel.workflows.watched import check_one

if TYPE_CHECKING:
    from rich.progress import Progress

    from timbrel.display.cell import NotebookBars

_A_LINK = "it is a symbolic link, and links are not moved; copying copies what it leads to"


class TagObserver:
    """Told how sorting goes; each method does nothing unless overridden."""

    def found(self, count: int) -> None:
        """So many files are to be looked at."""

    def passed(self, path: str) -> None:
        """A file was placed by an earlier run."""

    def placed(self, item: Placed) -> None:
        """A file was placed (or would be), or could not be used."""


@dataclass(repr=False)
class TagResult:
    """What came of sorting a library.

    Attributes:
        counts: files placed in this run, by folder.
        before: files that an earlier run had placed.
        failed: files that could not be used, and why; they are where they were.
        notes: what else is worth knowing.
        journal: the journal, for `undo_tag`; None for a dry run.
        table: the table of all files; None for a dry run.
    """

    counts: Counter[str] = field(default_factory=Counter)
    before: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    journal: Path | None = None
    table: Path | None = None

    def __repr__(self) -> str:
        would = "would be " if self.journal is None else ""
        said = f"{plural(self.placed, 'file')} {would}placed"
        counts = {"unsure": self.unsure, "not usable": len(self.failed), "before": self.before}
        said += "".join(f", {count} {what}" for what, count in counts.items() if count)
        return plain(f"TagResult({said})")

    def _repr_html_(self) -> str:
        head = "file would be placed", "files would be placed"
        if self.journal is not None:
            head = "file placed", "files placed"
        undo = text(f"timbrel.undo_tag({str(self.journal)!r})")
        most = max(self.counts.values(), default=1)
        rows = [
            (named(folder), bar(count / most, "other" if folder == UNSURE else ""), f"{count:,}")
            for folder, count in sorted(self.counts.items())
        ]
        return block(
            title(plural(self.placed, *head)),
            note(f"{self.before:,} were placed before" if self.before else ""),
            table(("folder", "files", ""), rows, numbers=(2,)) if rows else "",
            note(f"Taken back by {undo}" if self.journal else ""),
            sentences([*(f"{path}: {why}" for path, why in self.failed), *self.notes]),
        )

    @property
    def placed(self) -> int:
        """Files placed in this run."""
        return self.counts.total()

    @property
    def unsure(self) -> int:
        """Files of this run that the model will not vouch for."""
        return self.counts[UNSURE]

    def add(self, item: Placed) -> None:
        """Count a file."""
        path = item.prediction.path
        if item.to is not None:
            self.counts[item.to.partition("/")[0]] += 1
        elif item.prediction.error is not None:
            self.failed.append((path, item.prediction.error))
        if item.note is not None:
            self.notes.append(item.note)


def tag(
    folder: str | os.PathLike,
    to: str | os.PathLike,
    model: str | os.PathLike | Predictor | None = None,
    *,
    mode: str = "link",
    keep_folders: bool = False,
    write_tags: bool = False,
    threshold: float | None = None,
    dry_run: bool = False,
    progress: bool = False,
    observer: TagObserver | None = None,
) -> TagResult:
    """Sort the recordings of a folder into a folder for each class.

    What the model answers *unknown* goes to `unsure`. Nothing is overwritten. An interrupted run is
    resumed by the same call; `undo_tag` takes everything back. `tags.csv` in `to` has a row for
    each file.

    Args:
        folder: what to sort; links to folders in it are not followed.
        to: where the class folders are made.
        model: a model directory, its `model.onnx`, or what `timbrel.load` gave; by default the
            instrument model that comes with the package.
        mode: "link" for symbolic links (relative where both folders lie on one disk), "copy", or
            "move".
        keep_folders: keep the sub-folders of `folder` below each class folder.
        write_tags: write the label into the metadata of the copied or moved files, as the genre.
        threshold: probability from which a class is accepted; the model's own by default.
        dry_run: touch nothing, and tell the observer what would be done.
        progress: show bars as the work goes on, in a notebook's cell or on a terminal's stderr.
        observer: told of every file, in place of bars.

    Raises:
        InvalidArgument: a parameter breaks its rule, or the folders lie in each other's way.
        DataError: there is no such folder, or no recording in it.
        ModelError: the model cannot be read.
        OutputError: `to` cannot be written; what was done is in the journal.
        MissingExtra: `write_tags` without mutagen.
    """
    if mode not in MODES:
        raise InvalidArgument(f"`mode` must be one of {', '.join(MODES)}. Got '{mode}'.")
    if write_tags and mode == "link":
        raise InvalidArgument(
            "`write_tags` goes with copies and moved files; through links it would change the "
            "originals."
        )
    source, out = Path(os.path.realpath(folder)), Path(os.path.realpath(to))
    if not source.is_dir():
        raise DataError(f"There is no folder '{folder}'.")
    labeller = Labeller() if write_tags else None
    predictor = _predictor(model, threshold)
    places = Places(out, predictor.labels, keep_folders=keep_folders)
    _check_folders(source, out, places)
    run = {
        "mode": mode,
        "source": str(source),
        "typed": with_slashes(folder).rstrip("/") or "/",
        "model": _fingerprint(predictor),
        "threshold": predictor.threshold,
        "keep_folders": keep_folders,
        "write_tags": write_tags,
    }
    with _watched(observer, progress) as told:
        job = _Job(source, out, predictor, told, run)
        if dry_run:
            return job.preview(places)
        job.count()
        with opened(out, run) as library:
            return job.sort(library, places, labeller)


class _BarObserver(TagObserver):
    """Moves a bar by one for each file."""

    def __init__(self, bars: Progress | NotebookBars | NoBars) -> None:
        self._bars = bars

    def found(self, count: int) -> None:
        """Begin the bar."""
        self._task = self._bars.add_task("sorting", total=count, note="")

    def passed(self, path: str) -> None:
        """Count a file of an earlier run."""
        self._bars.advance(self._task)

    def placed(self, item: Placed) -> None:
        """Count a file."""
        self._bars.advance(self._task)


@contextlib.contextmanager
def _watched(observer: TagObserver | None, progress: bool) -> Iterator[TagObserver]:
    """Who is told of every file."""
    check_one(observer, progress)
    if not progress:
        yield observer or TagObserver()
        return
    with progress_bars() as bars:
        yield _BarObserver(bars)


@dataclass
class _Job:
    """One sorting of one folder."""

    source: Path
    out: Path
    predictor: Predictor
    observer: TagObserver
    run: dict
    sorted_before: set[str] = field(default_factory=set)

    def files(self) -> Iterator[str]:
        """Recordings of the source, relative to it, joined with `/`; nothing that was sorted."""
        for file in find_recordings(self.source, without=self._left_out):
            yield "/".join(file.relative_to(self.source).parts)

    def _left_out(self, folder: Path) -> bool:
        """Whether a folder holds what this or another run sorted: results are no library."""
        if _same_folder(folder, self.out):
            return True
        if not os.path.isfile(folder / JOURNAL):
            return False
        inside = "/".join(folder.relative_to(self.source).parts)
        self.sorted_before.add(f"{self.run['typed'].rstrip('/')}/{inside}")
        return True

    def _notes(self) -> list[str]:
        """Name the folders that other runs sorted into."""
        if not self.sorted_before:
            return []
        names = sorted(self.sorted_before)
        one = len(names) == 1
        return [
            f"{first_names(names)} {'is' if one else 'are'} left out: an earlier run of tag sorted "
            f"into {'it' if one else 'each of them'}; to sort what lies there, name it as DIR."
        ]

    def count(self) -> None:
        """Say how many there are."""
        count = sum(1 for _ in self.files())
        if not count and not (self.out / JOURNAL).exists():
            but = f" but in {first_names(sorted(self.sorted_before))}, which an earlier run sorted"
            raise DataError(
                f"There is no sound file (.wav, .flac, …) in '{self.run['typed']}'"
                f"{but if self.sorted_before else ''}."
            )
        self.observer.found(count)

    def sort(self, library: Library, places: Places, labeller: Labeller | None) -> TagResult:
        """Predict and place what was not placed before."""
        result = TagResult(journal=library.journal.path, notes=self._notes())
        result.notes += (
            f"line {number} of the journal cannot be read" for number in library.state.damaged
        )
        sorter = Sorter(
            self.source,
            self.out,
            places,
            mode=self.run["mode"],
            journal=library.journal,
            staging=library.staging,
            labeller=labeller,
            first=library.state.next,
        )
        with contextlib.closing(self._predictions(library.state, result)) as predictions:
            for path, prediction in predictions:
                for item in sorter.add(path, prediction):
                    self._tell(item, result)
        for item in sorter.finish():
            self._tell(item, result)
        result.table = write_table(library)
        return result

    def preview(self, places: Places) -> TagResult:
        """Say what `sort` would do."""
        self.count()
        result = TagResult(notes=self._notes())
        state = look_at(self.out, self.run)
        with contextlib.closing(self._predictions(state, result)) as predictions:
            for path, prediction in predictions:
                to = places.take(path, prediction) if prediction.error is None else None
                self._tell(Placed(prediction, to), result)
        return result

    def _tell(self, item: Placed, result: TagResult) -> None:
        result.add(item)
        self.observer.placed(item)

    def _predictions(self, state: State, result: TagResult) -> Iterator[tuple[str, Prediction]]:
        """The answer for each file that was not placed before."""
        waiting: deque[str] = deque()

        def taken() -> Iterator[Path]:
            for path in self.files():
                if state.knows(self.run["source"], path):
                    result.before += 1
                    self.observer.passed(path)
                    continue
                waiting.append(path)
                yield self.source / path

        with contextlib.closing(self.predictor.predict_many(taken())) as found:
            for (answer,) in found:
                path = waiting.popleft()
                name = f"{self.run['typed'].rstrip('/')}/{path}"
                if self.run["mode"] == "move" and (self.source / path).is_symlink():
                    # What it leads to may have been moved already.
                    yield path, Prediction(path=name, error=_A_LINK)
                else:
                    yield path, replace(answer, path=name)


def undo_tag(journal: str | os.PathLike, progress: Steps | bool | None = None) -> TakenBack:
    """Take back what `tag` did: files that were moved return, links and copies are removed.

    What was changed since, or whose old place is taken, is named and left alone; then the journal
    stays, and this may be called again.

    Args:
        journal: `timbrel-tag.jsonl`, or the folder in which it lies.
        progress: True for a bar, or called after each file with the number so far and the total.

    Raises:
        DataError: there is no such journal.
        InvalidArgument: another process is at work on it.
        OutputError: it cannot be written.
    """
    path = Path(os.path.realpath(journal))
    path = path / JOURNAL if path.is_dir() else path
    with telling_steps(progress, "taking back") as tell:
        return take_library_back(path, tell)


def _predictor(model: str | os.PathLike | Predictor | None, threshold: float | None) -> Predictor:
    if model is None or isinstance(model, str | os.PathLike):
        return load(model, threshold=threshold)
    if threshold is not None:
        raise InvalidArgument("`threshold` goes with a model's path; a loaded one has its own.")
    return model


def _fingerprint(predictor: Predictor) -> str:
    """What tells a model from others: SHA-256 of its description."""
    description = {key: value for key, value in predictor.metadata.items() if key != "files"}
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()


def _same_folder(one: Path, two: Path) -> bool:
    try:
        return os.path.samefile(one, two)
    except OSError:  # One of them is not there.
        return False


def _check_folders(source: Path, out: Path, places: Places) -> None:
    """Make sure that what is sorted is not what is written."""
    if source == out:
        raise InvalidArgument(
            f"`to` must be another folder than the one that is sorted. Got '{out}' for both."
        )
    inside = source.relative_to(out).parts[0] if source.is_relative_to(out) else None
    folders = {name.casefold(): name for name in (*places.folders.values(), UNSURE)}
    if inside is not None and inside.casefold() in folders:
        raise InvalidArgument(
            f"'{source}' lies in '{out / inside}', into which files will be sorted. Choose another "
            "folder with `to`."
        )
