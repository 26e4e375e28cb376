"""`timbrel tag`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from timbrel.cli import options
from timbrel.cli.console import Terminal
from timbrel.errors import InvalidArgument
from timbrel.progress import Progress
from timbrel.text import counted, one_line

_DONE = {"link": "linked", "copy": "copied", "move": "moved"}

EXAMPLES = """
timbrel tag library --to sorted --dry-run
timbrel tag library --to sorted --copy --keep-folders
timbrel tag --undo sorted/timbrel-tag.jsonl
"""

sorting = partial(typer.Option, rich_help_panel="Sorting")


def tag(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="DIR", help="The library: a folder of recordings and sub-folders."),
    ] = None,
    to: Annotated[Path | None, sorting(help="Where the class folders are made.")] = None,
    link: Annotated[
        bool,
        sorting(
            "--link",
            help="Make symbolic links (the default): relative ones where both folders are on one "
            "disk, so that they stay valid when both are moved together, else absolute ones.",
        ),
    ] = False,
    copy: Annotated[bool, sorting("--copy", help="Copy the files, with their times.")] = False,
    move: Annotated[bool, sorting("--move", help="Move the files.")] = False,
    keep_folders: Annotated[
        bool, sorting("--keep-folders", help="Keep sub-folders below each class folder.")
    ] = False,
    write_tags: Annotated[
        bool,
        sorting(
            "--write-tags",
            help="Write the label into the copied or moved files, as their genre (extra: tags).",
        ),
    ] = False,
    dry_run: Annotated[
        bool, sorting("--dry-run", help="Show where files would go, and change nothing.")
    ] = False,
    undo: Annotated[
        Path | None,
        sorting("--undo", metavar="JOURNAL", help="Undo the run that wrote this journal."),
    ] = None,
    model: options.ModelPath = None,
    threshold: options.Threshold = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Sort a sample library into one folder per class; can be interrupted, resumed, undone."""
    terminal = Terminal(quiet, verbose)
    bars = terminal.progress()
    if undo is not None:
        if folder or to or model:
            raise InvalidArgument("--undo takes no folder and no model: they are in the journal.")
        _undo(terminal, bars, undo)
    modes = [mode for mode, wanted in (("link", link), ("copy", copy), ("move", move)) if wanted]
    if len(modes) > 1:
        given = " and ".join(f"--{mode}" for mode in modes)
        raise InvalidArgument(f"Choose one of --link, --copy and --move. Got {given}.")
    mode = modes[0] if modes else "link"
    if folder is None or to is None:
        raise InvalidArgument("Name the folder to sort and the target: timbrel tag DIR --to OUT.")
    from timbrel.tagging.journal import JOURNAL
    from timbrel.workflows.tag import tag as workflow

    back = f'timbrel tag --undo "{to / JOURNAL}"'

    def advice() -> str:
        if not (to / JOURNAL).exists():
            return ""
        return f"The same command continues from here; this undoes everything:\n  {back}"

    with terminal.interruptible(advice), bars:
        result = workflow(
            folder,
            to,
            model,
            mode=mode,
            keep_folders=keep_folders,
            write_tags=write_tags,
            threshold=threshold,
            dry_run=dry_run,
            progress=_FileProgress(terminal, bars) if dry_run else bars,
        )
    if result.counts and not quiet:
        from rich.text import Text

        from timbrel.display.console import plain_table

        table = plain_table(f"{'Would go into' if dry_run else 'Into'} {to}", "folder", "files")
        for name, count in sorted(result.counts.items()):
            table.add_row(Text(name), str(count))
        terminal.out.print(*([""] if dry_run else []), table, "", sep="\n")
    if result.placed:
        would = " would be" if dry_run else ""
        folders = counted(len(result.counts), "folder")
        done = f"{counted(result.placed, 'file')}{would} {_DONE[mode]} into {folders}"
        done += f", {result.unsure} of them into unsure" if result.unsure else ""
        done += f"; {result.before} were placed before" if result.before else ""
        terminal.print(f"{done}.")
        if not dry_run:
            terminal.say(f"Undo it with: {back}")
    elif result.before:
        terminal.print(f"Nothing new; {result.before} were placed before.")
    else:
        terminal.print("Nothing was placed.")
    terminal.warn(result.notes)
    raise typer.Exit(terminal.problems(f"{path}: {error}" for path, error in result.failed))


class _FileProgress(Progress):
    """Prints a line for each file, above the bar."""

    def __init__(self, terminal: Terminal, bars: Progress) -> None:
        self._terminal, self._bars = terminal, bars

    def stage(self, name: str, done: float, total: float | None, note: str = "") -> None:
        """Move the bar."""
        self._bars.stage(name, done, total, note)

    def row(self, table: str, row: Mapping[str, Any]) -> None:
        """Print where a file would go."""
        if row["to"] is not None:
            share = "" if row["probability"] is None else f"{100 * row['probability']:.1f} %"
            predicted = row["predicted"] or "–"
            line = f"{share:>7}  {predicted:<12}  {row['path']} → {row['to']}"
            self._terminal.print(one_line(line))


def _undo(terminal: Terminal, bars: Progress, journal: Path) -> None:
    """Undo a run; ends the program."""
    from timbrel.workflows.tag import undo_tag

    with terminal.interruptible(lambda: "The same command continues from here."), bars:
        result = undo_tag(journal, bars)
    if terminal.verbose:
        for path in result.files:
            terminal.print(one_line(f"Taken back: {path}"))
    terminal.print(f"{counted(result.count, 'file')} taken back.")
    terminal.warn(result.notes)
    for path, reason in result.left:
        terminal.err.print(one_line(f"Left: {path}: {reason}"), style="red", soft_wrap=True)
    raise typer.Exit(1 if result.left else 0)
