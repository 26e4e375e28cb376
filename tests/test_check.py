"""Each defect is planted; exactly what was planted is found, and nobody else is accused."""

import csv
import json
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

import timbrel
from conftest import RATE, sound, write_folder
from timbrel import DataError, get_recipe
from timbrel.cli.main import app
from timbrel.dataset.manifest import Recording
from timbrel.errors import DecoderFailed, MissingExtra
from timbrel.features.cache import FeatureCache
from timbrel.findings import KINDS, UNUSABLE, Finding
from timbrel.networks.recipes import DEFAULT_RECIPE
from timbrel.workers import WorkerPool
from timbrel.workflows import check as workflow
from timbrel.workflows.check import Checked, CheckResult

# It cleans, and hears at the rate of these recordings.
check = partial(timbrel.check, recipe="tutorial-cnn")


LABELS = ("hiss", "hum", "whistle")


def take(kind, number, *, seconds=0.5, rate=RATE):
    """A recording that is none of those of `write_folder`."""
    return sound(kind, seconds, np.random.default_rng([7, number]), rate=rate)


def plant(folder):
    """Break, bend and double recordings; return rows of the CSV and what must be found."""
    planted = []

    def put(name, label, waveform, *kinds, rate=RATE, **settings):
        file = folder / name
        soundfile.write(file, waveform, rate, **settings)
        planted.append(({"path": name, "label": label}, kinds))
        return file

    def put_bytes(name, label, content, *kinds):
        (folder / name).write_bytes(content)
        planted.append(({"path": name, "label": label}, kinds))

    def row(name, label, *kinds, **columns):
        planted.append(({"path": name, "label": label, **columns}, kinds))

    # Cannot be used.
    row("gone.wav", "hum", "missing")
    put_bytes("nothing.wav", "hum", b"", "empty")
    put("header-only.wav", "hum", np.zeros(0, np.float32), "empty")
    put_bytes("text.wav", "hiss", b"Dear diary, today I recorded a hiss. " * 40, "unreadable")
    put("zeros.wav", "hum", np.zeros(4000, np.float32), "silent")
    both = np.int16(np.outer(np.round(3e4 * take("hum", 1)), [1, -1]))
    put("cancelling.wav", "hum", both, "silent", "odd-channels")
    holes = take("hum", 2)
    holes[100:110] = np.nan
    put("holes.wav", "hum", holes, "not-finite", subtype="FLOAT")
    row("hum/0.wav", "hum", "wrong-stretch", start="7", end="8")
    row("hum/1.wav", "", "wrong-row")
    # Odd.
    put("stereo.wav", "hiss", np.outer(take("hiss", 3), [1, 0.5]), "odd-channels")
    put("fast.wav", "whistle", take("whistle", 4, rate=48_000), "odd-rate", rate=48_000)
    put("quiet.wav", "hiss", 0.004 * take("hiss", 5), "too-quiet", subtype="PCM_24")
    put("blip.wav", "whistle", take("whistle", 6, seconds=0.06), "too-short")
    put("loud.wav", "hiss", 20 * take("hiss", 7), "too-loud", subtype="FLOAT")
    put("clipped.wav", "hum", np.clip(20 * take("hum", 8), -1, 1), "clipped")
    put("offset.wav", "hum", 0.3 * take("hum", 9) + 0.05, "dc-offset")
    file = put("cut-short.wav", "hiss", take("hiss", 10), "truncated")
    file.write_bytes(file.read_bytes()[:-6000])
    file = put("cut-short.flac", "hiss", take("hiss", 11), "truncated")
    file.write_bytes(file.read_bytes()[:-4000])
    # Copies, each of a recording of its own.
    original = [soundfile.read(folder / "hiss" / f"{number}.wav")[0] for number in range(4)]
    put("same.flac", "hiss", original[0], "exact-duplicate")
    put("softer.wav", "hiss", 0.3 * original[1][1000:], "near-duplicate")
    put("smaller.ogg", "hiss", original[2], "near-duplicate")
    put("renamed.wav", "hum", 0.5 * original[3], "near-duplicate", "label-conflict")
    # Wrong names.
    put("hummed.wav", "whistle", take("hum", 12), "mislabelled")
    put("hissed.wav", "hum", take("hiss", 13), "mislabelled")
    return planted


@pytest.fixture(scope="module", autouse=True)
def _few_trees():
    """These sounds are easy; tests/test_labels.py has the model as it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("timbrel.evaluation.mislabelled._TREES", 20)
        patch.setattr("timbrel.evaluation.mislabelled._DEALS", 1)
        yield


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A CSV with everything in it, and which findings it must give."""
    folder = write_folder(tmp_path_factory.mktemp("planted") / "data", recordings=12)
    rows = [
        {"path": f"{label}/{number}.wav", "label": label}
        for label in LABELS
        for number in range(12)
    ]
    more = plant(folder)
    table = folder / "all.csv"
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["path", "label", "start", "end"])
        writer.writeheader()
        writer.writerows([*rows, *(row for row, _ in more)])
    return table, more


@pytest.fixture(scope="module")
def result(planted):
    return check(planted[0])


def name_of(row, number):
    """As findings name a row: the recording, its stretch, or the line where there is no label."""
    if not row["label"]:
        return f"row {number}"
    return f"{row['path']} [7–8 s]" if "start" in row else row["path"]


def test_what_was_planted_is_found_and_nothing_else(planted, result):
    expected = {
        (name_of(row, number), kind)
        for number, (row, kinds) in enumerate(planted[1], 38)
        for kind in kinds
    }
    found = {(item.path.removeprefix("all.csv, "), item.kind) for item in result.findings}
    assert found == expected
    assert len(result.findings) == len(expected)


def test_findings_name_the_other_label_and_the_other_recording(result):
    labels = {
        item.path: (item.facts["label"], item.facts["suggested"])
        for item in result.findings
        if item.code == "mislabelled"
    }
    assert labels["hummed.wav"] == ("whistle", "hum")
    assert labels["hissed.wav"] == ("hum", "hiss")
    copies = {item.path: item for item in result.findings if "duplicate" in item.code}
    assert copies["same.flac"] == Finding("exact-duplicate", "same.flac", {"other": "hiss/0.wav"})
    assert copies["softer.wav"].facts["other"] == "hiss/1.wav"


def test_findings_come_in_the_order_of_their_kinds(result):
    places = [list(KINDS).index(item.kind) for item in result.findings]
    assert places == sorted(places)
    assert result.unusable == [item for item in result.findings if item.kind in UNUSABLE]


def test_copies_share_a_group(result):
    group = {item.recording.path: item.recording.group for item in result.recordings}
    assert group["same.flac"] == group["hiss/0.wav"]
    assert group["softer.wav"] == group["hiss/1.wav"]
    assert group["renamed.wav"] == group["hiss/3.wav"]
    assert len({group[f"hiss/{number}.wav"] for number in range(12)}) == 12


def test_the_json_holds_every_recording_and_finding(planted, result):
    data = json.loads(result.to_json())
    assert data["findings"] == [item.to_dict() for item in result.findings]
    assert len(data["recordings"]) == 36 + len(planted[1]) - 1  # One row names none.
    facts = {item["path"]: item for item in data["recordings"]}
    assert facts["gone.wav"]["usable"] is False
    assert facts["gone.wav"]["seconds"] is None
    assert facts["fast.wav"]["rate"] == 48_000
    assert facts["stereo.wav"]["channels"] == 2
    assert facts["offset.wav"]["offset"] == pytest.approx(0.05, abs=0.002)
    assert facts["hum/3.wav"]["seconds"] == 0.5
    assert facts["hum/3.wav"]["usable"] is True


@pytest.mark.slow
def test_the_order_of_the_rows_changes_nothing(planted, result, tmp_path):
    with planted[0].open(newline="") as file:
        rows = list(csv.DictReader(file))
    # What repeats another is the later of the two; so the copies stay behind their originals.
    order = np.random.default_rng(0).permutation(36)
    table = tmp_path / "shuffled.csv"
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["path", "label", "start", "end"])
        writer.writeheader()
        writer.writerows([*(rows[number] for number in order), *rows[36:]])
    again = check(table, audio=planted[0].parent)

    def found(result):
        return {(item.path.rpartition(".csv, ")[2], item.kind) for item in result.findings}

    assert found(again) == found(result)


def test_background_may_be_silent_but_not_the_copy_of_a_class(tmp_path):
    folder = write_folder(tmp_path / "data")
    (folder / "noise").mkdir()
    waveform = soundfile.read(folder / "hum" / "2.wav")[0]
    soundfile.write(folder / "noise" / "street.flac", waveform, RATE)
    soundfile.write(folder / "noise" / "silence.wav", np.zeros(8000), RATE)
    found = check(folder).findings
    assert [(item.path, item.code) for item in found] == [
        ("noise/street.flac", "background-conflict"),
    ]


@pytest.mark.parametrize(
    ("usable", "codes", "said"),
    [
        ([True] * 3, [], "3 recordings, all of them usable; nothing odd was found."),
        ([True, True, False], ["silent"], "3 recordings, 2 of them usable; nothing else was found"),
        ([False], ["silent"], "1 recording, not usable; nothing else was found."),
        ([True] * 3, ["empty-cell"], "; 1 row or folder cannot be used; nothing else was found."),
        ([True, True, False], ["silent", "clipped"], "2 of them usable; 1 finding is worth a look"),
    ],
)
def test_the_conclusion_does_not_pass_over_what_cannot_be_used(usable, codes, said):
    item = Recording("a.wav", Path("x"), "Bell", "a.wav")
    checked = tuple(Checked(item, one, None, None) for one in usable)
    facts = {"column": "label", "samples": 99, "peak": 1.0, "channels": 1}
    findings = tuple(Finding(code, "a.wav", facts) for code in codes)
    assert said in CheckResult("data", "tutorial-cnn", checked, findings).conclusion


@pytest.mark.slow
def test_a_decoder_that_crashes_costs_one_recording(tiny_data, monkeypatch):
    whole = WorkerPool.run

    def run(self, task, path, *arguments, name=None, **more):
        if path.name == "3.wav":
            raise DecoderFailed(Finding("decoder-crashed", name, {"how": "SIGSEGV"}))
        return whole(self, task, path, *arguments, name=name, **more)

    monkeypatch.setattr(WorkerPool, "run", run)
    found = check(tiny_data).findings
    assert [(item.path, item.kind) for item in found] == [
        (f"{label}/3.wav", "unreadable") for label in LABELS
    ]
    assert {item.code for item in found} == {"decoder-crashed"}


@pytest.mark.slow
def test_deep_uses_the_recipe_and_finds_what_it_cannot_believe(tmp_path):
    folder = write_folder(tmp_path / "data", recordings=10)
    soundfile.write(folder / "whistle" / "wrong.wav", take("hum", 20), RATE)
    recipe = get_recipe("tutorial-cnn").adjusted(epochs=4)
    cache = FeatureCache(tmp_path / "cache")
    result = check(folder, recipe=recipe, deep=True, cache=cache)
    assert [(item.path, item.kind) for item in result.findings] == [
        ("whistle/wrong.wav", "mislabelled")
    ]


@pytest.mark.slow
@pytest.mark.usefixtures("untrained")
def test_deep_trains_the_networks_of_evaluate(tmp_path, monkeypatch):
    """Background, groups and seeds among it: each network that it wants, evaluate has kept."""
    folder = write_folder(tmp_path / "data", recordings=5)
    (folder / "noise").mkdir()
    for number in range(4):
        soundfile.write(folder / "noise" / f"{number}.wav", take("hiss", number)[::-1], RATE)
    recipe = get_recipe("statistics-cnn").adjusted(epochs=1)
    cache = FeatureCache(tmp_path / "cache")
    monkeypatch.setattr(FeatureCache, "remove", lambda self, key: None)
    timbrel.evaluate(folder, recipe=recipe, cache=cache)

    def fit(*args, **kwargs):
        raise AssertionError("another network than evaluate's")

    monkeypatch.setattr("timbrel.evaluation.run.fit", fit)
    result = check(folder, recipe=recipe, deep=True, cache=cache)
    assert result.recipe == "statistics-cnn"


@pytest.mark.slow
def test_without_scikit_learn_everything_else_is_checked(tiny_data, monkeypatch):
    def missing(*args, **kwargs):
        raise MissingExtra.of("train", "Looking for wrong labels")

    monkeypatch.setattr(workflow, "find_mislabelled", missing)
    (item,) = check(tiny_data).findings
    assert item.kind == "note"
    assert 'pip install "timbrel[train]"' in item.action


@pytest.mark.slow
def test_check_needs_neither_keras_nor_onnxruntime(tiny_data):
    program = (
        "import sys, timbrel\n"
        f"timbrel.check({str(tiny_data)!r})\n"
        "assert not {'keras', 'tensorflow', 'onnxruntime', 'matplotlib'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def test_an_unreadable_list_is_an_error(tmp_path):
    with pytest.raises(DataError, match="nowhere"):
        check(tmp_path / "nowhere")


def test_without_a_recipe_it_goes_by_the_one_that_train_goes_by(tmp_path):
    folder = write_folder(tmp_path / "data", recordings=3)
    quiet = folder / "hum" / "quiet.wav"
    sound, rate = soundfile.read(folder / "hum" / "1.wav")
    soundfile.write(quiet, 1e-4 * sound, rate, subtype="FLOAT")
    own, tutorial = timbrel.check(folder), check(folder)
    assert own.recipe == DEFAULT_RECIPE
    # It does not clean: nothing is too quiet for it, and all is kept.
    assert "too-quiet" in tutorial.counts()
    assert "too-quiet" not in own.counts()
    assert all(item.kept == item.described.seconds for item in own.recordings)
    # Copies are looked for and labels judged alike, whatever the recipe.
    alike = ("near-duplicate", "mislabelled")
    assert [f for f in own.findings if f.kind in alike] == [
        f for f in tutorial.findings if f.kind in alike
    ]


def test_an_offset_is_sound_only_to_who_cuts_silence(tmp_path):
    folder = write_folder(tmp_path / "data", recordings=3)
    soundfile.write(folder / "hum" / "offset.wav", 0.3 * take("hum", 9) + 0.05, RATE)
    for recipe, said in (("tutorial-cnn", True), ("statistics-cnn", False)):
        found = timbrel.check(folder, recipe=recipe).findings
        (offset,) = [item for item in found if item.kind == "dc-offset"]
        assert offset.facts["cleans"] is said


def test_groups_are_those_of_what_can_be_used(tmp_path):
    folder = write_folder(tmp_path / "data", recordings=3)
    (folder / "hum" / "broken.wav").write_text("no sound")
    soundfile.write(folder / "hum" / "copy.flac", *soundfile.read(folder / "hum" / "1.wav"))
    shown = CliRunner().invoke(app, ["check", str(folder)]).stdout
    usable = int(re.search(r"^  all +\d+ +\d+ +(\d+) ", shown, flags=re.MULTILINE)[1])
    assert f"Groups: {usable}, 1 of them" in shown
