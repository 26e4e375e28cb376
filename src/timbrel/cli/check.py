"""`timbrel check`."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from timbrel.cli import options
from timbrel.cli.console import Terminal, load_keras
from timbrel.files import replacing
from timbrel.findings import KINDS, UNUSABLE
from timbrel.networks.recipes import DEFAULT_RECIPE, get_recipe
from timbrel.text import one_line

if TYPE_CHECKING:
    from rich.table import Table

    from timbrel.workflows.check import Checked, CheckResult

# Findings of an odd kind, and half of the groups, that are shown unless verbose.
_FEW = 5

EXAMPLES = """
timbrel check sounds
timbrel check labels.csv --audio recordings --json check.json
"""


def check(
    data: options.Data,
    audio: options.Audio = None,
    recipe: options.Recipe = DEFAULT_RECIPE,
    clean_threshold: options.CleanThreshold = None,
    deep: Annotated[
        bool,
        options.training(
            "--deep",
            help="Look for wrong labels with the recipe itself, which takes as long as evaluate, "
            "instead of a fast model.",
        ),
    ] = False,
    seed: options.Seed = 0,
    cache: options.CacheFolder = None,
    no_cache: options.NoCache = False,
    json_file: Annotated[
        Path | None, options.output("--json", help="Write recordings and findings to a file.")
    ] = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Check a data set: name broken, odd, duplicate and probably mislabelled recordings."""
    terminal = Terminal(quiet, verbose)
    if deep:
        load_keras(terminal)
    from timbrel.workflows import check as workflow

    chosen = get_recipe(recipe).adjusted(clean_threshold=clean_threshold)
    with contextlib.ExitStack() as stack:
        # Opened first: a file that cannot be written is an error before the work, not after it.
        json_to = json_file and stack.enter_context(replacing(json_file))
        result = workflow.check(
            data,
            audio=audio,
            recipe=chosen,
            deep=deep,
            seed=seed,
            cache=options.cache_of(cache, disabled=no_cache),
            progress=stack.enter_context(terminal.progress()),
        )
        if json_to:
            json_to.write_bytes(result.to_json())
    if not quiet:
        for table in (_class_table(result), _group_table(result, whole=verbose)):
            if table is not None:
                terminal.out.print(table, "", sep="\n")
    _print_findings(terminal, result)
    raise typer.Exit(1 if result.unusable else 0)


def _print_findings(terminal: Terminal, result: CheckResult) -> None:
    """Print the findings kind by kind, then the conclusion."""
    from rich.text import Text

    members = defaultdict(list)
    for item in result.findings:
        members[item.kind].append(item)
    for kind, items in members.items():
        title = Text.assemble((KINDS[kind], "bold"), f"  {kind}, {len(items)}")
        terminal.out.print(title, soft_wrap=True)
        shown = items if terminal.verbose or kind in UNUSABLE else items[:_FEW]
        for item in shown:
            terminal.print(one_line(f"  {item.path}: {item.message}"))
        if len(items) > len(shown):
            terminal.print(
                f"  … and {len(items) - len(shown)} more (--verbose or --json names all)"
            )
        for action in dict.fromkeys(item.action for item in shown):
            terminal.print(one_line(f"  → {action}"))
        terminal.print("")
    terminal.print(result.conclusion)
    if not (terminal.out.is_terminal and terminal.err.is_terminal):
        # Each of the two streams may be read alone. Where both are on a terminal, once is enough.
        terminal.problems(result.unusable)


def _seconds(items: Iterable[Checked]) -> float:
    return sum(item.described.seconds for item in items if item.described)


def _class_table(result: CheckResult) -> Table:
    from rich.text import Text

    from timbrel.display.console import plain_table

    # With a recipe without cleaning, everything is kept.
    cleaned = any(
        item.kept is not None and item.described and item.kept < item.described.seconds
        for item in result.recordings
    )
    columns = ["recordings", "usable", "groups", "seconds", *(["kept s"] if cleaned else [])]
    table = plain_table("Classes", "class", *columns)
    members = defaultdict(list)
    for item in result.recordings:
        members[item.recording.label].append(item)
    rows = sorted(members.items())
    if len(rows) > 1:
        rows.append(("all", list(result.recordings)))
    for label, items in rows:
        usable = [item for item in items if item.usable]
        # What cleaning would leave nothing of is used uncleaned.
        kept = sum(item.kept or _seconds([item]) for item in usable)
        cells = [
            str(len(items)),
            str(len(usable)),
            str(len({item.recording.group for item in usable})),
            f"{_seconds(usable):.1f}",
            *([f"{kept:.1f}"] if cleaned else []),
        ]
        table.add_row(Text(label), *cells)
    return table


def _group_table(result: CheckResult, *, whole: bool) -> Table | None:
    """The largest groups; None where each recording is its own."""
    from rich.text import Text

    from timbrel.display.console import plain_table

    usable = [item for item in result.recordings if item.usable]
    members = defaultdict(list)
    for item in usable:
        members[item.recording.group].append(item)
    if len(members) == len(usable):
        return None
    groups = sorted(members.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    several = [pair for pair in groups if len(pair[1]) > 1]
    shown = several if whole else several[: 2 * _FEW]
    title = f"Groups: {len(members)}, {len(several)} of them with several recordings"
    table = plain_table(title, "group", "recordings", "classes", "seconds")
    for name, items in shown:
        labels = {item.recording.label for item in items}
        table.add_row(Text(name), str(len(items)), str(len(labels)), f"{_seconds(items):.1f}")
    if len(several) > len(shown):
        table.add_row(f"… and {len(several) - len(shown)} more", "", "", "")
    return table
