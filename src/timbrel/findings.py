"""Whatever is found in data, from the place that finds it to the place that prints it.

A finding is a code and plain facts; code decides by these alone. The sentence that a person reads
is made here, in one table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from timbrel.text import channels, counted, first_names, plain, shorten

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
        path: the recording (with its stretch, where it is one), row, folder or data set; empty
            where it is about all recordings together and nobody has named them.
        facts: figures and names that the sentence needs, as JSON data.
    """

    code: str
    path: str
    facts: Facts = field(default_factory=dict)

    def __repr__(self) -> str:
        return plain(f"Finding({self.path!r}: {self.code}, {shorten(self.message, 120)})")

    def __str__(self) -> str:
        if self.severity == "note" or (not self.path and not self.unusable):
            return self.text
        return f"{self.path}: {self.reason}"

    def __hash__(self) -> int:
        return hash((self.code, self.path))

    @property
    def kind(self) -> str:
        """A key of `KINDS`."""
        return TABLE[self.code].kind

    @property
    def severity(self) -> Severity:
        """Whether a recording cannot be used for it, is odd but used, or something was decided."""
        return TABLE[self.code].severity

    @property
    def unusable(self) -> bool:
        """Whether a recording, a row or a folder cannot be used because of it."""
        return self.severity == "unusable"

    @property
    def message(self) -> str:
        """What was found, as a sentence."""
        return _sentence(self._halves()[0])

    @property
    def action(self) -> str:
        """What to do about it, as a sentence; may be empty."""
        nothing = "nothing, if that is intended" if self.severity == "note" else ""
        return _sentence(self._halves()[1] or nothing)

    @property
    def reason(self) -> str:
        """What was found and what to do in one line, without a capital and a full stop."""
        return "; ".join(filter(None, self._halves()))

    @property
    def text(self) -> str:
        """What was found and what to do as sentences in one line, without the path."""
        return " ".join(map(_sentence, filter(None, self._halves())))

    def to_dict(self) -> dict[str, str]:
        """Return `path`, `kind`, `message` and `action` as JSON data."""
        return {
            "path": self.path,
            "kind": self.kind,
            "message": self.message,
            "action": self.action,
        }

    def _halves(self) -> list[str]:
        entry = TABLE[self.code]
        return [
            _filled(words, self.facts) if isinstance(words, str) else words(self.facts)
            for words in (entry.message, entry.action)
        ]


def pack(findings: Iterable[Finding]) -> list[list]:
    """Findings as JSON data, for another process or a cache; `unpack` takes them back."""
    return [[item.code, item.path, dict(item.facts)] for item in findings]


def unpack(packed: Iterable[list]) -> tuple[Finding, ...]:
    """The findings that `pack` made JSON data of."""
    return tuple(Finding(*item) for item in packed)


def _sentence(text: str) -> str:
    if not text:
        return ""
    return text[:1].upper() + text[1:].removesuffix(".") + "."


# Entries of the table. A half-sentence has no capital at its beginning and no full stop at its end;
# where it is a string, the facts are filled in.


def _filled(words: str, facts: Facts) -> str:
    """Words with the facts in them: of lists what is in them, of `names` the first few only."""
    shown = {
        name: ", ".join(map(str, value)) if isinstance(value, list) else value
        for name, value in facts.items()
    }
    if "names" in facts:
        shown["names"] = first_names(facts["names"])
    return words.format_map(shown)


def _unusable(kind: str, message: Words, action: Words) -> _Entry:
    return _Entry(kind, "unusable", message, action)


def _row(message: Words, action: Words = "correct it or leave it out") -> _Entry:
    return _Entry("wrong-row", "unusable", message, action)


def _odd(kind: str, message: Words, action: Words) -> _Entry:
    return _Entry(kind, "odd", message, action)


def _note(message: Words, action: Words = "") -> _Entry:
    return _Entry("note", "note", message, action)


def _count(one: str, more: str, *, of: str = "count") -> Callable[[Facts], str]:
    """Words that depend on whether a fact is 1, or a list of one; the facts are filled in.

    Args:
        one: the words for one.
        more: the words for none or several, `{count}` of them.
        of: the fact.
    """

    def say(facts: Facts) -> str:
        count = len(facts[of]) if isinstance(facts[of], list) else facts[of]
        return _filled(one if count == 1 else more, {**facts, "count": f"{count:,}"})

    return say


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


_CONVERT = "convert it to WAV or FLAC, copy it again or leave it out"
_CONVERT_ELSEWHERE = "convert it with another program, or leave it out"
_SHORTER = "cut it into shorter recordings"
_FILL_IN = "fill it in or delete the row"
_ONE_LABEL = "listen to it and correct one of the labels"
_ONE_OF_TWO = "take one of them out, or leave it: both are kept in one group"
_EXPORT = "export the recording again"
_MORE_DATA = "add recordings from a second source to the classes"


def _truncated(facts: Facts) -> str:
    if facts["at"] is not None:
        damage = f"nothing can be read after {facts['at']:.2f} s: the file is damaged there, or "
    elif facts["format"] == "OGG":
        damage = "the file is damaged, or "
    else:
        damage = "the file is "
    return f"{damage}shorter than its header says (truncated); {facts['seconds']:.2f} s are used"


def _dc_offset(facts: Facts) -> str:
    cut = ", which counts as sound when silence is cut" if facts["cleans"] else ""
    return f"its DC offset is {facts['offset']:+.4f} of full scale{cut}"


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
    rates = ", ".join(map(_kilohertz, facts["rates"]))
    return (
        f"{which} a lower sample rate ({rates}) than {facts['recipe']} hears at "
        f"({_kilohertz(facts['rate'])}): the top of {'its' if one else 'their'} pictures is empty"
    )


def _kilohertz(rate: float) -> str:
    return f"{rate / 1000:g} kHz"


def _of_channels(number: int) -> str:
    return channels(number) if number in (1, 2) else f"of {channels(number)}"


def _unlike_most(show: Callable[[int], str]) -> Callable[[Facts], str]:
    def say(facts: Facts) -> str:
        most = f"{facts['most']} of {facts['files']} files are {show(facts['usual'])}"
        return f"it is {show(facts['value'])}, and {most}"

    return say


def _several(noun: str, show: Callable[[int], str]) -> Callable[[Facts], str]:
    def say(facts: Facts) -> str:
        named = ", ".join(f"{show(value)} ({count})" for value, count in facts["counts"][:5])
        rest = len(facts["counts"]) - 5
        return f"the files have several {noun}: {named}{f' and {rest} more' if rest > 0 else ''}"

    return say


def _near_duplicate(facts: Facts) -> str:
    overlap = "" if facts["overlap"] is None else f", over {facts['overlap']:.2f} s"
    return f"it is the same sound as {facts['other']}{overlap}"


def _one_class(facts: Facts) -> str:
    found = "none" if facts["label"] is None else f"only '{facts['label']}'"
    return f"a classifier needs two classes with recordings that can be used; it has {found}"


def _small_class(facts: Facts) -> str:
    held = f"{facts['folds']} folds shrink to {facts['count']}"
    if facts["count"] == 1:
        held = "it cannot be held out, so neither its score nor its labels can be checked"
    return f"class '{facts['label']}' has {counted(facts['count'], facts['unit'])} only: {held}"


def _wrong_times(facts: Facts) -> str:
    start, end = ("none" if value is None else f"{value:g}" for value in facts["times"])
    return f"its start must be at least 0 and before its end. Got {start} and {end}"


def _background(facts: Facts) -> str:
    count, learned = facts["count"], facts["learned"]
    be = counted(count, "recording is an example", "recordings are examples")
    if not facts["learns"]:
        fate = "this recipe does not learn from them; they test how unknown sounds are rejected"
    elif learned == count:
        fate = "all are learned from; with more groups, some would test how unknown sounds fare"
    else:
        fate = f"{learned} are learned from, {count - learned} test how unknown sounds are rejected"
    return f"{be} of none of these: {fate}"


def _little_kept(facts: Facts) -> str:
    share = facts["kept"] / facts["seconds"]
    return (
        f"cleaning kept {facts['kept']:.1f} s of {facts['seconds']:.1f} s ({share:.0%}) and would "
        f"have left nothing of {facts['emptied']} of {counted(facts['recordings'], 'recording')}, "
        f"which were used uncleaned: the threshold {facts['threshold']:g} looks too high for "
        "recordings this quiet"
    )


TABLE: dict[str, _Entry] = {
    # A recording that cannot be read.
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
    "closed-folder": _unusable(
        "unreadable",
        "this folder cannot be opened ({cause})",
        "change its permissions or leave it out",
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
    "nothing-piped": _unusable("empty", "nothing came on stdin", "look at what should have come"),
    "not-sound": _unusable("unreadable", "it cannot be read as a sound file ({cause})", _CONVERT),
    "rate-too-low": _unusable(
        "unreadable", "its sample rate of {rate} Hz is below {least} Hz", "correct its header"
    ),
    "wrong-header": _unusable(
        "unreadable",
        lambda facts: (
            f"its WAV header says {counted(facts['channels'], 'channel')} of {facts['rate']} Hz"
        ),
        "correct it",
    ),
    "header-cut": _unusable("unreadable", "its WAV header is incomplete", "pipe all of it"),
    "pcm-bits": _unusable(
        "unreadable",
        "its samples have {bits} bits",
        "pipe 16-bit integers (arecord -f S16_LE) or 32-bit floats",
    ),
    "not-finite": _unusable(
        "not-finite",
        _count(
            "1 of {samples} samples is NaN or infinite, the first at {seconds:.3f} s",
            "{broken} of {samples} samples are NaN or infinite, the first at {seconds:.3f} s",
            of="broken",
        ),
        _EXPORT,
    ),
    "far-too-loud": _unusable(
        "unreadable",
        "its samples go up to {peak:.3g}, where full scale is 1: that is no sound",
        _EXPORT,
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
            if facts["channels"] > 1
            else "every sample is zero (digital silence)"
        ),
        "record it again or leave it out",
    ),
    "silent-background": _odd(
        "note", "every sample is zero: exact silence is unknown without being learned", ""
    ),
    # A recording that is odd.
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
        _dc_offset,
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
    "mislabelled": _odd(
        "mislabelled",
        "it is labelled '{label}' but sounds like '{suggested}' (confidence {confidence:.2f})",
        "listen to it, and correct the label if it is wrong",
    ),
    # Several recordings.
    "exact-duplicate": _odd("exact-duplicate", "it holds the same samples as {other}", _ONE_OF_TWO),
    "near-duplicate": _odd("near-duplicate", _near_duplicate, _ONE_OF_TWO),
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
    "odd-rate": _odd(
        "odd-rate",
        _unlike_most(_kilohertz),
        "see that it is the recording you meant; it is converted like all others",
    ),
    "odd-channels": _odd(
        "odd-channels",
        _unlike_most(_of_channels),
        "see that it is the recording you meant; it is converted like all others",
    ),
    "several-rates": _odd(
        "odd-rate",
        _several("sample rates", _kilohertz),
        "see that no class has one of its own, or the model may learn the recorder; all are "
        "converted alike",
    ),
    "several-channels": _odd(
        "odd-channels",
        _several("numbers of channels", _of_channels),
        "see that no class has one of its own, or the model may learn the recorder; all are "
        "converted alike",
    ),
    "low-rate": _odd(
        "low-rate",
        _low_rate,
        lambda facts: (
            "nothing, if what you will ask about is recorded alike; else record at "
            f"{_kilohertz(facts['rate'])} or more"
        ),
    ),
    "one-class": _odd("one-class", _one_class, "add recordings of another class"),
    "no-second-group": _odd(
        "few-groups",
        "no class has two groups: nothing can be held out, so train and evaluate refuse it and no "
        "label can be checked",
        _MORE_DATA,
    ),
    "small-class": _odd("small-class", _small_class, "record more of it"),
    "few-groups": _odd("few-groups", _small_class, "record it from more sources"),
    # A row of a CSV or of a label file.
    "empty-cell": _row("it has no {column}", _FILL_IN),
    "not-a-number": _row("its {column} must be a number of seconds. Got '{text}'"),
    "wrong-times": _row(_wrong_times),
    "impossible-path": _row("its path contains a character that no file name can have"),
    "csv-columns": _row(
        "it has {cells} cells and the header {columns}", "put text with commas in quotes"
    ),
    "table-columns": _row("it has {cells} cells and the header {columns}"),
    "two-labels": _row(
        "it is labelled both '{label}' and '{other}' for overlapping times", "keep one of the rows"
    ),
    "overlapping-labels": _row(
        "it is labelled '{label}', and {where} of the same recording '{other}'",
        "keep one of the rows or move their times apart",
    ),
    "label-point": _row("it marks a point in time, not a stretch", "give it a length or delete it"),
    "label-start": _row("it must begin with a number of seconds. Got '{text}'"),
    "label-columns": _row(
        "it has {cells} columns, not start, end and label", "take the tab out of the label"
    ),
    "selection-over-files": _row(
        "it begins in one sound file and ends in another", "split it where they meet"
    ),
    "selection-without-offset": _row(
        "the table is of several sound files and does not say where in its file this begins",
        "add the measurement File Offset in Raven and save the table again",
    ),
    "selection-without-file": _row(
        "it lies in a sound file that the table does not name",
        "add the measurement Begin File in Raven and save the table again",
    ),
    "rows-without-file": _row(
        _count("1 row names no sound file", "{count} rows name no sound file"),
        "fill in Begin File or delete what has none",
    ),
    "rows-of-missing-file": _row(
        _count(
            "1 row names '{file}', which is not among the recordings",
            "{count} rows name '{file}', which is not among the recordings",
        ),
    ),
    "rows-of-either-file": _row(
        _count(
            "1 row names '{file}', which may be '{first}' or '{second}'",
            "{count} rows name '{file}', which may be '{first}' or '{second}'",
        ),
        "name its folder in Begin Path",
    ),
    # A label file.
    "label-file-unreadable": _row("it cannot be read: {cause}"),
    "label-file-unknown": _row(
        "it is neither an Audacity label track (start, end and label, with tabs between them) "
        "nor a Raven selection table (with a column 'Begin Time (s)')"
    ),
    "label-file-encoding": _row("it is not text in UTF-8", "save it again with the encoding UTF-8"),
    "label-file-of-either": _row(
        "it may go with '{first}' or '{second}'", "call it '{name}' or take one of them out"
    ),
    "selections-without-end": _row(
        "it has no column 'End Time (s)'", "show that column in Raven and save it again"
    ),
    "selections-without-label": _row(
        "it has no column for the labels", "add one in Raven and call it 'label'"
    ),
    "selections-of-many-labels": _row(
        lambda facts: f"any of its columns {_quoted(facts['columns'])} may hold the labels",
        "rename the one that does to 'label'",
    ),
    # What was passed over or decided while a list was read.
    "passed-over": _note(
        _count(
            "1 file of a kind that cannot be read ({kinds}) was passed over",
            "{count} files of kinds that cannot be read ({kinds}) were passed over",
        ),
        _count("convert it to WAV or FLAC", "convert them to WAV or FLAC"),
    ),
    "loose-recordings": _note(
        _count(
            "1 recording lies directly in '{folder}', in no class folder, and is left out",
            "{count} recordings lie directly in '{folder}', in no class folder, and are left out",
        )
    ),
    "folder-without-recordings": _note("the folder '{folder}' holds no sound file of a known kind"),
    "repeated-rows": _note(
        _count(
            "1 row repeats another row and is left out",
            "{count} rows repeat another row and are left out",
        )
    ),
    "labels-from-files": _note(
        _count(
            "labels are taken from 1 label file beside the recordings; the names of folders are "
            "not labels here",
            "labels are taken from {count} label files beside the recordings; the names of folders "
            "are not labels here",
        )
    ),
    "without-label-file": _note(
        _count(
            "1 recording has no label file beside it and is left out, the first is '{first}'",
            "{count} recordings have no label file beside them and are left out, the first is "
            "'{first}'",
        )
    ),
    "without-label": _note(
        _count(
            "1 recording has a label file without a label that can be used and is left out, the "
            "first is '{first}' ('{file}')",
            "{count} recordings have a label file without a label that can be used and are left "
            "out, the first is '{first}' ('{file}')",
        )
    ),
    "stray-label-files": _note(
        _count(
            "1 label file goes with no recording and is left out, the first is '{first}'",
            "{count} label files go with no recording and are left out, the first is '{first}'",
        ),
        "a label file for 'take1.wav' is called 'take1.txt'",
    ),
    "lone-label-files": _note(
        _count(
            "1 label file was taken for the only recording in the folder, the first is '{first}' "
            "for '{recording}'",
            "{count} label files were taken for the only recording in the folder, the first is "
            "'{first}' for '{recording}'",
        )
    ),
    "several-label-files": _note(
        lambda facts: _count(
            "1 recording has more than one label file, and all of them are used, the first is "
            "'{first}' ({listed})",
            "{count} recordings have more than one label file, and all of them are used, the first "
            "is '{first}' ({listed})",
        )({**facts, "listed": _quoted(facts["files"])})
    ),
    "chosen-columns": _note(
        lambda facts: (
            "the labels of selection tables are taken from the columns "
            + ", ".join(f"'{name}' ({counted(n, 'table')})" for name, n in facts["columns"])
        )
    ),
    # What a reader of a score should know: what it was trained on and scored on.
    "lost-class": _note("no recording of '{label}' can be used: it cannot be learned"),
    "lost-folder": _note("the folder '{folder}' cannot be opened: nothing in it is used"),
    "class-not-shown": _note("no recording of '{label}' can be used, so it is not shown"),
    "copies": _note(
        _count(
            "1 recording shares the group of another, of the same sound: {names}",
            "{count} recordings share the group of another, of the same sound: {names}",
            of="names",
        )
    ),
    "background": _note(_background),
    "little-kept": _note(_little_kept, "lower it, for instance with --clean-threshold {better}"),
    "labels-not-checked": _note("labels were not checked", "{how}"),
    "own-folds": _note("the folds are the data's own: {folds}"),
    "own-fold-held-out": _note("held out: fold '{fold}' of the data's own folds"),
    "split-groups": _note(
        lambda facts: (
            f"the data's folds split {counted(len(facts['groups']), 'group')} "
            f"({_quoted(facts['groups'][:3])}{', …' if facts['groups'][3:] else ''}): "
            "the score is not fully honest"
        )
    ),
    "fewer-folds": _note(
        "{folds} folds instead of {usual}: the smallest class, '{label}', has {folds} {unit}s"
    ),
    "larger-fold": _note(
        "1 of {folds} folds is held out instead of 1 of {usual}: the smallest class, '{label}', "
        "has {folds} {unit}s"
    ),
    "single-group": _note(
        "class '{label}' has a single {unit}: it is trained on, and left out of the score"
    ),
    "single-fold": _note(
        "class '{label}' lies in one fold alone: its {unit} '{group}' is trained on, and left out "
        "of the score"
    ),
    "not-held-out": _note(
        "class '{label}' has no recording in the held-out part: it is left out of the score"
    ),
    "not-calibrated": _odd(
        "note",
        "too few recordings for an inner hold-out: probabilities are not calibrated, and no sound "
        "but silence is called unknown",
        "",
    ),
    "calibrated-on-few": _odd(
        "note",
        lambda facts: (
            "probabilities and the threshold for unknown are calibrated on "
            f"{counted(facts['count'], 'recording')} only: rely on neither"
        ),
        "more recordings help",
    ),
    # How a training went.
    "not-cached": _odd("note", "the features were not cached. {cause}", ""),
    "run-not-kept": _odd("note", "this network is not kept for --resume. {cause}", ""),
    "part-not-left-out": _note("the classes {names} cannot be left out together. {cause}"),
    "refit": _note("training once more, on all recordings"),
    "training-interrupted": _note(
        "an interrupted training lies here; it is started anew (--resume goes on)"
    ),
    "nothing-to-resume": _note(
        "there is no interrupted training here; this one starts from the beginning"
    ),
    "stopped-early": _note(
        lambda facts: (
            f"training stopped after {counted(facts['epochs'], 'epoch')}: the loss no longer fell"
        )
    ),
    "model-replaced": _note("the model that was in '{folder}' before was replaced by this one"),
    # Finished models that are scored.
    "model-without-files": _note("'{model}' does not say what it was trained on"),
    "model-without-sounds": _note(
        "'{model}' knows the files that it was trained on, but not their sound (it was made by an "
        "older Timbrel): copies in another format are not left out"
    ),
    "trained-on": _note(
        _count(
            "1 recording that '{model}' was trained on is left out: {names}",
            "{count} recordings that '{model}' was trained on are left out: {names}",
            of="names",
        )
    ),
    "trained-on-copies": _note(
        _count(
            "1 recording that holds the same samples as one that '{model}' was trained on is left "
            "out: {names}",
            "{count} recordings that hold the same samples as ones that '{model}' was trained on "
            "are left out: {names}",
            of="names",
        )
    ),
    "classes-of-some-models": _note("classes that not all models know are left out: {labels}"),
    "classes-of-no-model": _note("classes that no model knows count as unknown sounds: {labels}"),
}
