"""Claim: what docs/reference/versions.md names was run: Pythons, and the ends of what is allowed.

For every interpreter that is given, fresh environments get the wheel with the lowest versions that
pyproject.toml allows (constraints-minimum.txt) and with the newest that there are, each of them
twice: what predicting needs and nothing else, and what training and all other extras need. The
tests that fit are run there against the wheel as it is installed: those of predicting, on a model
that this environment trains, and all others; the slow ones are left out.

What the packages named in pyproject.toml need themselves is as new as it may be, at both ends.

    python benchmarks/versions.py [--python python3.13]… [--end minimum] [--for predicting] [--save]

`--save` writes what passed to results/versions.json and docs/reference/versions.md; what was run
before stays in them while the requirements are as they were.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
ENVIRONMENTS = ROOT / "out" / "versions"
MINIMUM = ROOT / "constraints-minimum.txt"
SAVED = ROOT / "benchmarks" / "results" / "versions.json"
PAGE = ROOT / "docs" / "reference" / "versions.md"
INSIDE = ROOT / "benchmarks" / "environment.py"

ENDS = ("minimum", "newest")
# What users install, and how it is called here. torch was not run.
PARTS = {
    "core": "Predicting",
    "train": "Training",
    "parquet": "Parquet",
    "tags": "Tags",
    "live": "Live",
    "jax": "JAX beside TensorFlow",
}
# Extras, and tests with the options of pytest, by what they are for.
EXTRAS = {"predicting": "", "training": "[all,jax]"}
_INSTALLED = {"predicting": "core", "training": "core, all extras, JAX"}
# Of the extra for tests, what looks at the code or packs it, and runs anywhere.
TOOLS = ("build", "import-linter", "readme-renderer", "ruff")
ALONE = (
    *("cache", "events", "isolated", "levels", "listen", "manifest", "outputs"),
    *("predict_cli", "predictor", "reading", "scores", "stream"),
    *("tag", "tag_cli", "tag_undo", "workers"),
)
TESTS = {
    "predicting": (
        *(f"tests/test_{name}.py" for name in ALONE),
        *("tests/contracts/test_completion.py", "tests/contracts/test_start.py"),
    ),
    "training": (
        *("tests", "--ignore=tests/release"),
        *(f"--ignore=tests/test_{name}.py" for name in ALONE),
        # These look at the code, and at what this script wrote, wherever they run.
        "--ignore=tests/contracts/test_packaging.py",
        *("--deselect", "tests/contracts/test_house.py::test_imports_point_downward"),
    ),
}
OPTIONS = ("-p", "no:cacheprovider", "--numprocesses", "2", "--dist", "loadfile", "-m", "not slow")

# The recordings and the model of the tests (tests/conftest.py), where they cannot train.
TINY_DATA = """
import sys
from pathlib import Path
sys.path[:0] = ["tests", "tests/golden"]
from conftest import write_folder
write_folder(Path(sys.argv[1]))
"""
TINY_MODEL = ("--recipe", "tutorial-cnn", "--epochs", "6", "--no-cache", "--quiet")


def main() -> None:
    """Run what is asked for; end with status 1 where something failed, which is not saved."""
    given = _arguments()
    shutil.rmtree(ENVIRONMENTS, ignore_errors=True)
    ENVIRONMENTS.mkdir(parents=True)
    wheel = _wheel()
    model = _tiny_model() if "predicting" in given.purposes else None
    failed = False
    for python, end, purpose in itertools.product(given.pythons, given.ends, given.purposes):
        row = run(python, wheel, end=end, purpose=purpose, model=model)
        sys.stdout.write(
            f"{'passed' if row['passed'] else 'FAILED'}: Python {row['python']}, {end}, {purpose}: "
            f"{row['tests']} ({row['seconds']:.0f} s)\n"
        )
        sys.stdout.flush()
        failed |= not row["passed"]
        if given.save and row["passed"]:
            save(row)
    sys.exit(failed)


def run(python: str, wheel: Path, *, end: str, purpose: str, model: Path | None) -> dict:
    """Make an environment, run its tests there, and say what was in it and how they ended."""
    begun = time.monotonic()
    folder = ENVIRONMENTS / "-".join([Path(python).name, end, purpose])
    inside = _environment(python, folder)
    constraints = ("--constraint", MINIMUM) if end == "minimum" else ()
    what = (f"timbrel{EXTRAS[purpose]} @ {wheel.as_uri()}", *_testing(purpose))
    pip = (inside, "-m", "pip")
    subprocess.run([*pip, "install", "--quiet", "--prefer-binary", *constraints, *what], check=True)
    subprocess.run([*pip, "check"], check=True, stdout=subprocess.DEVNULL)
    tested = subprocess.run(
        [inside, "-m", "pytest", *OPTIONS, *TESTS[purpose]],
        cwd=ROOT,
        env=_variables(model),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if tested.returncode:
        sys.stdout.write(tested.stdout)
    last = tested.stdout.rstrip().rpartition("\n")[2]
    facts = json.loads(subprocess.check_output([inside, INSIDE], text=True, env=_variables(None)))
    shutil.rmtree(folder)
    return {
        **facts,
        "end": end,
        "purpose": purpose,
        "passed": tested.returncode == 0,
        "tests": re.sub(r" in [\d.]+s.*", "", last).strip("= "),
        "seconds": round(time.monotonic() - begun, 1),
    }


def _environment(python: str, folder: Path) -> Path:
    """Make one with nothing in it; return its Python."""
    subprocess.run([python, "-m", "venv", folder], check=True)
    return folder / ("Scripts" if os.name == "nt" else "bin") / "python"


def _testing(purpose: str) -> list[str]:
    """What runs the tests and, where everything is installed, what they compare with."""
    needed = [line for line in requirements()["test"] if not line.startswith(TOOLS)]
    return needed if purpose == "training" else [n for n in needed if n.startswith("pytest")]


def _variables(model: Path | None) -> dict[str, str]:
    """The environment's own, without what would put other packages before those in it."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    # What crowsetta imports warns of how it does, in some versions.
    kept["DISABLE_PANDERA_IMPORT_WARNING"] = "True"
    return kept | ({"TIMBREL_TINY_MODEL": str(model)} if model else {})


def requirements() -> dict[str, list[str]]:
    """What pyproject.toml requires, by extra; the core's under the name "core"."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {"core": project["dependencies"], **project["optional-dependencies"]}


def lowest() -> list[str]:
    """The lines of constraints-minimum.txt: the lower bounds of all that users install."""
    asked = itertools.chain.from_iterable(required().values())
    return [line.replace(">=", "==", 1) for line in asked]


def required() -> dict[str, list[str]]:
    """What is required of all that users install and that is run here, by extra."""
    everything = requirements()
    return {name: everything[name] for name in PARTS}


def save(row: dict) -> None:
    """Add what was run to what was run before, and to the page that tells of it."""
    bounds = required()
    kept = []
    if SAVED.is_file():
        before = json.loads(SAVED.read_text(encoding="utf-8"))
        if before["requirements"] == bounds:
            kept = [run for run in before["runs"] if _leg(run) != _leg(row)]
    runs = sorted([*kept, row], key=_leg)
    text = json.dumps({"requirements": bounds, "runs": runs}, indent=1) + "\n"
    SAVED.write_text(text, encoding="utf-8")
    PAGE.write_text(page(runs, bounds), encoding="utf-8")


def _leg(run: dict) -> tuple:
    """Which Python, in order, which end of what is allowed, and what for."""
    return [*map(int, run["python"].split("."))], run["end"], run["purpose"]


def page(runs: list[dict], bounds: dict[str, list[str]]) -> str:
    """The page of the versions that were run, as Markdown."""
    systems = ", ".join(sorted({f"{run['system']} ({run['libc']})" for run in runs}))
    lines = [
        "# Versions that were run",
        "",
        "Made by `python benchmarks/versions.py --save`, which puts the wheel into fresh",
        "environments, with the lowest versions that it allows and with the newest that there are,",
        f"and runs the tests there. All on {systems}; on Windows, macOS and",
        "other processors nothing was run. What stands here passed; nothing is claimed of others.",
        "",
        "| Python | versions | installed | tests |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {run['implementation']} {run['python']} | {run['end']} | {_INSTALLED[run['purpose']]} "
        f"| {run['tests']} |"
        for run in runs
    ]
    whole = [run for run in runs if run["purpose"] == "training"]
    for name, title in PARTS.items():
        names = [re.split(r"[ ;<>=!~\[]", line)[0] for line in bounds[name]]
        rows = {name: [run["packages"].get(name.lower()) for run in whole] for name in names}
        lines += ["", f"## {title}", "", *_table(whole, rows)]
    sizes = {
        "core" if part == "core" else f"`[{part}]` adds": [run["megabytes"][part] for run in whole]
        for part in (whole[0]["megabytes"] if whole else ())
    }
    lines += ["", "## Installed sizes", "", "In millions of bytes:", "", *_table(whole, sizes)]
    return "\n".join(lines) + "\n"


def _table(runs: list[dict], rows: dict[str, list]) -> list[str]:
    """Something of each run, a column for each; rows in which there is nothing are left out."""
    head = " | ".join(f"{run['python']}, {run['end']}" for run in runs)
    lines = [f"| | {head} |", "|---" * (len(runs) + 1) + "|"]
    for name, values in rows.items():
        if any(values):
            shown = " | ".join("–" if value is None else str(value) for value in values)
            lines.append(f"| {name} | {shown} |")
    return lines


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--python", action="append", dest="pythons", metavar="PROGRAM")
    parser.add_argument("--end", choices=ENDS)
    parser.add_argument("--for", choices=EXTRAS, dest="purpose")
    parser.add_argument("--save", action="store_true")
    given = parser.parse_args()
    given.pythons = given.pythons or [sys.executable]
    given.ends = [given.end] if given.end else ENDS
    given.purposes = [given.purpose] if given.purpose else list(EXTRAS)
    return given


def _wheel() -> Path:
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps")
    subprocess.run([*pip, "--wheel-dir", ENVIRONMENTS, ROOT], check=True)
    return next(ENVIRONMENTS.glob("timbrel-*.whl"))


def _tiny_model() -> Path:
    data, model = ENVIRONMENTS / "data", ENVIRONMENTS / "model"
    subprocess.run([sys.executable, "-c", TINY_DATA, data], cwd=ROOT, check=True)
    train = (sys.executable, "-m", "timbrel", "train", data, "-o", model)
    subprocess.run([*train, *TINY_MODEL], check=True, stdout=subprocess.DEVNULL)
    return model


if __name__ == "__main__":
    main()
