"""Claim: examples of none of these teach the default recipe which sounds belong to no class.

Trains on `instruments` twice: alone, and with spoken digits from `digits` labelled `unknown`, a few
of each digit by each of the six speakers. A speaker is a group: what three of them say is learned
from, the other three are kept. Both models are then given the same recordings, which neither was
trained on: the instruments that were held out, and the three speakers that were kept. Printed are
the share of instruments that are named correctly, the AUROC of known against unknown sounds by
their confidence, and the share of unknown sounds that is accepted as some instrument, with 95 %
intervals.

    python benchmarks/none_of_these.py [--each 4]
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from pathlib import Path

from machine import recordings, save
from timbrel import evaluate_models, train

ARMS = ("without", "with")


def rows_of(data: str) -> list[dict]:
    """The recordings of a data set: path, label and group."""
    table, audio = recordings(data)
    with open(table, newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    paths = [(audio or table.parent) / (row.get("fname") or row["path"]) for row in found]
    return [
        {"path": path, "label": row["label"], "group": row.get("group") or path.name}
        for path, row in zip(paths, found, strict=True)
    ]


def some_of_each(rows: list[dict], count: int) -> list[dict]:
    """The first few recordings of each label and group."""
    kept: dict[tuple[str, str], list[dict]] = {}
    for row in rows:
        kept.setdefault((row["label"], row["group"]), []).append(row)
    return [row for part in kept.values() for row in part[:count]]


def written(rows: list[dict], file: Path) -> Path:
    """Write a CSV."""
    with open(file, "w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, ["path", "label", "group"])
        table.writeheader()
        table.writerows(rows)
    return file


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--each", type=int, default=4)
    chosen = options.parse_args()
    known = rows_of("instruments")
    spoken = some_of_each(rows_of("digits"), chosen.each)
    spoken = [{**row, "label": "unknown"} for row in spoken]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tables = {
            "without": written(known, folder / "without.csv"),
            "with": written(known + spoken, folder / "with.csv"),
        }
        models = [train(tables[arm], folder / arm).path for arm in ARMS]
        evaluations = evaluate_models(tables["with"], models).evaluations
    print("| examples of none of these | instruments right | AUROC of unknown | accepted |")
    print("|---" * 4 + "|")
    result = {}
    for arm, found in zip(ARMS, evaluations, strict=True):
        file, unknown = found["file"], found["unknown"]
        result[arm] = {
            "files": file["accuracy"],
            "ci95": file["ci95"]["accuracy"],
            "unknown": {key: unknown[key] for key in ("auroc", "accept_rate", "ci95")},
        }
        shown = [(file["accuracy"], file["ci95"]["accuracy"])]
        shown += [(unknown[key], unknown["ci95"][key]) for key in ("auroc", "accept_rate")]
        cells = [f"{value:.1%} ({low:.0%}–{high:.0%})" for value, (low, high) in shown]
        print(f"| {arm} | {' | '.join(cells)} |", flush=True)
    save("none-of-these", {"each": chosen.each, "arms": result})


if __name__ == "__main__":
    main()
