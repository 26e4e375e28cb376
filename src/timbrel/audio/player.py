"""Show a waveform in a page or a notebook: a picture, and a player that needs no other file."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import soundfile

from timbrel.audio.samples import resample
from timbrel.display.html import block, note, sentences, text
from timbrel.text import duration, percent

# The rates of MPEG-1, 2 and 2.5 layer III.
_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)

# libsndfile's scale from 0 (best) to 1 (smallest); measured: 50 kbit/s on music at 44.1 kHz, and
# 67 kbit/s at most, on white noise at 48 kHz.
_COMPRESSION = 0.5


def player_uri(waveform: np.ndarray, rate: int) -> str:
    """Encode a waveform as MP3, which every browser plays, in a `data:` URI.

    Where this libsndfile writes no MP3, the sound is a 16-bit WAV, about ten times as large.

    Args:
        waveform: float `(samples,)`, mono; clipped to [−1, 1].
        rate: sample rate in Hz.
    """
    # The lowest rate that keeps all of the sound.
    wanted = next((possible for possible in _RATES if possible >= rate), _RATES[-1])
    sound = np.clip(resample(waveform, rate, wanted), -1.0, 1.0)
    buffer = io.BytesIO()
    if "MP3" in soundfile.available_formats():
        soundfile.write(
            buffer,
            sound,
            wanted,
            format="MP3",
            subtype="MPEG_LAYER_III",
            compression_level=_COMPRESSION,
            bitrate_mode="VARIABLE",
        )
        kind = "audio/mpeg"
    else:
        soundfile.write(buffer, sound, wanted, format="WAV", subtype="PCM_16")
        kind = "audio/wav"
    return f"data:{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


# The picture in units of its canvas, and columns in it.
_WIDTH, _HEIGHT = 640, 96
_COLUMNS = 320
# Seconds that can be played: about 80 kB of a notebook.
_PLAYED = 10.0


def waveform_html(
    waveform: np.ndarray, rate: int, *, facts: str, warnings: Sequence[str] = ()
) -> str:
    """Draw a waveform by its lowest and highest samples, over a player of its first 10 s.

    Args:
        waveform: float `(samples,)`, nominally in [−1, 1].
        rate: sample rate in Hz.
        facts: the text under it.
        warnings: sentences about it.
    """
    samples = np.nan_to_num(waveform, nan=0.0, posinf=1.0, neginf=-1.0)
    peak = float(np.abs(samples).max(initial=0.0))
    seconds = len(samples) / rate
    played = samples[: int(_PLAYED * rate)]
    notes = [f"loudest sample at {percent(peak, 0)} of full scale"]
    if len(played) < len(samples):
        notes.append(f"the first {duration(_PLAYED)} can be played")
    player = ""
    if len(played):
        uri = player_uri(played, rate)
        player = (
            f'<audio controls="" preload="metadata" src="{uri}" aria-label="the recording"></audio>'
        )

    # A bar from the lowest to the highest sample of each column; the peak fills the height.
    columns = min(_COLUMNS, max(len(samples), 1))
    edges = np.linspace(0, len(samples), columns + 1).astype(np.int64)
    scale = (_HEIGHT / 2 - 2) / max(peak, 1e-9)
    width, middle = _WIDTH / columns, _HEIGHT / 2
    bars = []
    for number, (first, last) in enumerate(pairwise(edges)):
        part = samples[first:last] if last > first else np.zeros(1)
        top, bottom = (middle - scale * float(value) for value in (part.max(), part.min()))
        bars.append(
            f"M{number * width:.1f} {top - 0.4:.1f}h{width:.1f}V{bottom + 0.4:.1f}h-{width:.1f}z"
        )
    label = text(f"Waveform of {duration(seconds)}.")
    picture = (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">'
        f'<path fill="#3389cf" d="{"".join(bars)}"/>'
        f'<path stroke="currentColor" stroke-opacity=".3" d="M0 {middle}H{_WIDTH}"/></svg>'
    )
    return block(picture, player, note(text(facts), *notes), sentences(warnings))
