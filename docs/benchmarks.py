"""Write docs/reference/benchmarks.md from the scripts and results: `python docs/benchmarks.py`.

What a script claims, and how it is run again, is its docstring; its figures are those of
benchmarks/results. Nothing is measured here.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = Path(__file__).parent / "reference" / "benchmarks.md"
SCRIPTS = ROOT / "benchmarks"

NOT_RUN = "<!-- not run: it needs recordings that are not here, and hours -->"

HEAD = """\
<!-- Made by `python docs/benchmarks.py`; a test compares it with the scripts and their results. -->

# Benchmarks

The figures that Timbrel's documentation quotes are made by the scripts of the folder `benchmarks`.
Each claims one thing and says how it is measured and what to beware of; this page is made of what
the scripts say and of the results that are kept in `benchmarks/results`. `make bench` runs them,
which takes many hours on two cores (the model that comes with Timbrel is made and measured by `make
instrument-model`, what runs on which versions by `make versions`); one alone is run as its section
says, in the environment that `make install` makes.

The recordings themselves are not part of Timbrel. `TIMBREL_SHARED` names a folder that holds them,
in its folder `data`: the tutorial's 300 `instruments` of ten classes, 3000 spoken `digits` of six
speakers, and `elsewhere`, 188 recordings of the same instruments and of others from three further
collections, on which nothing is trained. Figures in brackets are 95 %
intervals.
"""

Table = Iterator[list[str]]
Results = dict[str, dict]


def percent(share: float | None, digits: int = 1) -> str:
    """A share as text."""
    return "" if share is None else f"{100 * share:.{digits}f} %"


def with_interval(share: float, ends: list[float]) -> str:
    """A share with its interval."""
    return f"{percent(share)} ({100 * ends[0]:.0f}–{100 * ends[1]:.0f})"


def mean(values: Iterable[float]) -> float:
    """The mean of some numbers."""
    values = list(values)
    return sum(values) / len(values)


def _check(results: Results) -> Table:
    found = results["check"]
    yield ["", ""]
    speed = found["speed"]
    yield [f"{speed['files']} recordings checked", f"{speed['seconds']:.1f} s"]
    for data, kinds in found["copies"].items():
        copies = sum(kind["copies"] for kind in kinds.values())
        got = sum(kind["found"] for kind in kinds.values())
        wrong = sum(kind["wrong_pairs"] for kind in kinds.values())
        yield [
            f"copies of `{data}`, of {len(kinds)} kinds",
            f"{got} of {copies} found, {wrong} wrong pairs",
        ]


def _elsewhere(results: Results) -> Table:
    yield ["recipe", "right", "calibration error", "AUROC of *unknown*", "unknown sounds accepted"]
    for recipe, row in results["elsewhere"]["recipes"].items():
        unknown = row["unknown"]
        yield [
            f"`{recipe}`",
            with_interval(row["files"], row["ci95"]),
            f"{row['ece']:.3f}",
            f"{unknown['auroc']:.2f}",
            percent(unknown["accept_rate"], 0),
        ]


def _few_recordings(results: Results) -> Table:
    yield ["recordings a class", "windows trained on", "right", "elsewhere", "seconds"]
    for row in results["few-recordings"]["rows"]:
        yield [
            str(row["each"]),
            str(row["windows"]),
            percent(row["files"]),
            percent(row["elsewhere"]),
            f"{row['seconds']:.0f}",
        ]


def _honesty(results: Results) -> Table:
    yield ["data", "recipe", "claimed: random windows", "true: windows", "true: files"]
    for row in results.values():
        figures = [row[key] for key in ("random_split_windows", "honest_windows", "honest_files")]
        shown = [with_interval(figure["accuracy"], figure["ci95"]) for figure in figures]
        yield [f"`{row['data']}`", f"`{row['recipe']}`", *shown]


def _imbalance(results: Results) -> Table:
    yield ["", "mean recall", "recall of the four smallest classes"]
    for name, row in results["imbalance"]["arms"].items():
        parts = (row["all"], row["smallest"])
        yield [name, *(with_interval(part["recall"], part["ci95"]) for part in parts)]


def _isolation(results: Results) -> Table:
    found = results["isolation"]
    yield ["", "seconds"]
    yield [f"{found['files']} files in threads", f"{found['seconds']['threads']:.2f}"]
    yield ["in processes of their own", f"{found['seconds']['isolated']:.2f}"]
    yield ["their start", f"{found['seconds']['start']:.2f}"]


def _latency(results: Results) -> Table:
    found = results["latency"]
    yield ["", ""]
    yield ["answers", str(found["answers"])]
    yield ["median", f"{found['median_ms']} ms"]
    yield ["latest", f"{found['largest_ms']} ms"]
    yield ["equal to those of `predict`", "yes" if found["equal_to_predict"] else "no"]


def _long_recordings(results: Results) -> Table:
    yield ["hours", "seconds", "peak memory", "seconds of sound a second"]
    for row in results["long-recordings"]["recordings"]:
        yield [
            f"{row['hours']:g}",
            f"{row['seconds']:.1f}",
            f"{row['peak_mb']} MB",
            f"{row['audio_seconds_per_second']}",
        ]


def _mislabelled(results: Results) -> Table:
    yield ["data", "labels swapped", "by", "precision", "recall", "named before any was swapped"]
    for data, row in results["mislabelled"]["data"].items():
        swapped = f"{row['swapped']} of {row['recordings']}"
        for who in ("timbrel", "cleanlab"):
            found = row[who]
            shown = [percent(found[key]["mean"], 0) for key in ("precision", "recall")]
            as_they_are = str(found["accused_on_the_data_as_they_are"])
            yield [f"`{data}`", swapped, who, *shown, as_they_are]


def _none_of_these(results: Results) -> Table:
    yield ["examples of none of these", "instruments right", "AUROC", "speech accepted"]
    for name, row in results["none-of-these"]["arms"].items():
        unknown = row["unknown"]
        yield [
            name,
            with_interval(row["files"], row["ci95"]),
            f"{unknown['auroc']:.3f}",
            percent(unknown["accept_rate"], 0),
        ]


def _predict(results: Results) -> Table:
    found = results["predict-instruments"]
    yield ["", "seconds of sound a second"]
    yield ["the tutorial's way", f"{found['tutorials_way']['speed']:.0f}"]
    for recipe, row in found["recipes"].items():
        yield [f"`timbrel.predict`, `{recipe}`", str(row["library"])]
        yield [f"onnxruntime alone, `{recipe}`", str(row["onnxruntime_alone"])]


def _prepare(results: Results) -> Table:
    found = results["prepare"]
    yield ["", "seconds"]
    yield ["the tutorial's way", f"{sum(found['tutorial_seconds'].values()):.1f}"]
    yield ["Timbrel", f"{found['timbrel_seconds']:.1f}"]
    yield ["Timbrel, cached", f"{found['timbrel_cached_seconds']:.1f}"]


def _recipes(results: Results) -> Table:
    yield ["data", "recipe", "right, mean of the seeds", "the first seed", "seeds"]
    for row in results.values():
        first = row["seeds"][0]
        yield [
            f"`{row['data']}`",
            row["recipe"],
            percent(mean(seed["files"] for seed in row["seeds"])),
            with_interval(first["files"], first["ci95"]),
            str(len(row["seeds"])),
        ]


def _startup(results: Results) -> Table:
    found = results["startup"]
    yield ["", "seconds", "peak memory"]
    for name, row in found["ways"].items():
        yield [name, f"{row['seconds']:.2f}", f"{row['peak_megabytes']:.0f} MB"]
    for name, row in found["installed"].items():
        yield [f"installed: {name}", "", f"{row['megabytes']:.0f} MB on disk"]


def _time_to_accuracy(results: Results) -> Table:
    yield ["recipe", "seconds, each turn", "right, first turn"]
    turns = results["time-to-accuracy-instruments"]["turns"]
    for recipe, row in turns[0].items():
        seconds = ", ".join(f"{turn[recipe]['seconds']:.0f}" for turn in turns)
        yield [f"`{recipe}`", seconds, with_interval(row["files"], row["ci95"])]


def _tutorial_training(results: Results) -> Table:
    yield ["", "seconds an epoch", "windows right", "files right"]
    for name, row in results["tutorial_training"]["ways"].items():
        shown = [percent(row[key]) for key in ("window_accuracy", "file_accuracy")]
        yield [name, f"{row['seconds_per_epoch']:.1f}", *shown]


def _variants(results: Results) -> Table:
    yield ["variant", "right", "elsewhere", "AUROC elsewhere, made up", "seconds of training"]
    for row in results.values():
        first = row["seeds"][0]
        yield [
            row["variant"],
            with_interval(first["files"], first["ci95"]),
            percent(first["elsewhere"]),
            ", ".join(f"{_told(first[name]):.2f}" for name in ("auroc_elsewhere", "auroc_made_up")),
            f"{first['seconds']:.0f}",
        ]


def _told(area: float | list[float]) -> float:
    """What the network reaches; what it would without its distance may stand behind it."""
    return area[0] if isinstance(area, list) else area


# Script: the results that it writes, and the table of them.
TABLES: dict[str, tuple[str, Callable[[Results], Table]]] = {
    "honesty": ("honesty-*", _honesty),
    "recipes": ("recipes-*", _recipes),
    "elsewhere": ("elsewhere", _elsewhere),
    "time_to_accuracy": ("time-to-accuracy-*", _time_to_accuracy),
    "tutorial_training": ("tutorial_training", _tutorial_training),
    "prepare": ("prepare", _prepare),
    "predict": ("predict-*", _predict),
    "long_recordings": ("long-recordings", _long_recordings),
    "latency": ("latency", _latency),
    "startup": ("startup", _startup),
    "check": ("check", _check),
    "mislabelled": ("mislabelled", _mislabelled),
    "none_of_these": ("none-of-these", _none_of_these),
    "few_recordings": ("few-recordings", _few_recordings),
    "imbalance": ("imbalance", _imbalance),
    "variants": ("variant-*", _variants),
    "isolation": ("isolation", _isolation),
}


def results_of(pattern: str) -> Results:
    """The results of a script by the names of their files."""
    paths = sorted((SCRIPTS / "results").glob(f"{pattern}.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def docstring(script: Path) -> str:
    """What a script says of itself."""
    return ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or ""


def machines(results: Results) -> str:
    """What the figures were measured on."""
    said = {
        f"{item['processor']}, {item['cores']} cores, Python {item['python']}, "
        f"Keras {item['packages']['keras']}, onnxruntime {item['packages']['onnxruntime']}"
        for item in (found["machine"] for found in results.values())
    }
    return f"Measured on: {'; '.join(sorted(said))}."


def section(name: str) -> Iterator[str]:
    """What a script claims, how it is run, and what it gave."""
    claim, _, rest = docstring(SCRIPTS / f"{name}.py").partition("\n\n")
    yield f"## {name}"
    yield f"**{claim}**"
    for paragraph in rest.split("\n\n"):
        if paragraph.startswith("    "):
            command = re.sub(r"^ {4}", "", paragraph, flags=re.MULTILINE)
            yield f"{NOT_RUN}\n\n```sh\n{command}\n```"
        else:
            yield paragraph
    if name not in TABLES:
        return
    pattern, table = TABLES[name]
    results = results_of(pattern)
    header, *body = table(results)
    lines = [header, ["---"] * len(header), *body]
    yield "\n".join(f"| {' | '.join(line)} |" for line in lines)
    yield machines(results)


def page() -> str:
    """The whole page."""
    claiming = {path.stem for path in SCRIPTS.glob("*.py") if docstring(path).startswith("Claim:")}
    names = [*TABLES, *sorted(claiming - set(TABLES))]
    return "\n\n".join([HEAD.strip(), *(part for name in names for part in section(name))]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
