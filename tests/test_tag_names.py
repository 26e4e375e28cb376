import os

import pytest

from timbrel.inference.prediction import Prediction
from timbrel.tagging import sorting as names
from timbrel.tagging.sorting import Places, folder_names


def test_labels_that_are_names_stay():
    labels = ["Hi-hat", "Bass drum", "0", "größer", "鼓", "v1.2"]
    assert folder_names(labels) == {label: label for label in labels}


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("unsure", "unsure (2)"),
        ("Unsure", "Unsure (2)"),
        ("TAGS.csv", "TAGS.csv (2)"),
        ("kick/snare", "kick_snare"),
        ("..", "_"),
        (".hidden", "_hidden"),
        ("", "_"),
        ("/", "_"),
        ('a\\b:c*d?e"f<g>h|i\n', "a_b_c_d_e_f_g_h_i_"),
        ("trailing. ", "trailing"),
        ("con", "con_"),
        ("COM1.wav", "COM1.wav_"),
        ("console", "console"),
        ("x\ud800y", "x_y"),
        ("é" * 200, "é" * 127),
    ],
)
def test_labels_that_are_no_names(label, name):
    found = folder_names([label])[label]
    assert found == name
    assert len(os.fsencode(found)) <= 255


def test_no_two_labels_share_a_folder():
    labels = ["Kick", "kick", "KICK", "a/b", "a:b", "caf\u00e9", "cafe\u0301", "unsure", "Straße"]
    labels += ["STRASSE", "x" * 300, "x" * 301]
    found = list(folder_names(labels).values())
    assert found[:5] == ["Kick", "kick (2)", "KICK (3)", "a_b", "a_b (2)"]
    assert len({name.casefold() for name in found}) == len(labels)
    assert found[5:7] == ["caf\u00e9", "cafe\u0301 (2)"]
    assert found[-1].endswith(" (2)")
    assert all(len(os.fsencode(name)) <= 255 for name in found)


@pytest.fixture
def take(tmp_path):
    """Where a file of a class would be placed."""
    places = Places(tmp_path, ["hum", "hiss"], keep_folders=False)
    return lambda label, path: places.take(path, Prediction(path, label, accepted=True))


def test_names_are_numbered_as_on_any_file_system(tmp_path, take):
    (tmp_path / "hum").mkdir()
    (tmp_path / "hum" / "A (2).WAV").touch()
    taken = [
        take("hum", path) for path in ("1/a.wav", "2/A.wav", "3/a.WAV", "a (2).wav", "4/b.wav")
    ]
    assert taken == [
        f"hum/{name}" for name in ("a.wav", "A (3).wav", "a (4).WAV", "a (2) (2).wav", "b.wav")
    ]
    assert take("hiss", "a.wav") == "hiss/a.wav"
    long = "x" * 251 + ".wav"
    assert take("hiss", long) == f"hiss/{long}"
    assert take("hiss", long) == "hiss/" + "x" * 247 + " (2).wav"


def test_a_million_of_one_name_is_not_quadratic(take, monkeypatch):
    made, real = [], names.numbered
    monkeypatch.setattr(names, "numbered", lambda *name: made.append(name) or real(*name))
    for number in range(1, 501):
        expected = "hum/kick.wav" if number == 1 else f"hum/kick ({number}).wav"
        assert take("hum", f"{number}/kick.wav") == expected
    assert len(made) < 1100
