from __future__ import annotations

import contextlib
import copy
import io
import itertools
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

from timbrel.audio.player import player_uri
from timbrel.files import replacing
from timbrel.networks.recipes import get_recipe
from timbrel.report.charts import linear_axis, pie, round_up
from timbrel.report.mistakes import Mistake, mistake
from timbrel.report.page import write_report
from timbrel.report.pictures import heat_pictures, heat_uri, spectrum_plot

CHROMIUM = Path("/usr/bin/chromium")
LABELS = ["Flute", "<script>alert(1)</script>", "Größe & 音", "a, b"]
METRICS = ("accuracy", "macro_f1", "map3", "log_loss", "brier", "ece")


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


def base64_bytes(html: str) -> int:
    return sum(len(item["src"]) for item in elements(html, "audio"))


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


def tone(seconds: float = 0.5, rate: int = 16_000) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)).astype("f4")


def score(accuracy: float, *, interval: bool = True) -> dict:
    ends = {name: [accuracy - 0.1, accuracy + 0.1] if interval else None for name in METRICS}
    return {**dict.fromkeys(METRICS, accuracy), "ci95": ends}


@pytest.fixture
def evaluation() -> dict:
    confusion = [[8, 2, 0, 0], [0, 7, 3, 0], [1, 0, 9, 0], [0, 0, 0, 10]]
    return {
        "labels": LABELS,
        "recipe": "tutorial-cnn",
        "data": {"files": 200, "groups": 50, "seconds": 812.5, "sha256": "ab" * 32},
        "protocol": {"folds": 1, "repeats": 1, "seed": 0, "grouped": True, "notes": ["So it is."]},
        "file": score(0.85),
        "window": score(0.612),
        "random_split": {"window_accuracy": 0.963},
        "gap": 0.113,
        "per_class": [
            {
                "label": label, "precision": 0.8, "recall": 0.9, "f1": 0.847, "files": 10,
                "ci95": {"precision": [0.5, 0.9], "recall": [0.6, 0.98], "f1": [0.6, 0.9]},
            }
            for label in LABELS
        ],
        "confusion": confusion,
        "calibration": {
            "temperature": 1.7, "ece_before": 0.2, "ece_after": 0.07, "ece_expected": 0.06,
        },
        "unknown": {"threshold": 0.43, "auroc": 0.74, "accept_rate": 0.31},
        "seconds": {"prepare": 3.0, "train": 61.0, "predict": 1.0, "total": 65.0},
        "predictions": [],
        "excluded": [{"path": "odd <i>.wav", "reason": "its class has a single group"}],
    }  # fmt: skip


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


@pytest.fixture
def history() -> list[dict]:
    return [
        {
            "epoch": epoch, "loss": 2 / epoch, "acc": 1 - 0.6 / epoch, "val_loss": 2.2 / epoch**0.5,
            "val_acc": 0.8 - 0.5 / epoch, "seconds": 3.0,
        }
        for epoch in range(1, 6)
    ]  # fmt: skip


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
def write(tmp_path, evaluation, history, model, players):
    """Write the report with some of its parts replaced; returns the HTML."""

    def write_with(**parts) -> str:
        given = {"evaluation": evaluation, "history": history, "model": model, "players": players}
        write_report(tmp_path / "report.html", **{**given, **parts})
        return (tmp_path / "report.html").read_text("utf-8")

    return write_with


# ── report.html ──────────────────────────────────────────────────────────────────────────────────


def test_report_tells_the_honest_score_first(write):
    text = text_of(write())
    assert text.index("85.0") < text.index("61.2\u00a0%") < text.index("All scores")
    assert "95 % interval: 75.0\u00a0% to 95.0\u00a0%" in text
    assert "named the right class for 34 of 40\u00a0recordings" in text
    assert "always answering with the most common class" in text
    assert "11.3 points" in text


def test_report_holds_every_part(write):
    html = write()
    text = text_of(html)
    assert "Flute taken for <script>alert(1)</script> (2)" in text
    assert "odd <i>.wav — its class has a single group" in text
    assert "So it is." in text
    for fact in ("0.430", "1.700", "ab" * 32, "keras 3.15.1", "0.10\u00a0s, every 50\u00a0ms"):
        assert fact in text
    assert "200\u00a0recordings in 50\u00a0groups, 13\u00a0min" in text
    assert "AUROC of 0.74" in text
    curves, spectrograms = 2, 2
    plots = [item for item in elements(html, "svg") if item.get("class") == "plot"]
    assert len(plots) == curves + spectrograms
    assert all(item["aria-label"] for item in plots)
    assert len(elements(html, "image")) == spectrograms
    assert len(elements(html, "audio")) == 2


def test_report_escapes_and_is_self_contained(write):
    html = write()
    assert "<script" not in html
    assert "<i>.wav" not in html
    assert_self_contained(html)
    for label in LABELS:
        assert label in text_of(html)


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
    for absent in ("leaky", "Leaky", "AUROC", "left out", "95 % interval:", "Listen", "trained up"):
        assert absent not in text
    assert "85.0" in text


def test_report_of_a_perfect_model(write, evaluation):
    perfect = copy.deepcopy(evaluation)
    perfect["confusion"] = np.diag([10, 10, 10, 10]).tolist()
    perfect["file"] = score(1.0)
    assert "Every recording got the right answer." in text_of(write(evaluation=perfect, players=[]))


def test_report_without_a_scored_file(write, evaluation):
    empty = copy.deepcopy(evaluation)
    nothing = {**dict.fromkeys(METRICS), "ci95": dict.fromkeys(METRICS)}
    empty.update(file=nothing, window=nothing, random_split=None, gap=None, calibration=None)
    empty["confusion"] = np.zeros((4, 4), int).tolist()
    for row in empty["per_class"]:
        row.update(precision=None, recall=None, f1=None, files=0)
    assert "No recording could be scored" in text_of(write(evaluation=empty, players=[]))


def test_groups_that_were_split_are_admitted(write, evaluation):
    split = {**evaluation, "protocol": {**evaluation["protocol"], "grouped": False}}
    assert "That flatters the score." in text_of(write(evaluation=split))


# ── cross-validation ─────────────────────────────────────────────────────────────────────────────


def crossed(evaluation: dict, *, folds: int = 5, repeats: int = 1) -> dict:
    """The evaluation as a cross-validation would give it: every answer among the predictions."""
    labels, matrix = evaluation["labels"], np.array(evaluation["confusion"]) * repeats
    predictions = []
    for row, column in np.ndindex(matrix.shape):
        for take in range(matrix[row, column]):
            number = len(predictions)
            chances = [0.1] * len(labels)
            chances[column] = 0.7
            predictions.append(
                {
                    "path": f"{row}-{column}-{take // repeats}.wav", "label": labels[row],
                    "predicted": labels[column], "probabilities": chances,
                    "fold": number // repeats % folds, "repeat": number % repeats,
                }
            )  # fmt: skip
    protocol = {**evaluation["protocol"], "folds": folds, "repeats": repeats}
    return {
        **evaluation, "protocol": protocol, "predictions": predictions,
        "confusion": matrix.tolist(),
    }  # fmt: skip


def test_cross_validation_speaks_of_many_networks(write, evaluation):
    many = crossed(evaluation)
    html = write(evaluation=many, model={}, history=[])
    text = text_of(html)
    assert "named the right class for 34 of 40\u00a0recordings, each of them heard by a net" in text
    assert "divided into 5 parts; 5 networks were trained" in text
    assert "None from the same group was used to train that network either." in text
    right = np.array([row["label"] == row["predicted"] for row in many["predictions"]])
    low, high = (f"{100 * share}\u00a0%" for share in np.sort(right.reshape(8, 5).mean(0))[[0, -1]])
    assert f"40\u00a0recordings in 5 folds, whole groups, {low} to {high} right" in text
    for of_one_model in ("this model", "The model", "it has never heard<", "While it trained"):
        assert of_one_model not in html


def test_repeated_cross_validation_counts_recordings_once(write, evaluation):
    text = text_of(write(evaluation=crossed(evaluation, repeats=3), model={}, history=[]))
    assert "gave the right answer 102 of 120\u00a0times" in text
    assert "40\u00a0recordings, asked about 3 times, each time heard by a network" in text
    assert "3 times in different ways; 15 networks were trained" in text
    assert "40\u00a0recordings can only tell so much" in text


def test_cross_validation_whose_groups_were_split_admits_it(write, evaluation):
    split = crossed(evaluation)
    split["protocol"]["grouped"] = False
    text = text_of(write(evaluation=split, model={}))
    assert "some share a group with recordings that their network was trained on" in text
    assert "None from the same group" not in text


def test_why_training_looks_worse_is_said_where_copies_are_changed(write, evaluation):
    told = "the loss in training stays above"
    assert told not in text_of(write())
    assert told in text_of(write(evaluation={**evaluation, "recipe": "statistics-cnn"}))


def test_a_leak_within_chance_is_not_made_more_of(write, evaluation):
    assert "and none of it is skill" in text_of(write())
    close = {**evaluation, "random_split": {"window_accuracy": 0.94, "ci95": [0.9, 0.97]}}
    text = text_of(write(evaluation={**close, "gap": 0.09, "gap_ci95": [-0.02, 0.21]}))
    assert "94.0\N{NO-BREAK SPACE}% (90\N{NO-BREAK SPACE}% to 97\N{NO-BREAK SPACE}%)" in text
    assert "9.0 points above the true one (95 % interval -2 to 21)" in text
    assert "that difference can be chance" in text
    assert "skill" not in text
    none = {**evaluation, "random_split": {"window_accuracy": 0.8}, "gap": -0.05}
    assert "would not have flattered the recipe" in text_of(write(evaluation=none))


# ── what the page says ───────────────────────────────────────────────────────────────────────────


def test_classes_have_intervals_where_they_are_known(write, evaluation):
    assert "90.0\u00a0%60–98\u00a0%" in text_of(write())
    for row in evaluation["per_class"]:
        row["ci95"] = {"precision": None, "recall": None, "f1": None}
    text = text_of(write(evaluation=evaluation))
    assert "90.0\u00a0%" in text
    assert "60–98" not in text


def test_sanity_round_is_shown(write, model):
    model["sanity"] = [
        {"sound": "silence", "label": "unknown", "predicted": "", "probability": None,
         "passed": True},
        {"sound": "a sine", "label": "Flute", "predicted": "Flute", "probability": 0.912,
         "passed": False},
    ]  # fmt: skip
    text = text_of(write())
    assert "1 of 2\u00a0made-up sounds that belongs to no class was taken for one" in text
    assert "Flutemost like Flute, 91\u00a0%" in text
    assert text.count("most like") == 1
    for row in model["sanity"]:
        row["passed"] = True
    assert "All 2 made-up sounds that belong to no class were turned away" in text_of(write())


def test_unknown_without_a_figure_is_not_mentioned(write, evaluation):
    without = {"threshold": 0.4, "auroc": None, "accept_rate": None}
    assert "AUROC" not in text_of(write(evaluation={**evaluation, "unknown": without}))


def curve(*points: tuple[int, float], doubt: float = 0.01) -> list[dict]:
    return [
        {
            "recordings": recordings, "share": recordings / points[-1][0], "accuracy": accuracy,
            "ci95": [accuracy - doubt, accuracy + doubt],
            "recall": dict.fromkeys(LABELS, accuracy),
        }
        for recordings, accuracy in points
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("points", "doubt", "sentence"),
    [
        ([(60, 0.5), (120, 0.6), (240, 0.7)], 0.01, "More recordings would very likely help"),
        ([(120, 0.6), (240, 0.64)], 0.05, "More recordings may help"),
        ([(120, 0.6), (240, 0.59)], 0.05, "No sign that more recordings of the same kind would"),
        ([(120, 0.6), (240, 0.605)], 0.01, "More recordings of the same kind would hardly help"),
        ([(120, 0.7), (240, 0.6)], 0.01, "The score fell by more than chance explains"),
        ([(240, 0.6)], 0.01, "Only one number of recordings was tried"),
    ],
)
def test_learning_curve_in_words(write, evaluation, points, doubt, sentence):
    evaluation["learning_curve"] = curve(*points, doubt=doubt)
    text = text_of(write(players=[]))
    assert "Would more recordings help?" in text
    assert sentence in text
    assert "nan" not in text


def test_learning_curve_tells_both_steps(write, evaluation):
    evaluation["learning_curve"] = curve((60, 0.5), (120, 0.6), (240, 0.7))
    text = text_of(write())
    assert "Twice as many recordings, 240 instead of 120, raised the score by 10.0 points" in text
    assert "The step before, from 60 to 120, changed it by +10.0 points" in text


@pytest.mark.parametrize("absent", [None, []])
def test_no_learning_curve_no_section(write, evaluation, absent):
    evaluation["learning_curve"] = absent
    assert "Would more recordings help?" not in text_of(write())


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


# ── pieces ───────────────────────────────────────────────────────────────────────────────────────


def decoded(uri: str) -> tuple[np.ndarray, int]:
    kind, data = uri.split(",", 1)
    assert kind == "data:audio/mpeg;base64"
    return soundfile.read(io.BytesIO(base64.b64decode(data)), dtype="float32")


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


def test_heat_picture_is_the_right_way_up():
    image = pytest.importorskip("PIL.Image")
    uri = heat_uri(np.array([[0.0, 0.0, 0.5], [1.0, 1.0, 1.0]]), 0.0, 1.0)
    data = base64.b64decode(uri.split(",", 1)[1])
    with image.open(io.BytesIO(data)) as picture:
        assert picture.size == (3, 2)
        colours = np.asarray(picture.convert("RGB"), dtype=int)
    assert colours[0, 0].sum() > colours[1, 2].sum() > colours[1, 0].sum()


def test_pie_keeps_labels_apart_and_on_the_canvas():
    values = [1.0] * 3 + [0.001] * 14 + [5.0]
    chart = pie(values, [f"label {n}" for n in range(18)], alt="a pie")
    for side in ("start", "end"):
        heights = sorted(item.y for item in chart.slices if item.anchor == side)
        assert all(b - a >= 32 for a, b in itertools.pairwise(heights))
        assert all(0 < height < chart.height for height in heights)
    assert "A66 66" in pie([1.0], ["alone"], alt="one").slices[0].d


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 0.0625), (-90, -10), (0, 3600)])
def test_axis_has_round_ticks_inside(low, high):
    axis = linear_axis("x", low, high)
    values = [value for value, _ in axis.ticks]
    assert 2 <= len(values) <= 11
    assert all(low - 1e-9 <= value <= high + 1e-9 for value in values)
    assert len({text for _, text in axis.ticks}) == len(values)


@pytest.mark.parametrize(
    ("value", "rounded"), [(0.9, 1), (1, 1), (1.1, 2), (0.03, 0.05), (70, 100)]
)
def test_round_up(value, rounded):
    assert round_up(value) == pytest.approx(rounded)


# ── files ────────────────────────────────────────────────────────────────────────────────────────


def test_replacing_keeps_the_old_file_when_the_work_fails(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")

    def fail_half_way() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["page.html"]


def test_replacing_makes_the_folder(tmp_path):
    with replacing(tmp_path / "new/folder/page.html") as temporary:
        temporary.write_text("page")
    assert (tmp_path / "new/folder/page.html").read_text() == "page"


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
