"""Several predictions: a sequence like any other, and what a notebook shows of them."""

import pytest

from shown import HOSTILE, rows, shown, words
from timbrel import Finding, Prediction, Predictions


def predicted(path="a.wav", label="Bell", probability=0.9, **more):
    accepted = more.pop("accepted", True)
    return Prediction(
        path=path,
        label=label if accepted else "unknown",
        predicted=label,
        probability=probability,
        accepted=accepted,
        top=((label, probability), ("Flute", 0.05)),
        **{"seconds": 9.0, **more},
    )


ITEMS = [
    predicted(),
    predicted("b.wav", "Flute", 0.3, accepted=False),
    Prediction("c.wav", label="unknown", accepted=False, seconds=1.0),
    Prediction("d.wav", error="the file is empty (0 bytes)"),
    Prediction("e.wav", seconds=2.0),
]


def windows(count):
    """Windows that are made when they are read, and the numbers of those that were."""
    made = []

    def make(number):
        made.append(number)
        label = "AB"[number // 3 % 2]
        return predicted(label=label, start=1.0 * number, end=number + 2.0, seconds=None)

    return Predictions(range(count), make), made


def test_a_sequence_like_any_other():
    items = Predictions(ITEMS)
    assert (len(items), items[1], items[-1]) == (5, ITEMS[1], ITEMS[-1])
    assert items == ITEMS
    assert items == tuple(ITEMS)
    assert items != ITEMS[:-1]
    assert items != ITEMS[::-1]
    assert items != "abcde"
    assert items[1:3] == ITEMS[1:3]
    assert isinstance(items[1:3], Predictions)
    assert items[:2] + items[2:] == ITEMS
    assert items[:2] + ITEMS[2:] == ITEMS
    assert ITEMS[3] in items
    assert list(reversed(items)) == ITEMS[::-1]
    assert not Predictions()
    assert Predictions(iter(ITEMS)) == ITEMS
    with pytest.raises(TypeError, match="unhashable"):
        hash(items)
    with pytest.raises(IndexError):
        _ = items[5]
    with pytest.raises(TypeError):
        _ = items + "abc"


def test_windows_are_made_when_they_are_read():
    items, made = windows(1_000_000)
    part = items[999_000::-3]
    assert made == []
    assert (len(part), part[0].start, part[-1].start) == (333_001, 999_000, 0)
    assert part[1:3] == [items[998_997], items[998_994]]
    with pytest.raises(IndexError):
        _ = part[333_001]


def test_a_long_recording_is_drawn_from_some_of_its_windows():
    items, made = windows(1_000_000)
    assert repr(items) == "<1,000,000 predictions>"
    page = words(items)
    assert len(made) < 5000
    assert "One of 1000 is drawn" in page
    assert "… and 999,980 more" in page


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (ITEMS[0], "Prediction('a.wav': Bell 90.0 %)"),
        (ITEMS[1], "Prediction('b.wav': unknown, most probably Flute 30.0 %)"),
        (ITEMS[2], "Prediction('c.wav': unknown, silence)"),
        (ITEMS[3], "Prediction('d.wav': not usable, the file is empty (0 bytes))"),
        (ITEMS[4], "Prediction('e.wav': no event)"),
        (predicted(start=1.5, end=4.25), "Prediction('a.wav', 1.50–4.25 s: Bell 90.0 %)"),
    ],
)
def test_repr_is_a_short_sentence(item, text):
    assert repr(item) == text


def test_repr_of_several_counts_the_answers():
    assert repr(Predictions()) == "<0 predictions>"
    assert repr(Predictions(ITEMS[:1])) == "<1 prediction: 1 Bell>"
    assert repr(Predictions([*ITEMS, ITEMS[0]])) == (
        "<6 predictions: 2 Bell, 2 unknown, 1 not usable, 1 without an event>"
    )
    many = Predictions(predicted(label=f"{number}" * 99) for number in range(9))
    assert len(repr(many)) < 300


def test_a_prediction_draws_itself():
    page = words(ITEMS[0])
    assert page.startswith("Bell accepted a.wav · 9.0 s long")
    assert rows(ITEMS[0]) == [["Bell", "", "90.0 %"], ["Flute", "", "5.0 %"]]
    bars = [item.get("style") for item in shown(ITEMS[0]).iterfind(".//b")]
    assert bars == ["width:90.0%", "width:5.0%"]


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (ITEMS[1], "unknown not accepted b.wav · 9.0 s long Flute is most probable, but 30.0 %"),
        (ITEMS[2], "unknown silence c.wav · 1.0 s long"),
        (ITEMS[3], "Could not be used the file is empty (0 bytes) d.wav"),
        (ITEMS[4], "No event was found e.wav · 2.0 s long"),
        (predicted(start=1.5, end=4.25), "Bell accepted a.wav · 1.50–4.25 s"),
        (
            predicted(start=3661.0, end=3670.0, seconds=7300.0),
            "a.wav · 1:01:01–1:01:10 · 2 h 1 min long",
        ),
        (
            predicted(path="", findings=(Finding("too-loud", "waveform", {"peak": 2.0}),)),
            "Bell accepted waveform · 9.0 s long",
        ),
    ],
)
def test_whatever_was_answered_is_said(item, text):
    assert text in words(item)
    assert all(warning in words(item) for warning in item.warnings)


def test_a_table_of_recordings():
    assert rows(Predictions(ITEMS)) == [
        ["a.wav", "Bell", "", "90.0 %", "Flute 5.0 %"],
        ["b.wav", "unknown", "", "30.0 %", "perhaps Flute"],
        ["c.wav", "unknown silence"],
        ["d.wav", "not usable the file is empty (0 bytes)"],
        ["e.wav", "no event"],
    ]
    assert shown(Predictions(ITEMS)).find(".//*[@role='img']") is None
    assert words(Predictions()) == "No predictions."
    assert len(rows(Predictions(ITEMS * 99))) == 20


def test_a_folder_that_all_share_is_named_once():
    items = Predictions([predicted("field/north/a.wav"), predicted("field/north/b/a.wav")])
    assert words(items).startswith("in field/north recording answer")
    assert [row[0] for row in rows(items)] == ["a.wav", "b/a.wav"]
    same = Predictions([predicted("field/north/a.wav")] * 2)
    assert [row[0] for row in rows(same)] == ["field/north/a.wav"] * 2
    apart = Predictions([predicted("/one/a.wav"), predicted("/two/a.wav")])
    assert [row[0] for row in rows(apart)] == ["/one/a.wav", "/two/a.wav"]


def test_a_timeline_joins_windows_that_say_the_same():
    items, _ = windows(6)
    line = shown(items).find(".//*[@role='img']")
    assert line.get("aria-label") == "Answers for a.wav over time."
    tracks = line.findall("span[@class='track']")
    assert [item.text for item in line.iterfind("span[@class='name']/bdi")] == ["A", "B"]
    # 0–4 s and 3–7 s of 7 s; the last window ends there.
    spans = [[mark.get("style").split(";opacity")[0] for mark in track] for track in tracks]
    assert spans == [["left:0.00%;width:57.14%"], ["left:42.86%;width:57.14%"]]
    assert tracks[0][0].get("title").replace("\xa0", " ") == "0.00 s to 4.00 s: A, 90.0 %"
    ticks = ["".join(item.itertext()) for item in line[-1]]
    assert [text.replace("\xa0", " ") for text in ticks] == [
        *("0 s", "2 s", "4 s", "6 s"),
    ]


def test_what_is_drawn_of_a_long_recording_stands_for_what_is_not():
    """Ten minutes of one class, ten of another, and so on, in windows that touch."""

    def make(number):
        label = "AB"[number // 600 % 2]
        return predicted(label=label, start=1.0 * number, end=number + 1.0, seconds=36_000.0)

    line = shown(Predictions(range(36_000), make)).find(".//*[@role='img']")
    tracks = line.findall("span[@class='track']")
    assert [len(track) for track in tracks] == [30, 30]
    wide = {mark.get("style").split(";")[1] for track in tracks for mark in track}
    # 600 s of 36,000 s, to 36 s.
    assert {float(text.removeprefix("width:").removesuffix("%")) for text in wide} <= {
        *(1.6, 1.7),
    }


def test_events_that_stand_alone_are_not_drawn_longer():
    def make(number):
        return predicted(start=10.0 * number, end=10.0 * number + 1, seconds=50_000.0)

    line = shown(Predictions(range(5000), make)).find(".//*[@role='img']")
    marks = line.findall("span[@class='track']/i")
    assert len(marks) == 1000
    assert {mark.get("style").split(";")[1] for mark in marks} == {"width:0.00%"}


def test_what_is_unknown_comes_last_and_hollow():
    items = Predictions(
        [
            predicted(accepted=False, start=0.0, end=1.0),
            predicted(start=1.0, end=2.0),
            predicted(label="Flute", start=300.0, end=301.0, seconds=600.0),
        ]
    )
    line = shown(items).find(".//*[@role='img']")
    names = [item.text for item in line.iterfind("span[@class='name']/bdi")]
    kinds = [item.get("class") for item in line if "track" in item.get("class")]
    assert (names, kinds) == (["Bell", "Flute", "unknown"], ["track", "track", "track other"])


def test_many_recordings_and_labels_stay_a_page():
    items = Predictions(
        predicted(f"{take}.wav", f"class {label}", start=1.0 * label, end=label + 1.0, seconds=50.0)
        for take in range(20)
        for label in range(40)
    )
    page = shown(items)
    lines = page.findall(".//*[@role='img']")
    assert len(lines) == 6
    assert [len(line.findall("span[@class='name']")) for line in lines] == [12] * 6
    assert lines[0].findall("span[@class='name']")[-1][0].text == "others"
    assert "… and 14 more recordings" in words(items)
    assert len(items._repr_html_()) < 100_000


def test_names_and_labels_are_never_markup():
    facts = dict.fromkeys(("label", "other", "other_label"), HOSTILE)
    odd = Finding("label-conflict", HOSTILE, facts)
    items = Predictions(
        [
            predicted(HOSTILE, HOSTILE, start=0.0, end=1.0, findings=(odd,)),
            Prediction(HOSTILE, error=HOSTILE),
            predicted(HOSTILE * 9, HOSTILE * 9, accepted=False),
        ]
    )
    for thing in (*items, items):
        page = thing._repr_html_()
        assert "<script" not in page
        assert "alert('x')" in words(thing)
        assert repr(thing).isprintable()


def test_times_that_make_no_sense_are_drawn_all_the_same():
    times = [(5.0, 2.0), (-1.0, 99.0), (0.0, 0.0)]
    items = Predictions(predicted(start=start, end=end) for start, end in times)
    assert shown(items).find(".//*[@role='img']") is not None
    assert shown(Predictions([predicted(start=0.0, end=0.0, seconds=0.0)])) is not None
