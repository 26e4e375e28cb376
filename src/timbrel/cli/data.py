"""`timbrel data`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from timbrel.cli import options
from timbrel.cli.console import Terminal
from timbrel.progress import Progress, TerminalProgress
from timbrel.text import counted

_MB = 1_000_000
# Files of others that are named.
_FEW = 3
_ALGORITHMS = {"sha256": "SHA-256", "md5": "MD5"}

EXAMPLES = """
timbrel data
timbrel data esc50
timbrel data instruments -o my-data --source archive.tar.gz
"""


def _names() -> list[str]:
    from timbrel.fetching.known import KNOWN_DATA

    return list(KNOWN_DATA)


def data(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="The data set; without it, all known data sets are listed.",
            autocompletion=_names,
        ),
    ] = None,
    listed: Annotated[bool, options.source("--list", help="List the known data sets.")] = False,
    source: Annotated[
        list[str] | None,
        options.source(
            "--source",
            metavar="WHERE",
            help="Fetch it from here instead: an archive or a folder on the disk, the address of "
            "an archive, or that of a folder, which ends with a slash. Can be repeated: files that "
            "are missing in one source are taken from the next.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        options.output(
            "--output", "-o", help="The folder to write, instead of one with the name of the data."
        ),
    ] = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Fetch a known data set and verify every file of it, or list the known data sets."""
    terminal = Terminal(quiet, verbose)
    if name is None or listed:
        # One after the other: licences are too long for columns.
        from timbrel.fetching.known import KNOWN_DATA

        for number, known in enumerate(KNOWN_DATA.values()):
            terminal.print(
                "\n" * (number > 0) + f"{known.name:<12}{known.title}\n"
                f"            {known.recordings} recordings: {known.about}\n"
                f"            {known.bytes / _MB:.0f} MB, verified by "
                f"{_ALGORITHMS[known.algorithm]}\n"
                f"            {known.licence}\n"
                f"            {known.home}\n"
                f"            {known.version}"
            )
        terminal.say("\nFetch one with: timbrel data NAME")
        return
    from timbrel.workflows.data import fetch_data, unfinished

    def advice() -> str:
        kept = unfinished(output or name)
        here = f"Fetched files are kept in {kept}; the same command continues from here."
        return here if kept.exists() else ""

    bars = Progress() if quiet else _SourceProgress(terminal)
    with terminal.interruptible(advice), bars as progress:
        result = fetch_data(name, output, source=source or None, progress=progress)
    terminal.warn(result.notes)
    if not result.fetched:
        done = "all files were present"
    elif not result.checked and not result.repaired:
        done = "fetched"
    else:
        done = f"{counted(result.checked, 'file was', 'files were')} present, "
        done += f"{result.fetched} fetched"
        if result.repaired:
            done += f", {len(result.repaired)} of them to replace damaged files"
    known = result.known
    terminal.print(
        f"{known.name}: {known.recordings} recordings, all verified by "
        f"{_ALGORITHMS[known.algorithm]}; {done}.\n"
        f"Labels     {result.labels}\n"
        f"Recordings {result.audio or result.path}\n"
        f"Licence    {known.licence}\n"
        f"           {known.home}\n"
        f"           Authors and how to cite them: {result.path / 'ATTRIBUTION.txt'}"
    )
    if result.foreign:
        names = ", ".join(result.foreign[:_FEW])
        more = f" and {len(result.foreign) - _FEW} more" if len(result.foreign) > _FEW else ""
        terminal.say(f"Not part of this data set, and left unchanged: {names}{more}.")
    command = ["timbrel", "train", str(result.labels)]
    if result.audio:
        command += ["--audio", str(result.audio)]
    terminal.say(f"Train on it with: {shlex.join(command)}")


class _SourceProgress(TerminalProgress):
    """Bars, and a line for each source that is tried and for each failure that is retried."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__(terminal.err)
        self._terminal = terminal

    def stage(self, name: str, done: float, total: float | None, note: str = "") -> None:
        if name not in ("sources", "waiting"):
            super().stage(name, done, total, note)
        elif note:
            self._terminal.say(f"From {note} …" if name == "sources" else note)
