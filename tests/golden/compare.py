"""Compare what two checkouts of Timbrel show and write.

`python tests/golden/compare.py OLD NEW` runs the cases of `cases.py` with the source of each
checkout, one after the other, with the same Python, in the same folder, on the same data, and
prints what differs as path, old and new. Versions, times and sizes that depend on them are masked.
The exit status is 1 where anything differs. Everything is trained on this machine in both runs, so
that figures can be compared closely.

    python tests/golden/compare.py ../old . --quick
    python tests/golden/compare.py ../old . --only 'check-*' more-check-deep
    python tests/golden/compare.py ../old . --instruments
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from difflib import unified_diff
from fnmatch import fnmatchcase
from pathlib import Path

from cases import shared_folder
from masks import masked_json, masked_text

CASES = Path(__file__).with_name("cases.py")
ENOUGH = 20


class Difference:
    """One thing that differs: where, what it was and what it is."""

    def __init__(self, where: str, old: object, new: object) -> None:
        self.where, self.old, self.new = where, _short(old), _short(new)

    def __str__(self) -> str:
        return f"{self.where}\n  old  {self.old}\n  new  {self.new}"


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 300 else f"{text[:300]} … ({len(text)} characters)"


def compare_values(where: str, old: object, new: object, tolerance: float) -> Iterator[Difference]:
    """Compare JSON data; numbers that are not whole may differ by the tolerance."""
    if isinstance(old, dict) and isinstance(new, dict):
        if list(old) != list(new) and sorted(old) == sorted(new):
            yield Difference(f"{where} (order of keys)", list(old), list(new))
        for key in dict.fromkeys([*old, *new]):
            inside = f"{where}.{key}" if where else str(key)
            if key in old and key in new:
                yield from compare_values(inside, old[key], new[key], tolerance)
            else:
                yield Difference(inside, old.get(key, "–"), new.get(key, "–"))
    elif isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            yield Difference(f"{where} (length)", len(old), len(new))
        for number, (left, right) in enumerate(zip(old, new, strict=False)):
            yield from compare_values(f"{where}[{number}]", left, right, tolerance)
    elif isinstance(old, float) and isinstance(new, float):
        if not (old == new or abs(old - new) <= tolerance or (old != old and new != new)):
            yield Difference(where, old, new)
    elif type(old) is not type(new) or old != new:
        yield Difference(where, old, new)


def compare_text(where: str, old: str, new: str) -> Iterator[Difference]:
    """Compare texts line by line."""
    if old == new:
        return
    lines = unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=0)
    left: list[str] = []
    right: list[str] = []
    place = where
    for line in [*list(lines)[2:], "@@"]:
        if line.startswith("@@"):
            if left or right:
                yield Difference(place, "\n       ".join(left), "\n       ".join(right))
            left, right = [], []
            found = re.match(r"@@ -(\d+)", line)
            place = f"{where}, line {found[1]}" if found else where
        else:
            (left if line.startswith("-") else right).append(line[1:])
    if old.splitlines() == new.splitlines():
        yield Difference(f"{where} (line ends)", repr(old[-20:]), repr(new[-20:]))


def _compare_graphs(where: str, old: bytes, new: bytes, tolerance: float) -> Iterator[Difference]:
    """Compare two `model.onnx`: the description in them, then the bytes of the rest."""
    import numpy as np
    import onnx

    graphs = [onnx.load_from_string(content) for content in (old, new)]
    descriptions = []
    for graph in graphs:
        descriptions.append({item.key: item.value for item in graph.metadata_props})
        del graph.metadata_props[:]
    for key in dict.fromkeys([*descriptions[0], *descriptions[1]]):
        texts = [item.get(key, "null") for item in descriptions]
        values = [masked_json(json.loads(text)) for text in texts]
        yield from compare_values(f"{where} (metadata).{key}", *values, tolerance)
    plain = [graph.SerializeToString(deterministic=True) for graph in graphs]
    if plain[0] == plain[1]:
        return
    yield Difference(f"{where} (bytes without metadata)", len(plain[0]), len(plain[1]))
    structures = ("\n".join(itertools.chain(*graph_lines(graph))) for graph in graphs)
    yield from compare_text(f"{where} (structure)", *structures)
    tensors = [
        {item.name: onnx.numpy_helper.to_array(item) for item in graph.graph.initializer}
        for graph in graphs
    ]
    for name in tensors[0].keys() & tensors[1].keys():
        left, right = (found[name] for found in tensors)
        if left.shape == right.shape and not np.array_equal(left, right):
            most = np.abs(left.astype(float) - right).max()
            yield Difference(f"{where} (tensor {name}, largest difference)", 0, most)


def graph_lines(graph: object) -> tuple[list[str], list[str]]:
    """Versions, inputs and outputs of a graph; its operators in their order, with constants."""
    import onnx

    def shape(value: object) -> str:
        kind = value.type.tensor_type
        dims = ", ".join(str(dim.dim_value or dim.dim_param) for dim in kind.shape.dim)
        return f"{value.name} {onnx.TensorProto.DataType.Name(kind.elem_type)} ({dims})"

    content = graph.graph
    outside = [f"opset {item.domain or 'ai.onnx'} {item.version}" for item in graph.opset_import]
    outside += [f"input {shape(value)}" for value in content.input]
    outside += [f"output {shape(value)}" for value in content.output]
    constants = {item.name: tuple(item.dims) for item in content.initializer}
    operators = []
    for node in content.node:
        ends = [str(constants[name]) for name in node.input if name in constants]
        operators.append(" ".join([node.op_type, *ends]))
    return outside, operators


def _compare_weights(where: str, old: Path, new: Path) -> Iterator[Difference]:
    """Compare the arrays of two HDF5 files."""
    import h5py
    import numpy as np

    found: list[dict[str, np.ndarray]] = []
    for path in (old, new):
        arrays: dict[str, np.ndarray] = {}
        with h5py.File(path) as file:
            file.visititems(
                lambda name, item, arrays=arrays: (
                    arrays.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
                )
            )
        found.append(arrays)
    for name in sorted(found[0].keys() | found[1].keys()):
        left, right = (arrays.get(name) for arrays in found)
        if left is None or right is None or left.shape != right.shape:
            shapes = [None if part is None else part.shape for part in (left, right)]
            yield Difference(f"{where} {name} (shape)", *shapes)
        elif not np.array_equal(left, right):
            most = np.abs(left.astype(float) - right).max()
            yield Difference(f"{where} {name} (largest difference)", 0, most)


def _compare_parquet(where: str, old: Path, new: Path) -> Iterator[Difference]:
    """Compare bytes, then say what of schema and rows differs."""
    from pyarrow import parquet

    if old.read_bytes() == new.read_bytes():
        return
    tables = [parquet.read_table(path) for path in (old, new)]
    yield Difference(f"{where} (bytes)", old.stat().st_size, new.stat().st_size)
    yield from compare_text(f"{where} (schema)", *(str(table.schema) for table in tables))
    yield from compare_values(where, *(table.to_pylist() for table in tables), 0.0)


def compare_files(where: str, old: Path, new: Path, tolerance: float) -> Iterator[Difference]:
    """Compare two files by what they are."""
    suffix = old.suffix
    if old.is_symlink() or new.is_symlink():
        targets = [os.readlink(path) if path.is_symlink() else "a file" for path in (old, new)]
        if targets[0] != targets[1]:
            yield Difference(f"{where} (link)", *targets)
    elif suffix == ".onnx":
        yield from _compare_graphs(where, old.read_bytes(), new.read_bytes(), tolerance)
    elif suffix == ".json":
        values = [masked_json(json.loads(path.read_text())) for path in (old, new)]
        yield from compare_values(f"{where} ", *values, tolerance)
    elif suffix == ".h5":
        yield from _compare_weights(where, old, new)
    elif suffix == ".parquet":
        yield from _compare_parquet(where, old, new)
    elif suffix in {".png", ".wav", ".flac"}:
        if old.read_bytes() != new.read_bytes():
            yield Difference(f"{where} (bytes)", old.stat().st_size, new.stat().st_size)
    else:
        texts = [
            masked_text(path.read_bytes().decode(errors="surrogateescape"), where)
            for path in (old, new)
        ]
        yield from compare_text(where, *texts)


def compare_folders(old: Path, new: Path, tolerance: float) -> Iterator[Difference]:
    """Compare all files below two folders."""
    files = [
        {
            path.relative_to(folder).as_posix(): path
            for path in folder.rglob("*")
            if path.is_symlink() or not path.is_dir()
        }
        for folder in (old, new)
    ]
    for name in sorted(files[0].keys() | files[1].keys()):
        if all(name in part for part in files):
            yield from compare_files(name, files[0][name], files[1][name], tolerance)
        else:
            there = ["there" if name in part else "not there" for part in files]
            yield Difference(name, *there)


def run(checkout: Path, cases: Path, folder: Path, options: list[str]) -> None:
    """Run the cases with the source of a checkout."""
    source = checkout.resolve() / "src"
    if not (source / "timbrel" / "__init__.py").is_file():
        raise SystemExit(f"There is no src/timbrel in '{checkout}'.")
    environment = os.environ | {"PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
    shared = shared_folder()
    if shared is not None:
        environment["TIMBREL_SHARED"] = str(shared)
    asked = [sys.executable, "-c", "import timbrel; print(timbrel.__file__)"]
    found = subprocess.run(asked, env=environment, capture_output=True, text=True, check=True)
    if not Path(found.stdout.strip()).is_relative_to(source):
        raise SystemExit(f"Python imports {found.stdout.strip()} in place of {source}.")
    print(f"== {checkout}", flush=True)
    command = [sys.executable, str(cases), str(folder), *options]
    if subprocess.run(command, env=environment, check=False).returncode:
        raise SystemExit(f"The cases did not run to their end with {source}.")


def main() -> int:
    """Run both, compare, and print what differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path, help="a checkout")
    parser.add_argument("new", type=Path, help="a checkout")
    parser.add_argument("--only", nargs="+", metavar="PATTERN", help="names of cases, * in them")
    parser.add_argument("--quick", action="store_true", help="only what needs no Keras")
    parser.add_argument(
        "--instruments", action="store_true", help="also use the real recordings, all of them"
    )
    parser.add_argument("--tolerance", type=float, default=1e-6, help="of figures in JSON")
    parser.add_argument("--skip", nargs="+", default=[], metavar="PATTERN", help="files, * in them")
    parser.add_argument("--all", action="store_true", help="print all differences of each file")
    parser.add_argument("--keep", type=Path, help="a new folder in which results are left")
    arguments = parser.parse_args()
    options = ["--more"]
    if arguments.only:
        options += ["--only", *arguments.only]
    if arguments.quick:
        options.append("--quick")
    if arguments.instruments:
        options += ["--instruments", "--large"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        # Whoever edits the cases while they run is not to compare different ones.
        cases = folder / "cases.py"
        cases.write_bytes(CASES.read_bytes())
        # Both run in a folder of one name, which may be in what they write.
        for name in ("old", "new"):
            run(getattr(arguments, name), cases, folder / "run", options)
            (folder / "run").rename(folder / name)
        results = [folder / name / "out" for name in ("old", "new")]
        return _report(compare_folders(*results, arguments.tolerance), arguments)


def _report(differences: Iterator[Difference], arguments: argparse.Namespace) -> int:
    """Print differences, not too many of one file; return the exit status."""
    count: dict[str, int] = {}
    for item in differences:
        file = re.split(r"[ ,]", item.where)[0]
        if any(fnmatchcase(file, pattern) for pattern in arguments.skip):
            continue
        count[file] = count.get(file, 0) + 1
        if arguments.all or count[file] <= ENOUGH:
            print(item)
        elif count[file] == ENOUGH + 1:
            print(f"{file}: and more (--all prints them)")
    if not count:
        print("No difference.")
        return 0
    print(f"\n{sum(count.values())} differences in {len(count)} files:")
    for file, number in count.items():
        print(f"  {number:>5}  {file}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
