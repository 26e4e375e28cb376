"""Make the pictures of the README from real runs: `python docs/pictures.py`.

Trains on the built-in data set in a temporary folder, renders what the terminal showed, and
photographs the report in Chromium.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.text import Text

from timbrel import make_synthetic

PICTURES = Path(__file__).parent / "pictures"
WIDTH = 96
COMMAND = "timbrel train recordings.csv -o my-model"


def terminal(folder: Path) -> None:
    """Render the output of a training as SVG, without the web font that rich asks for."""
    environment = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(WIDTH)}
    program = Path(sys.executable).with_name("timbrel")
    command = [program, *COMMAND.split()[1:]]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)
    console = Console(record=True, width=WIDTH, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(Text(f"$ {COMMAND}", style="bold green"))
    console.print(Text.from_ansi(done.stdout.decode()))
    svg = console.export_svg(title="timbrel")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    (PICTURES / "terminal.svg").write_text(svg.replace("Fira Code", "DejaVu Sans Mono"))


def report(folder: Path) -> None:
    """Photograph the top of the report."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 1420})
        page.goto((folder / "my-model" / "report.html").as_uri())
        page.screenshot(path=PICTURES / "report.png")
        browser.close()


def main() -> None:
    """Make all pictures."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_synthetic(folder)
        terminal(folder)
        report(folder)


if __name__ == "__main__":
    main()
