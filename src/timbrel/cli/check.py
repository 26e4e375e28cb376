"""`timbrel check`."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from timbrel.cli.console import Quiet, Terminal, Verbose, load_keras
from timbrel.cli.options import (
    Audio,
    CacheFolder,
    CleanThreshold,
    Data,
    NoCache,
    Seed,
    recipe_names,
)
from timbrel.display.console import plain_table
from timbrel.files import replacing
from timbrel.findings import KINDS, UNUSABLE
from timbrel.networks.recipes import DEFAULT_RECIPE, get_recipe
from timbrel.text import one_line

if TYPE_CHECKING:
    from timbrel.workflows.check import CheckResult

# Findings of an odd kind, and groups, that are shown unless all are asked for.
_FEW = 5


def check(
    data: Data,
    audio: Audio = None,
    recipe: Annotated[
        str,
        typer.Option(
            "--recipe",
            "-r",
            help="Whose window, rate and cleaning to check for.",
            autocompletion=recipe_names,
        ),
    ] = DEFAULT_RECIPE,
    clean_threshold: CleanThreshold = None,
    deep: Annotated[
        bool,
        typer.Option(
            "--deep",
            help="Look for wrong labels with the recipe itself, as slowly as evaluate; "
            "without it a fast model does.",
        ),
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write recordings and findings to a file.")
    ] = None,
    seed: Seed = 0,
    cache: CacheFolder = None,
    no_cache: NoCache = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Examine a data set: broken, odd, doubled and probably mislabelled recordings, each named."""
    terminal = Terminal(quiet, verbose)
    if deep:
        load_keras(terminal)
    from timbrel.features.cache import FeatureCache, default_folder
    from timbrel.workflows import check as workflow

    chosen = get_recipe(recipe).adjusted(clean_threshold=clean_threshold)
    with contextlib.ExitStack() as stack:
        # Found out before the work is done: whether it can be written.
        json_to = json_file and stack.enter_context(replacing(json_file))
        result = workflow.check(
            data,
            audio=audio,
            recipe=chosen,
            deep=deep,
            seed=seed,
            cache=FeatureCache(None if no_cache else cache or default_folder()),
            progress=stack.enter_context(terminal.progress()),
        )
        if json_to:
            json_to.write_bytes(result.to_json())
    show_findings(terminal, result)
    raise typer.Exit(1 if result.unusable else 0)


def show_findings(terminal: Terminal, result: CheckResult) -> None:
    """Print class and group tables, then the findings, kind by kind."""
    out = terminal.out
    if not terminal.quiet:
        out.print(_class_table(result))
        out.print()
        groups = _group_table(result, whole=terminal.verbose)
        if groups is not None:
            out.print(groups)
            out.print()
    members = defaultdict(list)
    for item in result.findings:
        members[item.kind].append(item)
    for kind, items in members.items():
        out.print(
            Text.assemble((f"{KINDS[kind]}", "bold"), f"  {kind}, {len(items)}"), soft_wrap=True
        )
        shown = items if terminal.verbose or kind in UNUSABLE else items[:_FEW]
        for item in shown:
            out.print(one_line(f"  {item.path}: {item.message}"), markup=False, soft_wrap=True)
        if len(items) > len(shown):
            out.print(f"  … and {len(items) - len(shown)} more (--verbose or --json names all)")
        for action in dict.fromkeys(item.action for item in shown):
            out.print(one_line(f"  → {action}"), markup=False, soft_wrap=True)
        out.print()
    out.print(result.conclusion, markup=False, soft_wrap=True)
    if not (out.is_terminal and terminal.err.is_terminal):
        # Whoever reads one of the two streams learns of them; once is enough where both are read.
        terminal.problems(result.unusable)


def _class_table(result: CheckResult) -> Table:
    readable = [item for item in result.recordings if item.described]
    # With a recipe that cleans nothing away, all is kept.
    kept = any(item.kept < item.described.seconds for item in readable)
    columns = ["recordings", "usable", "groups", "seconds", *(["kept s"] if kept else [])]
    table = plain_table("Classes", "class", *columns)
    members = defaultdict(list)
    for item in result.recordings:
        members[item.recording.label].append(item)
    rows = sorted(members.items())
    if len(rows) > 1:
        rows.append(("all", list(result.recordings)))
    for label, items in rows:
        usable = [item for item in items if item.usable]
        cells = [
            str(len(items)),
            str(len(usable)),
            str(len({item.recording.group for item in usable})),
            f"{sum(item.described.seconds for item in usable):.1f}",
            f"{sum(item.kept or item.described.seconds for item in usable):.1f}",
        ]
        table.add_row(Text(label), *cells[: len(columns)])
    return table


def _group_table(result: CheckResult, *, whole: bool) -> Table | None:
    """The largest groups; None where each recording is its own."""
    usable = [item for item in result.recordings if item.usable]
    members = defaultdict(list)
    for item in usable:
        members[item.recording.group].append(item)
    if len(members) == len(usable):
        return None
    groups = sorted(members.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    several = [pair for pair in groups if len(pair[1]) > 1]
    shown = several if whole else several[: 2 * _FEW]
    title = f"Groups: {len(members)}, {len(several)} of them of several recordings"
    table = plain_table(title, "group", "recordings", "classes", "seconds")
    for name, items in shown:
        table.add_row(
            Text(name),
            str(len(items)),
            str(len({item.recording.label for item in items})),
            f"{sum(item.described.seconds for item in items if item.described):.1f}",
        )
    if len(several) > len(shown):
        table.add_row(f"… and {len(several) - len(shown)} more", "", "", "")
    return table
