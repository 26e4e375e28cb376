"""What is wrong or odd about recordings, one by one and taken together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

from timbrel.audio import reading, samples
from timbrel.audio.windows import Windowing
from timbrel.dataset.duplicates import Duplicate
from timbrel.dataset.findings import Finding
from timbrel.dataset.hearing import Heard
from timbrel.dataset.recording import Dataset, Recording
from timbrel.errors import AudioError
from timbrel.wording import counted

# Flat pieces of fewer samples than this cannot be heard.
_CLIPPED = 10
# An offset matters from this share of full scale, and from this share of the sound's own level.
_OFFSET, _OFFSET_SHARE = 0.002, 0.05
# Folds of an evaluation; classes with fewer recordings or groups make them fewer.
_FOLDS = 5
# Values named in a sentence.
_NAMED = 5
# Share of the files that must agree before the others are odd.
_MOST = 0.75

_REASONS = {
    reading.NO_FILE: ("missing", "Correct the path or take the row out"),
    reading.NO_PERMISSION: ("unreadable", "Permit yourself to read it, or take it out"),
    reading.A_FOLDER: ("unreadable", "Name the sound files in it instead, or take it out"),
    reading.A_PIPE: ("unreadable", "Copy what it gives into a file, or take it out"),
    reading.NO_BYTES: ("empty", "Copy or record it again, or take it out"),
    reading.NO_SAMPLES: ("empty", "Record it again or take it out"),
    samples.NOT_FINITE: ("not-finite", "Export the recording again"),
    reading.WRONG_STRETCH: ("wrong-stretch", "Correct its start and end"),
}
_UNREADABLE = ("unreadable", "Convert it to WAV or FLAC, copy it again or take it out")


def dataset_findings(dataset: Dataset) -> list[Finding]:
    """What reading the list of recordings noticed."""
    findings = []
    for problem in dataset.problems:
        message, action = _halves(problem.message, "Correct it or take it out")
        kind = "unreadable" if problem.is_closed_folder else "wrong-row"
        findings.append(Finding(problem.path, kind, message, action))
    for note in dataset.notes:
        action = "Nothing, if that is intended."
        findings.append(Finding(dataset.source, "note", note, action))
    return findings


def unusable_finding(item: Recording, error: AudioError) -> Finding:
    """Why a recording cannot be read."""
    kind, action = next(
        (found for part, found in _REASONS.items() if part in error.reason), _UNREADABLE
    )
    message, action = _halves(error.reason, action)
    return Finding(item.name, kind, message, action)


def recording_findings(item: Recording, heard: Heard, windowing: Windowing) -> list[Finding]:
    """What is wrong or odd about one recording that can be read."""
    if heard.silent:
        # Silence is a fair example of none of the classes.
        if item.none_of_these:
            return []
        message = "Every sample is zero (digital silence)."
        if heard.channels > 1:
            message = "Every sample is zero, or its channels cancel each other."
        return [Finding(item.name, "silent", message, "Record it again or take it out.")]
    found = [*_damage(heard), *_offset(heard, windowing), *_sizes(heard, windowing)]
    return [Finding(item.name, kind, message, action) for kind, message, action in found]


def _damage(heard: Heard) -> Iterable[tuple[str, str, str]]:
    levels = heard.levels
    for text in heard.warnings:
        if reading.TRUNCATED in text:
            damage, _, _ = text.partition("; ")
            yield (
                "truncated",
                _sentence(f"{damage}, so {heard.seconds:.2f} s of it are used"),
                "Copy it again from its source; what can be read is used.",
            )
    if any(samples.ABOVE_FULL_SCALE in text for text in heard.warnings):
        yield (
            "too-loud",
            f"It peaks at {levels.peak:.3g} times full scale.",
            "Normalise it, unless that is intended; it is used as it is.",
        )
    if levels.clipped >= _CLIPPED:
        yield (
            "clipped",
            f"{levels.clipped} samples are cut off at {levels.peak:.2f} of full scale.",
            "Record it again with less gain, if it sounds distorted.",
        )


def _offset(heard: Heard, windowing: Windowing) -> Iterable[tuple[str, str, str]]:
    levels = heard.levels
    if abs(levels.offset) >= max(_OFFSET, _OFFSET_SHARE * levels.rms):
        cut = ", which counts as sound when silence is cut"
        yield (
            "dc-offset",
            f"Its DC offset is {levels.offset:+.4f} of full scale"
            f"{'' if windowing.clean_threshold is None else cut}.",
            "Take the offset out, with a high-pass filter at 20 Hz, and see how it was recorded.",
        )


def _sizes(heard: Heard, windowing: Windowing) -> Iterable[tuple[str, str, str]]:
    least = windowing.least / windowing.rate
    cleans = windowing.clean_threshold is not None
    if heard.kept == 0 and cleans:
        yield (
            "too-quiet",
            f"Its envelope never exceeds {windowing.clean_threshold:g}: cleaning leaves nothing.",
            "Amplify it or lower the threshold with --clean-threshold; it is used uncleaned.",
        )
    kept = min(heard.seconds, heard.kept or heard.seconds)
    if windowing.falls_short(kept * windowing.rate + 0.5):
        short = windowing.falls_short(heard.seconds * windowing.rate + 0.5)
        length = f"It is {heard.seconds:.3f} s long"
        if not short:
            length = f"Cleaning leaves {heard.kept:.3f} s of it"
        yield (
            "too-short",
            f"{length}, less than {'a window of ' if cleans else ''}{least:g} s.",
            "Record it longer or take it out"
            + ("; it is padded with zeros." if cleans else ": there is little to tell it by."),
        )


def format_findings(
    recordings: Sequence[Recording], heard: Sequence[Heard | None], what: tuple[str, str, int]
) -> list[Finding]:
    """Sample rates and channels that differ from those of most files, or are too low.

    Args:
        recordings: all recordings.
        heard: what was heard of each; None where it cannot be read.
        what: the data set, the recipe's name and its sample rate in Hz.
    """
    source, recipe, wanted = what
    files = {
        item.file: (item.path, facts.rate, facts.channels)
        for item, facts in zip(recordings, heard, strict=True)
        if facts is not None
    }
    rates = [(path, rate) for path, rate, _ in files.values()]
    channels = [(path, number) for path, _, number in files.values()]
    low = sorted({rate for _, rate in rates if rate < wanted})
    findings = [
        *_differing(source, rates, ("odd-rate", "sample rates", _kilohertz)),
        *_differing(source, channels, ("odd-channels", "numbers of channels", _channels)),
    ]
    if low:
        count = sum(rate < wanted for _, rate in rates)
        all_of_them = counted(len(rates), "file")
        which = f"All {all_of_them}" if count == len(rates) else f"{count} of {all_of_them}"
        which = "The only file" if len(rates) == 1 else which
        message = (
            f"{which} {'has' if len(rates) == 1 else 'have'} a lower sample rate "
            f"({', '.join(map(_kilohertz, low))}) than {recipe} hears at ({_kilohertz(wanted)}): "
            f"the top of {'its' if len(rates) == 1 else 'their'} pictures is empty."
        )
        action = (
            "Nothing, if what you will ask about is recorded alike; else record at "
            f"{_kilohertz(wanted)} or more."
        )
        findings.append(Finding(source, "low-rate", message, action))
    return findings


def _differing(
    source: str, found: Sequence[tuple[str, int]], what: tuple[str, str, Callable[[int], str]]
) -> list[Finding]:
    """The files that differ from most, or that there is no value that most have."""
    kind, noun, show = what
    counts = Counter(value for _, value in found).most_common()
    if len(counts) < 2:
        return []
    usual, most = counts[0]
    if most < _MOST * len(found):
        listed = ", ".join(f"{show(value)} ({count})" for value, count in counts[:_NAMED])
        rest = len(counts) - _NAMED
        message = f"The files have several {noun}: {listed}"
        message += f" and {rest} more." if rest > 0 else "."
        action = (
            "See that no class has one of its own, or the model may learn the recorder; all are "
            "converted alike."
        )
        return [Finding(source, kind, message, action)]
    message = f"It is {{}}, and {most} of {len(found)} files are {show(usual)}."
    action = "See that it is the recording you meant; it is converted like all others."
    return [
        Finding(path, kind, message.format(show(value)), action)
        for path, value in found
        if value != usual
    ]


def duplicate_findings(
    recordings: Sequence[Recording], pairs: Iterable[Duplicate]
) -> list[Finding]:
    """One finding for each recording that repeats an earlier one, and for labels that disagree."""
    first: dict[int, Duplicate] = {}
    conflicts: dict[int, int] = {}
    for pair in pairs:
        one, other = recordings[pair.first], recordings[pair.second]
        if one.file == other.file and one.group == other.group:
            continue
        first.setdefault(pair.second, pair)
        if one.label != other.label:
            conflicts.setdefault(pair.second, pair.first)
    findings = [_repetition(recordings, pair) for pair in first.values()]
    outside = "train and evaluate do not compare examples of none of these with the classes"
    for number, place in conflicts.items():
        item, other = recordings[number], recordings[place]
        findings.append(
            Finding(
                item.name,
                "label-conflict",
                f"It is labelled '{item.label}', and {other.name}, the same sound, "
                f"'{other.label}'.",
                f"Listen to it and correct one of the labels; {outside}."
                if item.none_of_these != other.none_of_these
                else "Listen to it and correct one of the labels.",
            )
        )
    return findings


def _repetition(recordings: Sequence[Recording], pair: Duplicate) -> Finding:
    other = recordings[pair.first].name
    if pair.exact:
        message = f"It holds the same samples as {other}."
    else:
        message = f"It is the same sound as {other}, over {pair.overlap:.2f} s."
    action = (
        "Take one of them out, or leave it: train and evaluate keep both on one side of a split."
    )
    if recordings[pair.first].none_of_these or recordings[pair.second].none_of_these:
        action = "Take one of them out: it is counted twice, or as known and as unknown."
    kind = "exact-duplicate" if pair.exact else "near-duplicate"
    return Finding(recordings[pair.second].name, kind, message, action)


def class_findings(source: str, usable: Sequence[Recording]) -> list[Finding]:
    """Classes of too few recordings or groups to be scored well.

    Args:
        source: the data set.
        usable: the recordings that can be used, with copies joined into one group.
    """
    members: dict[str, list[Recording]] = defaultdict(list)
    for item in usable:
        if not item.none_of_these:
            members[item.label].append(item)
    findings = []
    if len(members) < 2:
        found = f"only '{next(iter(members))}'" if members else "none"
        message = (
            f"A classifier needs two classes with recordings that can be used; it has {found}."
        )
        findings.append(Finding(source, "one-class", message, "Add recordings of another class."))
    if members and all(len({item.group for item in items}) == 1 for items in members.values()):
        message = (
            "No class has two groups: nothing can be held out, so train and evaluate refuse it "
            "and no label can be checked."
        )
        action = "Add recordings from a second source to the classes."
        return [*findings, Finding(source, "few-groups", message, action)]
    for label, items in sorted(members.items()):
        groups = {item.group for item in items}
        if len(groups) >= _FOLDS:
            continue
        few = len(groups) == len(items)
        size = counted(len(items), "recording") if few else counted(len(groups), "group")
        held = (
            "it cannot be held out, so neither its score nor its labels can be checked"
            if len(groups) == 1
            else f"{_FOLDS} folds shrink to {len(groups)}"
        )
        findings.append(
            Finding(
                source,
                "small-class" if few else "few-groups",
                f"Class '{label}' has {size} only: {held}.",
                "Record more of it." if few else "Record it from more sources.",
            )
        )
    return findings


def _halves(reason: str, action: str) -> tuple[str, str]:
    """Divide "what is wrong; what to do" into two sentences."""
    message, _, advice = reason.partition("; ")
    return _sentence(message), _sentence(advice or action)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _kilohertz(rate: int) -> str:
    return f"{rate / 1000:g} kHz"


def _channels(number: int) -> str:
    return {1: "mono", 2: "stereo"}.get(number, f"of {number} channels")
