"""Claim: of 15 swapped labels among 300, `timbrel check` names most, and accuses few others.

Labels drawn at random are each changed to another class at random; the recordings named are then
compared with those changed. As many times as there are seeds, none of which anything was tuned on.
Statistics are computed once. A recording is judged by models that have not learned from its group:
a recording of its own on `instruments` and on the built-in data set, a speaker on `digits`.

Precision is the share of those named that were changed, recall the share of those changed that are
named; average precision ranks all recordings by p(most probable other class) / p(label), without
any threshold. The peer is cleanlab's `find_label_issues` with its defaults, on the same
probabilities (`pip install cleanlab`; left out where it is not installed). Caveat: data have errors
of their own, and odd recordings: who is accused on the data as they are counts as falsely accused
on the changed data too.

    python benchmarks/mislabelled.py [--data instruments digits synthetic]
"""

from __future__ import annotations

import argparse
import tempfile
from importlib import metadata
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score

from machine import recordings, save
from timbrel import decode, read_dataset
from timbrel.dataset.corpus import STATISTICS_RATE
from timbrel.dataset.manifest import Recording
from timbrel.dataset.synthesis import make_synthetic
from timbrel.evaluation.mislabelled import find_mislabelled, out_of_fold, suspicious
from timbrel.features.statistics import file_statistics
from timbrel.workers import in_order

try:
    from cleanlab.filter import find_label_issues
except ModuleNotFoundError:
    find_label_issues = None

# How many labels are swapped, and the seeds.
PROTOCOL = {"instruments": (15, range(10)), "digits": (150, range(3)), "synthetic": (15, range(10))}
FIGURES = ("precision", "recall", "named", "average_precision", "suggested_right")


def describe(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Statistics, labels and groups of a data set."""
    with tempfile.TemporaryDirectory() as folder:
        table = (make_synthetic(Path(folder)),) if name == "synthetic" else recordings(name)
        found = read_dataset(*table).recordings
        statistics = np.array(list(in_order(_statistics, found)))
    return statistics, np.array([i.label for i in found]), np.array([i.group for i in found])


def _statistics(item: Recording) -> np.ndarray:
    return file_statistics(decode(item.file, STATISTICS_RATE).waveform, STATISTICS_RATE)


def swap(labels: np.ndarray, number: int, seed: int) -> np.ndarray:
    """The labels with some at random changed to another class at random."""
    rng = np.random.default_rng(seed)
    classes, target = np.unique(labels, return_inverse=True)
    places = rng.choice(len(labels), number, replace=False)
    target[places] = (target[places] + rng.integers(1, len(classes), number)) % len(classes)
    return classes[target]


def judge(statistics: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> dict:
    """Who is named by whom; numbers refer to the recordings."""
    # The order in which `find_mislabelled` takes them.
    keys = list(zip(labels, groups, map(bytes, statistics), strict=True))
    order = np.array(sorted(range(len(keys)), key=keys.__getitem__))
    classes, target = np.unique(labels[order], return_inverse=True)
    p = out_of_fold(statistics[order], target, groups[order])
    own = p[np.arange(len(p)), target]
    others = np.where(np.arange(len(classes)) == target[:, None], -1, p)
    rank = np.empty(len(p))
    rank[order] = others.max(axis=1) / own
    listed = {int(order[s.index]): s.suggested for s in suspicious(p, target, classes)}
    judged = {"timbrel": listed, "rank": rank}
    if find_label_issues is not None:
        mask = find_label_issues(target, p, n_jobs=1)
        suggested = classes[others.argmax(axis=1)]
        judged["cleanlab"] = {int(order[i]): suggested[i] for i in np.flatnonzero(mask)}
    return judged


def score(listed: dict, truth: np.ndarray, labels: np.ndarray) -> dict:
    """How many of those named were changed, and the other way round."""
    right = [index for index in listed if truth[index] != labels[index]]
    suggested = sum(listed[index] == truth[index] for index in right)
    return {
        "named": len(listed),
        "precision": len(right) / len(listed) if listed else None,
        "recall": len(right) / int(np.count_nonzero(truth != labels)),
        "suggested_right": suggested / len(right) if right else None,
    }


def summary(rounds: list[dict]) -> dict:
    """Mean and range of each figure over the seeds."""
    found = {}
    for figure in FIGURES:
        values = [item[figure] for item in rounds if item.get(figure) is not None]
        if values:
            low, high = min(values), max(values)
            found[figure] = {"mean": float(np.mean(values)), "range": [float(low), float(high)]}
    return found


def measure(name: str) -> dict:
    """All seeds of a data set."""
    statistics, truth, groups = describe(name)
    number, seeds = PROTOCOL[name]
    judged = judge(statistics, truth, groups)
    product = find_mislabelled(statistics, truth.tolist(), groups.tolist())
    assert {item.index: item.suggested for item in product} == judged["timbrel"]
    peers = [peer for peer in ("timbrel", "cleanlab") if peer in judged]
    rounds: dict[str, list[dict]] = {peer: [] for peer in peers}
    accused = {peer: len(judged[peer]) for peer in peers}
    for seed in seeds:
        labels = swap(truth, number, seed)
        judged = judge(statistics, labels, groups)
        ranked = float(average_precision_score(truth != labels, judged["rank"]))
        for peer in peers:
            rounds[peer].append({"seed": seed, **score(judged[peer], truth, labels)})
        rounds["timbrel"][-1]["average_precision"] = ranked
    return {
        "recordings": len(truth),
        "swapped": number,
        **{
            peer: {
                **summary(rounds[peer]),
                "accused_on_the_data_as_they_are": accused[peer],
                "seeds": rounds[peer],
            }
            for peer in peers
        },
    }


def line(name: str, result: dict, peer: str) -> str:
    """What a reader wants to know."""
    found = result[peer]
    (precision, precise), (recall, recalled) = (
        (found[figure]["mean"], found[figure]["range"]) for figure in ("precision", "recall")
    )
    return (
        f"{name:12} {peer:9} {result['swapped']} of {result['recordings']} swapped: names "
        f"{found['named']['mean']:.1f}; precision {precision:.0%} ({precise[0]:.0%} to "
        f"{precise[1]:.0%}), recall {recall:.0%} ({recalled[0]:.0%} to {recalled[1]:.0%}); "
        f"unswapped: names {found['accused_on_the_data_as_they_are']}"
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--data", nargs="+", choices=PROTOCOL, default=list(PROTOCOL))
    chosen = options.parse_args()
    versions = {"scikit-learn": metadata.version("scikit-learn")}
    if find_label_issues is None:
        print("cleanlab is not installed: no comparison (pip install cleanlab).")
    else:
        versions["cleanlab"] = metadata.version("cleanlab")
    results = {}
    for name in chosen.data:
        results[name] = measure(name)
        for peer in ("timbrel", "cleanlab"):
            if peer in results[name]:
                print(line(name, results[name], peer), flush=True)
        save("mislabelled", {"versions": versions, "data": results})


if __name__ == "__main__":
    main()
