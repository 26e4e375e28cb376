"""Whatever is found in data, from the place that finds it to the place that prints it.

A finding is a code and plain facts; code decides by these alone. The sentence that a person reads
is made here, in one table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from timbrel.wording import counted, first_names, plain, shorten

Severity = Literal["unusable", "odd", "note"]
Facts = Mapping[str, Any]
Words = str | Callable[[Facts], str]

# What each kind means, the ones that make a recording unusable first, then in the order in which
# they are listed. The names are stable; docs/reference/check.md explains them.
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


@dataclass(frozen=True)
class _Entry:
    """What is said of a code: its kind, its severity, and its two half-sentences."""

    kind: str
    severity: Severity
    message: Words
    action: Words


@dataclass(frozen=True, repr=False)
class Finding:
    """One thing that was found in data, or that a reader of a score should know.

    Attributes:
        code: what it is; a key of the table in this module.
        path: the recording (with its stretch, where it is one), row, folder or data set.
        facts: figures and names that the sentence needs, as JSON data.
    """

    code: str
    path: str
    facts: Facts = field(default_factory=dict)

    def __repr__(self) -> str:
        return plain(f"Finding({self.path!r}: {self.code}, {shorten(self.message, 120)})")

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"

    @property
    def kind(self) -> str:
        """A key of `KINDS`."""
        return _TABLE[self.code].kind

    @property
    def severity(self) -> Severity:
        """Whether a recording cannot be used for it, is odd but used, or something was decided."""
        return _TABLE[self.code].severity

    @property
    def unusable(self) -> bool:
        """Whether a recording, a row or a folder cannot be used because of it."""
        return self.severity == "unusable"

    @property
    def message(self) -> str:
        """What was found, as a sentence."""
        return _sentence(self._words(_TABLE[self.code].message))

    @property
    def action(self) -> str:
        """What to do about it, as a sentence; empty where nothing is to be done."""
        return _sentence(self._words(_TABLE[self.code].action))

    @property
    def reason(self) -> str:
        """Both in one line, without a capital and a full stop."""
        entry = _TABLE[self.code]
        return "; ".join(filter(None, map(self._words, (entry.message, entry.action))))

    @property
    def text(self) -> str:
        """Both as sentences, in one line, for whoever knows what they are about."""
        return " ".join(filter(None, (self.message, self.action)))

    def to_dict(self) -> dict[str, str]:
        """Return `path`, `kind`, `message` and `action` as JSON data."""
        return {
            "path": self.path,
            "kind": self.kind,
            "message": self.message,
            "action": self.action,
        }

    def _words(self, words: Words) -> str:
        return words.format_map(self.facts) if isinstance(words, str) else words(self.facts)


def _sentence(text: str) -> str:
    if not text:
        return ""
    return text[:1].upper() + text[1:].removesuffix(".") + "."


def _unusable(kind: str, message: Words, action: Words) -> _Entry:
    return _Entry(kind, "unusable", message, action)


def _odd(kind: str, message: Words, action: Words) -> _Entry:
    return _Entry(kind, "odd", message, action)


def _note(message: Words, action: Words = "") -> _Entry:
    return _Entry("note", "note", message, action)


_CONVERT = "convert it to WAV or FLAC, copy it again or leave it out"
_CONVERT_ELSEWHERE = "convert it with another program, or leave it out"
_SHORTER = "cut it into shorter recordings"


def _truncated(facts: Facts) -> str:
    if facts["at"] is not None:
        damage = f"nothing can be read after {facts['at']:.2f} s: the file is damaged there, or "
    elif facts["format"] == "OGG":
        damage = "the file is damaged, or "
    else:
        damage = "the file is "
    return f"{damage}shorter than its header says (truncated); {facts['seconds']:.2f} s are used"


def _too_short(facts: Facts) -> str:
    if facts["kept"] is None:
        length = f"it is {facts['seconds']:.3f} s long"
    else:
        length = f"cleaning leaves {facts['kept']:.3f} s of it"
    return f"{length}, less than {'a window of ' if facts['cleans'] else ''}{facts['least']:g} s"


def _low_rate(facts: Facts) -> str:
    low, total, one = facts["low"], facts["files"], facts["files"] == 1
    which = f"{low} of {counted(total, 'file')} have"
    if low == total:
        which = "the only file has" if one else f"all {counted(total, 'file')} have"
    rates = ", ".join(f"{rate / 1000:g} kHz" for rate in facts["rates"])
    return (
        f"{which} a lower sample rate ({rates}) than {facts['recipe']} hears at "
        f"({facts['rate'] / 1000:g} kHz): the top of {'its' if one else 'their'} pictures is empty"
    )


def _several(noun: str, show: Callable[[int], str]) -> Callable[[Facts], str]:
    def say(facts: Facts) -> str:
        named = ", ".join(f"{show(value)} ({count})" for value, count in facts["counts"][:5])
        rest = len(facts["counts"]) - 5
        return f"the files have several {noun}: {named}{f' and {rest} more' if rest > 0 else ''}"

    return say


def _small_class(facts: Facts) -> str:
    held = f"{facts['folds']} folds shrink to {facts['count']}"
    if facts["count"] == 1:
        held = "it cannot be held out, so neither its score nor its labels can be checked"
    return f"class '{facts['label']}' has {counted(facts['count'], facts['unit'])} only: {held}"


def _overlapping_labels(facts: Facts) -> str:
    if facts["times"] == facts["other_times"]:
        return f"it is labelled both '{facts['label']}' and '{facts['other']}' for the same times"
    return (
        f"it is labelled '{facts['label']}', and {facts['other_times'] or 'all'} of the same "
        f"recording '{facts['other']}'"
    )


def _passed_over(facts: Facts) -> str:
    files = "1 file of a kind" if facts["count"] == 1 else f"{facts['count']} files of kinds"
    was = "was" if facts["count"] == 1 else "were"
    return f"{files} that cannot be read ({', '.join(facts['kinds'])}) {was} passed over"


def _count(words_for_one: str, words_for_more: str) -> Callable[[Facts], str]:
    """Words that depend on whether the fact `count` is 1; all facts may stand in them."""

    def say(facts: Facts) -> str:
        words = words_for_one if facts["count"] == 1 else words_for_more
        return words.format_map(facts)

    return say


def _names(words_for_one: str, words_for_more: str) -> Callable[[Facts], str]:
    """The same for the fact `names`: `{names}` are the first few, `{count}` is how many."""

    def say(facts: Facts) -> str:
        words = words_for_one if len(facts["names"]) == 1 else words_for_more
        more = {"names": first_names(facts["names"]), "count": len(facts["names"])}
        return words.format_map({**facts, **more})

    return say


def _background(facts: Facts) -> str:
    count, learned = facts["count"], facts["learned"]
    be = "recording is an example" if count == 1 else "recordings are examples"
    if facts["learns"]:
        fate = f"{learned} are learned from, {count - learned} test how unknown sounds are rejected"
        if learned == count:
            fate = "all are learned from; with more groups, some would test how unknown sounds fare"
    else:
        fate = "this recipe does not learn from them; they test how unknown sounds are rejected"
    return f"{count} {be} of none of these: {fate}"


_DROP_ROW = "fill it in or delete the row"
_ONE_LABEL = "listen to it and correct one of the labels"

_TABLE: dict[str, _Entry] = {
    # One recording, as a file.
    "missing": _unusable("missing", "there is no such file", "correct its path or leave it out"),
    "no-permission": _unusable(
        "unreadable", "you have no permission to read it", "change its permissions or leave it out"
    ),
    "folder": _unusable(
        "unreadable",
        "this is a folder, not a recording",
        "name the sound files in it instead, or leave it out",
    ),
    "folder-without-sound": _unusable(
        "unreadable",
        "there is no sound file (.wav, .flac, .ogg, .mp3, …) in this folder or in those inside it",
        "",
    ),
    "not-a-file": _unusable(
        "unreadable",
        "this is a pipe or a device, not a file",
        "copy what it gives into a file, or pipe it in and call it -",
    ),
    "no-bytes": _unusable(
        "empty", "the file is empty (0 bytes)", "copy or record it again, or leave it out"
    ),
    "no-samples": _unusable("empty", "it holds no samples", "record it again or leave it out"),
    "not-sound": _unusable("unreadable", "it cannot be read as a sound file ({cause})", _CONVERT),
    "rate-too-low": _unusable(
        "unreadable",
        "its sample rate of {rate} Hz is below {least} Hz",
        "correct its header",
    ),
    "not-finite": _unusable(
        "not-finite",
        lambda facts: (
            f"{facts['broken']} of {facts['samples']} samples "
            f"{'is' if facts['broken'] == 1 else 'are'} NaN or infinite, the first at "
            f"{facts['seconds']:.3f} s"
        ),
        "export the recording again",
    ),
    "far-too-loud": _unusable(
        "unreadable",
        "its samples go up to {peak:.3g}, where full scale is 1: that is no sound",
        "export the recording again",
    ),
    "stretch-outside": _unusable(
        "wrong-stretch",
        "its stretch starts at {start:g} s, but the file ends at {seconds:.3f} s",
        "correct its start and end",
    ),
    "stretch-reversed": _unusable(
        "wrong-stretch",
        "its stretch must start at 0 s or later and end after that. Got {start} to {end}",
        "correct its start and end",
    ),
    "decoder-crashed": _unusable(
        "unreadable", "the decoder crashed on it ({how})", _CONVERT_ELSEWHERE
    ),
    "decoder-hung": _unusable(
        "unreadable", "the decoder did not finish within {seconds:.0f} s", _CONVERT_ELSEWHERE
    ),
    "decoder-silent": _unusable("unreadable", "the decoder stopped answering", _CONVERT_ELSEWHERE),
    "decoder-killed": _unusable(
        "unreadable",
        "the decoder was killed while it read this, perhaps because memory ran out",
        _SHORTER,
    ),
    "decoder-memory": _unusable("unreadable", "it does not fit in the memory", _SHORTER),
    "decoder-stopped": _unusable(
        "unreadable", "decoding was stopped before it was read", "run the command again"
    ),
    "silent": _unusable(
        "silent",
        lambda facts: (
            "every sample is zero, or its channels cancel each other"
            if facts.get("channels", 1) > 1
            else "every sample is zero (digital silence)"
        ),
        "record it again or leave it out",
    ),
    "silent-background": _note(
        "every sample is zero: exact silence is unknown without being learned"
    ),
    "truncated": _odd("truncated", _truncated, "copy it again from its source"),
    "too-loud": _odd(
        "too-loud",
        "it peaks at {peak:.3g} times full scale, and is used as it is",
        "normalise it, unless that is intended",
    ),
    "clipped": _odd(
        "clipped",
        "{samples} samples are cut off at {peak:.2f} of full scale",
        "record it again with less gain, if it sounds distorted",
    ),
    "dc-offset": _odd(
        "dc-offset",
        lambda facts: (
            f"its DC offset is {facts['offset']:+.4f} of full scale"
            f"{', which counts as sound when silence is cut' if facts['cleans'] else ''}"
        ),
        "take the offset out, with a high-pass filter at 20 Hz, and see how it was recorded",
    ),
    "too-quiet": _odd(
        "too-quiet",
        "its envelope never exceeds {threshold:g}: cleaning leaves nothing; it is used uncleaned",
        "amplify it or lower the threshold with --clean-threshold",
    ),
    "too-short": _odd(
        "too-short",
        _too_short,
        lambda facts: (
            "record it longer or leave it out; it is padded with zeros"
            if facts["cleans"]
            else "record it longer or leave it out: there is little to tell it by"
        ),
    ),
    # Several recordings.
    "exact-duplicate": _odd(
        "exact-duplicate",
        "it holds the same samples as {other}",
        "take one of them out, or leave it: train and evaluate keep both on one side of a split",
    ),
    "near-duplicate": _odd(
        "near-duplicate",
        lambda facts: (
            f"it is the same sound as {facts['other']}"
            f"{'' if facts['overlap'] is None else ', over {:.2f} s'.format(facts['overlap'])}"
        ),
        "take one of them out, or leave it: train and evaluate keep both on one side of a split",
    ),
    "label-conflict": _odd(
        "label-conflict",
        "it is labelled '{label}', and {other}, the same sound, '{other_label}'",
        _ONE_LABEL,
    ),
    "background-conflict": _unusable(
        "label-conflict",
        "it is labelled '{label}', and {other}, the same sound, '{other_label}': no sound of a "
        "class is background at the same time, so it is left out",
        _ONE_LABEL,
    ),
    "mislabelled": _odd(
        "mislabelled",
        "it is labelled '{label}' but sounds like '{suggested}' (confidence {confidence:.2f})",
        "listen to it, and correct the label if it is wrong",
    ),
    "labels-not-checked": _note("labels were not checked", "{how}"),
    "odd-rate": _odd(
        "odd-rate",
        lambda facts: (
            f"it is {facts['value'] / 1000:g} kHz, and {facts['most']} of {facts['files']} files "
            f"are {facts['usual'] / 1000:g} kHz"
        ),
        "see that it is the recording you meant; it is converted like all others",
    ),
    "odd-channels": _odd(
        "odd-channels",
        lambda facts: (
            f"it is {_of_channels(facts['value'])}, and {facts['most']} of {facts['files']} files "
            f"are {_of_channels(facts['usual'])}"
        ),
        "see that it is the recording you meant; it is converted like all others",
    ),
    "several-rates": _odd(
        "odd-rate",
        _several("sample rates", lambda rate: f"{rate / 1000:g} kHz"),
        "see that no class has one of its own, or the model may learn the recorder; all are "
        "converted alike",
    ),
    "several-channels": _odd(
        "odd-channels",
        _several("numbers of channels", lambda number: _of_channels(number)),
        "see that no class has one of its own, or the model may learn the recorder; all are "
        "converted alike",
    ),
    "low-rate": _odd(
        "low-rate",
        _low_rate,
        lambda facts: (
            "nothing, if what you will ask about is recorded alike; else record at "
            f"{facts['rate'] / 1000:g} kHz or more"
        ),
    ),
    "one-class": _odd(
        "one-class",
        lambda facts: (
            "a classifier needs two classes with recordings that can be used; it has "
            + (f"only '{facts['label']}'" if facts["label"] is not None else "none")
        ),
        "add recordings of another class",
    ),
    "no-second-group": _odd(
        "few-groups",
        "no class has two groups: nothing can be held out, so train and evaluate refuse it and no "
        "label can be checked",
        "add recordings from a second source to the classes",
    ),
    "small-class": _odd("small-class", _small_class, "record more of it"),
    "few-groups": _odd("few-groups", _small_class, "record it from more sources"),
}


def _of_channels(number: int) -> str:
    return {1: "mono", 2: "stereo"}.get(number, f"of {number} channels")
