"""Make the pictures of the README from real runs: `python docs/pictures.py`.

In a temporary folder with the built-in data set: trains, lets four accidents happen to the
recordings and checks them, renders what the terminal showed, and photographs the report in
Chromium.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import soundfile
from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.text import Text

from timbrel import make_synthetic

PICTURES = Path(__file__).parent / "pictures"
WIDTH = 96
TRAIN = "timbrel train recordings.csv -o my-model"
CHECK = "timbrel check recordings.csv"


def terminal(folder: Path, command: str, picture: str) -> None:
    """Render what a command prints as SVG, without the web font that rich asks for."""
    environment = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(WIDTH)}
    program = Path(sys.executable).with_name("timbrel")
    done = subprocess.run(
        [program, *command.split()[1:]],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    console = Console(record=True, width=WIDTH, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(Text(f"$ {command}", style="bold green"))
    console.print(Text.from_ansi(done.stdout.decode()))
    svg = console.export_svg(title="timbrel")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    (PICTURES / picture).write_text(svg.replace("Fira Code", "DejaVu Sans Mono"))


def accidents(folder: Path) -> None:
    """Add a copy that was made softer and compressed, a wrong label, a lost and half a file."""
    recordings = folder / "recordings"
    sound, rate = soundfile.read(recordings / "bell_03.wav")
    soundfile.write(recordings / "Bell (final).ogg", 0.4 * sound, rate)
    wrong = recordings / "take 7.wav"
    wrong.write_bytes((recordings / "clarinet_04.wav").read_bytes())
    (recordings / "clarinet_04.wav").unlink()
    half = recordings / "bowed-string_02.wav"
    half.write_bytes(half.read_bytes()[: half.stat().st_size // 2])
    table = folder / "recordings.csv"
    rows = table.read_text().splitlines()
    path = rows[0].split(",").index("path")
    label = rows[0].split(",").index("label")

    def row(name: str, kind: str) -> str:
        values = [""] * len(rows[0].split(","))
        values[path], values[label] = f"recordings/{name}", kind
        return ",".join(values)

    more = [row("Bell (final).ogg", "Bell"), row("take 7.wav", "Hi-hat")]
    table.write_text("\n".join([*rows, *more]) + "\n")


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
        terminal(folder, TRAIN, "terminal.svg")
        report(folder)
        accidents(folder)
        terminal(folder, CHECK, "check.svg")


if __name__ == "__main__":
    main()
