"""`timbrel info`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from timbrel.cli import options
from timbrel.cli.console import Terminal
from timbrel.text import harmless

EXAMPLES = """
timbrel info
timbrel info my-model --json
"""


def info(
    model: Annotated[
        Path | None,
        typer.Argument(
            metavar="[MODEL]",
            help="A model directory or its model.onnx; by default the built-in instrument model.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, options.output("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Describe a model: classes, front end, honest scores, thresholds, provenance."""
    from timbrel.workflows import info as workflow

    found = workflow.info(model)
    if as_json:
        text = json.dumps(found.to_dict(), indent=2, ensure_ascii=False) + "\n"
        sys.stdout.write(harmless(text) if sys.stdout.isatty() else text)
        return
    from timbrel.report.terminal import print_model

    print_model(Terminal().out, found.to_dict())
