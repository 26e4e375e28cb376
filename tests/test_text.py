from __future__ import annotations

import json

import pytest

import timbrel.text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"), (0.0000625, "0.0625 ms"), (0.01, "10 ms"), (0.3, "0.30 s"), (4.25, "4.2 s"),
        (9.97, "10 s"), (59.6, "1 min 0 s"), (1522.3, "25 min 22 s"), (3_960, "1 h 6 min"),
    ],
)  # fmt: skip
def test_durations(seconds, text):
    assert timbrel.text.duration(seconds).replace("\u00a0", " ") == text


def test_numbers():
    assert timbrel.text.percent(0.727) == "72.7\u00a0%"
    assert timbrel.text.percent(float("nan")) == timbrel.text.number(None) == "–"
    assert timbrel.text.count(1522) == "1,522"
    assert timbrel.text.plural(1, "file") == "1\u00a0file"
    assert timbrel.text.plural(2, "more warning") == "2\u00a0more warnings"
    assert timbrel.text.counted(1, "file") == "1 file"
    assert timbrel.text.counted(1234, "row has", "rows have") == "1,234 rows have"
    assert timbrel.text.signed(-0.2) == "0"
    assert timbrel.text.signed(-12) == "−12"


@pytest.mark.parametrize(
    ("text", "length", "short"),
    [
        ("flute", 5, "flute"),
        ("clarinet", 5, "clar…"),
        ("a bc def", 3, "a…"),
        # The accent, the skin tone and the family stay with what they belong to.
        ("e\u0301e\u0301e\u0301", 4, "e\u0301…"),
        ("ab\U0001f44b\U0001f3fdcd", 4, "ab…"),
        ("x\U0001f469\u200d\U0001f467\u200d\U0001f466 y", 4, "x…"),
    ],
)
def test_shorten_keeps_signs_whole(text, length, short):
    assert timbrel.text.shorten(text, length) == short


def test_names_fit_a_width_and_stay_apart():
    names = ["Environmental sounds/door open", "Environmental sounds/door shut", "Flute", "音" * 30]
    short = timbrel.text.shorten_all(names, 11.0)
    assert len(set(short)) == 4
    assert short[0].startswith("Env")
    assert short[0].endswith("open")
    assert short[1].endswith("shut")
    assert short[2] == "Flute"
    assert all(timbrel.text.ems(name) <= 12 for name in short)


def test_width_of_a_text():
    assert timbrel.text.ems("") == 0
    assert timbrel.text.ems("音") > timbrel.text.ems("w") == timbrel.text.ems("e\u0301")


def test_what_commands_a_terminal_or_turns_the_writing_is_escaped():
    assert timbrel.text.harmless("a\x1b[2J\x07") == "a\\x1b[2J\\x07"
    assert timbrel.text.harmless("a\x9bb\x7f") == "a\\u009bb\\u007f"
    assert timbrel.text.harmless("gpj\u202eexe\u2066") == "gpj\\u202eexe\\u2066"
    for kept in ("Flöte", "عود", "👩\u200d🎤", "a\tb\nc", "zero\u200bwidth"):
        assert timbrel.text.harmless(kept) == kept


def test_json_stays_json():
    name = 'a\x1b\x07\x7f\x9b\u202e"\n'
    text = json.dumps({"path": name}, ensure_ascii=False)
    assert json.loads(timbrel.text.harmless(text)) == {"path": name}


@pytest.mark.parametrize(
    ("value", "rounded"), [(0.9, 1), (1, 1), (1.1, 2), (0.03, 0.05), (70, 100)]
)
def test_round_up(value, rounded):
    assert timbrel.text.round_up(value) == pytest.approx(rounded)
