"""The CSV of a known data set: what its recordings are, by their names or by another table."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence

from timbrel.dataset.known import KnownData

# FSDKaggle2018 lists all its recordings in this one; the instruments are among them.
COLLECTION_TABLE = "train_post_competition.csv"

# ESC-50 names its recordings FOLD-CLIP-TAKE-TARGET.wav; these are its targets, from 0.
ESC50_CLASSES = (
    *("dog", "rooster", "pig", "cow", "frog", "cat", "hen", "insects", "sheep", "crow"),
    *("rain", "sea_waves", "crackling_fire", "crickets", "chirping_birds", "water_drops"),
    *("wind", "pouring_water", "toilet_flush", "thunderstorm", "crying_baby", "sneezing"),
    *("clapping", "breathing", "coughing", "footsteps", "laughing", "brushing_teeth", "snoring"),
    *("drinking_sipping", "door_wood_knock", "mouse_click", "keyboard_typing"),
    *("door_wood_creaks", "can_opening", "washing_machine", "vacuum_cleaner", "clock_alarm"),
    *("clock_tick", "glass_breaking", "helicopter", "chainsaw", "siren", "car_horn", "engine"),
    *("train", "church_bells", "airplane", "fireworks", "hand_saw"),
)


def make_labels(known: KnownData, paths: Iterable[str]) -> bytes:
    """The CSV of a data set whose names say what its recordings are.

    Args:
        known: the data set.
        paths: of its recordings, in the order of the rows.
    """
    header, row = _ROWS[known.name]
    return _csv([header, *((path, *row(_stem(path))) for path in paths)])


def pick_labels(table: bytes, names: Sequence[str]) -> bytes | None:
    """The CSV of some recordings of a larger collection: `fname` and `label` of each.

    Args:
        table: CSV of the collection, in UTF-8, with these columns among others.
        names: of the recordings, in the order of the rows.

    Returns:
        None where the table is no such table or lacks a recording.
    """
    try:
        rows = csv.DictReader(io.StringIO(table.decode("utf-8-sig"), newline=""), strict=True)
        labels = {row.get("fname"): row.get("label") for row in rows}
    except (UnicodeDecodeError, csv.Error):
        return None
    picked = [(name, labels.get(name)) for name in names]
    if any(label is None for _, label in picked):
        return None
    return _csv([("fname", "label"), *picked])


def _digit(stem: str) -> tuple[str, ...]:
    digit, speaker, _ = stem.split("_")
    return digit, speaker


def _environmental(stem: str) -> tuple[str, ...]:
    fold, clip, _, target = stem.split("-")
    # Takes of one clip are parts of one recording.
    return ESC50_CLASSES[int(target)], clip, fold


_ROWS: dict[str, tuple[tuple[str, ...], Callable[[str], tuple[str, ...]]]] = {
    "digits": (("path", "label", "group"), _digit),
    "esc50": (("path", "label", "group", "fold"), _environmental),
}


def _stem(path: str) -> str:
    return path.rpartition("/")[2].rpartition(".")[0]


def _csv(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
