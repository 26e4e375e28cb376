"""`timbrel tag`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from timbrel.cli.console import Quiet, Terminal, Verbose
from timbrel.cli.options import ModelPath, Threshold
from timbrel.display.console import plain_table
from timbrel.errors import InvalidArgument
from timbrel.progress import Progress, TerminalProgress
from timbrel.text import one_line

if TYPE_CHECKING:
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
    bars = Progress() if quiet else TerminalProgress(terminal.err)
    if undo is not None:
        if folder or to or model:
            raise InvalidArgument("--undo goes alone: the journal says everything else.")
        raise typer.Exit(_undo(terminal, bars, undo))
    chosen = [mode for mode, wanted in (("link", link), ("copy", copy), ("move", move)) if wanted]
    if len(chosen) > 1:
        given = " and ".join(f"--{mode}" for mode in chosen)
        raise InvalidArgument(f"Choose one of --link, --copy and --move. Got {given}.")
    mode = chosen[0] if chosen else "link"
    if folder is None or to is None:
        raise InvalidArgument("Say which folder to sort and where to: timbrel tag DIR --to OUT.")
    from timbrel.tagging.journal import JOURNAL
    from timbrel.workflows.tag import tag as workflow

    try:
        with bars:
            result = workflow(
                folder,
                to,
                model,
                mode=mode,
                keep_folders=keep_folders,
                write_tags=write_tags,
                threshold=threshold,
                dry_run=dry_run,
                progress=_Lines(terminal, bars) if dry_run else bars,
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


class _Lines(Progress):
    """Prints a line for each file, above the bar."""

    def __init__(self, terminal: Terminal, bars: Progress) -> None:
        self._terminal, self._bars = terminal, bars

    def stage(self, name: str, done: float, total: float | None, note: str = "") -> None:
        """Move the bar."""
        self._bars.stage(name, done, total, note)

    def row(self, table: str, row: Mapping[str, object]) -> None:
        """Print where a file would go."""
        if row["to"] is not None:
            share = "" if row["probability"] is None else f"{row['probability']:.1%}"
            said = f"{share:>6}  {row['predicted'] or '–':<12}  {row['path']} → {row['to']}"
            self._terminal.out.print(one_line(said), markup=False, soft_wrap=True)


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


def _undo(terminal: Terminal, bars: Progress, journal: Path) -> int:
    """Take a sorted library back; returns the exit status."""
    from timbrel.workflows.tag import undo_tag

    try:
        with bars:
            result = undo_tag(journal, bars)
    except KeyboardInterrupt:
        terminal.err.print("Interrupted. The same command goes on from here.")
        raise typer.Exit(130) from None
    if terminal.verbose:
        for path in result.files:
            said = one_line(f"Taken back: {path}")
            terminal.out.print(said, markup=False, soft_wrap=True)
    terminal.out.print(f"{result.count} {'file' if result.count == 1 else 'files'} taken back.")
    terminal.warn(result.notes)
    for path, why in result.left:
        text = one_line(f"Left: {path}: {why}")
        terminal.err.print(text, style="red", markup=False, soft_wrap=True)
    return 1 if result.left else 0
