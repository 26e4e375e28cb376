"""All that `check` wants to know of a recording, found out in the process that decodes it.

Of a short recording this is some thousand steps of Python, which threads of one process would wait
for each other to take.
"""

from __future__ import annotations

import importlib.util
from dataclasses import asdict, dataclass, fields
from functools import cache

import numpy as np

from timbrel.audio.decode import Decoded, whole
from timbrel.audio.isolated import IsolatedDecoder
from timbrel.audio.levels import Levels, measure_levels
from timbrel.audio.reading import Reading
from timbrel.audio.samples import resample
from timbrel.audio.windows import Windowing, keep
from timbrel.dataset.duplicates import Fingerprint, fingerprint
from timbrel.dataset.recording import Recording

COMPARED_AT = 16_000
"""Sample rate in Hz at which recordings are compared and judged, whatever the recipe hears at."""


@dataclass(frozen=True)
class Heard:
    """What was heard of a recording that can be read.

    Attributes:
        seconds: length as read.
        rate: sample rate of the file in Hz.
        channels: channels in the file.
        levels: peak, level, offset and clipped samples, at the rate of the file.
        kept: seconds that cleaning keeps; 0 where it keeps nothing.
        warnings: what decoding noticed.
    """

    seconds: float
    rate: int
    channels: int
    levels: Levels
    kept: float
    warnings: tuple[str, ...] = ()

    @property
    def silent(self) -> bool:
        """Whether every sample is zero."""
        return self.levels.peak == 0.0


@dataclass(frozen=True)
class Description:
    """What is kept of a recording after its waveform is gone.

    Attributes:
        heard: length, format and levels.
        fingerprint: to find its copies; None where there is nothing to recognise.
        statistics: float32 `(d,)` of `timbrel.features.statistics.file_statistics`; None where
            SciPy is not installed.
    """

    heard: Heard
    fingerprint: Fingerprint | None
    statistics: np.ndarray | None


def hear(item: Recording, windowing: Windowing, decoder: IsolatedDecoder) -> Description:
    """Have a recording decoded and described by another process.

    Args:
        item: the recording.
        windowing: the recipe's.
        decoder: asks the other process.

    Raises:
        AudioError: it cannot be read.
        DecoderError: the process cannot be started.
    """
    facts, arrays = decoder.describe(
        item.file,
        # At its own rate: resampling rounds off what clipping left.
        None,
        start=item.start,
        end=item.end,
        name=item.name,
        by=(__name__, "describe", asdict(windowing)),
    )
    levels, warnings = Levels(**facts["levels"]), tuple(facts["warnings"])
    statistics = arrays.pop("statistics", None)
    digest = facts.pop("digest")
    return Description(
        heard=Heard(**facts | {"levels": levels, "warnings": warnings}),
        fingerprint=Fingerprint(digest, **arrays) if arrays else None,
        statistics=statistics,
    )


def describe(reading: Reading, **windowing: float | None) -> tuple[dict, dict[str, np.ndarray]]:
    """Take from a recording what `hear` makes a `Description` of.

    Args:
        reading: the recording at the rate of its file.
        windowing: the fields of a `Windowing`.

    Returns:
        Facts as JSON data, and arrays.
    """
    decoded = whole(reading)
    wanted = Windowing(**windowing)
    facts = {
        "seconds": decoded.seconds,
        "rate": decoded.source_rate,
        "channels": decoded.channels,
        "levels": asdict(measure_levels(decoded.waveform, decoded.source_rate)),
        "kept": _kept(decoded, wanted),
        "warnings": decoded.warnings,
        "digest": None,
    }
    arrays = {}
    waveform = resample(decoded.waveform, decoded.source_rate, COMPARED_AT)
    found = fingerprint(waveform, COMPARED_AT)
    if found is not None:
        facts["digest"] = found.digest
        arrays = {item.name: getattr(found, item.name) for item in fields(found)[1:]}
    if _has_scipy():
        from timbrel.features.statistics import file_statistics

        arrays["statistics"] = file_statistics(waveform, COMPARED_AT)
    return facts, arrays


def _kept(decoded: Decoded, windowing: Windowing) -> float:
    """Seconds that cleaning keeps; 0 where it keeps nothing."""
    if windowing.clean_threshold is None:
        return decoded.seconds
    waveform = resample(decoded.waveform, decoded.source_rate, windowing.rate)
    cleaned, left = keep(waveform, windowing)
    return len(cleaned.waveform) / windowing.rate if left else 0.0


@cache
def _has_scipy() -> bool:
    return importlib.util.find_spec("scipy") is not None
