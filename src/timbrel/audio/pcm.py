"""Raw PCM: samples without a header, as programs pipe them to each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from timbrel.errors import InvalidArgument

# NumPy's type, what its full scale is, and libsndfile's name, of each format.
_FORMATS = {"s16le": ("<i2", 2.0**15, "PCM_16"), "f32le": ("<f4", 1.0, "FLOAT")}
PCM_FORMATS = tuple(_FORMATS)


@dataclass(frozen=True)
class Pcm:
    """What the bytes of raw PCM are.

    Attributes:
        rate: sample rate in Hz.
        form: "s16le" (16-bit integers) or "f32le" (32-bit floats), little-endian both.
        channels: samples of so many channels take turns.

    Raises:
        InvalidArgument: a number is below 1, or there is no such format.
    """

    rate: int
    form: str = "s16le"
    channels: int = 1

    def __post_init__(self) -> None:
        if self.rate < 1:
            raise InvalidArgument(f"`pcm_rate` must be at least 1 Hz. Got {self.rate}.")
        if self.channels < 1:
            raise InvalidArgument(f"`pcm_channels` must be at least 1. Got {self.channels}.")
        if self.form not in _FORMATS:
            raise InvalidArgument(
                f"`pcm_format` must be one of {', '.join(PCM_FORMATS)}. Got '{self.form}'."
            )

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of all channels."""
        return np.dtype(_FORMATS[self.form][0]).itemsize * self.channels

    @property
    def settings(self) -> dict:
        """What soundfile wants to be told of a file of this."""
        return {
            "samplerate": self.rate,
            "channels": self.channels,
            "format": "RAW",
            "subtype": _FORMATS[self.form][2],
            "endian": "LITTLE",
        }

    def samples(self, content: bytes) -> np.ndarray:
        """Whole frames of bytes as float32 `(n, channels)`, full scale 1."""
        kind, scale, _ = _FORMATS[self.form]
        return (np.frombuffer(content, dtype=kind) / np.float32(scale)).reshape(-1, self.channels)
