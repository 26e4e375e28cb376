"""Everything that is found about recordings, and the sentences that are made of it."""

import ast
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

import timbrel
from timbrel.audio.decode import decode
from timbrel.audio.levels import Levels
from timbrel.audio.windows import Windowing
from timbrel.dataset.check import class_findings, format_findings, level_findings
from timbrel.dataset.manifest import read_dataset
from timbrel.dataset.recording import Dataset, Recording
from timbrel.errors import AudioError
from timbrel.findings import KINDS, ODD, TABLE, UNUSABLE, Finding, pack, unpack

RATE = 16_000
WINDOWING = Windowing(rate=RATE, window=1600, hop=1600, clean_threshold=0.005)
UNCLEANED = Windowing(rate=RATE, window=1600, hop=1600)


def recording(path="a/1.wav", *, label="a", group=None, **stretch):
    return Recording(path, Path("/data", path), label, group or path, **stretch)


def recordings(count, *, label="a", groups=None):
    return [
        recording(f"{label}/{n}.wav", label=label, group=groups and groups[n % len(groups)])
        for n in range(count)
    ]


def levels(*, peak=0.5, rms=0.1, offset=0.0, clipped=0):
    return Levels(peak=peak, rms=rms, offset=offset, clipped=clipped)


def codes(findings):
    return [item.code for item in findings]


# The sentences

# Of every code the facts, the message and the action; null where nothing needs to be done.
SENTENCES = json.loads(Path(__file__).with_name("sentences.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("expected", SENTENCES, ids=lambda expected: expected["code"])
def test_sentences(expected):
    found = Finding(expected["code"], "x.wav", expected["facts"])
    message, action = expected["message"], expected["action"]
    halves = [half[0].lower() + half[1:-1] for half in (message, action) if half]
    assert found.message == message
    assert found.action == ("Nothing, if that is intended." if action is None else action)
    assert found.text == " ".join(filter(None, (message, action)))
    assert found.reason == "; ".join(halves)
    assert found.kind in KINDS
    assert found.unusable == (found.severity == "unusable")
    assert action is not None or found.severity == "note"
    assert str(found) == (found.text if found.severity == "note" else f"x.wav: {found.reason}")
    assert found.to_dict() == {
        "path": "x.wav",
        "kind": found.kind,
        "message": found.message,
        "action": found.action,
    }


def test_every_code_has_a_sentence():
    assert {item["code"] for item in SENTENCES} == set(TABLE)


def test_what_makes_a_finding_gives_the_facts_that_its_sentence_needs():
    """Where both stand in one place."""
    needed = {item["code"]: set(item["facts"]) for item in SENTENCES}
    checked = set()
    for path in Path(timbrel.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Name(id="Finding"),
                    args=[ast.Constant(value=code), _, ast.Dict(keys=keys)],
                ):
                    assert {key.value for key in keys} == needed[code], (path, code)
                    checked.add(code)
                case ast.Call(func=ast.Name(id="Finding"), args=[ast.Constant(value=code), _]):
                    assert not needed[code], (path, code)
                    checked.add(code)
    assert len(checked) >= 60


def test_kinds_are_of_one_sort_or_the_other():
    assert not set(UNUSABLE) & set(ODD)
    assert list(KINDS) == [*UNUSABLE, *ODD]
    # Each is the kind of something. What is left out because of its label alone is not broken.
    findings = [Finding(code, "") for code in TABLE]
    assert {item.kind for item in findings} == set(KINDS)
    unusable = {item.kind for item in findings if item.unusable}
    assert unusable == {*UNUSABLE, "label-conflict"}


def test_findings_go_through_json_data_and_back():
    found = tuple(Finding(item["code"], "x.wav", item["facts"]) for item in SENTENCES)
    assert unpack(json.loads(json.dumps(pack(found)))) == found
    assert len(set(found)) == len(found)


# What cannot be read


def whole(path):
    soundfile.write(path, np.random.default_rng(0).uniform(-1, 1, RATE) / 2, RATE)
    return path


def not_finite(path):
    soundfile.write(path, np.float32([0.1, np.nan, np.inf, 0.1]), RATE, subtype="FLOAT")


def header_only(path):
    soundfile.write(path, np.zeros(0), RATE)


def half_a_header(path):
    path.write_bytes(whole(path).read_bytes()[:20])


def dangling(path):
    path.symlink_to(path.with_name("gone.wav"))


UNREAD = {
    "gone": (lambda path: None, {}, "missing"),
    "a dangling link": (dangling, {}, "missing"),
    "0 bytes": (lambda path: path.touch(), {}, "empty"),
    "no samples": (header_only, {}, "empty"),
    "NaN": (not_finite, {}, "not-finite"),
    "words": (lambda path: path.write_text("words " * 99), {}, "unreadable"),
    "half a header": (half_a_header, {}, "unreadable"),
    "a folder": (lambda path: path.mkdir(), {}, "unreadable"),
    "after its end": (whole, {"start": 2.0, "end": 3.0}, "wrong-stretch"),
    "back to front": (whole, {"start": 2.0, "end": 1.0}, "wrong-stretch"),
}


@pytest.mark.parametrize("name", UNREAD)
def test_unreadable_files_have_the_right_kind(tmp_path, name):
    make, stretch, kind = UNREAD[name]
    make(tmp_path / "x.wav")
    with pytest.raises(AudioError) as caught:
        decode(tmp_path / "x.wav", None, name="a/1.wav", **stretch)
    found = caught.value.finding
    assert (found.path, found.kind, found.unusable) == ("a/1.wav", kind, True)


# Levels and formats


def test_nothing_is_found_in_a_sound_recording():
    assert level_findings("x.wav", levels(), WINDOWING) == []


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        ({"clipped": 9}, []),
        ({"clipped": 10, "peak": 0.98}, ["clipped"]),
        ({"offset": 0.0019, "rms": 0.01}, []),
        ({"offset": 0.002, "rms": 0.01}, ["dc-offset"]),
        ({"offset": -0.049, "rms": 1.0}, []),
        ({"offset": -0.05, "rms": 1.0}, ["dc-offset"]),
    ],
)
def test_what_is_odd_about_levels(measured, expected):
    found = level_findings("a/1.wav", levels(**measured), WINDOWING)
    assert codes(found) == expected
    assert {item.path for item in found} <= {"a/1.wav"}


def odd(formats, *, rate=8_000, items=None):
    """What is found of files with rates and numbers of channels; None cannot be read."""
    corpus = SimpleNamespace(
        dataset=SimpleNamespace(source="data"),
        windowing=SimpleNamespace(rate=rate),
        recordings=items or recordings(len(formats)),
        described=[item and SimpleNamespace(rate=item[0], channels=item[1]) for item in formats],
    )
    return format_findings(corpus, "recipe")


USUAL = (RATE, 1)


def test_files_that_differ_from_most_are_named():
    assert odd([USUAL] * 8) == []
    most = {"most": 9, "files": 10}
    assert odd([*[USUAL] * 8, (44_100, 1), (RATE, 2)]) == [
        Finding("odd-rate", "a/8.wav", {"value": 44_100, "usual": 16_000, **most}),
        Finding("odd-channels", "a/9.wav", {"value": 2, "usual": 1, **most}),
    ]


def test_where_there_is_no_usual_value_the_data_set_is_named():
    assert odd([(rate, rate // 8000) for rate in (8000, 8000, 16_000, 24_000)]) == [
        Finding("several-rates", "data", {"counts": [[8000, 2], [16_000, 1], [24_000, 1]]}),
        Finding("several-channels", "data", {"counts": [[1, 2], [2, 1], [3, 1]]}),
    ]


def test_three_of_four_are_most():
    formats = [USUAL, USUAL, USUAL, (8000, 1)]
    assert [item.path for item in odd(formats)] == ["a/3.wav"]
    assert [item.path for item in odd(formats[1:])] == ["data"]


def test_stretches_of_one_file_count_once():
    items = [recording("long.wav", start=float(n), end=n + 1.0) for n in range(50)]
    items += recordings(2)
    (found,) = odd([(44_100, 1)] * 50 + [USUAL] * 2, items=items)
    assert found.path == "data"
    assert found.facts == {"counts": [[16_000, 2], [44_100, 1]]}


def test_what_cannot_be_read_has_no_rate():
    assert odd([None, None]) == []
    assert odd([None, USUAL, None, USUAL]) == []


@pytest.mark.parametrize(
    ("rates", "low"), [([16_000] * 4, (4, [16_000])), ([44_100] * 3 + [22_050], (1, [22_050]))]
)
def test_rates_below_that_of_the_recipe_are_one_finding(rates, low):
    found = odd([(rate, 1) for rate in rates], rate=32_000)[-1]
    assert found.code == "low-rate"
    assert (found.facts["low"], found.facts["rates"], found.facts["files"]) == (*low, 4)


# Classes


def classes(**sizes):
    return [item for label, count in sizes.items() for item in recordings(count, label=label)]


def test_classes_of_five_are_large_enough():
    assert class_findings("data", classes(a=5, b=5)) == []


def test_small_classes_are_named():
    unit = {"unit": "recording", "folds": 5}
    assert class_findings("data", classes(a=5, b=4, c=1)) == [
        Finding("small-class", "data", {"label": "b", "count": 4, **unit}),
        Finding("small-class", "data", {"label": "c", "count": 1, **unit}),
    ]


def test_classes_of_few_groups_are_named():
    items = classes(a=9) + recordings(9, label="b", groups=["x", "y"])
    facts = {"label": "b", "count": 2, "unit": "group", "folds": 5}
    assert class_findings("data", items) == [Finding("few-groups", "data", facts)]


def test_where_no_class_has_two_groups_that_is_said_once():
    items = recordings(3, groups=["x"]) + recordings(3, label="b", groups=["y"])
    assert class_findings("data", items) == [Finding("no-second-group", "data")]


@pytest.mark.parametrize(("sizes", "label"), [({}, None), ({"a": 9}, "a")])
def test_one_class_is_none(sizes, label):
    found = class_findings("data", classes(**sizes))
    assert found == [Finding("one-class", "data", {"label": label})]


# The list of recordings


def test_a_data_set_tells_what_is_wrong_from_what_was_decided():
    findings = (
        Finding("empty-cell", "x.csv, row 3", {"column": "label"}),
        Finding("repeated-rows", "data", {"count": 2}),
    )
    dataset = Dataset("data", (), findings)
    assert dataset.problems == findings[:1]
    assert dataset.notes == ("2 rows repeat another row and are left out.",)


def test_a_real_list(tmp_path):
    table = tmp_path / "x.csv"
    table.write_text("path,label\n1.wav,a\n1.wav,a\n2.wav,\n3.wav,b\n3.wav,c\n")
    found = read_dataset(table).findings
    assert [(item.path, item.code, item.kind) for item in found] == [
        ("x.csv, row 4", "empty-cell", "wrong-row"),
        ("3.wav", "two-labels", "wrong-row"),
        (str(table), "repeated-rows", "note"),
    ]
