"""The schemas of docs/reference/schemas: every key that the program writes, and none besides."""

import copy
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from jsonschema import Draft202012Validator

import timbrel
from conftest import write_folder
from schemas import SCHEMAS, validator
from timbrel.findings import KINDS
from timbrel.workflows.evaluate import evaluate

# Backends that the tests do not train on.
NOT_INSTALLED = {"tensorflow", "torch"}


def check(name, samples):
    """Every sample is as the schema says, and every key of the schema is in a sample.

    A key that is taken out of the schema must make a sample wrong: so each is written, and the
    object that it is in takes no other keys.
    """
    for sample in samples:
        for error in validator(name).iter_errors(sample):
            pytest.fail(f"{name} {error.json_path}: {error.message[:300]}")
    for path in key_paths(SCHEMAS[name]):
        if path[-1] in NOT_INSTALLED:
            continue
        without = copy.deepcopy(SCHEMAS)
        part = without[name]
        for step in path[:-1]:
            part = part[step]
        del part[path[-1]]
        accepts = validator(name, without).is_valid
        assert not all(map(accepts, samples)), f"{name}: {'.'.join(map(str, path))} is never seen"


def key_paths(part, path=()):
    """Where the keys of objects stand in a schema; conditions repeat them."""
    if isinstance(part, list):
        part = dict(enumerate(part))
    if isinstance(part, dict):
        for name, inside in part.items():
            if path[-1:] == ("properties",):
                yield (*path, name)
            if name not in ("if", "then", "else"):
                yield from key_paths(inside, (*path, name))


def read(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))


def run(*arguments, **options):
    """What a command prints, line by line, as JSON."""
    command = [sys.executable, "-m", "timbrel", *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False, **options)
    assert done.returncode in (0, 1)
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_schemas_and_closed(name):
    Draft202012Validator.check_schema(SCHEMAS[name])

    def objects(part):
        if isinstance(part, dict):
            if "object" in part.get("type", ()):
                yield part
            for inside in part.values():
                yield from objects(inside)
        elif isinstance(part, list):
            for inside in part:
                yield from objects(inside)

    for part in objects(SCHEMAS[name]):
        assert "additionalProperties" in part, part
        for key in part.get("properties", {}):
            assert key in part["required"] or key in optional(name), key


def optional(name):
    """Keys that only some files have; `check` makes sure that there are some."""
    return {
        "evaluation.json": {"gap_ci95", "threshold", "learning_curve", "parts", "none_of_these"},
        "model.json": {"files", "accept", "tensorflow", "tensorflow-cpu", "torch", "jax"},
        "journal.json": {"text", "size", "sha256", "original", "delta"},
    }.get(name, set())


def test_a_model(tiny_model):
    written = read(tiny_model / "model.json")
    inside = dict(timbrel.load(tiny_model / "model.onnx").metadata)
    assert "files" not in inside
    others = [written | {"recipe": recipe.to_dict()} for recipe in timbrel.RECIPES.values()]
    check(
        "model.json",
        [written, inside, dict(timbrel.load().metadata), *json.loads(json.dumps(others))],
    )


def test_an_evaluation_by_train(tiny_model):
    written = read(tiny_model / "evaluation.json")
    for error in validator("evaluation.json").iter_errors(written):
        pytest.fail(f"{error.json_path}: {error.message}")


@pytest.mark.slow
@pytest.mark.usefixtures("untrained")
def test_an_evaluation(tmp_path):
    data = write_folder(tmp_path / "data", kinds=("hiss", "hum", "whistle", "noise"), recordings=6)
    (data / "hum" / "empty.wav").touch()
    with_all = evaluate(
        data,
        recipe="tutorial-cnn",
        folds=2,
        repeats=2,
        epochs=1,
        unknown=True,
        learning_curve=True,
    )
    without = evaluate(data, recipe="tutorial-cnn", folds=2, epochs=1)
    both = [with_all.evaluation, without.evaluation]
    check("evaluation.json", json.loads(json.dumps(both)))


def test_predictions(tiny_model, tiny_data, tmp_path):
    broken = tmp_path / "broken.wav"
    broken.touch()
    silent = tmp_path / "silent.wav"
    soundfile.write(silent, np.zeros(16_000), 16_000)
    paths = [tiny_data / "hum" / "0.wav", broken, silent]
    samples = [
        row
        for level in ("file", "window", "event")
        for row in run("predict", *paths, "-m", tiny_model, "-f", "jsonl", "--level", level)
    ]
    assert {(row["start"] is None, row["error"] is None) for row in samples} >= {
        (True, True),
        (True, False),
        (False, True),
    }
    check("prediction.json", samples)
    assert not validator("prediction.json").is_valid(samples[0] | {"error": "it is broken"})
    assert not validator("prediction.json").is_valid(samples[0] | {"label": None})


def test_live_answers(tiny_model):
    sound = np.r_[np.zeros(8000), np.sin(np.arange(16_000) * 0.3) * 0.3].astype("<f4").tobytes()
    pcm = ("--pcm-rate", 16_000, "--pcm-format", "f32le")
    rows = run("listen", "-", "-m", tiny_model, "-f", "jsonl", "-q", *pcm, input=sound)
    assert {row["level"] is None for row in rows} == {True, False}
    check("live.json", rows)


def test_what_check_finds(tmp_path, monkeypatch):
    monkeypatch.setattr("timbrel.evaluation.mislabelled._TREES", 20)
    monkeypatch.setattr("timbrel.evaluation.mislabelled._DEALS", 1)
    data = write_folder(tmp_path / "data", recordings=5)
    (data / "hum" / "empty.wav").touch()
    written = json.loads(timbrel.check(data).to_json())
    assert {row["usable"] for row in written["recordings"]} == {True, False}
    check("check.json", [written])


def test_every_kind_of_finding_is_in_the_schema():
    finding = SCHEMAS["check.json"]["properties"]["findings"]["items"]["properties"]
    assert finding["kind"]["enum"] == list(KINDS)


def test_info(tiny_model):
    models = (tiny_model, tiny_model / "model.onnx")
    found = [json.loads(json.dumps(timbrel.info(model).to_dict())) for model in models]
    assert [one["evaluation"] is None for one in found] == [False, True]
    check("info.json", found)


def test_a_journal(tiny_model, library, tmp_path):
    (library / "broken.wav").touch()
    written = []

    def sort(mode, **options):
        source, to = tmp_path / f"from-{mode}", tmp_path / f"sorted-{mode}"
        shutil.copytree(library, source, symlinks=True, dirs_exist_ok=True)
        return timbrel.tag(source, to, tiny_model, mode=mode, threshold=0, **options)

    def read_lines():
        return [json.loads(line) for line in journal.read_text().splitlines()]

    class Reading(timbrel.Progress):
        def stage(self, name, done, total, note=""):
            written.extend(read_lines())

    journal = sort("link").journal
    lines = read_lines()
    plan = next(row for row in lines if row["line"] == "plan")
    # As if the run had been interrupted before the first of its plans was carried out.
    (journal.parent / plan["to"]).unlink()
    kept = [row for row in lines if row != {"line": "done", "n": plan["n"]}]
    journal.write_text("".join(json.dumps(row, separators=(",", ":")) + "\n" for row in kept))
    sort("link")
    written += read_lines()
    for mode, options in (("copy", {}), ("move", {}), ("move", {"write_tags": True})):
        shutil.rmtree(tmp_path / f"sorted-{mode}", ignore_errors=True)
        shutil.rmtree(tmp_path / f"from-{mode}", ignore_errors=True)
        journal = sort(mode, **options).journal
        written += read_lines()
    # As if somebody had moved a file by hand.
    plan = next(row for row in read_lines() if row["line"] == "plan")
    (journal.parent / plan["to"]).rename(journal.parent / "moved.wav")
    timbrel.undo_tag(journal, Reading())
    kinds = {row["line"] for row in written}
    assert kinds == set(SCHEMAS["journal.json"]["$defs"])
    assert {row["kind"] for row in written if row["line"] == "plan"} == {
        *("link", "copy", "rename", "replace")
    }
    different = {json.dumps(row, sort_keys=True): row for row in written}
    check("journal.json", list(different.values()))
