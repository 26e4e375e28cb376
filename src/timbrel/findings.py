"""Whatever is found in data, from the place that finds it to the place that prints it.

A finding is a code and plain facts; code decides by these alone. The sentence that a person reads
is made here, in one table.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from timbrel.text import channels, counted, first_names, plain, shorten

Severity = Literal["unusable", "odd", "note"]
Facts = Mapping[str, Any]
# A half-sentence without a capital and a full stop, with the facts to fill in as `_Filler` does.
Words = str | Callable[[Facts], str]

# What each kind means, the ones that make a recording unusable first, then in the order in which
# they are listed. The names are stable; docs/reference/check.md explains them.
UNUSABLE = {
    "missing": "There is no such file",
    "unreadable": "Cannot be read as a sound file",
    "empty": "Holds no sound",
    "silent": "Every sample is zero",
    "not-finite": "Holds samples that are not numbers",
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
    "too-loud": "Exceeds full scale",
    "dc-offset": "Has a DC offset",
    "too-quiet": "Cleaning would leave nothing of it",
    "too-short": "Too short",
    "odd-rate": "A different sample rate than most",
    "odd-channels": "A different number of channels than most",
    "low-rate": "Below the sample rate of the recipe",
    "one-class": "Fewer than two classes",
    "small-class": "A class of few recordings",
    "few-groups": "A class of few groups",
    "note": "Skipped or decided while reading the list",
}
KINDS = UNUSABLE | ODD


@dataclass(frozen=True)
class _Entry:
    """The severity of a code, its two half-sentences, and its kind where that is not the code."""

    severity: Severity
    message: Words
    action: Words
    kind: str = ""


@dataclass(frozen=True, repr=False)
class Finding:
    """One fact about the data or about a run that the user should know.

    Attributes:
        code: a key of the table in this module.
        path: the recording (with its stretch, where it is one), row, folder or data set; empty
            where it is about all recordings of a data set without a name.
        facts: figures and names for the sentence, as JSON data.
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
        return TABLE[self.code].kind or self.code

    @property
    def severity(self) -> Severity:
        """`unusable` (left out), `odd` (used, but worth a look) or `note` (information)."""
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
            _FILLER.vformat(words, (), self.facts) if isinstance(words, str) else words(self.facts)
            for words in (entry.message, entry.action)
        ]


def pack(findings: Iterable[Finding]) -> list[list]:
    """Findings as JSON data, for another process or a cache; `unpack` reverses it."""
    return [[item.code, item.path, dict(item.facts)] for item in findings]


def unpack(packed: Iterable[list]) -> tuple[Finding, ...]:
    """Findings from the JSON data that `pack` made."""
    return tuple(Finding(*item) for item in packed)


def _sentence(text: str) -> str:
    if not text:
        return ""
    return text[:1].upper() + text[1:].removesuffix(".") + "."


class _Filler(string.Formatter):
    """Fills facts into words.

    `{count:row is|rows are}` gives one of two texts, by a number or the length of a list;
    `{count:count}` the number with its commas, `{names:few}` the first names and `{names:quoted}`
    all of them in quotes. Other lists are joined, other facts formatted as usual.
    """

    def format_field(self, value: Any, format_spec: str) -> str:
        if "|" in format_spec or format_spec == "count":
            number = len(value) if isinstance(value, list) else value
            one, _, more = format_spec.partition("|")
            return f"{number:,}" if format_spec == "count" else one if number == 1 else more
        if not isinstance(value, list):
            return format(value, format_spec)
        if format_spec == "few":
            return first_names(value)
        return ", ".join(f"'{item}'" if format_spec == "quoted" else str(item) for item in value)


_FILLER = _Filler()


def _unusable(message: Words, action: Words, kind: str = "") -> _Entry:
    return _Entry("unusable", message, action, kind)


def _unreadable(message: Words, action: Words) -> _Entry:
    return _Entry("unusable", message, action, "unreadable")


def _row(message: Words, action: Words = "correct it or leave it out") -> _Entry:
    return _Entry("unusable", message, action, "wrong-row")


def _odd(message: Words, action: Words, kind: str = "") -> _Entry:
    return _Entry("odd", message, action, kind)


def _note(message: Words, action: Words = "") -> _Entry:
    return _Entry("note", message, action, "note")


_CONVERT = "convert it to WAV or FLAC, copy it again or leave it out"
_CONVERT_ELSEWHERE = "convert it with another program, or leave it out"
_SHORTER = "cut it into shorter recordings"
_FILL_IN = "fill it in or delete the row"
_ONE_LABEL = "listen to it and correct one of the labels"
_ONE_OF_TWO = "take one of them out, or leave it: both are kept in one group"
_EXPORT = "export the recording again"
_INTENDED = "check that it is the recording you meant; it is converted like all others"
_SAME_FOR_ALL = (
    "check that no class has one of its own, or the model may learn the recorder; all are "
    "converted alike"
)
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
    files = counted(facts["files"], "file")
    which = f"{facts['low']} of {files} have"
    if facts["low"] == facts["files"]:
        which = "the only file has" if facts["files"] == 1 else f"all {files} have"
    rates = ", ".join(map(_kilohertz, facts["rates"]))
    pictures = "its pictures" if facts["files"] == 1 else "their pictures"
    return (
        f"{which} a lower sample rate ({rates}) than the recipe {facts['recipe']} "
        f"({_kilohertz(facts['rate'])}): the top of {pictures} is empty"
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
        fate = "this recipe does not train on them; they test the rejection of unknown sounds"
    elif learned == count:
        fate = "all are for training; with more groups, some would test the rejection of unknowns"
    else:
        fate = f"{learned} are for training, {count - learned} test the rejection of unknown sounds"
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
    "missing": _unusable("there is no such file", "correct its path or leave it out"),
    "no-permission": _unreadable(
        "you have no permission to read it", "change its permissions or leave it out"
    ),
    "folder": _unreadable(
        "this is a folder, not a recording", "name the sound files in it instead, or leave it out"
    ),
    "folder-without-sound": _unreadable(
        "there is no sound file (.wav, .flac, .ogg, .mp3, …) in this folder or in those inside it",
        "",
    ),
    "closed-folder": _unreadable(
        "this folder cannot be opened ({cause})", "change its permissions or leave it out"
    ),
    "not-a-file": _unreadable(
        "this is a pipe or a device, not a file",
        "copy its content into a file, or pipe it in and name the path -",
    ),
    "no-bytes": _unusable(
        "the file is empty (0 bytes)", "copy or record it again, or leave it out", "empty"
    ),
    "no-samples": _unusable("it holds no samples", "record it again or leave it out", "empty"),
    "nothing-piped": _unusable("stdin was empty", "check the program before the pipe", "empty"),
    "not-sound": _unreadable("it cannot be read as a sound file ({cause})", _CONVERT),
    "rate-too-low": _unreadable(
        "its sample rate of {rate} Hz is below {least} Hz", "correct its header"
    ),
    "wrong-header": _unreadable(
        "its WAV header says {channels} {channels:channel|channels} of {rate} Hz", "correct it"
    ),
    "header-cut": _unreadable("its WAV header is incomplete", "pipe all of it"),
    "pcm-bits": _unreadable(
        "its samples have {bits} bits", "pipe 16-bit integers (arecord -f S16_LE) or 32-bit floats"
    ),
    "not-finite": _unusable(
        "{broken} of {samples} samples {broken:is|are} NaN or infinite, the first at "
        "{seconds:.3f} s",
        _EXPORT,
    ),
    "far-too-loud": _unreadable(
        "its samples go up to {peak:.3g}, where full scale is 1: this is no sound", _EXPORT
    ),
    "stretch-outside": _unusable(
        "its stretch starts at {start:g} s, but the file ends at {seconds:.3f} s",
        "correct its start and end",
        "wrong-stretch",
    ),
    "stretch-reversed": _unusable(
        "its stretch must start at 0 s or later and end after that. Got {start} to {end}",
        "correct its start and end",
        "wrong-stretch",
    ),
    "decoder-crashed": _unreadable("the decoder crashed on it ({how})", _CONVERT_ELSEWHERE),
    "decoder-hung": _unreadable(
        "the decoder did not finish within {seconds:.0f} s", _CONVERT_ELSEWHERE
    ),
    "decoder-silent": _unreadable("the decoder stopped answering", _CONVERT_ELSEWHERE),
    "decoder-killed": _unreadable(
        "the decoder was killed while it read this, perhaps because memory ran out", _SHORTER
    ),
    "decoder-memory": _unreadable("it does not fit into memory", _SHORTER),
    "decoder-stopped": _unreadable(
        "decoding was stopped before it was read", "run the command again"
    ),
    "silent": _unusable(
        "every sample is zero{channels: (digital silence)|, or its channels cancel each other}",
        "record it again or leave it out",
    ),
    "silent-background": _odd(
        "every sample is zero: exact silence is unknown without training", "", "note"
    ),
    # A recording that is odd.
    "truncated": _odd(_truncated, "copy it again from its source"),
    "too-loud": _odd(
        "it peaks at {peak:.3g} times full scale, and is used as it is",
        "normalise it, unless that is intended",
    ),
    "clipped": _odd(
        "{samples} samples are cut off at {peak:.2f} of full scale",
        "record it again with less gain, if it sounds distorted",
    ),
    "dc-offset": _odd(
        _dc_offset,
        "remove the offset with a high-pass filter at 20 Hz, and check how it was recorded",
    ),
    "too-quiet": _odd(
        "its envelope never exceeds {threshold:g}: cleaning leaves nothing; it is used uncleaned",
        "amplify it or lower the threshold with --clean-threshold",
    ),
    "too-short": _odd(
        _too_short,
        lambda facts: (
            "record it longer or leave it out; it is padded with zeros"
            if facts["cleans"]
            else "record it longer or leave it out: it is too short to classify reliably"
        ),
    ),
    "mislabelled": _odd(
        "it is labelled '{label}' but sounds like '{suggested}' (confidence {confidence:.2f})",
        "listen to it, and correct the label if it is wrong",
    ),
    # Several recordings.
    "exact-duplicate": _odd("it holds the same samples as {other}", _ONE_OF_TWO),
    "near-duplicate": _odd(_near_duplicate, _ONE_OF_TWO),
    "label-conflict": _odd(
        "it is labelled '{label}', and {other}, the same sound, '{other_label}'", _ONE_LABEL
    ),
    "background-conflict": _unusable(
        "it is labelled '{label}', and {other}, the same sound, '{other_label}': a sound of a "
        "class cannot be background as well, so it is left out",
        _ONE_LABEL,
        "label-conflict",
    ),
    "odd-rate": _odd(_unlike_most(_kilohertz), _INTENDED),
    "odd-channels": _odd(_unlike_most(_of_channels), _INTENDED),
    "several-rates": _odd(_several("sample rates", _kilohertz), _SAME_FOR_ALL, "odd-rate"),
    "several-channels": _odd(
        _several("numbers of channels", _of_channels), _SAME_FOR_ALL, "odd-channels"
    ),
    "low-rate": _odd(
        _low_rate,
        lambda facts: (
            "nothing, if the recordings to predict have the same rate; else record at "
            f"{_kilohertz(facts['rate'])} or more"
        ),
    ),
    "one-class": _odd(_one_class, "add recordings of another class"),
    "no-second-group": _odd(
        "no class has two groups: nothing can be held out, so train and evaluate refuse it and "
        "labels cannot be checked",
        _MORE_DATA,
        "few-groups",
    ),
    "small-class": _odd(_small_class, "record more of it"),
    "few-groups": _odd(_small_class, "record it from more sources"),
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
        "the table covers several sound files and does not say where in its file this begins",
        "add the measurement File Offset in Raven and save the table again",
    ),
    "selection-without-file": _row(
        "it lies in a sound file that the table does not name",
        "add the measurement Begin File in Raven and save the table again",
    ),
    "rows-without-file": _row(
        "{count:count} {count:row names|rows name} no sound file",
        "fill in Begin File or delete the rows",
    ),
    "rows-of-missing-file": _row(
        "{count:count} {count:row names|rows name} '{file}', which is not among the recordings"
    ),
    "rows-of-either-file": _row(
        "{count:count} {count:row names|rows name} '{file}', which may be '{first}' or '{second}'",
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
        "any of its columns {columns:quoted} may hold the labels",
        "rename the one that does to 'label'",
    ),
    # What was passed over or decided while a list was read.
    "passed-over": _note(
        "{count:count} {count:file of a kind|files of kinds} that cannot be read ({kinds}) "
        "{count:was|were} skipped",
        "convert {count:it|them} to WAV or FLAC",
    ),
    "loose-recordings": _note(
        "{count:count} {count:recording lies|recordings lie} directly in '{folder}', in no class "
        "folder, and {count:is|are} left out"
    ),
    "folder-without-recordings": _note("the folder '{folder}' holds no sound file of a known kind"),
    "repeated-rows": _note(
        "{count:count} {count:row repeats|rows repeat} another row and {count:is|are} left out"
    ),
    "labels-from-files": _note(
        "labels are taken from {count:count} label {count:file|files} next to the recordings; the "
        "names of folders are not labels here"
    ),
    "without-label-file": _note(
        "{count:count} {count:recording has|recordings have} no label file next to "
        "{count:it and is|them and are} left out, the first is '{first}'"
    ),
    "without-label": _note(
        "{count:count} {count:recording has|recordings have} a label file without a label that can "
        "be used and {count:is|are} left out, the first is '{first}' ('{file}')"
    ),
    "stray-label-files": _note(
        "{count:count} label {count:file belongs|files belong} to no recording and "
        "{count:is|are} left out, the first is '{first}'",
        "a label file for 'take1.wav' is called 'take1.txt'",
    ),
    "lone-label-files": _note(
        "{count:count} label {count:file was|files were} taken for the only recording in the "
        "folder, the first is '{first}' for '{recording}'"
    ),
    "several-label-files": _note(
        "{count:count} {count:recording has|recordings have} more than one label file, and all of "
        "them are used, the first is '{first}' ({files:quoted})"
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
        "{names:count} {names:recording shares|recordings share} the group of another, of the same "
        "sound: {names:few}"
    ),
    "background": _note(_background),
    "little-kept": _note(_little_kept, "lower it, for instance with --clean-threshold {better}"),
    "labels-not-checked": _note("labels were not checked", "{how}"),
    "own-folds": _note("the folds are the data's own: {folds}"),
    "own-fold-held-out": _note("held out: fold '{fold}' of the data's own folds"),
    "split-groups": _note(
        "the data's folds split {groups:count} {groups:group|groups} ({groups:few}): the score is "
        "not fully honest"
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
        "class '{label}' lies in a single fold: its {unit} '{group}' is trained on, and left out "
        "of the score"
    ),
    "not-held-out": _note(
        "class '{label}' has no recording in the held-out part: it is left out of the score"
    ),
    "not-calibrated": _odd(
        "too few recordings for an inner hold-out: probabilities are not calibrated, and no sound "
        "but silence is called unknown",
        "",
        "note",
    ),
    "calibrated-on-few": _odd(
        "probabilities and the threshold for unknown are calibrated on {count:count} "
        "{count:recording|recordings} only: rely on neither",
        "more recordings help",
        "note",
    ),
    # How a training went.
    "not-cached": _odd("the features were not cached. {cause}", "", "note"),
    "run-not-kept": _odd("this network is not kept for --resume. {cause}", "", "note"),
    "part-not-left-out": _note("the classes {names:few} cannot be left out together. {cause}"),
    "refit": _note("training again, on all recordings"),
    "training-interrupted": _note(
        "the interrupted training in this folder is discarded; --resume would have continued it"
    ),
    "nothing-to-resume": _note(
        "there is no interrupted training to resume; this one starts from the beginning"
    ),
    "stopped-early": _note(
        "training stopped after {epochs:count} {epochs:epoch|epochs}: the loss no longer fell"
    ),
    "model-replaced": _note("the model that was in '{folder}' before was replaced by this one"),
    # Finished models that are scored.
    "model-without-files": _note("'{model}' does not say what it was trained on"),
    "model-without-sounds": _note(
        "'{model}' lists the files that it was trained on, but not their sounds (it was made by an "
        "older Timbrel): copies in another format are not left out"
    ),
    "trained-on": _note(
        "{names:count} {names:recording|recordings} that '{model}' was trained on "
        "{names:is|are} left out: {names:few}"
    ),
    "trained-on-copies": _note(
        "{names:count} {names:recording that holds|recordings that hold} the same samples as "
        "{names:one|ones} that '{model}' was trained on {names:is|are} left out: {names:few}"
    ),
    "classes-of-some-models": _note("classes that not all models know are left out: {labels}"),
    "classes-of-no-model": _note("classes that no model knows count as unknown sounds: {labels}"),
}
