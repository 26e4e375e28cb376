"""What is said about recordings: the kind, the sentence and the advice, for each thing there is."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from timbrel.audio.decode import decode
from timbrel.audio.levels import Levels, measure_levels
from timbrel.audio.windows import Windowing
from timbrel.dataset.check import (
    Heard,
    class_findings,
    dataset_findings,
    duplicate_findings,
    format_findings,
    recording_findings,
    unusable_finding,
)
from timbrel.dataset.duplicates import Duplicate
from timbrel.dataset.findings import KINDS, ODD, UNUSABLE, Finding
from timbrel.dataset.manifest import read_dataset
from timbrel.dataset.recording import Dataset, Problem, Recording
from timbrel.errors import AudioError, DecoderFailed, MissingExtra
from timbrel.evaluation.labels import Suspect
from timbrel.workflows.mislabelled import judge

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


def heard(*, seconds=1.0, rate=RATE, channels=1, kept=None, warnings=(), **how):
    kept = seconds if kept is None else kept
    return Heard(seconds, rate, channels, levels(**how), kept, warnings)


def pair(first, second, *, exact=False):
    return Duplicate(first, second, exact, 0.9, 0.0, 0.75)


def kinds(findings):
    for item in findings:
        assert item.kind in KINDS
        for sentence in (item.message, item.action):
            assert sentence.endswith(".")
            assert not sentence.endswith("..")
            assert sentence[0].isupper() or sentence[0].isdigit()
    return [item.kind for item in findings]


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
    "gone": (lambda path: None, {}, "missing", "There is no such file."),
    "a dangling link": (dangling, {}, "missing", "There is no such file."),
    "0 bytes": (lambda path: path.touch(), {}, "empty", "The file is empty (0 bytes)."),
    "no samples": (header_only, {}, "empty", "It holds no samples."),
    "NaN": (not_finite, {}, "not-finite", "2 of 4 samples are NaN or infinite, the first at"),
    "words": (lambda path: path.write_text("words " * 99), {}, "unreadable", "It cannot be read"),
    "half a header": (half_a_header, {}, "unreadable", "It cannot be read as a sound file"),
    "a folder": (lambda path: path.mkdir(), {}, "unreadable", "This is a folder"),
    "after its end": (whole, {"start": 2.0, "end": 3.0}, "wrong-stretch", "Its stretch starts at"),
    "back to front": (whole, {"start": 2.0, "end": 1.0}, "wrong-stretch", "Its stretch must start"),
}


@pytest.mark.parametrize("name", UNREAD)
def test_what_decoding_says_becomes_the_right_kind(tmp_path, name):
    make, stretch, kind, beginning = UNREAD[name]
    make(tmp_path / "x.wav")
    item = recording(**stretch)
    with pytest.raises(AudioError) as caught:
        decode(tmp_path / "x.wav", None, name=item.name, **stretch)
    found = unusable_finding(item, caught.value)
    assert kinds([found]) == [kind]
    assert found.unusable
    assert found.path == item.name
    assert found.message.startswith(beginning)


def test_what_a_reason_advises_is_what_to_do():
    item = recording()
    reason = "the decoder crashed on it (SIGSEGV); convert it with another program, or take it out"
    assert unusable_finding(item, DecoderFailed(item.name, reason)) == Finding(
        "a/1.wav",
        "unreadable",
        "The decoder crashed on it (SIGSEGV).",
        "Convert it with another program, or take it out.",
    )


@pytest.mark.parametrize(
    ("reason", "action"),
    [
        ("there is no such file", "Correct the path or take the row out."),
        (
            "this is a folder, not a recording",
            "Name the sound files in it instead, or take it out.",
        ),
        ("no permission to read it", "Permit yourself to read it, or take it out."),
        (
            "it cannot be read as a sound file (format not recognised)",
            "Convert it to WAV or FLAC, copy it again or take it out.",
        ),
    ],
)
def test_where_a_reason_advises_nothing_the_kind_does(reason, action):
    item = recording()
    assert unusable_finding(item, AudioError(item.name, reason)).action == action


# One recording that can be read


def found_of(facts, *, item=None, windowing=WINDOWING):
    return recording_findings(item or recording(), facts, windowing)


def test_nothing_is_said_of_a_sound_recording():
    assert found_of(heard()) == []
    assert found_of(heard(), windowing=UNCLEANED) == []


@pytest.mark.parametrize(("channels", "words"), [(1, "digital silence"), (2, "channels cancel")])
def test_silence(channels, words):
    facts = heard(peak=0.0, rms=0.0, kept=0.0, channels=channels)
    found = found_of(facts)
    assert kinds(found) == ["silent"]
    assert found[0].unusable
    assert words in found[0].message
    # It is a fair example of what is none of the classes.
    assert found_of(facts, item=recording(label="Silence")) == []


@pytest.mark.parametrize(
    ("facts", "expected", "words"),
    [
        (
            {"warnings": ("the file is shorter than its header says (truncated); …",)},
            ["truncated"],
            "The file is shorter than its header says (truncated), so 1.00 s of it are used.",
        ),
        (
            {"warnings": ("peaks at 2.5 times full scale; …",), "peak": 2.5},
            ["too-loud"],
            "2.5 times full scale",
        ),
        ({"clipped": 9}, [], ""),
        ({"clipped": 10, "peak": 0.98}, ["clipped"], "10 samples are cut off at 0.98"),
        ({"offset": 0.0019, "rms": 0.01}, [], ""),
        ({"offset": 0.002, "rms": 0.01}, ["dc-offset"], "+0.0020"),
        ({"offset": -0.049, "rms": 1.0}, [], ""),
        ({"offset": -0.05, "rms": 1.0}, ["dc-offset"], "-0.0500"),
        ({"kept": 0.0}, ["too-quiet"], "never exceeds 0.005"),
        ({"seconds": 0.09}, ["too-short"], "It is 0.090 s long, less than a window of 0.1 s"),
        ({"seconds": 0.1}, [], ""),
        ({"seconds": 1600 / RATE - 0.4 / RATE}, [], ""),
        ({"seconds": 1.0, "kept": 0.04}, ["too-short"], "Cleaning leaves 0.040 s of it"),
        ({"seconds": 0.04, "kept": 0.0}, ["too-quiet", "too-short"], "0.005"),
    ],
)
def test_what_is_odd_about_a_recording(facts, expected, words):
    found = found_of(heard(**facts))
    assert kinds(found) == expected
    assert not any(item.unusable for item in found)
    assert not expected or words in found[0].message


def test_without_cleaning_nothing_is_too_quiet():
    assert found_of(heard(kept=0.0), windowing=UNCLEANED) == []


def test_the_warnings_of_decoding_are_understood(tmp_path):
    """The words are compared, so a change of them must not go unseen."""
    path = whole(tmp_path / "x.wav")
    path.write_bytes(path.read_bytes()[:20_000])
    cut = decode(path, None)
    found = found_of(heard(warnings=cut.warnings, seconds=0.62))
    assert kinds(found) == ["truncated"]
    assert found[0].message == (
        "The file is shorter than its header says (truncated), so 0.62 s of it are used."
    )
    content = bytearray(whole(tmp_path / "x.flac").read_bytes())
    content[-5000:-4700] = b"\xaa" * 300
    (tmp_path / "x.flac").write_bytes(content)
    damaged = decode(tmp_path / "x.flac", None)
    (found,) = found_of(heard(warnings=damaged.warnings))
    assert kinds([found]) == ["truncated"]
    assert found.message == (
        f"Nothing can be read after {damaged.seconds:.2f} s: the file is damaged there, or shorter "
        "than its header says (truncated), so 1.00 s of it are used."
    )
    soundfile.write(path, np.float32(3 * np.sin(np.arange(RATE))), RATE, subtype="FLOAT")
    loud = decode(path, None)
    measured = measure_levels(loud.waveform, RATE)
    facts = Heard(1.0, RATE, 1, measured, 1.0, loud.warnings)
    (found,) = found_of(facts)
    assert kinds([found]) == ["too-loud"]
    assert "3 times full scale" in found.message


# Rates and channels


def odd(facts, wanted=8_000):
    items = recordings(len(facts))
    return format_findings(items, facts, ("data", "recipe", wanted))


def test_files_that_differ_from_most_are_named():
    facts = [heard() for _ in range(8)]
    assert odd(facts) == []
    found = odd([*facts, heard(rate=44_100), heard(channels=2)])
    assert kinds(found) == ["odd-rate", "odd-channels"]
    assert [item.path for item in found] == ["a/8.wav", "a/9.wav"]
    assert found[0].message == "It is 44.1 kHz, and 9 of 10 files are 16 kHz."
    assert found[1].message == "It is stereo, and 9 of 10 files are mono."


def test_where_there_is_no_usual_value_the_data_set_is_named():
    facts = [heard(rate=rate, channels=rate // 8000) for rate in (8000, 8000, 16_000, 24_000)]
    found = odd(facts)
    assert kinds(found) == ["odd-rate", "odd-channels"]
    assert {item.path for item in found} == {"data"}
    assert found[0].message == "The files have several sample rates: 8 kHz (2), 16 kHz (1), " + (
        "24 kHz (1)."
    )
    assert "mono (2), stereo (1), of 3 channels (1)" in found[1].message


def test_of_many_values_the_most_frequent_are_told():
    found = odd([heard(rate=8000 + number) for number in range(7)])
    assert "and 2 more." in found[0].message


def test_three_of_four_are_most():
    facts = [heard(), heard(), heard(), heard(rate=8000)]
    assert [item.path for item in odd(facts)] == ["a/3.wav"]
    assert [item.path for item in odd(facts[1:])] == ["data"]


def test_stretches_of_one_file_count_once():
    items = [recording("long.wav", start=float(n), end=n + 1.0) for n in range(50)]
    items += recordings(2)
    facts = [heard(rate=44_100)] * 50 + [heard()] * 2
    (found,) = format_findings(items, facts, ("data", "recipe", 8000))
    assert found.path == "data"
    assert "16 kHz (2), 44.1 kHz (1)" in found.message


def test_what_cannot_be_read_has_no_rate():
    assert odd([None, None]) == []
    assert odd([None, heard(), None, heard()]) == []


@pytest.mark.parametrize(
    ("rates", "beginning"),
    [
        ([16_000] * 4, "All 4 files have a lower sample rate (16 kHz) than recipe hears at (32"),
        ([44_100] * 3 + [22_050], "1 of 4 files have a lower sample rate (22.05 kHz)"),
    ],
)
def test_rates_below_that_of_the_recipe_are_one_finding(rates, beginning):
    found = [
        item
        for item in odd([heard(rate=rate) for rate in rates], 32_000)
        if item.kind == "low-rate"
    ]
    assert kinds(found) == ["low-rate"]
    assert found[0].message.startswith(beginning)


# Copies


def test_copies_are_named_once_each_by_the_first_they_repeat():
    items = recordings(4)
    found = duplicate_findings(items, [pair(0, 1, exact=True), pair(0, 3), pair(1, 3)])
    assert kinds(found) == ["exact-duplicate", "near-duplicate"]
    assert [item.path for item in found] == ["a/1.wav", "a/3.wav"]
    assert found[0].message == "It holds the same samples as a/0.wav."
    assert found[1].message == "It is the same sound as a/0.wav, over 0.75 s."


def test_copies_under_another_label_are_a_conflict_too():
    items = [*recordings(2), recording("b/0.wav", label="b")]
    found = duplicate_findings(items, [pair(0, 1), pair(0, 2), pair(1, 2)])
    assert kinds(found) == ["near-duplicate", "near-duplicate", "label-conflict"]
    assert found[2].path == "b/0.wav"
    assert found[2].message == "It is labelled 'b', and a/0.wav, the same sound, 'a'."


def test_stretches_that_overlap_in_one_file_are_no_copies():
    items = [recording("x.wav", start=0.0, end=2.0), recording("x.wav", start=1.0, end=3.0)]
    assert duplicate_findings(items, [pair(0, 1)]) == []


# Classes


def classes(**sizes):
    return [item for label, count in sizes.items() for item in recordings(count, label=label)]


def test_classes_of_five_are_large_enough():
    assert class_findings("data", classes(a=5, b=5)) == []


def test_small_classes_are_named():
    found = class_findings("data", classes(a=5, b=4, c=1))
    assert kinds(found) == ["small-class", "small-class"]
    assert found[0].message == "Class 'b' has 4 recordings only: 5 folds shrink to 4."
    assert found[1].message.startswith("Class 'c' has 1 recording only: it cannot be held out")


def test_classes_of_few_groups_are_named():
    items = classes(a=9) + recordings(9, label="b", groups=["x", "y"])
    found = class_findings("data", items)
    assert kinds(found) == ["few-groups"]
    assert found[0].message == "Class 'b' has 2 groups only: 5 folds shrink to 2."
    one = class_findings("data", classes(a=9) + recordings(9, label="b", groups=["x"]))
    assert one[0].message.startswith("Class 'b' has 1 group only: it cannot be held out")


@pytest.mark.parametrize(
    ("sizes", "words"), [({}, "it has none"), ({"a": 9}, "it has only 'a'"), ({"noise": 9}, "none")]
)
def test_one_class_is_none(sizes, words):
    found = class_findings("data", classes(**sizes))
    assert kinds(found) == ["one-class"]
    assert words in found[0].message


def test_examples_of_none_of_the_classes_are_no_class():
    assert class_findings("data", classes(a=5, b=5, noise=1, Unknown=2)) == []


# The list of recordings


def test_problems_and_notes_of_reading_the_list():
    dataset = Dataset(
        "data",
        (),
        problems=(Problem("x.csv, row 3", "it has no label; fill it in or delete the row"),),
        notes=("2 files are not in a folder.",),
    )
    found = dataset_findings(dataset)
    assert kinds(found) == ["wrong-row", "note"]
    assert found[0] == Finding(
        "x.csv, row 3", "wrong-row", "It has no label.", "Fill it in or delete the row."
    )
    assert (found[1].path, found[1].message) == ("data", "2 files are not in a folder.")


def test_a_real_list(tmp_path):
    table = tmp_path / "x.csv"
    table.write_text("path,label\n1.wav,a\n1.wav,a\n2.wav,\n3.wav,b\n3.wav,c\n")
    found = dataset_findings(read_dataset(table))
    assert kinds(found) == ["wrong-row", "wrong-row", "note"]
    assert [item.path for item in found] == ["x.csv, row 4", "3.wav", str(table)]
    assert found[0].message == "It has no label."
    assert found[2].message == "1 row repeats another row and is left out."


# Labels


@pytest.fixture(scope="module")
def judged():
    """Two classes that lie apart, and one recording of the first under the label of the second."""
    rng = np.random.default_rng(0)
    items = [*recordings(20, label="a"), *recordings(20, label="b")]
    items[0] = recording("b/wrong.wav", label="b")
    rows = [rng.normal(size=6) + 6 * (number >= 20) for number in range(40)]
    return items, rows


@pytest.mark.slow
def test_a_wrong_label_is_named(judged):
    found = judge(*judged, seed=0, progress=lambda done, total: None)
    assert kinds(found) == ["mislabelled"]
    assert found[0].path == "b/wrong.wav"
    assert found[0].message.startswith("It is labelled 'b' but sounds like 'a' (confidence ")


def test_without_statistics_the_extra_is_named(judged):
    items, rows = judged
    with pytest.raises(MissingExtra, match=r"timbrel\[train\]"):
        judge(items, [None, *rows[1:]], seed=0, progress=lambda done, total: None)
    assert judge([], [], seed=0, progress=lambda done, total: None) == []


# The kinds


def test_every_kind_is_found_by_something(judged, monkeypatch):
    """A kind that nothing finds would be a promise that is not kept."""
    monkeypatch.setattr(
        "timbrel.workflows.mislabelled.find_mislabelled",
        lambda *data, **how: [Suspect(0, "a", 0.9)],
    )
    items = [*recordings(9), recording("b/0.wav", label="b")]
    facts = [heard(rate=8000)] * 8 + [heard(channels=2, rate=11_025)] * 2
    reasons = ["there is no such file", "it holds no samples", "it cannot be read"]
    reasons += ["1 of 9 samples is NaN or infinite", "its stretch must start at 0 s or later"]
    told = ("the file is shorter than its header says (truncated)", "peaks at 2 times full scale")
    found = [
        *(unusable_finding(items[0], AudioError("x", reason)) for reason in reasons),
        *found_of(heard(peak=0.0)),
        *found_of(heard(warnings=told)),
        *found_of(heard(clipped=99, offset=0.1, seconds=0.05, kept=0.0)),
        *format_findings(items, facts, ("data", "recipe", RATE)),
        *duplicate_findings(items, [pair(0, 1, exact=True), pair(0, 9)]),
        *class_findings("data", recordings(3)),
        *class_findings("data", recordings(3, groups=["x"])),
        *dataset_findings(Dataset("data", (), (Problem("row", "it is wrong"),), ("A note.",))),
        *judge(*judged, seed=0, progress=lambda done, total: None),
    ]
    assert set(kinds(found)) == set(KINDS)
    assert {item.kind for item in found if item.unusable} == set(UNUSABLE)


def test_kinds_are_of_one_sort_or_the_other():
    assert not set(UNUSABLE) & set(ODD)
    assert list(KINDS) == [*UNUSABLE, *ODD]


def test_a_finding_as_data():
    assert Finding("p", "note", "M.", "A.").to_dict() == {
        "path": "p",
        "kind": "note",
        "message": "M.",
        "action": "A.",
    }
