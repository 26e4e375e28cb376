"""Make the pictures of the README and of the gallery from real runs: `python docs/pictures.py`.

In a temporary folder with the built-in data set: makes, checks, explores, trains and predicts, and
renders what the terminal showed and what the pages look like in Chromium. The notebook is the
executed one in docs/notebooks (`python docs/notebook.py`), the confusion matrices are those in
benchmarks/results (`python benchmarks/honesty.py --data instruments --recipe tutorial-cnn
statistics-cnn`). With names of pictures, only these are made: `python docs/pictures.py confusion`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import soundfile
from pages import confusion_page, notebook_page
from playwright.sync_api import Page, sync_playwright
from rich.console import Console
from rich.text import Text

from timbrel import make_synthetic

PICTURES = Path(__file__).parent / "pictures"
WIDTH = 96
MAKE = "import timbrel; timbrel.make_synthetic('new-sounds', recordings=1, seed=77)"
TRAIN = "timbrel train recordings.csv -o my-model"
CHECK = "timbrel check recordings.csv"
EXPLORE = "timbrel explore recordings.csv -o explore.html"
PREDICT = (
    "timbrel predict new-sounds -m my-model",
    "timbrel predict new-sounds/recordings/bell_01.wav -m my-model --level event -f audacity",
    "timbrel info my-model",
)


def run(folder: Path, command: str) -> str:
    """What a command prints to a terminal that shows colours."""
    environment = {
        **os.environ,
        "FORCE_COLOR": "1",
        "COLUMNS": str(WIDTH),
        "TIMBREL_CACHE": str(folder / "cache"),
    }
    program = Path(sys.executable).with_name("timbrel")
    done = subprocess.run(
        [program, *command.split()[1:]],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return done.stdout.decode()


def terminal(folder: Path, commands: tuple[str, ...], picture: str) -> None:
    """Render what commands print as SVG, without the web font that rich asks for."""
    console = Console(record=True, width=WIDTH, file=open(os.devnull, "w"))  # noqa: SIM115
    for command in commands:
        console.print(Text(f"$ {command}", style="bold green"))
        console.print(Text.from_ansi(run(folder, command)))
    svg = console.export_svg(title="timbrel")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    # Each export has names of its own; the same session shall give the same file.
    svg = re.sub(r"terminal-\d+-", "terminal-", svg)
    (PICTURES / f"{picture}.svg").write_text(svg.replace("Fira Code", "DejaVu Sans Mono"))


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


@contextmanager
def chromium(*, width: int, height: int, scheme: str = "light") -> Iterator[Page]:
    """A page of a browser that asks nobody for anything."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        page.route(re.compile("^https?:"), lambda route: route.abort())
        yield page
        browser.close()


def photograph(page: Path, picture: str, *, width: int = 1280, height: int = 1420) -> None:
    """Photograph the top of a page."""
    with chromium(width=width, height=height) as shown:
        shown.goto(page.as_uri())
        shown.screenshot(path=PICTURES / f"{picture}.png")


def classes(page: Path, picture: str) -> None:
    """Photograph the first class of an exploration."""
    with chromium(width=1280, height=900) as shown:
        shown.goto(page.as_uri())
        box = shown.locator(".class").first.bounding_box()
        clip = {"x": 56, "y": box["y"], "width": 1168, "height": box["height"] + 20}
        shown.screenshot(path=PICTURES / f"{picture}.png", clip=clip, full_page=True)


def notebook(picture: str, *, scheme: str, cells: tuple[str, str]) -> None:
    """Photograph the executed notebook, from the cell with one text to that with another."""
    with chromium(width=1060, height=900, scheme=scheme) as shown:
        shown.set_content(notebook_page(scheme))
        boxes = [shown.locator(".jp-Cell", has_text=text).first.bounding_box() for text in cells]
        top, bottom = boxes[0]["y"], boxes[1]["y"] + boxes[1]["height"]
        clip = {"x": 0, "y": top - 8, "width": 1060, "height": bottom - top + 16}
        shown.screenshot(path=PICTURES / f"{picture}.png", clip=clip, full_page=True)


def confusion(picture: str) -> None:
    """Photograph the confusion matrices of two recipes."""
    with chromium(width=1280, height=720) as shown:
        shown.set_content(confusion_page("tutorial-cnn", "statistics-cnn"))
        shown.locator("main").screenshot(path=PICTURES / f"{picture}.png")


def from_sounds(folder: Path) -> dict[str, Callable[[], None]]:
    """What is made from the built-in data set, in this order."""

    def trained() -> None:
        if not (folder / "my-model").exists():
            run(folder, TRAIN)

    def predicted() -> None:
        trained()
        subprocess.run([sys.executable, "-c", MAKE], cwd=folder, check=True)
        terminal(folder, PREDICT, "predict")

    def reported() -> None:
        trained()
        photograph(folder / "my-model" / "report.html", "report")

    def explored() -> None:
        run(folder, EXPLORE)
        photograph(folder / "explore.html", "explore", height=1150)
        classes(folder / "explore.html", "explore-class")

    def checked() -> None:
        accidents(folder)
        terminal(folder, (CHECK,), "check")

    return {
        "terminal": lambda: terminal(folder, (TRAIN,), "terminal"),
        "report": reported,
        "predict": predicted,
        "explore": explored,
        "check": checked,
    }


# Pictures of what is committed: name, theme, and texts in the first and in the last cell.
NOTEBOOK = {
    "notebook": ("light", ("bell_01.wav", 'timbrel.predict("new-sounds"')),
    "timeline": ("dark", ("A longer recording", "model.predict_events(")),
    "score": ("light", ("timbrel.evaluate(data", "timbrel.evaluate(data")),
}


def main() -> None:
    """Make all pictures, or those that are named."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        makers = from_sounds(folder)
        wanted = sys.argv[1:] or [*makers, *NOTEBOOK, "confusion"]
        if set(wanted) & set(makers):
            make_synthetic(folder)
        for picture, make in makers.items():
            if picture in wanted:
                make()
    for picture, (scheme, cells) in NOTEBOOK.items():
        if picture in wanted:
            notebook(picture, scheme=scheme, cells=cells)
    if "confusion" in wanted:
        confusion("confusion")


if __name__ == "__main__":
    main()
