"""Waveforms as sound that a page can play without asking anyone for a file."""

from __future__ import annotations

import base64
import io

import numpy as np
import soundfile

from timbrel.audio.samples import resample

# The rates of MPEG-1, 2 and 2.5 layer III.
RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)

# libsndfile's scale from 0 (best) to 1 (smallest); measured: 50 kbit/s on music at 44.1 kHz, and
# 67 kbit/s at most, on white noise at 48 kHz.
_COMPRESSION = 0.5


def playable_rate(rate: int) -> int:
    """Return the lowest rate in Hz of an MP3 that keeps all of a sound of `rate` Hz."""
    return next((possible for possible in RATES if possible >= rate), RATES[-1])


def player_uri(waveform: np.ndarray, rate: int) -> str:
    """Encode a waveform as MP3, which every browser plays, in a `data:` URI.

    Where this libsndfile writes no MP3, the sound is a 16-bit WAV, about ten times as large.

    Args:
        waveform: float `(samples,)`, mono; what exceeds [−1, 1] is clipped.
        rate: sample rate in Hz.
    """
    wanted = playable_rate(rate)
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
