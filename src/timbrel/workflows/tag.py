"""`timbrel tag`: sort a sample library into a folder for each class, and undo it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from timbrel.dataset.manifest import find_recordings
from timbrel.display.html import bar, block, named, note, sentences, table, text, title
from timbrel.errors import DataError, InvalidArgument
from timbrel.files import with_slashes
from timbrel.inference.prediction import Prediction
from timbrel.inference.predictor import Predictor, load
from timbrel.progress import Progress, watching
from timbrel.tagging.journal import JOURNAL, Journal
from timbrel.tagging.labels import Labeller
from timbrel.tagging.sorting import (
    MODES,
    UNSURE,
    Item,
    Places,
    read_before,
    sorting,
    write_table,
)
from timbrel.tagging.undo import TakenBack, take_library_back
from timbrel.text import first_names, plain, plural

TagObserver = Progress


@dataclass(repr=False)
class TagResult:
    """The result of sorting a library.

    Attributes:
        counts: files placed in this run, by folder.
        before: files that an earlier run had placed.
        failed: files that could not be used, and why; they stay where they were.
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
        counts = {"unsure": self.unsure, "not usable": len(self.failed), "before": self.before}
        more = "".join(f", {count} {name}" for name, count in counts.items() if count)
        return plain(f"TagResult({plural(self.placed, 'file')} {would}placed{more})")

    def _repr_html_(self) -> str:
        would = "would be " if self.journal is None else ""
        undo = text(f"timbrel.undo_tag({str(self.journal)!r})")
        most = max(self.counts.values(), default=1)
        rows = [
            (named(folder), bar(count / most, "other" if folder == UNSURE else ""), f"{count:,}")
            for folder, count in sorted(self.counts.items())
        ]
        return block(
            title(plural(self.placed, f"file {would}placed", f"files {would}placed")),
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
        """Files of this run that the model calls "unknown"."""
        return self.counts[UNSURE]


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
    progress: bool | Progress = False,
) -> TagResult:
    """Sort the recordings of a folder into a folder for each class.

    Files that the model calls *unknown* go to `unsure`. Nothing is overwritten. An interrupted run
    is resumed by the same call; `undo_tag` takes everything back. `tags.csv` in `to` has a row for
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
        dry_run: touch nothing, and tell `progress` what would be done.
        progress: True for a bar, in a notebook's cell or on a terminal's stderr; or an object that
            is told the stage "sorting" and, for each file, a row of the table "files", which has
            the columns of `tags.csv` (`to` is None where a file stays).

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
    if model is None or isinstance(model, str | os.PathLike):
        predictor = load(model, threshold=threshold)
    elif threshold is None:
        predictor = model
    else:
        raise InvalidArgument("`threshold` goes with a model's path; a loaded one has its own.")
    places = Places(out, predictor.labels, keep_folders=keep_folders)
    if source == out:
        raise InvalidArgument(
            f"`to` must be another folder than the one that is sorted. Got '{out}' for both."
        )
    if source.is_relative_to(out):
        inside = source.relative_to(out).parts[0]
        if inside.casefold() in {name.casefold() for name in (*places.folders.values(), UNSURE)}:
            raise InvalidArgument(
                f"'{source}' lies in '{out / inside}', into which files will be sorted. Choose "
                "another folder with `to`."
            )
    description = {key: value for key, value in predictor.metadata.items() if key != "files"}
    typed = with_slashes(folder).rstrip("/")
    run: dict[str, object] = {
        "mode": mode,
        "source": str(source),
        "typed": typed or "/",
        "model": hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest(),
        "threshold": predictor.threshold,
        "keep_folders": keep_folders,
        "write_tags": write_tags,
    }
    result = TagResult()
    files = _find(source, out, typed, result.notes)
    with watching(progress) as told:

        def tell(item: Item) -> None:
            answer = item.prediction
            if item.to is not None:
                result.counts[item.to.partition("/")[0]] += 1
            elif answer.error is not None:
                result.failed.append((answer.path, answer.error))
            if item.note is not None:
                result.notes.append(item.note)
            told.row("files", {**answer.to_dict(), "to": item.to})
            done = result.before + result.placed + len(result.failed)
            told.stage("sorting", done, len(files))

        def predictions(journal: Journal) -> Iterator[tuple[str, Prediction]]:
            # Where a file was moved away, a file of that name that is there now is another one.
            placed = {
                plan.path
                for plan in journal.plans.values()
                if plan.done and plan.run["source"] == run["source"] and not plan.moved
            }
            waiting = [path for path in files if path not in placed]
            result.before = len(files) - len(waiting)
            told.stage("sorting", result.before, len(files))
            paths = (source / path for path in waiting)
            with contextlib.closing(predictor.predict_many(paths)) as answers:
                for path, (answer,) in zip(waiting, answers, strict=True):
                    name = f"{typed}/{path}"
                    if mode == "move" and (source / path).is_symlink():
                        # Its target may have been moved already.
                        why = "it is a symbolic link, and links are not moved; copying copies what "
                        yield path, Prediction(path=name, error=f"{why}it leads to")
                    else:
                        yield path, replace(answer, path=name)

        if dry_run:
            for path, answer in predictions(read_before(out, run)):
                to_be = places.take(path, answer) if answer.error is None else None
                tell(Item(path, answer, to_be))
            return result
        with sorting(out, run, places, labeller) as sorter:
            # Again: files that an interrupted run left half placed are in the library again.
            files = _find(source, out, typed, [])
            damaged = sorter.journal.damaged
            result.notes += (f"line {number} of the journal cannot be read" for number in damaged)
            for path, answer in predictions(sorter.journal):
                for item in sorter.add(path, answer):
                    tell(item)
            for item in sorter.finish():
                tell(item)
            result.journal = sorter.journal.path
            result.table = write_table(sorter.journal)
    # Files of a kind that cannot hold a label have the same note.
    result.notes = list(dict.fromkeys(result.notes))
    return result


def undo_tag(journal: str | os.PathLike, progress: bool | Progress = False) -> TakenBack:
    """Undo what `tag` did: files that were moved return, links and copies are removed.

    A moved file that is no longer where it was put is looked for in the sorted library, by size and
    SHA-256, and brought back from where it is. Files that were changed since, or whose old place is
    taken, are named and left alone; then the journal stays, and this may be called again.

    Args:
        journal: `timbrel-tag.jsonl`, or the folder in which it lies.
        progress: True for a bar, or an object that is told the stages "taking back" and
            "searching".

    Raises:
        DataError: there is no such journal.
        InvalidArgument: another process uses it.
        OutputError: it cannot be written.
    """
    path = Path(os.path.realpath(journal))
    path = path / JOURNAL if path.is_dir() else path
    with watching(progress) as told:
        return take_library_back(path, told)


def _find(source: Path, out: Path, typed: str, notes: list[str]) -> list[str]:
    """Recordings of a library, relative to it, joined with `/`, without those that a run sorted.

    Args:
        source: the library.
        out: where it is sorted to.
        typed: the library as the user named it, without a slash at its end.
        notes: receives a sentence about the folders that other runs sorted into.

    Raises:
        DataError: there is none, and none was placed before.
    """
    sorted_before = []

    def is_result(folder: Path) -> bool:
        with contextlib.suppress(OSError):  # One of them does not exist.
            if os.path.samefile(folder, out):
                return True
        found = os.path.isfile(folder / JOURNAL)
        if found:
            sorted_before.append(f"{typed}/{folder.relative_to(source).as_posix()}")
        return found

    recordings = find_recordings(source, without=is_result)
    files = [file.relative_to(source).as_posix() for file in recordings]
    names = first_names(sorted(sorted_before))
    if not files and not (out / JOURNAL).exists():
        but = f" but in {names}, which an earlier run sorted" if names else ""
        raise DataError(f"There is no sound file (.wav, .flac, …) in '{typed or '/'}'{but}.")
    if names:
        one = len(sorted_before) == 1
        notes.append(
            f"{names} {'is' if one else 'are'} left out: an earlier run of tag sorted into "
            f"{'it' if one else 'each of them'}; to sort the files in it, name it as DIR."
        )
    return files
