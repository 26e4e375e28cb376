"""What a finished model says of recordings, and which of them it knows from its training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from timbrel.audio.isolated import IsolatedDecoder
from timbrel.dataset.duplicates import Fingerprint, fingerprint, samples_sha256
from timbrel.dataset.recording import Problem, Recording
from timbrel.errors import AudioError
from timbrel.inference.hearing import Waveform, hear
from timbrel.inference.predictor import Predictor
from timbrel.parallel import in_order
from timbrel.wording import first_names


@dataclass
class Asked:
    """What one model says of recordings, in their order.

    Attributes:
        windows: float32 `(windows, classes)` of each, calibrated probabilities; no window where it
            cannot be used.
        sounds: `samples_sha256` of each at the sample rate of the model; empty where it cannot be
            used.
        prints: their fingerprints, if asked for; None where there is none.
        problems: recordings that cannot be used.
    """

    windows: list[np.ndarray] = field(default_factory=list)
    sounds: list[str] = field(default_factory=list)
    prints: list[Fingerprint | None] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


# Probabilities, digest and fingerprint, or what is wrong.
_Answer = Problem | tuple[np.ndarray, str, Fingerprint | None]


def ask(
    predictor: Predictor,
    recordings: Sequence[Recording],
    tell: Callable[[int, int], None],
    *,
    prints: bool,
) -> Asked:
    """Decode recordings and ask a model about all windows of each.

    Args:
        predictor: the model.
        recordings: what to ask about.
        tell: called with what is done of how much.
        prints: whether to fingerprint them as well.

    Raises:
        DecoderError: the processes that decode cannot be started.
    """
    asked = Asked()
    nothing = np.empty((0, len(predictor.labels)), dtype=np.float32)
    with IsolatedDecoder() as decoder:
        answers = in_order(
            lambda item: _ask_one(predictor, item, decoder, prints=prints),
            recordings,
            stop=decoder.close,
        )
        for done, answer in enumerate(answers, 1):
            if isinstance(answer, Problem):
                asked.problems.append(answer)
                answer = nothing, "", None
            windows, sound, found = answer
            asked.windows.append(windows)
            asked.sounds.append(sound)
            asked.prints.append(found)
            tell(done, len(recordings))
    return asked


def _ask_one(
    predictor: Predictor, item: Recording, decoder: IsolatedDecoder, *, prints: bool
) -> _Answer:
    rate = predictor.windowing.rate
    try:
        decoded = decoder.decode(item.file, rate, start=item.start, end=item.end, name=item.name)
    except AudioError as error:
        return Problem(item.name, error.reason)
    sound = Waveform(decoded.waveform, decoded.seconds)
    heard = hear(sound, predictor.windowing, predictor.probabilities)
    if heard.nothing:
        return Problem(item.name, "every sample is zero (digital silence)")
    windows = heard.probabilities[heard.counted]
    found = fingerprint(decoded.waveform, rate) if prints else None
    return windows, found.digest if found else samples_sha256(decoded.waveform), found


def left_out_note(names: Sequence[str], reason: str) -> str:
    """Say that recordings are left out, how many and which.

    Args:
        names: the recordings; the first few are named.
        reason: what they are, after "recordings that" or "recording that".
    """
    count = "1 recording" if len(names) == 1 else f"{len(names)} recordings"
    are = "is" if len(names) == 1 else "are"
    return f"{count} that {reason} {are} left out: {first_names(names)}."
