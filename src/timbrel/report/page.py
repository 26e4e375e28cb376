"""The page of a trained model or of a cross-validation: its score and its mistakes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from timbrel import text
from timbrel.audio.player import player_uri
from timbrel.errors import MissingExtra
from timbrel.features.spectrum import area_filters, htk_mel
from timbrel.files import replacing, write_text
from timbrel.report.charts import (
    Axis,
    Plot,
    confusion_matrix,
    learning_plot,
    reliability_plots,
    time_axis,
    training_curves,
)
from timbrel.report.pictures import heat_uri
from timbrel.report.view import ScoreView
from timbrel.text import duration, frequency

try:
    import jinja2
except ModuleNotFoundError as error:
    raise MissingExtra.of("train", "Drawing pictures") from error

# More players make a page too large to send.
MISTAKES = 12
PLAYER_SECONDS = 5.0

_COLUMNS = 320
_BANDS = 80
_FRAME_SECONDS = 0.04
_DECIBELS = 70
# Fewer shades than a palette holds make the picture a third smaller, with no visible difference.
_SHADES = 48
_LOWEST_HERTZ = 40.0


@dataclass(frozen=True)
class Mistake:
    """A recording that the model got wrong.

    Attributes:
        path: the recording.
        label: its class.
        predicted: the answer of the model.
        probability: of that answer, 0 to 1.
        uri: its sound as a `data:` URI, or None.
        plot: the spectrogram of that sound, or None.
        part: the part of the recording that is shown, as text; empty where it is the whole.
    """

    path: str
    label: str
    predicted: str
    probability: float
    uri: str | None = None
    plot: Plot | None = None
    part: str = ""


def surest_mistakes(predictions: Sequence[Mapping], most: int = MISTAKES) -> list[Mapping]:
    """Return the wrong predictions that were given with the most confidence, the surest first.

    Args:
        predictions: rows of `evaluation.json`'s `predictions`. Of a recording that was predicted
            more than once, the surest mistake is taken.
        most: how many at most.
    """
    wrong = [row for row in predictions if row["predicted"] != row["label"]]
    wrong.sort(key=lambda row: -max(row["probabilities"]))
    first: dict[str, Mapping] = {}
    for row in wrong:
        first.setdefault(row["path"], row)
    return list(first.values())[:most]


def mistake(prediction: Mapping, waveform: np.ndarray, rate: int) -> Mistake:
    """Make the player and the spectrogram of a mistake.

    Of a recording longer than `PLAYER_SECONDS`, both show the stretch of that length with the most
    energy: a recording may begin with silence.

    Args:
        prediction: a row of `evaluation.json`'s `predictions`.
        waveform: float `(samples,)`, the whole recording, mono, at least one sample.
        rate: its sample rate in Hz.
    """
    samples = round(PLAYER_SECONDS * rate)
    start, part = 0, ""
    if len(waveform) > samples:
        energy = np.concatenate([[0.0], np.cumsum(np.square(waveform, dtype=np.float64))])
        inside = energy[samples:] - energy[:-samples]
        # A little less energy much earlier is better: the sound then plays from its beginning.
        start = int(np.argmax(inside >= 0.99 * inside.max()))
        begins, ends = start / rate, (start + samples) / rate
        first = "the first" if begins < 0.05 else f"{begins:.1f} to"
        part = f"{first} {ends:.1f} of {len(waveform) / rate:.1f}\u00a0s"
    sound = waveform[start : start + samples]
    low, high = (float(htk_mel(hertz)) for hertz in (_LOWEST_HERTZ, rate / 2))
    ticks = [
        (float(htk_mel(hertz)), f"{hertz:,}")
        for hertz in (200, 1000, 3000, 8000, 16000)
        if htk_mel(hertz) < low + 0.93 * (high - low)
    ]
    seconds = len(sound) / rate
    return Mistake(
        path=prediction["path"],
        label=prediction["label"],
        predicted=prediction["predicted"],
        probability=max(prediction["probabilities"]),
        uri=player_uri(sound, rate),
        plot=Plot(
            alt=f"Spectrogram of {prediction['path']}: {duration(seconds)}, "
            f"up to {frequency(rate / 2)}.",
            x=time_axis(seconds),
            y=Axis("Frequency (Hz)", low, high, ticks),
            image=spectrogram_uri(sound, rate),
            height=110,
        ),
        part=part,
    )


def spectrogram_uri(waveform: np.ndarray, rate: int) -> str:
    """Draw the mel spectrogram of a waveform as a PNG in a `data:` URI, 320 × 80 pixels at most.

    It shows all frequencies of the waveform; the input of a network comes from the layers of
    `timbrel.features` instead.

    Args:
        waveform: float `(samples,)`, at least one sample.
        rate: sample rate in Hz.
    """
    frame = max(round(_FRAME_SECONDS * rate), 1)
    # Padded to twice its length, so that even the narrowest bands lie on bins.
    nfft = 1 << (2 * frame - 1).bit_length()
    columns = min(_COLUMNS, 1 + len(waveform) * 4 // frame)
    # Every column shows its own share of the time, so that picture and player end together.
    middles = ((np.arange(columns) + 0.5) * len(waveform) / columns).astype(np.int64)
    padded = np.pad(waveform.astype(np.float64), (frame // 2, frame))
    frames = padded[middles[:, None] + np.arange(frame)] * np.hanning(frame + 2)[1:-1]
    power = np.abs(np.fft.rfft(frames, nfft)) ** 2
    filters = area_filters(_BANDS, nfft=nfft, rate=rate, low=_LOWEST_HERTZ, high=rate / 2)
    decibels = 10 * np.log10(np.maximum(filters @ power.T, 1e-20))
    # Digital silence is dark.
    top = max(float(decibels.max()), -100.0)
    shades = np.floor((decibels - top + _DECIBELS) / _DECIBELS * _SHADES) / _SHADES
    return heat_uri(shades, 0.0, 1.0)


@cache
def templates() -> jinja2.Environment:
    """Return the templates of this package, which escape all values."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("timbrel.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = "percent number count times duration frequency channels plural"
    environment.filters |= {name: getattr(text, name) for name in names.split()}
    return environment


def confusion_svg(labels: Sequence[str], matrix: Sequence[Sequence[float]]) -> str:
    """Return a confusion matrix as SVG in a `div`; takes what `confusion_matrix` takes."""
    charts = templates().get_template("charts.html.j2").module
    return str(charts.confusion(confusion_matrix(labels, matrix)))


def write_report(
    path: str | os.PathLike,
    *,
    evaluation: Mapping,
    history: Sequence[Mapping],
    model: Mapping,
    players: Sequence[Mistake],
) -> None:
    """Write the report of a model or of a cross-validation, one page that needs no other file.

    Args:
        path: the HTML file.
        evaluation: the content of `evaluation.json`, as `ScoreView` takes it.
        history: one mapping an epoch with `epoch`, `loss`, `acc`, `val_loss`, `val_acc`; may be
            empty.
        model: the content of `model.json`; empty for a cross-validation.
        players: mistakes to look at and listen to, from `mistake`. The twelve that the
            model was surest of are shown.

    Raises:
        OutputError: the file cannot be written.
        MissingExtra: matplotlib or Jinja2 is not installed.
    """
    view = ScoreView(evaluation, model)
    values = {
        "view": view,
        "matrix": confusion_matrix(view.labels, view.matrix) if view.answers else None,
        "mistakes": sorted(players, key=lambda item: -item.probability)[:MISTAKES],
        "reliability_plots": view.reliability_bins and reliability_plots(view.reliability_bins),
        "learning_plot": learning_plot(view.learning) if view.learning else None,
        "curves": training_curves(history) if history else [],
    }
    with replacing(path) as temporary:
        write_text(temporary, templates().get_template("report.html.j2").render(values))
