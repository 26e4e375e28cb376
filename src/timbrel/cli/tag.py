"""`timbrel tag`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress
from rich.text import Text

from timbrel.cli.console import Quiet, Terminal, Verbose
from timbrel.cli.options import ModelPath, Threshold
from timbrel.cli.tables import plain_table
from timbrel.errors import InvalidArgument
from timbrel.wording import one_line

if TYPE_CHECKING:
    from timbrel.tagging.sorting import Placed
    from timbrel.workflows.tag import TagResult

_DONE = {"link": "linked", "copy": "copied", "move": "moved"}


def tag(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="DIR", help="The library: a folder of recordings, nested at will."),
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", help="Where the class folders are made.")
    ] = None,
    model: ModelPath = None,
    link: Annotated[
        bool,
        typer.Option(
            "--link",
            help="Make symbolic links (the default). They are relative where both folders lie on "
            "one disk, so that they hold when the disk is mounted elsewhere or both folders are "
            "moved together; otherwise they are absolute.",
        ),
    ] = False,
    copy: Annotated[bool, typer.Option("--copy", help="Copy the files, with their times.")] = False,
    move: Annotated[bool, typer.Option("--move", help="Move the files.")] = False,
    keep_folders: Annotated[
        bool, typer.Option("--keep-folders", help="Keep sub-folders below each class folder.")
    ] = False,
    write_tags: Annotated[
        bool,
        typer.Option(
            "--write-tags",
            help="Write the label into the copied or moved files, as their genre (extra: tags).",
        ),
    ] = False,
    threshold: Threshold = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would go where, and touch nothing.")
    ] = False,
    undo: Annotated[
        Path | None,
        typer.Option("--undo", metavar="JOURNAL", help="Take back what this journal says."),
    ] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Sort a sample library into a folder for each class; interrupt, resume or undo it."""
    terminal = Terminal(quiet, verbose)
    if undo is not None:
        if folder or to or model:
            raise InvalidArgument("--undo goes alone: the journal says everything else.")
        raise typer.Exit(_undo(terminal, undo))
    mode = _mode(link=link, copy=copy, move=move)
    if folder is None or to is None:
        raise InvalidArgument("Say which folder to sort and where to: timbrel tag DIR --to OUT.")
    from timbrel.tagging.names import JOURNAL
    from timbrel.workflows.tag import tag as workflow

    try:
        with terminal.progress() as bars:
            result = workflow(
                folder,
                to,
                model,
                mode=mode,
                keep_folders=keep_folders,
                write_tags=write_tags,
                threshold=threshold,
                dry_run=dry_run,
                observer=_observer(terminal, bars, table=dry_run),
            )
    except KeyboardInterrupt:
        journal = to / JOURNAL
        back = (
            " The same command goes on from here; this takes everything back:\n"
            f'  timbrel tag --undo "{journal}"'
        )
        terminal.err.print(
            f"Interrupted.{back if journal.exists() else ''}", markup=False, soft_wrap=True
        )
        raise typer.Exit(130) from None
    _show(terminal, result, to, mode)
    terminal.warn(result.notes)
    raise typer.Exit(terminal.problems(f"{path}: {error}" for path, error in result.failed))


def _mode(**chosen: bool) -> str:
    names = [name for name, wanted in chosen.items() if wanted]
    if len(names) > 1:
        given = " and ".join(f"--{name}" for name in names)
        raise InvalidArgument(f"Choose one of --link, --copy and --move. Got {given}.")
    return names[0] if names else "link"


def _observer(terminal: Terminal, bars: Progress, *, table: bool) -> object:
    """Moves a bar, and prints a line for each file where a table is wanted."""
    from timbrel.workflows.tag import TagObserver

    class Watching(TagObserver):
        def found(self, count: int) -> None:
            self._task = bars.add_task("sorting", total=count, note="")

        def passed(self, path: str) -> None:
            bars.advance(self._task)

        def placed(self, item: Placed) -> None:
            bars.advance(self._task)
            if table and item.to is not None:
                terminal.out.print(_line(item), markup=False, soft_wrap=True)

    return Watching()


def _line(item: Placed) -> str:
    said = item.prediction
    share = "" if said.probability is None else f"{said.probability:.1%}"
    return one_line(f"{share:>6}  {said.predicted or '–':<12}  {said.path} → {item.to}")


def _show(terminal: Terminal, result: TagResult, to: Path, mode: str) -> None:
    """What went where, in numbers, and how to take it back."""
    out, dry = terminal.out, result.journal is None
    if result.counts and not terminal.quiet:
        if dry:
            out.print()
        table = plain_table(f"{'Would go into' if dry else 'Into'} {to}", "folder", "files")
        for name, count in sorted(result.counts.items()):
            table.add_row(Text(name), str(count))
        out.print(table)
        out.print()
    if not result.placed:
        before = f"Nothing new; {result.before} were placed before."
        out.print(before if result.before else "Nothing was placed.")
        return
    files = "file" if result.placed == 1 else "files"
    folders = "folder" if len(result.counts) == 1 else "folders"
    would = "would be " if dry else ""
    said = f"{result.placed} {files} {would}{_DONE[mode]} into {len(result.counts)} {folders}"
    unsure = f", {result.unsure} of them into unsure" if result.unsure else ""
    before = f"; {result.before} were placed before" if result.before else ""
    out.print(f"{said}{unsure}{before}.", markup=False, soft_wrap=True)
    if not dry and not terminal.quiet:
        back = f'To take it back: timbrel tag --undo "{to / result.journal.name}"'
        terminal.err.print(back, markup=False, soft_wrap=True)


def _undo(terminal: Terminal, journal: Path) -> int:
    from timbrel.workflows.tag import undo_tag

    with terminal.progress() as bars:
        task = bars.add_task("taking back", total=None, note="")
        try:
            result = undo_tag(
                journal, lambda done, total: bars.update(task, completed=done, total=total)
            )
        except KeyboardInterrupt:
            terminal.err.print("Interrupted. The same command goes on from here.")
            raise typer.Exit(130) from None
    files = "file" if result.count == 1 else "files"
    terminal.out.print(f"{result.count} {files} taken back.")
    terminal.warn(result.notes)
    for path, why in result.left:
        text = one_line(f"Left: {path}: {why}")
        terminal.err.print(text, style="red", markup=False, soft_wrap=True)
    return 1 if result.left else 0
