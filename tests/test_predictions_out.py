"""A prediction's fields are the same in every format, and each row is whole when it is written."""

import csv
import io
import json

import pytest

from timbrel.errors import InvalidArgument
from timbrel.inference.prediction import UNKNOWN, Prediction
from timbrel.inference.writers import write_predictions

FORMATS = ("csv", "jsonl")

KEYS = [
    "path",
    "start",
    "end",
    "label",
    "predicted",
    "probability",
    "accepted",
    "top",
    "seconds",
    "error",
]

SURE = Prediction(
    path="a/b.wav",
    label="Flute",
    predicted="Flute",
    probability=0.75,
    accepted=True,
    top=(("Flute", 0.75), ("Oboe", 0.25)),
    seconds=1.5,
)
UNSURE = Prediction(
    path="c.wav",
    label=UNKNOWN,
    predicted="Oboe",
    probability=1 / 3,
    accepted=False,
    top=(("Oboe", 1 / 3),),
    seconds=2.0,
    start=0.1,
    end=0.2,
)
SILENT = Prediction(path="d.wav", label=UNKNOWN, accepted=False, seconds=0.5)
BROKEN = Prediction(path="e.wav", error="it cannot be read")
ALL = [SURE, UNSURE, SILENT, BROKEN]


def written(predictions, **how):
    stream = io.StringIO(newline="")
    write_predictions(predictions, stream, **how)
    return stream.getvalue()


# CSV


def test_a_row_a_file():
    assert written(ALL, form="csv") == (
        "path,label,predicted,probability,accepted,seconds,error\n"
        "a/b.wav,Flute,Flute,0.750000,true,1.500000,\n"
        "c.wav,unknown,Oboe,0.333333,false,2.000000,\n"
        "d.wav,unknown,,,false,0.500000,\n"
        "e.wav,,,,,,it cannot be read\n"
    )


def test_a_row_a_window():
    assert written(ALL[1:], form="csv", level="window") == (
        "path,start,end,label,predicted,probability,accepted,seconds,error\n"
        "c.wav,0.100000,0.200000,unknown,Oboe,0.333333,false,2.000000,\n"
        "d.wav,,,unknown,,,false,0.500000,\n"
        "e.wav,,,,,,,,it cannot be read\n"
    )


def test_without_predictions_there_is_a_header():
    assert written([], form="csv").count("\n") == 1


@pytest.mark.parametrize(
    "text",
    ["a,b", 'a"b', "a;b", "a b", "Größe", "太鼓", "a\nb", "a\r\nb", "a\rb", " a ", "#a", "NA", "0"],
)
def test_every_text_survives_csv(text):
    predictions = [
        Prediction(path=text, label=text, predicted=text, error=text),
        Prediction(path="next.wav"),
    ]
    rows = list(csv.DictReader(io.StringIO(written(predictions, form="csv"), newline="")))
    assert [rows[0][name] for name in ("path", "label", "predicted", "error")] == [text] * 4
    assert rows[1]["path"] == "next.wav"
    assert len(rows) == 2


# JSON lines


def test_a_line_a_prediction_with_every_key():
    lines = written(ALL, form="jsonl").splitlines()
    rows = [json.loads(line) for line in lines]
    assert [list(row) for row in rows] == [KEYS] * 4
    assert rows == [prediction.to_dict() for prediction in ALL]


def test_what_is_empty_is_null():
    empty = dict.fromkeys(KEYS)
    assert SILENT.to_dict() == empty | {
        "path": "d.wav",
        "label": "unknown",
        "accepted": False,
        "seconds": 0.5,
    }
    assert BROKEN.to_dict() == empty | {"path": "e.wav", "error": "it cannot be read"}


def test_the_most_probable_classes_are_a_list_in_their_order():
    assert SURE.to_dict()["top"] == [
        {"label": "Flute", "probability": 0.75},
        {"label": "Oboe", "probability": 0.25},
    ]


def test_numbers_are_not_rounded_in_json():
    row = json.loads(written([UNSURE], form="jsonl"))
    assert row["probability"] == 1 / 3
    assert (row["start"], row["end"]) == (0.1, 0.2)


@pytest.mark.parametrize("text", ['a"b', "Größe", "太鼓", "a\nb", "a\\b", "\u2028"])
def test_every_text_survives_json_on_one_line(text):
    content = written([Prediction(path=text, label=text), SURE], form="jsonl")
    assert content.count("\n") == 2
    first, second, _ = content.split("\n")
    assert json.loads(first)["path"] == json.loads(first)["label"] == text
    assert json.loads(second) == SURE.to_dict()


def test_letters_are_written_as_they_are():
    assert "太鼓" in written([Prediction(path="太鼓.wav")], form="jsonl")


@pytest.mark.parametrize("level", ["file", "window"])
def test_json_is_the_same_at_every_level(level):
    assert written(ALL, form="jsonl", level=level) == written(ALL, form="jsonl")


# Both


@pytest.mark.parametrize("form", FORMATS)
def test_a_reader_sees_each_prediction_before_the_next_is_made(form):
    class Stream(io.StringIO):
        seen = ""

        def flush(self):
            self.seen = self.getvalue()

    stream = Stream()

    def predictions():
        for number in range(3):
            if number:
                assert f"{number - 1}.wav" in stream.seen
                assert stream.seen.endswith("\n")
            yield Prediction(path=f"{number}.wav")

    write_predictions(predictions(), stream, form=form)
    assert "2.wav" in stream.seen


@pytest.mark.parametrize("form", FORMATS)
def test_both_formats_say_the_same(form):
    content = written(ALL, form=form)
    if form == "csv":
        rows = list(csv.DictReader(io.StringIO(content)))
        said = [(row["path"], row["label"], row["accepted"], row["error"]) for row in rows]
    else:
        rows = [json.loads(line) for line in content.splitlines()]
        truth = {True: "true", False: "false", None: ""}
        said = [
            (row["path"], row["label"] or "", truth[row["accepted"]], row["error"] or "")
            for row in rows
        ]
    assert said == [
        ("a/b.wav", "Flute", "true", ""),
        ("c.wav", "unknown", "false", ""),
        ("d.wav", "unknown", "false", ""),
        ("e.wav", "", "", "it cannot be read"),
    ]


def test_no_other_format_is_written_so():
    with pytest.raises(InvalidArgument, match="`form` must be one of csv, jsonl. Got 'raven'."):
        written(ALL, form="raven")
