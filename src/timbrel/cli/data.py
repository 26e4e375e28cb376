"""`timbrel data`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from timbrel.cli.console import Quiet, Terminal, Verbose
from timbrel.progress import Progress, TerminalProgress
from timbrel.text import counted

if TYPE_CHECKING:
    from timbrel.workflows.data import FetchedData

_MB = 1_000_000
_FEW = 3


def _names() -> list[str]:
    from timbrel.fetching.known import KNOWN_DATA

    return list(KNOWN_DATA)


def data(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="The data set; all are listed where none is named.",
            autocompletion=_names,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Its folder, instead of one of its own name here."),
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(
            "--source",
            metavar="WHERE",
            help="Take it from here instead: an archive or a folder on the disk, the address of "
            "an archive, or that of a folder, which ends with a slash. May be given several "
            "times; what one lacks, the next may have.",
        ),
    ] = None,
    listed: Annotated[
        bool, typer.Option("--list", help="List the data sets that are known.")
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Fetch a known data set and check every file of it, or list those that are known."""
    terminal = Terminal(quiet, verbose)
    if name is None or listed:
        _list(terminal)
        return
    from timbrel.workflows.data import fetch_data, unfinished

    try:
        with Progress() if quiet else _SayingWhere(terminal) as progress:
            result = fetch_data(name, output, source=source or None, progress=progress)
    except KeyboardInterrupt:
        kept = unfinished(output or name)
        goes_on = f" What came is kept in {kept}; the same command goes on from here."
        terminal.err.print(
            f"Interrupted.{goes_on if kept.exists() else ''}", markup=False, soft_wrap=True
        )
        raise typer.Exit(130) from None
    terminal.warn(result.notes)
    _show(terminal, result)


def _list(terminal: Terminal) -> None:
    """What is known, one after the other: licences are too long for columns."""
    from timbrel.fetching.known import KNOWN_DATA

    for number, known in enumerate(KNOWN_DATA.values()):
        terminal.out.print(
            "\n" * (number > 0) + f"{known.name:<12}{known.title}\n"
            f"            {known.recordings} recordings: {known.about}\n"
            f"            {known.bytes / _MB:.0f} MB, checked by {_algorithm(known.algorithm)}\n"
            f"            {known.licence}\n"
            f"            {known.home}\n"
            f"            {known.version}",
            markup=False,
            soft_wrap=True,
        )
    terminal.say("\nFetch one with: timbrel data NAME")


def _algorithm(name: str) -> str:
    return {"sha256": "SHA-256", "md5": "MD5"}[name]


class _SayingWhere(TerminalProgress):
    """Bars, and a line for each source that is asked and for each failure that is tried again."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__(terminal.err)
        self._terminal = terminal

    def stage(self, name: str, done: float, total: float | None, note: str = "") -> None:
        if name not in ("sources", "waiting"):
            super().stage(name, done, total, note)
        elif note:
            _say(self._terminal, f"From {note} …" if name == "sources" else note)


def _show(terminal: Terminal, result: FetchedData) -> None:
    """What lies where, under which licence, and what to do with it."""
    known = result.known
    checked = f"every one checked by {_algorithm(known.algorithm)}"
    terminal.out.print(
        f"{known.name}: {known.recordings} recordings, {checked}; {_what_was_done(result)}.\n"
        f"Labels     {result.labels}\n"
        f"Recordings {result.audio or result.path}\n"
        f"Licence    {known.licence}\n"
        f"           {known.home}\n"
        f"           Who made it, and what to name: {result.path / 'ATTRIBUTION.txt'}",
        markup=False,
        soft_wrap=True,
    )
    if result.foreign:
        names = ", ".join(result.foreign[:_FEW])
        more = f" and {len(result.foreign) - _FEW} more" if len(result.foreign) > _FEW else ""
        _say(terminal, f"Not of this data set, and left alone: {names}{more}.")
    command = ["timbrel", "train", str(result.labels)]
    if result.audio:
        command += ["--audio", str(result.audio)]
    _say(terminal, f"Train on it with: {shlex.join(command)}")


def _say(terminal: Terminal, text: str) -> None:
    """Explain something in one line, so that addresses and commands can be copied."""
    if not terminal.quiet:
        terminal.err.print(text, markup=False, soft_wrap=True)


def _what_was_done(result: FetchedData) -> str:
    if not result.fetched:
        return "all of it was there already"
    if not result.checked and not result.repaired:
        return "fetched"
    what = f"{counted(result.checked, 'file was', 'files were')} there already, "
    what += f"{result.fetched} {'was' if result.fetched == 1 else 'were'} fetched"
    if result.repaired:
        repaired = len(result.repaired)
        what += f", {repaired} of them because {'it was' if repaired == 1 else 'they were'} damaged"
    return what
