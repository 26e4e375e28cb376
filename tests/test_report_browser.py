"""The report in a real browser: on a wide and a narrow screen, in the dark, on paper."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the train extra is not installed")
pytest.importorskip("jinja2", reason="the train extra is not installed")

from test_report import chromium, tone, wrong
from timbrel.dataset.manifest import Recording
from timbrel.evaluation.record import Scored, evaluation_record
from timbrel.report.page import mistake, write_report

pytestmark = pytest.mark.slow

A4_WIDTH = 688  # in CSS pixels, without the margins of the style sheet
AWKWARD = [
    "a_name_without_a_break_" * 8,
    "a very long name of many short words " * 5,
    "שלום עולם",
    "👩‍👩‍👧‍👦 band",
    "<b>bold</b> & more",
    "音" * 60,
]
PAGES = {
    "two": ["dog", "cat"],
    "ten": [f"Instrument_{number}" for number in range(10)],
    "hundred": [f"class number {number}" for number in range(100)],
    "awkward": AWKWARD,
}


def made_up(labels: list[str], folder) -> dict:
    """Evaluation of random predictions, and what else a report takes."""
    rng = np.random.default_rng(0)
    target = np.repeat(np.arange(len(labels)), 12)
    chances = rng.dirichlet(np.full(len(labels), 0.3), len(target))
    chances[np.arange(len(target)), target] += 0.4
    chances /= chances.sum(axis=1, keepdims=True)
    recordings = [
        Recording(f"{labels[number]}/{take}.wav", folder, labels[number], str(take))
        for take, number in enumerate(target)
    ]
    facts = {
        "recipe": "tutorial-cnn", "seconds": {"train": 61.0, "total": 65.0},
        "data": {"files": len(target), "groups": len(target), "seconds": 90.0, "sha256": "ab" * 32},
        "protocol": {
            "folds": 5, "repeats": 1, "seed": 0, "grouped": True, "notes": [labels[0] + " is odd."],
        },
        "unknown": {"threshold": 0.4, "auroc": 0.7, "accept_rate": 0.2},
        "excluded": [{"path": "folder/" * 30 + "a.wav", "reason": "all samples are zero"}],
    }  # fmt: skip
    every = np.arange(len(target))
    scored = Scored(
        recordings=recordings,
        target=target,
        files=chances,
        uncalibrated=chances,
        windows=chances,
        window_file=every,
        fold=every % 5,
        repeat=np.zeros_like(every),
    )
    evaluation = evaluation_record(scored, labels, temperature=1.2, facts=facts)
    evaluation["random_split"], evaluation["gap"] = {"window_accuracy": 0.99}, 0.2
    evaluation["learning_curve"] = [
        {
            "recordings": size, "accuracy": 0.01 * size**0.5, "ci95": [0.009 * size**0.5, 0.9],
            "recall": dict.fromkeys(labels, 0.01 * size ** 0.5),
        }
        for size in (300, 600, 1200)
    ]  # fmt: skip
    sanity = {"sound": "white noise", "label": labels[0], "predicted": labels[0]}
    return {
        "evaluation": evaluation,
        "history": [
            {"epoch": 1, "loss": 1.0, "acc": 0.5, "val_loss": 1.1, "val_acc": 0.4},
            {"epoch": 2, "loss": 0.8, "acc": 0.6, "val_loss": 1.0, "val_acc": 0.5},
        ],
        "model": {"labels": labels, "sanity": [{**sanity, "probability": 0.6, "passed": False}]},
        "players": [
            mistake(wrong(f"{label}.wav", label, labels[0], 0.7), tone(seconds), 16_000)
            for label, seconds in zip(labels[1:], (0.3, 7.0, 1.0, 0.05, 2.0), strict=False)
        ],
    }


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """A report of every kind."""
    folder = tmp_path_factory.mktemp("reports")
    for name, labels in PAGES.items():
        write_report(folder / f"{name}.html", **made_up(labels, folder))
    return {name: folder / f"{name}.html" for name in PAGES}


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture
def opened(browser, paths):
    """Open a report; whatever it complains of or asks for is an error."""
    pages, complaints = [], []

    def open_one(name: str, *, width: int = 1280, scheme: str = "light"):
        page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        pages.append(page)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.append(request.url))
        page.goto(paths[name].as_uri())
        page.add_style_tag(content="html { scroll-behavior: auto !important }")
        return page

    yield open_one
    for page in pages:
        page.close()
    own = tuple(path.as_uri() for path in paths.values())
    assert [text for text in complaints if not text.startswith(("data:", *own))] == []


WIDER_THAN_THE_PAGE = """() => [...document.querySelectorAll('body *')]
    .filter(item => !item.closest('.scroll') && !item.closest('svg'))
    .filter(item => item.getBoundingClientRect().right > innerWidth + 1)
    .map(item => item.outerHTML.slice(0, 99))"""


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_wider_than_the_screen(opened, name, width):
    page = opened(name, width=width, scheme="light" if width > 1000 else "dark")
    page.evaluate("document.querySelectorAll('details').forEach(item => item.open = true)")
    assert page.evaluate(WIDER_THAN_THE_PAGE) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("name", PAGES)
def test_report_on_paper(opened, name):
    page = opened(name, width=A4_WIDTH, scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert page.evaluate("document.documentElement.scrollWidth") == A4_WIDTH
    # Paper cannot be scrolled: what lies in a box that scrolls has to fit as well.
    assert page.evaluate(WIDER_THAN_THE_PAGE.replace("!item.closest('.scroll') && ", "")) == []
    assert page.locator("audio:visible").count() == 0
    assert page.locator(".player svg.plot").first.is_visible()
    whole = "['.matrix', 'figure', 'tr', '.lede'].map(name => document.querySelector(name))"
    breaks = page.evaluate(f"{whole}.map(item => getComputedStyle(item).breakInside)")
    assert set(breaks) == {"avoid"}
    # Only the headless browser prints to a file.
    assert page.pdf(format="A4").startswith(b"%PDF-")


def test_every_player_plays_what_its_picture_shows(opened):
    page = opened("ten")
    heard = page.evaluate(
        """async () => Promise.all([...document.querySelectorAll('audio')].map(async player => {
          player.muted = true;
          await player.play();
          return [player.readyState, player.duration, player.error];
        }))"""
    )
    assert len(heard) == 5
    # 3 and 4: enough is there to go on playing.
    assert {state for state, _, _ in heard} <= {3, 4}
    assert [error for _, _, error in heard] == [None] * 5
    assert [seconds for _, seconds, _ in heard] == pytest.approx([0.3, 5, 1, 0.05, 2], abs=0.03)


def test_large_matrix_is_scrolled_with_the_keyboard_and_keeps_its_names(opened):
    page = opened("hundred", width=360)
    box = page.get_by_role("region", name="Confusion matrix")
    box.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("PageDown")
    page.wait_for_function(
        "() => { const box = document.querySelector('.scroll'); "
        "return box.scrollLeft > 0 && box.scrollTop > 0; }"
    )
    places = page.evaluate(
        """() => {
          const box = document.querySelector('.scroll').getBoundingClientRect();
          const edge = name => document.querySelector(name).getBoundingClientRect();
          return [edge('.down').left - box.left, edge('.across').top - box.top];
        }"""
    )
    assert places == pytest.approx([0, 0], abs=1)


def test_rows_of_the_matrix_are_beside_their_names(opened):
    """Names and cells are two pictures, which have to be scaled alike."""
    for width in (1280, 360):
        page = opened("ten", width=width)
        rows = page.evaluate(
            """() => {
              const middle = item => { const box = item.getBoundingClientRect();
                return box.top + box.height / 2; };
              return [[...document.querySelectorAll('.down text')].map(middle),
                      [...document.querySelectorAll('.cells .right')].map(middle)];
            }"""
        )
        assert len(rows[0]) == len(rows[1]) == 10
        np.testing.assert_allclose(rows[0], rows[1], atol=3)


def test_screen_readers_find_names_for_everything(opened):
    page = opened("ten")
    for selector in ("[role=img]", "[role=region]", "audio", "[role=group]"):
        assert page.locator(selector).count() > 0
        assert page.locator(f"{selector}:not([aria-label])").count() == 0
    assert page.locator("th:not([scope]):not([aria-hidden])").count() == 0
    assert page.locator("h1").count() == 1
