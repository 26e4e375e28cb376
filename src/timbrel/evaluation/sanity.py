"""The sanity round: synthetic sounds that belong to no class must be predicted as *unknown*.

A classifier of instruments that predicts a hi-hat for white noise will predict one for a fan too.
Every model therefore predicts a few synthetic sounds after training, and the report lists those
that it assigns to a class.

Every sound is a function `(rate, seed, *, seconds) -> waveform`, float32 `(samples,)`, the same
for the same arguments; a rate below 4 kHz raises InvalidArgument. Its mean is 0 and its level is
RMS 0.05 of full scale, −26 dB, at which ITU-T P.830 (1996) presents recordings of speech; the
clicks, which are mostly silence, peak at 0.5 instead, −6 dB.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from timbrel.errors import InvalidArgument
from timbrel.inference.prediction import UNKNOWN

if TYPE_CHECKING:
    from timbrel.inference.predictor import Predictor

LOWEST_RATE = 4_000
"""Lowest sample rate of the sounds in Hz, below which they could not be told apart."""
SECONDS = 5.0
"""Usual length of a sound in seconds."""
DRAWS = 5
"""Number of random draws of each sound."""

_LEVEL = 0.05
_LOWEST_PITCH = 20.0  # of pink noise, in Hz: there is no 1/f noise down to 0 Hz
_CLICKS = 10  # a second
_CLICK_SECONDS = 100e-6
_CLICK_PEAK = 0.5

# The average of men and women in thirteen languages, Byrne et al. (1994), table II: level in dB of
# each third of an octave by its centre in Hz.
_SPEECH = {
    63: 38.6, 80: 43.5, 100: 54.4, 125: 57.7, 160: 56.8, 200: 60.2, 250: 60.3, 315: 59.0,
    400: 62.1, 500: 62.1, 630: 60.5, 800: 56.8, 1000: 53.7, 1250: 53.0, 1600: 52.0, 2000: 48.7,
    2500: 48.1, 3150: 46.8, 4000: 45.6, 5000: 44.5, 6300: 44.3, 8000: 43.7, 10000: 43.4,
    12500: 41.3, 16000: 40.7,
}  # fmt: skip
_LOWEST_SPEECH = 63 / 2 ** (1 / 6)
_SPEECH_BANDS = (0.0, 850.0, 2500.0, np.inf)
_SYLLABLES = 4.0  # a second
_SYLLABLE_DEPTH = 6.0  # standard deviation of the level in dB
# Of the level, in standard deviations: speech gets 10 dB louder than it is on average, not more
# (Byrne et al.), and 14 dB above the median are 10 dB above the average.
_LOUDEST = 2.4


def digital_silence(rate: int, seed: int = 0, *, seconds: float = SECONDS) -> np.ndarray:
    """Nothing but zeros, whatever the seed."""
    return np.zeros(_samples(rate, seconds), dtype=np.float32)


def white_noise(rate: int, seed: int = 0, *, seconds: float = SECONDS) -> np.ndarray:
    """Gaussian noise with the same power at all frequencies."""
    return _scaled(_noise(seed, rate, _samples(rate, seconds), gain=np.ones_like))


def pink_noise(rate: int, seed: int = 0, *, seconds: float = SECONDS) -> np.ndarray:
    """Gaussian noise with a power of 1/f, so −3 dB an octave, above 20 Hz and none below.

    Source: Timmer & König (1995), "On generating power law noise", A&A 300, 707.
    """

    def gain(frequency: np.ndarray) -> np.ndarray:
        return np.where(frequency < _LOWEST_PITCH, 0, frequency**-0.5)

    return _scaled(_noise(seed, rate, _samples(rate, seconds), gain=gain))


def sine(pitch: float, rate: int, seed: int = 0, *, seconds: float = SECONDS) -> np.ndarray:
    """A sine of `pitch` Hz from a random phase on."""
    phase = np.random.default_rng(seed).random()
    cycles = np.arange(_samples(rate, seconds)) * (pitch / rate) + phase
    return _scaled(np.sin(2 * np.pi * cycles))


def click_train(rate: int, seed: int = 0, *, seconds: float = SECONDS) -> np.ndarray:
    """Ten clicks a second from a random time on, alternately up and down.

    A click is a rectangle of 100 µs, one sample at least, as in audiometry (IEC 60645-3).
    """
    waveform = np.zeros(_samples(rate, seconds), dtype=np.float32)
    width = max(round(_CLICK_SECONDS * rate), 1)
    first = np.random.default_rng(seed).random()
    count = int(seconds * _CLICKS)
    starts = ((np.arange(count) + first) * rate / _CLICKS).astype(int)
    for start, side in zip(starts, np.resize([1, -1], count), strict=True):
        waveform[start : start + width] = side * _CLICK_PEAK
    return waveform


def speech_like_noise(rate: int, seed: int = 0, *, seconds: float = SECONDS) -> np.ndarray:
    """Noise with the average spectrum and the syllable rate of speech.

    In each of three bands (up to 850 Hz, up to 2.5 kHz, above) the level changes independently,
    about four times a second, with a standard deviation of 6 dB. The spectrum starts at 56 Hz.

    Source: the spectrum is table II of Byrne et al. (1994), "An international comparison of
    long-term average speech spectra", JASA 96, 2108; noise modulated in these bands is the ICRA
    noise of Dreschler et al. (2001), Audiology 40, 148; the rate of syllables is where Houtgast &
    Steeneken (1985), JASA 77, 1069, found speech to be modulated most.
    """
    samples = _samples(rate, seconds)
    rng = np.random.default_rng(seed)
    sound = np.zeros(samples)
    for low, high in pairwise(_SPEECH_BANDS):
        if low < rate / 2:
            band = partial(_speech_gain, low=low, high=high)
            sound += _noise(rng, rate, samples, gain=band) * _syllables(rng, rate, samples)
    return _scaled(sound - sound.mean())


SOUNDS: dict[str, Callable[..., np.ndarray]] = {
    "digital silence": digital_silence,
    "white noise": white_noise,
    "pink noise": pink_noise,
    "sine at 440 Hz": partial(sine, 440.0),
    "sine at 1 kHz": partial(sine, 1000.0),
    "click train": click_train,
    "speech-like noise": speech_like_noise,
}
"""The sounds of the round by their names, functions of rate and seed."""

_NOISE = frozenset({"noise", "noisy", "hiss", "hissing", "static"})
_TONE = frozenset({"sine", "tone"})
CLASSES_OF_THE_KIND: dict[str, frozenset[str]] = {
    "digital silence": frozenset({"silence", "silent"}),
    "white noise": _NOISE,
    "pink noise": _NOISE,
    "sine at 440 Hz": _TONE,
    "sine at 1 kHz": _TONE,
    "click train": frozenset({"click", "clicking"}),
    "speech-like noise": _NOISE | {"speech", "voice", "babble"},
}
"""For each sound the words, in the singular, that mark a class as one of such sounds."""


def sanity_round(predictor: Predictor) -> list[dict]:
    """Predict `SOUNDS` with a model, each in five draws at least as long as a window of the model.

    A draw passes if the answer is `unknown`, or a class whose name has one of the words that
    `CLASSES_OF_THE_KIND` lists for the sound, in any case, singular or plural. "Hiss", "White
    noise", "tape_hiss" and "NoiseBursts" pass for the noises, "Sine" and "test tones" for the
    sines; "Baritone" does not. Names are read as English.

    Returns:
        For each sound, in the order of `SOUNDS`: `sound`, its name; and of the worst draw `label`,
        the answer; `predicted` and `probability`, the most probable class and its probability, both
        None for digital silence; `passed`.
    """
    windowing = predictor.windowing
    rate = max(windowing.rate, LOWEST_RATE)
    seconds = max(SECONDS, windowing.window / windowing.rate)
    rows = []
    for name, sound in SOUNDS.items():
        draws = (sound(rate, seed, seconds=seconds) for seed in range(DRAWS))
        worst: dict = {}
        highest: tuple[float, ...] = (-1.0,)
        for draw in draws:
            answer = predictor.predict(draw, rate)
            rejected = answer.label == UNKNOWN
            passed = rejected or of_the_kind(name, answer.label or "")
            badness = (not passed, not rejected, answer.probability or 0.0)
            if badness > highest:
                highest = badness
                worst = {
                    "sound": name,
                    "label": answer.label,
                    "predicted": answer.predicted,
                    "probability": answer.probability,
                    "passed": passed,
                }
        rows.append(worst)
    return rows


def of_the_kind(sound: str, label: str) -> bool:
    """Whether the name of a class marks it as one of such sounds; see `sanity_round`."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", label)
    words = set(re.findall(r"[^\W\d_]+", parted.casefold()))
    singular = {word.removesuffix("s") for word in words}
    return not CLASSES_OF_THE_KIND[sound].isdisjoint(words | singular)


def _samples(rate: int, seconds: float) -> int:
    if rate < LOWEST_RATE:
        raise InvalidArgument(f"`rate` must be at least {LOWEST_RATE} Hz. Got {rate}.")
    return round(rate * seconds)


def _scaled(sound: np.ndarray) -> np.ndarray:
    """Bring a sound `(samples,)` to RMS 0.05; float32."""
    return (sound * (_LEVEL / np.sqrt(np.mean(sound**2)))).astype(np.float32)


def _noise(
    seed: int | np.random.Generator,
    rate: int,
    samples: int,
    *,
    gain: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Gaussian noise of mean 0 whose amplitude at each frequency is `gain`; float64 `(samples,)`.

    The spectrum is drawn, each bin with a Gaussian real and imaginary part.
    """
    frequency = np.fft.rfftfreq(samples, 1 / rate)[1:]
    bins = np.random.default_rng(seed).standard_normal((len(frequency), 2))
    spectrum = gain(frequency) * (bins @ [1, 1j])
    return np.fft.irfft(np.concatenate(([0], spectrum)), samples)


def _speech_gain(frequency: np.ndarray, *, low: float, high: float) -> np.ndarray:
    """Amplitude of speech at frequencies from `low` to below `high`, 0 elsewhere."""
    centre = np.array(list(_SPEECH), dtype=float)
    # A third of an octave is wider the higher it lies.
    density = np.array(list(_SPEECH.values())) - 10 * np.log10(centre)
    level = np.interp(np.log(frequency), np.log(centre), density)
    inside = (frequency >= max(low, _LOWEST_SPEECH)) & (frequency < high)
    return np.where(inside, 10 ** (level / 20), 0)


def _syllables(rng: np.random.Generator, rate: int, samples: int) -> np.ndarray:
    """Amplitude that changes about four times a second; RMS 1, float64 `(samples,)`."""

    def gain(frequency: np.ndarray) -> np.ndarray:
        # Half an octave of standard deviation on either side of the rate of syllables.
        return np.exp(-2 * np.log2(frequency / _SYLLABLES) ** 2)

    change = _noise(rng, rate, samples, gain=gain)
    level = _SYLLABLE_DEPTH * np.minimum(change / change.std(), _LOUDEST)
    amplitude = 10 ** (level / 20)
    return amplitude / np.sqrt(np.mean(amplitude**2))
