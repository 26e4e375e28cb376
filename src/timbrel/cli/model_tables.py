"""What `timbrel info` prints of a model: names to the left, sentences to the right."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from timbrel.cli.tables import unknown_text
from timbrel.evaluation.sanity import sanity_text
from timbrel.wording import counted, harmless, one_line

if TYPE_CHECKING:
    from timbrel.workflows.info import ModelInfo

_UNSAID = "it does not say"
# Width of the names, so that the tables stand in line.
_NAMES = 13
# How a figure and the ends of its interval are written.
_SHARE, _FIGURE = (".1%", ".0%"), (".3f", ".2f")


def about_table(found: ModelInfo) -> Table:
    """What the model is."""
    recipe = ": ".join(filter(None, (found.recipe["name"], found.recipe["description"])))
    return _table(
        found.model,
        [
            ("recipe", recipe or _UNSAID),
            ("classes", _classes(found)),
            ("hears", _front_end(found.front_end)),
            ("network", _network(found.network)),
            ("model.onnx", f"{found.bytes / 1e6:.1f} MB, all that predicting needs"),
        ],
    )


def score_table(found: ModelInfo) -> Table:
    """How good it is, and what to make of its answers."""
    scores = found.scores or {}
    held_out, sanity = scores.get("held_out_files"), found.sanity
    some = isinstance(held_out, int) and held_out > 0
    heard = "each by a network that never heard it" if found.folds > 1 else "which it never heard"
    scored = f"{counted(held_out, 'recording')}, {heard}" if some else "nothing"
    return _table(
        "Honest scores",
        [
            ("scored on", scored),
            ("files right", _score(scores.get("file"), "accuracy", _SHARE)),
            ("windows right", _score(scores.get("window"), "accuracy", _SHARE)),
            ("macro F1", _score(scores.get("file"), "macro_f1", _FIGURE)),
            ("confidence", _confidence(found)),
            ("threshold", _threshold(found.threshold, found.accept)),
            ("unknown", _unknown(scores.get("unknown"))),
            ("sanity", sanity_text(sanity).removeprefix("Sanity: ") if sanity else None),
            *(("note", note) for note in found.notes),
        ],
    )


def origin_table(found: ModelInfo) -> Table:
    """Where it comes from."""
    facts = found.provenance
    data, parity = facts["data"] or {}, facts["parity"] or {}
    versions = ", ".join(f"{name} {text}" for name, text in (facts["versions"] or {}).items())
    agreement, learned = parity.get("max_difference"), facts["trained_on"]
    return _table(
        "Where it comes from",
        [
            ("data", _data(data)),
            ("trained on", learned if learned is None else f"{learned:,} different files"),
            ("SHA-256", data.get("sha256")),
            ("seed", facts["seed"]),
            ("trained in", facts["trained_in"]),
            (
                "export",
                f"agrees with Keras to {agreement:.1e} in probability"
                if _is_number(agreement)
                else None,
            ),
            ("made with", versions or _UNSAID),
            ("schema", facts["schema"]),
        ],
    )


def _table(title: str, rows: Iterable[tuple[str, object]]) -> Table:
    """Rows of which something is known."""
    table = Table(
        title=Text(one_line(title)),
        title_justify="left",
        title_style="bold",
        box=None,
        show_header=False,
        padding=(0, 2),
    )
    table.add_column(no_wrap=True, style="dim", min_width=_NAMES)
    table.add_column(overflow="fold")
    for name, text in rows:
        if text is not None:
            table.add_row(name, Text(harmless(str(text))))
    return table


def _classes(found: ModelInfo) -> str:
    """The classes, each with its number of recordings where that is known."""
    counts = found.class_counts or {}
    sizes = [counts.get(label) for label in found.labels]
    named = [
        label if size is None else f"{label} ({size:,})"
        for label, size in zip(found.labels, sizes, strict=True)
    ]
    what = "" if None in sizes else ", each with its number of recordings"
    return f"{len(named)}{what}: {one_line(', '.join(named))}"


def _front_end(front_end: dict) -> str:
    """From a recording to the answer for it."""
    threshold, depth = front_end["clean_threshold"], front_end["depth"]
    mean = f"the answer for a recording is the {front_end['aggregation']} over its windows"
    if depth is not None:
        mean += f", but for those {depth:g} dB fainter than the loudest"
    return "; ".join(
        [
            f"{front_end['picture'] or ''} picture of {front_end['window']:.3g} s at ".lstrip()
            + f"{front_end['rate']:,} Hz, every {front_end['hop']:.3g} s",
            "nothing is cut away"
            if threshold is None
            else f"only where the envelope exceeds {threshold:g} of full scale",
            mean,
        ]
    )


def _network(network: dict) -> str:
    parameters = network["parameters"]
    parts = [
        f"{parameters:,} parameters" if parameters else None,
        f"an embedding of {network['embedding']:,} numbers",
    ]
    return ", ".join(filter(None, parts))


def _score(part: object, name: str, form: tuple[str, str]) -> str | None:
    """A figure and its 95 % interval, each in its format."""
    if not isinstance(part, dict) or not _is_number(part.get(name)):
        return None
    spans = part.get("ci95")
    span = spans.get(name) if isinstance(spans, dict) else None
    text = format(part[name], form[0])
    if isinstance(span, list) and len(span) == 2 and all(map(_is_number, span)):
        low, high = (format(edge, form[1]) for edge in span)
        text += f" (95 % interval {low} to {high})"
    return text


def _confidence(found: ModelInfo) -> str | None:
    """How far it can be believed, and what was done about it."""
    cooled = found.temperature and f"temperature {found.temperature:.3g}"
    figures = (found.scores or {}).get("calibration")
    keys = ("ece_after", "ece_before", "ece_expected")
    if not isinstance(figures, dict) or not all(_is_number(figures.get(key)) for key in keys):
        return cooled
    after, before, expected = (figures[key] for key in keys)
    text = (
        f"off by {after:.1%} on average ({before:.1%} before calibration; a perfectly calibrated "
        f"model would show {expected:.1%})"
    )
    return f"{text}; {cooled}" if cooled else text


def _threshold(threshold: float, accept: float) -> str:
    if not threshold:
        return "0: every answer is accepted, none is 'unknown'"
    return (
        f"below a probability of {threshold:.3f} the answer is 'unknown'; {accept:.0%} of the "
        "right answers on recordings kept apart for this reach it"
    )


def _unknown(figures: object) -> str | None:
    """How sounds of no class fare."""
    if not isinstance(figures, dict) or not isinstance(figures.get("ci95"), dict):
        return None
    known = all(_is_number(figures.get(key)) for key in ("auroc", "accept_rate", "threshold"))
    return unknown_text(figures) if known else None


def _data(data: dict) -> str | None:
    """How much there was, recordings that were held out included."""
    sizes = [
        f"{data[key]:,.0f} {unit}"
        for key, unit in (("files", "recordings"), ("groups", "groups"), ("seconds", "seconds"))
        if _is_number(data.get(key))
    ]
    return ", ".join(sizes) or None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)
