from __future__ import annotations

import contextlib
import io
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("matplotlib", reason="the train extra is not installed")
pytest.importorskip("jinja2", reason="the train extra is not installed")

import base64

from test_charts import HISTORY
from test_view import LABELS, crossed, made_up_evaluation, score, unscored
from timbrel.audio.player import player_uri
from timbrel.features.spectrum import htk_mel
from timbrel.networks.recipes import get_recipe
from timbrel.report.explore import heat_pictures, spectrum_plot
from timbrel.report.page import (
    Mistake,
    mistake,
    spectrogram_uri,
    surest_mistakes,
    write_report,
)
from timbrel.report.view import ScoreView

CHROMIUM = Path("/usr/bin/chromium")


# ── helpers, for test_explore.py too ─────────────────────────────────────────────────────────────


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self.styles: list[str] = []
        self._in_style = False

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self._in_style = tag == "style"

    def handle_data(self, data):
        (self.styles if self._in_style else self.text).append(data)


def _read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    return reader


def elements(html: str, tag: str, *, id: bool = False) -> list[dict[str, str]]:
    found = [attributes for name, attributes in _read(html).elements if name == tag]
    return [item for item in found if "id" in item] if id else found


def text_of(html: str) -> str:
    return re.sub(r"[ \n]+", " ", "".join(_read(html).text))


def assert_self_contained(html: str) -> None:
    reader = _read(html)
    assert not [tag for tag, _ in reader.elements if tag in ("script", "iframe", "object", "embed")]
    for tag, attributes in reader.elements:
        for name in ("src", "href", "xlink:href", "srcset", "poster", "action"):
            if name in attributes:
                assert attributes[name].startswith(("data:", "#")), (tag, attributes[name][:80])
    for css in [*reader.styles, *(item.get("style", "") for _, item in reader.elements)]:
        assert "@import" not in css
        assert "url(" not in css


@contextlib.contextmanager
def chromium():
    """Start a browser; skip where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM}")
    quiet = ["background-networking", "component-update", "sync", "extensions", "gpu"]
    arguments = ["--no-sandbox", "--no-first-run", *(f"--disable-{name}" for name in quiet)]
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=arguments)
        yield browser
        browser.close()


def open_page(path: Path) -> dict:
    """Open a page in a browser, wide and narrow, and load its first player."""
    found = {"messages": [], "requests": [], "widths": {}}
    with chromium() as browser:
        page = browser.new_page()
        page.on("console", lambda message: found["messages"].append(message.text))
        page.on("pageerror", lambda error: found["messages"].append(str(error)))
        page.on("request", lambda request: found["requests"].append(request.url))
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 800})
            page.goto(path.as_uri())
            found["widths"][width] = page.evaluate("document.documentElement.scrollWidth")
        found["players"] = page.locator("audio").count()
        found["seconds"] = page.evaluate(
            """async () => {
              const player = document.querySelector('audio');
              const loaded = new Promise((good, bad) => {
                player.onloadedmetadata = good; player.onerror = () => bad(player.error.message);
              });
              player.preload = 'auto';
              player.load();
              await loaded;
              return player.readyState > 0 ? player.duration : 0;
            }"""
        )
    own = ("data:", path.as_uri())
    found["requests"] = [url for url in found["requests"] if not url.startswith(own)]
    return found


def tone(seconds: float = 0.5, rate: int = 16_000, *, hertz: float = 440) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype("f4")


@pytest.fixture
def evaluation() -> dict:
    return made_up_evaluation()


@pytest.fixture
def model() -> dict:
    return {
        "labels": LABELS,
        "rate": 16_000,
        "window": 1600,
        "hop": 800,
        "recipe": {"name": "tutorial-cnn"},
        "thresholds": {"unknown": 0.43},
        "temperature": 1.7,
        "versions": {"timbrel": "0.1.0", "keras": "3.15.1"},
        "seed": 0,
        "data": {"files": 200, "groups": 50, "seconds": 812.5, "sha256": "ab" * 32},
    }


def wrong(path: str, label: str, predicted: str, probability: float) -> dict:
    """A row of `predictions`."""
    return {
        "path": path, "label": label, "predicted": predicted, "fold": 0, "repeat": 0,
        "probabilities": [probability, 1 - probability],
    }  # fmt: skip


@pytest.fixture
def players() -> list[Mistake]:
    return [
        mistake(wrong("less sure.wav", LABELS[0], LABELS[1], 0.51), tone(), 16_000),
        Mistake("unplayable.wav", LABELS[1], LABELS[2], 0.93),
        mistake(wrong("very sure.wav", LABELS[2], LABELS[0], 0.87), tone(), 16_000),
    ]


@pytest.fixture
def write(tmp_path, evaluation, model, players):
    """Write the report with some of its parts replaced; returns the HTML."""

    def write_with(**parts) -> str:
        given = {"evaluation": evaluation, "history": HISTORY, "model": model, "players": players}
        write_report(tmp_path / "report.html", **{**given, **parts})
        return (tmp_path / "report.html").read_text("utf-8")

    return write_with


# ── report.html ──────────────────────────────────────────────────────────────────────────────────


def test_everything_that_is_said_of_a_score_is_on_the_page(write, model):
    evaluation = crossed()
    evaluation["learning_curve"] = [
        {"recordings": size, "accuracy": share, "ci95": None, "recall": {"Flute": share}}
        for size, share in ((60, 0.5), (120, 0.6))
    ]
    model["sanity"] = [
        {
            "sound": "a sine", "label": "Flute", "predicted": "Flute", "probability": 0.912,
            "passed": False,
        }
    ]  # fmt: skip
    view = ScoreView(evaluation, model)
    said = [view.measured, view.expect, *view.statements]
    said += [table.statement for table in (view.reliability, view.rises, view.confusions)]
    text = text_of(write(evaluation=evaluation))
    for sentence in said:
        assert str(sentence) in text
    tables = [view.compared, view.classes, view.confusions, view.metrics, view.facts, view.excluded]
    tables += [view.synthetic, view.reliability, view.learning, view.rises]
    for row in (row for table in tables for row in table.rows):
        for cell in row:
            assert (cell if isinstance(cell, str) else cell.text) in text
            assert isinstance(cell, str) or cell.interval in text


def test_report_is_whole_escaped_and_needs_no_other_file(write):
    html = write()
    curves, spectrograms = 2, 2
    plots = [item for item in elements(html, "svg") if item.get("class") == "plot"]
    assert len(plots) == curves + spectrograms
    assert all(item["aria-label"] for item in plots)
    assert len(elements(html, "image")) == spectrograms
    assert len(elements(html, "audio")) == 2
    assert "<script" not in html
    assert "<i>.wav" not in html
    assert_self_contained(html)
    text = text_of(html)
    assert text.index("85.0") < text.index("61.2\u00a0%") < text.index("All scores")
    assert "of 40\u00a0recordings right95 % interval 75–95\u00a0%" in text
    assert "So it is." in text
    assert all(label in text for label in LABELS)


def test_mistakes_are_sorted_by_confidence_and_at_most_twelve(write, players):
    text = text_of(write())
    order = [text.index(name) for name in ("unplayable.wav", "very sure.wav", "less sure.wav")]
    assert order == sorted(order)
    html = write(players=[Mistake(f"{n}.wav", "Flute", "a, b", n / 100) for n in range(30)])
    assert html.count("taken for <strong><bdi>a, b</bdi></strong>\n") == 12
    assert "29.wav" in html
    assert "17.wav" not in html


def test_report_leaves_out_what_is_null(write, evaluation):
    bare = {**evaluation, "random_split": None, "gap": None, "unknown": None, "excluded": []}
    bare["file"] = score(0.85, interval=False)
    bare["window"] = {**score(0.6), "ci95": None}
    text = text_of(write(evaluation=bare, model={}, history=[], players=[]))
    for absent in (
        *("andom split", "AUROC", "left out", "interval 75", "listen", "While it trained"),
        *("Would more recordings help?", "other sounds"),
    ):
        assert absent not in text
    assert "85.0" in text


def test_report_without_a_scored_file(write):
    text = text_of(write(evaluation=unscored(), players=[]))
    assert "No recording could be scored" in text
    assert "What is taken for what" not in text


def test_cross_validation_speaks_of_many_networks(write):
    html = write(evaluation=crossed(), model={}, history=[])
    for of_one_model in ("this model", "The model", "While it trained"):
        assert of_one_model not in html


def test_why_training_looks_worse_is_said_where_copies_are_changed(write, evaluation):
    told = "the loss in training stays above"
    assert told not in text_of(write())
    assert told in text_of(write(evaluation={**evaluation, "recipe": "statistics-cnn"}))


def test_page_stays_small_with_many_classes_and_predictions(write, evaluation):
    rng = np.random.default_rng(0)
    labels = [f"class number {number}" for number in range(100)]
    target = np.arange(10_000) % 100
    answer = np.where(rng.random(10_000) < 0.7, target, rng.integers(0, 100, 10_000))
    matrix = np.zeros((100, 100), int)
    np.add.at(matrix, (target, answer), 1)
    predictions = [
        {
            "path": f"recordings/{number}.wav", "label": labels[wanted], "predicted": labels[given],
            "probabilities": [0.005] * given + [0.505] + [0.005] * (99 - given),
            "fold": number % 5, "repeat": 0,
        }
        for number, (wanted, given) in enumerate(zip(target, answer, strict=True))
    ]  # fmt: skip
    many = {
        **evaluation, "labels": labels, "confusion": matrix.tolist(), "predictions": predictions,
        "per_class": [
            {**evaluation["per_class"][0], "label": label, "files": 100} for label in labels
        ],
        "protocol": {**evaluation["protocol"], "folds": 5},
    }  # fmt: skip
    html = write(evaluation=many, model={}, players=[])
    assert len(html) < 1e6
    assert "recordings/" not in html
    assert "of 10,000\u00a0recordings" in html


def test_report_is_not_touched_when_it_cannot_be_written(write, tmp_path, evaluation):
    before = write()
    with pytest.raises(KeyError):
        write(evaluation={"labels": []})
    assert (tmp_path / "report.html").read_text("utf-8") == before
    assert [item.name for item in tmp_path.iterdir()] == ["report.html"]


# ── mistakes ──────────────────────────────────────────────────────────────────────────────────────

RATE = 16_000
ROW = wrong("a.wav", "x", "y", 0.8)


def decoded(uri: str) -> tuple[np.ndarray, int]:
    kind, data = uri.split(",", 1)
    assert kind == "data:audio/mpeg;base64"
    return soundfile.read(io.BytesIO(base64.b64decode(data)), dtype="float32")


def shades(uri: str) -> np.ndarray:
    """Number of the colour of each pixel, 0 the darkest, the lowest frequency first."""
    image = pytest.importorskip("PIL.Image")
    kind, data = uri.split(",", 1)
    assert kind == "data:image/png;base64"
    with image.open(io.BytesIO(base64.b64decode(data))) as picture:
        assert picture.mode == "P"
        return np.asarray(picture)[::-1].astype(int)


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
    sound, rate = decoded(found.uri)
    assert len(sound) / rate == pytest.approx(1.5, abs=0.01)
    assert found.part == ""
    assert found.plot.x.high == 1.5
    assert "Spectrogram of a.wav: 1.5\u00a0s, up to 8\u00a0kHz." in found.plot.alt


def test_of_a_long_recording_the_loud_stretch_is_shown():
    sound = np.zeros(20 * RATE, np.float32)
    sound[12 * RATE : 15 * RATE] = tone(3)
    found = mistake(ROW, sound, RATE)
    player, rate = decoded(found.uri)
    assert len(player) / rate == pytest.approx(5.0, abs=0.01)
    assert np.sum(player**2) / rate > 0.9 * np.sum(sound**2) / RATE
    assert found.part == "10.0 to 15.0 of 20.0\u00a0s"
    even = mistake(ROW, tone(9), RATE)
    assert even.part == "the first 5.0 of 9.0\u00a0s"


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100, 96_000])
@pytest.mark.parametrize("hertz", [100, 440, 3000])
def test_spectrogram_shows_a_tone_where_its_axis_says(rate, hertz):
    sound = tone(1.0, rate, hertz=hertz)
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


# ── pieces ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050, 44_100, 11_000, 96_000])
def test_player_sounds_as_the_waveform(rate):
    sound, heard_rate = decoded(player_uri(tone(0.5, rate), rate))
    assert len(sound) / heard_rate == pytest.approx(0.5, abs=0.01)
    assert np.abs(sound).max() == pytest.approx(0.3, abs=0.06)
    spectrum = np.abs(np.fft.rfft(sound))
    assert np.argmax(spectrum) * heard_rate / len(sound) == pytest.approx(440, abs=3)


@pytest.mark.parametrize("samples", [1, 2, 400])
def test_player_of_few_samples(samples):
    assert len(decoded(player_uri(np.full(samples, 0.5, "f4"), 16_000))[0]) >= 1


def test_loud_sound_is_clipped_not_wrapped():
    sound, _ = decoded(player_uri(5 * tone(), 16_000))
    assert np.abs(sound).max() < 1.5


def test_spectrum_finds_the_tone_and_its_level():
    alt = spectrum_plot("a tone", tone(2.0), 16_000).alt
    frequency, level = map(float, re.findall(r"near (\d+) Hz, at (−?-?\d+) dB", alt)[0])
    assert frequency == pytest.approx(440, rel=0.03)
    assert level == pytest.approx(20 * np.log10(0.3), abs=1)


def test_pictures_are_those_of_the_layers():
    mfcc = pytest.importorskip("timbrel.features.mfcc")
    recipe = get_recipe("tutorial-cnn")
    sounds = [tone(2.0), tone(0.2), tone(0.01), np.array([0.5], "f4")]
    banks, pictures = heat_pictures(sounds, recipe)
    assert [one.shape for one in banks] == [(26, 98), (26, 18), (26, 1), (26, 1)]
    assert [one.shape for one in pictures] == [(13, 98), (13, 18), (13, 1), (13, 1)]
    alone = np.asarray(mfcc.MFCC(rate=16_000)(sounds[1][None]))[0].T
    np.testing.assert_allclose(pictures[1], alone[:, :18], atol=1e-3)


@pytest.mark.slow
def test_drawing_needs_no_pyplot():
    code = (
        "import sys, timbrel.report.explore, timbrel.report.page\n"
        "print('matplotlib.pyplot' in sys.modules, 'keras' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.parametrize("missing", ["matplotlib", "jinja2"])
def test_missing_extra_is_named(missing):
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from timbrel.errors import MissingExtra\n"
        "try:\n    import timbrel.report.page\n"
        "except MissingExtra as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (
        done.stdout.strip() == 'Drawing pictures needs more packages: pip install "timbrel[train]"'
    )
