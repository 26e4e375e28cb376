import os

import pytest

from timbrel.tagging.names import FreeNames, folder_names


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
    names = list(folder_names(labels).values())
    assert names[:5] == ["Kick", "kick (2)", "KICK (3)", "a_b", "a_b (2)"]
    assert len({name.casefold() for name in names}) == len(labels)
    assert names[5:7] == ["caf\u00e9", "cafe\u0301 (2)"]
    assert names[-1].endswith(" (2)")
    assert all(len(os.fsencode(name)) <= 255 for name in names)


def test_names_are_numbered_as_on_any_file_system(tmp_path):
    (tmp_path / "hum").mkdir()
    (tmp_path / "hum" / "A (2).WAV").touch()
    free = FreeNames(tmp_path)
    taken = [free.take("hum", name) for name in ("a.wav", "A.wav", "a.WAV", "a (2).wav", "b.wav")]
    assert taken == ["a.wav", "A (3).wav", "a (4).WAV", "a (2) (2).wav", "b.wav"]
    assert free.take("hiss", "a.wav") == "a.wav"
    long = "x" * 251 + ".wav"
    assert free.take("hiss", long) == long
    assert free.take("hiss", long) == "x" * 247 + " (2).wav"


def test_a_million_of_one_name_is_not_quadratic(tmp_path):
    free, looks = FreeNames(tmp_path), []

    class Counting(set):
        def __contains__(self, key):
            looks.append(key)
            return super().__contains__(key)

    free._taken = Counting()
    for number in range(1, 501):
        expected = "kick.wav" if number == 1 else f"kick ({number}).wav"
        assert free.take("hum", "kick.wav") == expected
    assert len(looks) < 1100
