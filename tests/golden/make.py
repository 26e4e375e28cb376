"""Write the golden files: what Timbrel shows and writes, as small texts.

`python tests/golden/make.py` runs the cases of `cases.py` and rewrites `terminal/`, a text for each
case of what the terminal showed, and `files/`, what was written. Long figures are rounded to four
decimals. Sums, versions and times are left out. A file that differs by less than the tolerance
stays as it is. Look at the difference before you commit it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from cases import CASES
from compare import graph_lines
from masks import difference, masked_json, masked_text

HERE = Path(__file__).parent
DECIMALS = 4
# The cases that take longest: half of the time of all.
LONG = ("evaluate-groups", "evaluate-repeats")
# Formats of predictions that are texts; other files that are written are only listed.
TEXTS = {".csv", ".jsonl", ".txt", ".raven", ".audacity", ".tsv"}


def golden_files(out: Path) -> dict[str, str]:
    """The golden files of the cases whose results lie in a folder, by their names."""
    found: dict[str, str] = {}
    for case in sorted(path for path in out.iterdir() if path.is_dir()):
        written = sorted(path for path in case.rglob("*") if path.is_symlink() or path.is_file())
        for path in written:
            name = path.relative_to(case).as_posix()
            if name == "terminal.txt":
                found[f"terminal/{case.name}.txt"] = _terminal(path)
            elif path.is_symlink():
                continue
            else:
                found |= _written(f"files/{case.name}/{name}", path)
        if any(path.parent != case for path in written) and case.name != "synthetic":
            found[f"files/{case.name}/tree.txt"] = _tree(case, written)
    if (out / "synthetic").is_dir():
        found["files/synthetic.txt"] = _sounds(out / "synthetic")
    here = str(out.parent.resolve())
    return {name: text.replace(here, "<here>") for name, text in found.items()}


def _written(name: str, path: Path) -> dict[str, str]:
    """The golden file of a file; none of those that are not frozen."""
    if path.suffix == ".json":
        value = masked_json(json.loads(path.read_text(encoding="utf-8")))
        return {name: _portable(_json_text(value) + "\n")}
    if path.suffix == ".onnx":
        import onnx

        outside, operators = graph_lines(onnx.load(path))
        # What computes side by side is in an order that depends on the weights.
        counts = sorted(Counter(operators).items())
        lines = [*outside, *(f"{count} × {operator}" for operator, count in counts)]
        return {f"{name}.txt": "\n".join(lines) + "\n"}
    if path.suffix == ".parquet":
        from pyarrow import parquet

        table = parquet.read_table(path)
        rows = [json.dumps(row, ensure_ascii=False) for row in table.to_pylist()]
        return {f"{name}.txt": _portable("\n".join([str(table.schema), *rows]) + "\n")}
    if path.suffix in TEXTS:
        text = path.read_bytes().decode(errors="surrogateescape")
        return {name: _portable(masked_text(text, name))}
    return {}


def _terminal(path: Path) -> str:
    text = path.read_bytes().decode(errors="surrogateescape")
    parts = re.split(r"(?m)^(?=\$ timbrel )", text)
    return _portable(masked_text("".join(map(_options_only, parts)), path.name))


def _options_only(shown: str) -> str:
    """Of a page of help its usage, and the names of its commands and options."""
    command = shown.partition("\n")[0]
    if not command.endswith("--help"):
        return shown
    usage = re.search(r"Usage: .*\S", shown)
    names = re.findall(r"(?m)^│[ *]+(--[\w-]+(?: +-\w\b)?)", shown)
    commands = re.findall(r"(?m)^│ ([a-z]+)  +\S", shown)
    status = shown.rstrip().rpartition("\n")[2]
    listed = sorted(" ".join(name.split()) for name in names)
    return "\n".join([command, usage[0] if usage else "", *commands, *listed, status, "", ""])


def _tree(folder: Path, written: list[Path]) -> str:
    lines = []
    for path in written:
        target = f" → {os.readlink(path)}" if path.is_symlink() else ""
        lines.append(f"{path.relative_to(folder).as_posix()}{target}\n")
    return "".join(lines)


def _sounds(folder: Path) -> str:
    """What the synthesised recordings are: their bytes vary with NumPy and SciPy."""
    import numpy as np
    import soundfile

    lines = []
    for path in sorted(folder.rglob("*.wav")):
        samples, rate = soundfile.read(path)
        peak, power = np.abs(samples).max(), np.sqrt(np.mean(samples**2))
        where = path.relative_to(folder).as_posix()
        lines.append(f"{where}  {rate} Hz  {len(samples)}  {peak:.4f}  {power:.4f}\n")
    return "".join(lines)


def _json_text(value: object, indent: str = "") -> str:
    """JSON, with what holds neither objects nor lists of lists on one line."""
    inside = f"{indent}  "
    if isinstance(value, dict) and (len(value) > 3 or any(map(_is_nested, value.values()))):
        rows = [
            f"{inside}{json.dumps(key)}: {_json_text(item, inside)}" for key, item in value.items()
        ]
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        rows = [f"{inside}{json.dumps(item, ensure_ascii=False)}" for item in value]
        return "[\n" + ",\n".join(rows) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False)


def _is_nested(value: object) -> bool:
    return isinstance(value, dict | list) and bool(value)


def _portable(text: str) -> str:
    """A text with sums, versions and further decimals left out."""
    text = re.sub(r"\b[0-9a-f]{64}\b", "<sha256>", text)
    text = re.sub(
        r'(?:\s*"<sha256>",?){2,}', lambda found: f' {found[0].count("sha256")} × "<sha256>"', text
    )
    text = re.sub(r'("[\w-]+": )"\d+\.\d[\w.]*"', r'\1"…"', text)
    text = re.sub(r"(?m)^(  made with +).*(\n {19}.*)*", r"\1…", text)
    return re.sub(r"(?<![\w.])-?\d+\.\d{7,}(?:e[-+]\d+)?(?![\w.])|-?\d\.\d+e[-+]\d+", _round, text)


def _round(found: re.Match) -> str:
    return str(round(float(found[0]), DECIMALS) + 0.0)


def run(folder: Path, source: Path, options: list[str]) -> dict[str, str]:
    """Run the cases of golden files, in two processes; return what the golden files would be."""
    environment = os.environ | {"PYTHONPATH": str(source)}
    script = [sys.executable, str(HERE / "cases.py")]
    parts = {"evaluated": ["--only", *LONG], "rest": ["--without", *LONG]}
    if "--quick" in options or "--only" in options:
        parts = {"all": []}
    running = [
        subprocess.Popen(
            [*script, str(folder / name), "--portable", *part, *options],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name, part in parts.items()
    ]
    shown = [process.communicate()[0] for process in running]
    if any(process.returncode for process in running):
        raise RuntimeError("\n".join(shown))
    found: dict[str, str] = {}
    for name in parts:
        found |= golden_files(folder / name / "out")
    return found


def main() -> None:
    """Rewrite the golden files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", help="patterns of names of cases")
    arguments = parser.parse_args()
    source = HERE.parents[1] / "src"
    with tempfile.TemporaryDirectory() as name:
        only = ["--only", *arguments.only] if arguments.only else []
        made = run(Path(name), source, ["--instruments", *only])
    ran = {name.split("/")[1].removesuffix(".txt") for name in made}
    for old in (*HERE.glob("terminal/*.txt"), *HERE.glob("files/*"), *HERE.glob("files/**/*")):
        name = old.relative_to(HERE).as_posix()
        case = name.split("/")[1].removesuffix(".txt")
        # What was not run, or cannot be for want of the real recordings, stays.
        if old.is_file() and name not in made and (case in ran or case not in CASES):
            old.unlink()
    for name, text in made.items():
        path = HERE / name
        if path.is_file() and not difference(name, path, text):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode(errors="surrogateescape"))
    print(f"{len(made)} files, {sum(map(len, made.values())) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
