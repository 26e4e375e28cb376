from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("matplotlib", reason="the train extra is not installed")
pytest.importorskip("jinja2", reason="the train extra is not installed")

from conftest import Recorder
from test_report import (
    assert_self_contained,
    elements,
    open_page,
    text_of,
    tone,
)
from timbrel.errors import DataError, InvalidArgument, OutputError
from timbrel.workflows.explore import explore, plan_players

SHARED = Path(os.environ.get("TIMBREL_SHARED", Path(__file__).parents[2] / "shared"))
INSTRUMENTS = SHARED / "data/instruments/instruments.csv"
DIGITS = SHARED / "data/digits/digits.csv"
AWKWARD = ["<script>alert(1)<", "Größe & 音", "a, b; c", "two words"]


def write(path: Path, samples: np.ndarray, rate: int = 16_000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate)


@pytest.fixture(scope="module")
def awkward(tmp_path_factory) -> dict:
    """Explore a folder with everything that could break a page; result, text and folder."""
    folder = tmp_path_factory.mktemp("awkward")
    data, rng = folder / "data", np.random.default_rng(0)
    for label in AWKWARD:
        write(data / label / "tone.wav", np.concatenate([tone(1), np.zeros(16_000)]))
    write(data / "two words/one sample.wav", np.array([0.5]))
    write(data / "two words/zeros.wav", np.zeros(4000))
    (data / "two words/empty.wav").write_bytes(b"")
    (data / "a, b; c/junk <b>.wav").write_bytes(b"junk" * 99)
    write(data / "a, b; c/stereo.wav", 0.3 * rng.standard_normal((20_000, 2)), 96_000)
    write(data / "a, b; c/short.wav", 0.3 * rng.standard_normal(300), 11_000)
    write(data / "quiet/quiet.wav", 1e-4 * rng.standard_normal(3000), 22_050)
    write(data / "tiny/one sample.wav", np.array([0.5]))
    write(data / "noise/hum.wav", tone(0.5))
    write(data / "broken/zeros.wav", np.zeros(4000))
    recorder = Recorder()
    output = folder / "pages/explore.html"
    result = explore(data, output, progress=recorder)
    calls = [stage[1:3] for stage in recorder.stages if stage[0] == "reading"]
    return {"result": result, "html": output.read_text("utf-8"), "calls": calls, "path": output}


def test_result_counts_what_can_be_used(awkward):
    result = awkward["result"]
    assert result.recordings == 10
    assert awkward["calls"] == [(number, 14) for number in range(15)]
    assert result.path == awkward["path"]
    assert result.kept < result.seconds
    assert [item.facts for item in result.findings if item.code == "class-not-shown"] == [
        {"label": "broken"}
    ]


def test_problems_are_named_with_what_is_wrong(awkward):
    problems = {item.path: item.reason for item in awkward["result"].problems}
    assert set(problems) == {
        "two words/zeros.wav",
        "two words/empty.wav",
        "a, b; c/junk <b>.wav",
        "broken/zeros.wav",
    }
    assert problems["two words/zeros.wav"].startswith("every sample is zero")
    text = text_of(awkward["html"])
    for path, message in problems.items():
        assert path in text
        assert message in text


def test_every_class_is_pictured(awkward):
    sections = elements(awkward["html"], "section", id=True)
    pictured = [section for section in sections if section["id"].startswith("class-")]
    assert len(pictured) == 7
    plots = [item for item in elements(awkward["html"], "svg") if item.get("class") == "plot"]
    assert len(plots) == 5 * 7
    assert all(item.get("aria-label") for item in plots)
    assert len(elements(awkward["html"], "image")) == 2 * 7


def test_page_is_escaped_names_every_fact_and_needs_no_other_file(awkward):
    assert "<script" not in awkward["html"]
    assert "<b>.wav" not in awkward["html"]
    assert_self_contained(awkward["html"])
    text = text_of(awkward["html"])
    for fact in (*AWKWARD, "16\u00a0kHz: 7", "96\u00a0kHz: 1", "mono: 9", "stereo: 1"):
        assert fact in text


@pytest.mark.slow
def test_page_works_in_a_browser(awkward):
    found = open_page(awkward["path"])
    assert found["messages"] == []
    assert found["requests"] == []
    assert found["players"] == len(elements(awkward["html"], "audio"))
    assert found["seconds"] > 0
    assert found["widths"] == {1280: 1280, 390: 390}


def test_players_are_the_whole_class_when_it_is_small(awkward):
    players = [item["aria-label"] for item in elements(awkward["html"], "audio")]
    assert len(players) == 10
    assert "two words: two words/one sample.wav" in players


def test_no_players(tmp_path):
    for label, seconds in (("a", 0.3), ("b", 0.1)):
        write(tmp_path / f"data/{label}/1.wav", tone(seconds))
    explore(tmp_path / "data", tmp_path / "page.html", players=0)
    html = (tmp_path / "page.html").read_text("utf-8")
    assert not elements(html, "audio")
    for shares in ("a0.30\u00a0s, 75.0\u00a0%", "b0.10\u00a0s, 25.0\u00a0%"):
        assert shares in text_of(html)


def test_stretches_of_a_csv(tmp_path):
    write(tmp_path / "long.wav", tone(3, rate=8000), 8000)
    (tmp_path / "data.csv").write_text(
        "path,label,start,end\nlong.wav,a,0,1\nlong.wav,b,1,1.5\nlong.wav,b,2.9,\nmissing.wav,b,,\n"
    )
    result = explore(tmp_path / "data.csv", tmp_path / "page.html")
    assert result.seconds == pytest.approx(1.6)
    assert [str(item) for item in result.problems] == [
        "missing.wav: there is no such file; correct its path or leave it out"
    ]


def test_page_is_reproducible_and_the_typical_recording_comes_first(tmp_path):
    for label in "ab":
        for number in range(5):
            write(tmp_path / f"data/{label}/{number}.wav", tone(0.2 + 0.1 * number))
    for name in ("one.html", "two.html"):
        explore(tmp_path / "data", tmp_path / name)
    html = (tmp_path / "one.html").read_text("utf-8")
    assert (tmp_path / "two.html").read_text("utf-8") == html
    shown = [item["aria-label"].split("/")[1] for item in elements(html, "audio")[:3]]
    assert shown == ["2.wav", "1.wav", "4.wav"]


def test_plan_of_players_bounds_the_page():
    assert plan_players(10, 3) == (3, 5.0)
    assert plan_players(2, 0) == (0, 0.0)
    for classes in (1, 10, 30, 60, 100):
        shown, seconds = plan_players(classes, 3)
        assert 1 <= shown <= 3
        assert 2 <= seconds <= 5
        assert classes * shown * seconds <= 360
    assert plan_players(100, 3) < plan_players(50, 3)


@pytest.mark.slow
def test_many_classes_say_what_is_left_out(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(45):
        for name in "abc":
            sound = rng.uniform(-0.9, 0.9, 5 * 8000)
            write(tmp_path / f"data/class {number}/{name}.wav", sound, 8000)
    explore(tmp_path / "data", tmp_path / "page.html")
    html = (tmp_path / "page.html").read_text("utf-8")
    assert "With so many classes" in text_of(html)
    assert len(html) < 5e6


def test_nothing_usable(tmp_path):
    write(tmp_path / "data/a/zeros.wav", np.zeros(4000))
    write(tmp_path / "data/noise/hum.wav", tone(0.5))
    with pytest.raises(DataError, match="No recording of a class"):
        explore(tmp_path / "data", tmp_path / "page.html")
    assert os.listdir(tmp_path) == ["data"]


def test_wrong_arguments(tmp_path):
    write(tmp_path / "data/a/1.wav", tone(0.3))
    with pytest.raises(InvalidArgument, match="`players`"):
        explore(tmp_path / "data", tmp_path / "page.html", players=-1)
    with pytest.raises(InvalidArgument, match="`recipe`"):
        explore(tmp_path / "data", tmp_path / "page.html", recipe="no-such")
    with pytest.raises(OutputError, match="it is a folder"):
        explore(tmp_path / "data", tmp_path)
    with pytest.raises(OutputError, match="Cannot write"):
        explore(tmp_path / "data", tmp_path / "data/a/1.wav/page.html")


@pytest.mark.slow
@pytest.mark.skipif(not INSTRUMENTS.exists(), reason="the shared data are not here")
def test_instruments(tmp_path):
    page = tmp_path / "page.html"
    result = explore(INSTRUMENTS, page, audio=INSTRUMENTS.parent / "wavfiles")
    assert (result.recordings, result.problems) == (300, ())
    assert result.kept == pytest.approx(1092.5, abs=0.1)
    html = page.read_text("utf-8")
    assert len(elements(html, "audio")) == 30
    assert page.stat().st_size < 10e6
    assert sum(len(item["src"]) for item in elements(html, "audio")) > 100_000
    assert_self_contained(html)


@pytest.mark.slow
@pytest.mark.skipif(not DIGITS.exists(), reason="the shared data are not here")
def test_digits(tmp_path):
    page = tmp_path / "page.html"
    result = explore(DIGITS, page)
    assert (result.recordings, result.problems) == (3000, ())
    assert page.stat().st_size < 10e6
