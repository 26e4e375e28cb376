from __future__ import annotations

import base64
import io

import numpy as np
import pytest
import soundfile

pytest.importorskip("matplotlib", reason="the train extra is not installed")
pytest.importorskip("jinja2", reason="the train extra is not installed")

from timbrel.features.spectrum import htk_mel
from timbrel.report.page import mistake, spectrogram_uri, surest_mistakes

RATE = 16_000
ROW = {
    "path": "a.wav", "label": "x", "predicted": "y", "probabilities": [0.2, 0.8], "fold": 0,
    "repeat": 0,
}  # fmt: skip


def tone(seconds: float, hertz: float = 1000, rate: int = RATE) -> np.ndarray:
    return np.float32(0.3 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate))


def shades(uri: str) -> np.ndarray:
    """Number of the colour of each pixel, 0 the darkest, the lowest frequency first."""
    image = pytest.importorskip("PIL.Image")
    kind, data = uri.split(",", 1)
    assert kind == "data:image/png;base64"
    with image.open(io.BytesIO(base64.b64decode(data))) as picture:
        assert picture.mode == "P"
        return np.asarray(picture)[::-1].astype(int)


def heard(uri: str) -> tuple[np.ndarray, int]:
    return soundfile.read(io.BytesIO(base64.b64decode(uri.split(",", 1)[1])), dtype="float32")


def test_surest_mistakes_come_first_and_each_recording_once():
    rows = [
        {**ROW, "path": "right.wav", "predicted": "x", "probabilities": [0.99, 0.01]},
        {**ROW, "path": "a.wav", "probabilities": [0.4, 0.6], "repeat": 0},
        {**ROW, "path": "b.wav", "probabilities": [0.3, 0.7]},
        {**ROW, "path": "a.wav", "probabilities": [0.1, 0.9], "repeat": 1},
    ]
    found = surest_mistakes(rows)
    assert [(row["path"], max(row["probabilities"])) for row in found] == [
        ("a.wav", 0.9),
        ("b.wav", 0.7),
    ]
    assert len(surest_mistakes([{**ROW, "path": str(n)} for n in range(20)])) == 12
    assert len(surest_mistakes(rows, most=1)) == 1


def test_mistake_is_shown_whole_where_it_is_short():
    found = mistake(ROW, tone(1.5), RATE)
    assert (found.path, found.label, found.predicted, found.probability) == ("a.wav", "x", "y", 0.8)
    sound, rate = heard(found.uri)
    assert len(sound) / rate == pytest.approx(1.5, abs=0.01)
    assert found.part == ""
    assert found.plot.x.high == 1.5
    assert "Spectrogram of a.wav: 1.5\u00a0s, up to 8\u00a0kHz." in found.plot.alt


def test_of_a_long_recording_the_loud_stretch_is_shown():
    sound = np.zeros(20 * RATE, np.float32)
    sound[12 * RATE : 15 * RATE] = tone(3)
    found = mistake(ROW, sound, RATE)
    player, rate = heard(found.uri)
    assert len(player) / rate == pytest.approx(5.0, abs=0.01)
    assert np.sum(player**2) / rate > 0.9 * np.sum(sound**2) / RATE
    assert found.part == "10.0 to 15.0 of 20.0\u00a0s"
    even = mistake(ROW, tone(9), RATE)
    assert even.part == "the first 5.0 of 9.0\u00a0s"


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100, 96_000])
@pytest.mark.parametrize("hertz", [100, 440, 3000])
def test_spectrogram_shows_a_tone_where_its_axis_says(rate, hertz):
    sound = tone(1.0, hertz, rate)
    picture = shades(spectrogram_uri(sound, rate))
    brightest = np.argmax(picture.sum(axis=1)) + 0.5
    axis = mistake(ROW, sound, rate).plot.y
    place = float(axis.place(htk_mel(hertz)))
    assert brightest / len(picture) == pytest.approx(place, abs=1.5 / len(picture))


def test_spectrogram_and_player_share_their_time():
    sound = np.concatenate([np.zeros(3 * RATE, np.float32), tone(1)])
    columns = shades(spectrogram_uri(sound, RATE)).max(axis=0)
    begins = np.argmax(columns > columns.max() / 2) / len(columns)
    assert begins == pytest.approx(0.75, abs=0.01)


def test_spectrogram_does_not_depend_on_the_level():
    sound = tone(0.5) + np.float32(0.01) * np.random.default_rng(0).standard_normal(8000, "f4")
    loud, quiet = (shades(spectrogram_uri(level * sound, RATE)) for level in (1.0, 0.01))
    assert np.abs(loud - quiet).max() <= 6  # one of 48 shades, of 256 numbers


@pytest.mark.parametrize("samples", [1, 2, 100, 639, 640, 641])
def test_spectrogram_of_few_samples(samples):
    picture = shades(spectrogram_uri(np.full(samples, 0.5, np.float32), RATE))
    assert picture.shape[0] == 80
    assert 1 <= picture.shape[1] <= 320


def test_silence_is_dark():
    assert shades(spectrogram_uri(np.zeros(8000, np.float32), RATE)).max() == 0


def test_spectrogram_of_noise_is_small():
    noise = np.random.default_rng(0).standard_normal(5 * 44_100).astype(np.float32)
    assert len(spectrogram_uri(noise, 44_100)) < 30_000


def test_silent_recording_can_be_shown():
    found = mistake(ROW, np.zeros(7 * RATE, np.float32), RATE)
    assert found.part == "the first 5.0 of 7.0\u00a0s"
