"""Write docs/reference/cli.md from the help of every command: `python docs/cli.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import typer

from timbrel.cli.main import app

PAGE = Path(__file__).parent / "reference" / "cli.md"

HEAD = """\
<!-- Made by `python docs/cli.py`; a test compares it with the program. -->

# Commands

`timbrel COMMAND --help`, or `-h`, shows the same in the terminal. Results go to stdout, everything
else (progress, warnings, errors) to stderr, so that results can be piped.

| exit status | meaning |
|---|---|
| 0 | all went well, warnings included |
| 1 | finished, but some recordings could not be used; each is named |
| 2 | wrong use, or nothing could be done; one sentence gives the reason |
| 130 | interrupted by Ctrl-C; what was done is kept |
| 141 | the reader of the output closed the pipe early; `predict` and `listen` end with 0 |
"""

# Pages with more about a command.
MORE = {
    "demo": "[Quick start](../quick-start.md)",
    "data": "[Known data sets](data.md)",
    "check": "[What `timbrel check` finds](check.md)",
    "explore": "[The tutorial, step by step](../guides/tutorial.md)",
    "summary": "[Recipes](../concepts/recipes.md)",
    "train": "[Your own sounds](../guides/your-own-sounds.md)",
    "evaluate": "[Honest scores](../concepts/honest-scores.md)",
    "predict": "[What `timbrel predict` writes](predictions.md), "
    "[long recordings](../guides/long-and-live.md)",
    "listen": "[Live](../guides/long-and-live.md#live)",
    "tag": "[A sample library, sorted](../guides/sample-library.md)",
    "info": "[File formats](formats.md#timbrel-info---json)",
}


def described(command: typer.core.TyperCommand | typer.core.TyperGroup, name: str) -> Iterator[str]:
    """The help of a command, paragraph by paragraph."""
    context = command.context_class(command, info_name=name)
    yield (command.help or "").strip()
    yield f"```text\n{name} {' '.join(command.collect_usage_pieces(context))}\n```"
    panels: dict[str, list[str]] = {}
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and "--help" not in parameter.opts:
            usual = "Arguments" if parameter.param_type_name == "argument" else "Options"
            panel = getattr(parameter, "rich_help_panel", None) or usual
            line = f"- `{record[0]}`: {record[1].replace('  [', ' [')}"
            panels.setdefault(panel, []).append(line)
    for panel, lines in panels.items():
        yield f"{panel}:"
        yield "\n".join(lines)
    if command.epilog:
        yield "<!-- not run: the files are the reader's; a test parses every example -->"
        yield f"```sh\n{command.epilog.partition(chr(10))[2]}\n```"


def page() -> str:
    """The whole page."""
    group = typer.main.get_command(app)
    parts = [HEAD.strip(), "## timbrel", *described(group, "timbrel")]
    for name, command in group.commands.items():
        parts += [f"## timbrel {name}", *described(command.read(), f"timbrel {name}")]
        if name in MORE:
            parts.append(f"More: {MORE[name]}.")
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
