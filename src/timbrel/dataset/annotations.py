"""Read `DATA` that is a folder of recordings with label files beside them.

A label file goes with the recording that it is named after: `take1.txt`, `take1.wav.txt`,
`take1_labels.txt` and, as Raven calls its tables, `take1.Table.1.selections.txt` go with
`take1.wav`. A selection table that names the sound file of its rows may have any name. A label file
of any name goes with the recording beside it where each is the only one in its folder.

Label files win over folders: where there is one, the names of folders are not labels. What somebody
wrote about a stretch of a recording says more than where the recording was put, and recordings in
the field are sorted by place and day.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from timbrel.dataset.label_files import LabelFile, Stretch, read_label_file
from timbrel.dataset.recording import Dataset, Recording, settle_repeats
from timbrel.findings import Finding

# Extensions of files that may hold labels, whatever their case.
LABEL_EXTENSIONS = frozenset({".txt"})

# What programs and people add to the name of a recording.
_ADDED = re.compile(r"(.+?)(?:(?:\.table\.\d+)?\.selections|[ ._-]+labels?)")


def read_annotated(
    folder: Path, recordings: Sequence[Path], texts: Iterable[Path]
) -> tuple[Dataset | None, tuple[Finding, ...]]:
    """Read the recordings that have label files beside them.

    Each labelled stretch becomes a `Recording`; the sound file that it is of is its group.

    Args:
        folder: what the user named.
        recordings: the sound files in it.
        texts: the files in it that may be label files.

    Returns:
        The data set, or None where no recording has a label file, and what to say of label files
        that go with no recording (it is among the findings of the data set).
    """
    index = _Index(folder, recordings)
    pairs, strays, others = _pair(index, texts)
    stray = _stray_findings(index, strays)
    if not pairs:
        return None, stray
    stretches, findings = [], []
    named: dict[Path, set[Path]] = defaultdict(set)
    used: dict[Path, set[Path]] = defaultdict(set)
    for pair in (*pairs, *others):
        findings += pair.labels.findings
        for file in pair.beside:
            named[file].add(pair.text)
        for file, stretch in _placed(index, pair, findings):
            path = index.path(file)
            stretches.append(
                Recording(
                    path=path,
                    file=file,
                    label=stretch.label,
                    group=path,
                    start=stretch.start,
                    end=stretch.end,
                )
            )
            used[file].add(pair.text)
    stretches.sort(key=lambda item: (item.path, item.start, item.end))
    kept, repeats = settle_repeats(stretches, str(folder))
    findings += [
        *_left_out(index, len(pairs), named, used),
        *stray,
        *_choices(index, pairs, used),
        *repeats,
    ]
    # Those about rows first, as for a CSV.
    findings.sort(key=lambda item: not item.unusable)
    return Dataset(str(folder), tuple(kept), tuple(findings)), stray


class _Index:
    """The recordings of a folder by where they lie and what they are called."""

    def __init__(self, folder: Path, recordings: Sequence[Path]) -> None:
        self.folder = folder
        self.recordings = recordings
        self.inside: dict[Path, list[Path]] = defaultdict(list)
        self._called: dict[str, list[Path]] = defaultdict(list)
        self._near: dict[tuple[Path, str], list[Path]] = defaultdict(list)
        for file in recordings:
            self.inside[file.parent].append(file)
            for name in (file.name.casefold(), _stem(file.name)):
                self._called[name].append(file)
                self._near[file.parent, name].append(file)

    def path(self, file: Path) -> str:
        """The path within the folder, joined with `/`."""
        return "/".join(file.relative_to(self.folder).parts)

    def beside(self, text: Path) -> list[Path]:
        """The recordings in its folder that a text file is named after."""
        name = _stem(text.name)
        added = _ADDED.fullmatch(name)
        for base in (name, added[1]) if added else (name,):
            found = self._near.get((text.parent, base), [])
            if found:
                found = [file for file in found if file.name.casefold() == base] or found
                # Names may differ in their case alone.
                return [file for file in found if text.name.startswith(file.stem)] or found
        return []

    def stated(self, stated: str, text: Path) -> list[Path]:
        """The recordings that a table may mean by a name, or by a path of another computer."""
        parts = [part.casefold() for part in re.split(r"[\\/]+", stated)]
        found = self._called.get(parts[-1]) or self._called.get(_stem(parts[-1]), [])
        if len(found) > 1:
            shared = [_shared_end(file.parts[:-1], parts[:-1]) for file in found]
            found = [file for file, n in zip(found, shared, strict=True) if n == max(shared)]
        if len(found) > 1:
            found = [file for file in found if file.parent == text.parent] or found
        return found


def _stem(name: str) -> str:
    return os.path.splitext(name)[0].casefold()


def _shared_end(one: Sequence[str], other: Sequence[str]) -> int:
    """How many folders at the end two paths share."""
    count = 0
    for left, right in zip(reversed(one), reversed(other), strict=False):
        if left.casefold() != right:
            break
        count += 1
    return count


@dataclass(frozen=True)
class _Pair:
    """A label file and the recordings that it may go with by its name.

    Attributes:
        text: the label file.
        labels: what it says.
        beside: the recordings: none where its rows name them, two where the name does not decide.
        lone: whether it is not named after the recording but the only label file beside it.
    """

    text: Path
    labels: LabelFile
    beside: tuple[Path, ...]
    lone: bool = False

    @property
    def stated(self) -> set[str]:
        """The sound files that its rows name."""
        return {stretch.file for stretch in self.labels.stretches} - {""}


def _pair(index: _Index, texts: Iterable[Path]) -> tuple[list[_Pair], list[Path], list[_Pair]]:
    """Label files with their recordings, label files without, and text files that are neither."""
    pairs, others, lone = [], [], defaultdict(list)
    for text in texts:
        labels = read_label_file(text, index.path(text))
        pair = _Pair(text, labels, tuple(index.beside(text)))
        if not pair.labels.known:
            others += [pair] if pair.beside else []
        elif pair.beside or any(index.stated(file, text) for file in pair.stated):
            pairs.append(pair)
        else:
            lone[text.parent].append(pair)
    named = {file for pair in pairs for file in pair.beside}
    strays = []
    for parent, members in lone.items():
        near = index.inside[parent]
        if len(near) == len(members) == 1 and near[0] not in named and not members[0].stated:
            pairs.append(_Pair(members[0].text, members[0].labels, tuple(near), lone=True))
        else:
            strays += [pair.text for pair in members]
    return pairs, strays, others


def _placed(index: _Index, pair: _Pair, findings: list[Finding]) -> Iterator[tuple[Path, Stretch]]:
    """The stretches of a label file, each with its recording; add to findings what has none."""
    by_file: dict[str, list[Stretch]] = defaultdict(list)
    for stretch in pair.labels.stretches:
        by_file[stretch.file].append(stretch)
    for stated, stretches in by_file.items():
        found = index.stated(stated, pair.text) if stated else pair.beside
        if not found and len(by_file) == 1:
            # The recording was given another name, and the table with it.
            found = pair.beside
        if len(found) == 1:
            yield from ((found[0], stretch) for stretch in stretches)
            continue
        # There is no saying which recording these rows are of.
        path = index.path(pair.text)
        row = f"{path}, line {stretches[0].line}"
        facts = {"count": len(stretches), "file": stated}
        if found:
            facts |= {"first": index.path(found[0]), "second": index.path(found[1])}
        if stated:
            code = "rows-of-either-file" if found else "rows-of-missing-file"
            findings.append(Finding(code, row, facts))
        elif found:
            facts["name"] = f"{found[0].name}.txt"
            findings.append(Finding("label-file-of-either", path, facts))
        else:
            findings.append(Finding("rows-without-file", row, facts))


# What was decided, and what was left out


def _left_out(
    index: _Index,
    label_files: int,
    named: dict[Path, set[Path]],
    used: dict[Path, set[Path]],
) -> Iterator[Finding]:
    source = str(index.folder)
    if any(file.parent != index.folder for file in index.recordings):
        yield Finding("labels-from-files", source, {"count": label_files})
    without = [file for file in index.recordings if file not in named and file not in used]
    if without:
        facts = {"count": len(without), "first": index.path(without[0])}
        yield Finding("without-label-file", source, facts)
    empty = [file for file in index.recordings if file in named and file not in used]
    if empty:
        file = min(named[empty[0]]).name
        facts = {"count": len(empty), "first": index.path(empty[0]), "file": file}
        yield Finding("without-label", source, facts)


def _stray_findings(index: _Index, strays: Sequence[Path]) -> tuple[Finding, ...]:
    if not strays:
        return ()
    facts = {"count": len(strays), "first": index.path(strays[0])}
    return (Finding("stray-label-files", str(index.folder), facts),)


def _choices(
    index: _Index, pairs: Sequence[_Pair], used: dict[Path, set[Path]]
) -> Iterator[Finding]:
    """What was decided that might have been decided otherwise."""
    source = str(index.folder)
    lone = [pair for pair in pairs if pair.lone]
    if lone:
        facts = {
            "count": len(lone),
            "first": index.path(lone[0].text),
            "recording": lone[0].beside[0].name,
        }
        yield Finding("lone-label-files", source, facts)
    several = [file for file in index.recordings if len(used.get(file, ())) > 1]
    if several:
        facts = {
            "count": len(several),
            "first": index.path(several[0]),
            "files": [text.name for text in sorted(used[several[0]])],
        }
        yield Finding("several-label-files", source, facts)
    columns = Counter(pair.labels.column for pair in pairs if pair.labels.column)
    unusual = any(not pair.labels.usual for pair in pairs)
    if len(columns) > 1 or unusual:
        facts = {"columns": [list(item) for item in sorted(columns.items())]}
        yield Finding("chosen-columns", source, facts)
