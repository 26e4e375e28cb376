"""What `check` can find, and how it says so."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from timbrel.wording import plain, shorten

# What each kind means, the ones that make a recording unusable first, then in the order in which
# they are told. The names are stable; docs/reference/check.md explains them.
UNUSABLE = {
    "missing": "There is no such file",
    "unreadable": "Cannot be read as a sound file",
    "empty": "Holds no sound",
    "silent": "Every sample is zero",
    "not-finite": "Holds samples that are no numbers",
    "wrong-stretch": "Starts or ends outside of its file",
    "wrong-row": "A row or label that names no recording that can be used",
}
ODD = {
    "label-conflict": "The same sound under another label",
    "exact-duplicate": "The same samples as another recording",
    "near-duplicate": "The same sound as another recording",
    "mislabelled": "Probably labelled wrongly",
    "truncated": "Damaged, or shorter than its header says",
    "clipped": "Cut off at its loudest",
    "too-loud": "Beyond full scale",
    "dc-offset": "Has a constant added",
    "too-quiet": "Cleaning would leave nothing of it",
    "too-short": "Too short",
    "odd-rate": "Another sample rate than most",
    "odd-channels": "Another number of channels than most",
    "low-rate": "Below the sample rate of the recipe",
    "one-class": "Fewer than two classes",
    "small-class": "A class of few recordings",
    "few-groups": "A class of few groups",
    "note": "Passed over or decided while reading the list",
}
KINDS = UNUSABLE | ODD


@dataclass(frozen=True, repr=False)
class Finding:
    """One thing that is wrong or odd.

    Attributes:
        path: the recording (with its stretch, where it is one), row, or data set.
        kind: a key of `KINDS`.
        message: what was found, in one sentence.
        action: what to do, in one sentence.
    """

    path: str
    kind: str
    message: str
    action: str

    def __repr__(self) -> str:
        return plain(f"Finding({self.path!r}: {self.kind}, {shorten(self.message, 120)})")

    @property
    def unusable(self) -> bool:
        """Whether a recording cannot be used because of it."""
        return self.kind in UNUSABLE

    def to_dict(self) -> dict[str, str]:
        """Return the finding as JSON data."""
        return asdict(self)
