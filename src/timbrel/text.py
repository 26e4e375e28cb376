"""Text for people: numbers with units, plurals, and names that are safe to print in a terminal."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import IO, TypeGuard
from unicodedata import category, east_asian_width

# Between a number and its unit: no line break.
_SPACE = "\u00a0"
_NOTHING = "–"
# Names that a sentence lists.
_FEW = 5
# Between the parts of an emoji.
_JOINER = "\u200d"
# Embeddings, overrides and isolates of Unicode's bidirectional algorithm.
_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def known(value: float | None) -> TypeGuard[float]:
    """Whether there is a number: not None, not NaN."""
    return value is not None and not math.isnan(value)


def percent(share: float | None, digits: int = 1) -> str:
    """Write a share, 0 to 1, in percent."""
    return f"{100 * share:.{digits}f}{_SPACE}%" if known(share) else _NOTHING


def number(value: float | None, digits: int = 3) -> str:
    """Write a number with so many digits after the point."""
    return f"{value:.{digits}f}" if known(value) else _NOTHING


def count(value: float | None) -> str:
    """Write a whole number with a comma at every thousand."""
    return f"{round(value):,}" if known(value) else _NOTHING


def times(ratio: float) -> str:
    """Write a ratio, such as how many times larger something is."""
    return number(ratio, 1) if ratio < 10 else count(ratio)


def duration(seconds: float | None) -> str:
    """Write a length of time in the units that suit it."""
    if not known(seconds):
        return _NOTHING
    if seconds < 0.0995:
        return f"{seconds * 1000:.3g}{_SPACE}ms"
    if seconds < 9.95:
        return f"{seconds:.{2 if seconds < 0.995 else 1}f}{_SPACE}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}{_SPACE}s"
    if whole < 3600:
        return f"{whole // 60}{_SPACE}min{_SPACE}{whole % 60}{_SPACE}s"
    return f"{whole // 3600:,}{_SPACE}h{_SPACE}{whole % 3600 // 60}{_SPACE}min"


def frequency(hertz: float) -> str:
    """Write a sample rate."""
    return f"{hertz / 1000:g}{_SPACE}kHz" if hertz >= 1000 else f"{hertz:g}{_SPACE}Hz"


def channels(number_of_channels: int) -> str:
    """Name a number of channels."""
    return {1: "mono", 2: "stereo"}.get(number_of_channels, f"{number_of_channels} channels")


def plural(number_of: float, word: str, words: str | None = None) -> str:
    """Write a count and its noun, with an s, or as `words` says, where there is not one of it."""
    return counted(number_of, word, words).replace(" ", _SPACE, 1)


def counted(number_of: float, word: str, words: str | None = None) -> str:
    """The same as `plural` with a usual space, for lines that other programs may search."""
    noun = word if round(number_of) == 1 else words or f"{word}s"
    return f"{count(number_of)} {noun}"


def plain(text: str) -> str:
    """Replace characters that cannot be printed, for a repr with names of files."""
    return "".join(
        letter if letter.isprintable() else " " if letter.isspace() else "\ufffd" for letter in text
    )


def harmless(text: str) -> str:
    """Show control characters as escapes, so that names of files cannot control a terminal.

    So are those that change the direction of writing. The escapes keep JSON valid.
    """
    if text.isprintable():
        return text
    return "".join(
        (f"\\u{ord(letter):04x}" if ord(letter) >= 0x7F else f"\\x{ord(letter):02x}")
        if (category(letter) == "Cc" and letter not in "\n\t") or letter in _DIRECTIONS
        else letter
        for letter in text
    )


def one_line(text: str) -> str:
    """Make a text harmless and escape its line breaks, so that it stays one line."""
    return harmless(text).replace("\n", "\\n")


def first_names(names: Sequence[str]) -> str:
    """The first few of some names, for a sentence."""
    return ", ".join(names[:_FEW]) + (", …" if names[_FEW:] else "")


def shorten(text: str, length: int) -> str:
    """Cut a text to a length, with an ellipsis in the place of what is left out.

    What forms one sign with its neighbour (an accent, the parts of an emoji) is not cut from it.
    """
    if len(text) <= length:
        return text
    end = length - 1
    while end > 1 and (_joins(text[end]) or text[end - 1] == _JOINER):
        end -= 1
    return text[:end].rstrip() + "…"


def shorten_all(texts: Sequence[str], width: float) -> list[str]:
    """Cut texts to a width in ems; where that makes some alike, their ends are kept too."""

    def letters(text: str, width: float) -> int:
        """How many letters of a text fit a width."""
        length = len(text)
        while ems(text[:length]) > width:
            length -= 1
        return max(length, 1)

    cut = [shorten(text, letters(text, width)) for text in texts]
    alike = Counter(cut)
    for place, text in enumerate(texts):
        if alike[cut[place]] > 1 and cut[place] != text:
            tail = letters(text[::-1], 0.55 * width)
            while tail > 1 and _joins(text[-tail]):
                tail -= 1
            cut[place] = shorten(text, letters(text, 0.45 * width)) + text[-tail:].lstrip()
    return cut


def ems(text: str) -> float:
    """Estimate the width of a text in ems of a sans-serif face, rather too wide than too narrow."""
    return sum(
        0.0 if _joins(letter) else 1.1 if east_asian_width(letter) in "WF" else 0.58
        for letter in text
    )


def _joins(letter: str) -> bool:
    """Whether a character is drawn onto the one before it."""
    skin = "\U0001f3fb" <= letter <= "\U0001f3ff"
    return skin or letter == _JOINER or category(letter) in ("Mn", "Me")


def signed(value: float, digits: int = 0) -> str:
    """Write a number with a real minus sign, and none before a zero."""
    text = f"{value:.{digits}f}"
    return text.replace("-", "−") if float(text) else text.lstrip("-")


def round_up(value: float) -> float:
    """Return the next of …, 0.1, 0.2, 0.5, 1, 2, 5, 10, … that is not below a value above 0."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(
        step * power for step in (1.0, 2.0, 5.0, 10.0) if step * power >= value * (1 - 1e-9)
    )


def decimals(step: float) -> int:
    """How many digits after the point the multiples of such a step need."""
    return max(0, -math.floor(math.log10(step) + 1e-9))


class TerminalRows:
    """Writes rows to a terminal, each in one line and without control characters.

    Args:
        stream: the terminal.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, row: str) -> None:
        """Write a row that ends its line, or a part of one."""
        end = "\n" if row.endswith("\n") else ""
        self._stream.write(one_line(row.removesuffix("\n")) + end)


def rows_to(stream: IO[str]) -> IO[str] | TerminalRows:
    """A stream to write rows to; files and pipes get them unchanged."""
    return TerminalRows(stream) if stream.isatty() else stream
