"""Read `DATA` that is a folder of recordings and their label files.

A label file goes with the recording that it is named after: `take1.txt`, `take1.wav.txt`,
`take1_labels.txt` and, as Raven calls its tables, `take1.Table.1.selections.txt` go with
`take1.wav`. A selection table that names the sound file of its rows may have any name. A label file
of any name goes with the recording in its folder where each is the only one there.

Where there is a label file, the names of folders are not labels: a label on a stretch of a
recording says more than the place of the recording, and field recordings are sorted by site and
day.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from timbrel.dataset.label_files import LabelFile, Stretch, read_label_file
from timbrel.dataset.recording import Dataset, Recording, settle_repeats
from timbrel.findings import Finding

# Extensions of files that may hold labels, in any case.
LABEL_EXTENSIONS = frozenset({".txt"})

# What programs and people add to the name of a recording.
_ADDED = re.compile(r"(.+?)(?:(?:\.table\.\d+)?\.selections|[ ._-]+labels?)")


@dataclass(frozen=True)
class _Pair:
    """A label file and the recordings that it may go with by its name.

    Attributes:
        text: the label file.
        labels: its content.
        named: the recordings that it is named after: two where the name does not decide.
        lone: whether it is not named after the recording but is the only label file in its folder.
    """

    text: Path
    labels: LabelFile
    named: tuple[Path, ...]
    lone: bool = False


def read_annotated(
    folder: Path, recordings: Sequence[Path], texts: Iterable[Path]
) -> tuple[Dataset | None, tuple[Finding, ...]]:
    """Read the recordings that have label files.

    Each labelled stretch becomes a `Recording`; its group is the path of the sound file.

    Args:
        folder: as the user named it.
        recordings: the sound files in it.
        texts: the files in it that may be label files.

    Returns:
        The data set, or None where no recording has a label file, and a finding for the label files
        that go with no recording (it is among the findings of the data set).
    """
    source, index = str(folder), _Index(folder, recordings)
    # Label files with their recordings, and text files named after a recording that are none.
    pairs: list[_Pair] = []
    others: list[_Pair] = []
    unnamed: dict[Path, list[_Pair]] = defaultdict(list)
    for text in texts:
        labels = read_label_file(text, index.path(text))
        pair = _Pair(text, labels, tuple(index.named_after(text)))
        stated = {stretch.file for stretch in labels.stretches} - {""}
        if not labels.known:
            others += [pair] if pair.named else []
        elif pair.named or any(index.stated(file, text) for file in stated):
            pairs.append(pair)
        else:
            unnamed[text.parent].append(pair)
    taken = {file for pair in pairs for file in pair.named}
    strays = []
    for parent, members in unnamed.items():
        near, labels = index.inside[parent], members[0].labels
        alone = len(near) == len(members) == 1 and near[0] not in taken
        if alone and not any(item.file for item in labels.stretches):
            pairs.append(_Pair(members[0].text, labels, tuple(near), lone=True))
        else:
            strays += [index.path(pair.text) for pair in members]
    stray: tuple[Finding, ...] = ()
    if strays:
        facts = {"count": len(strays), "first": strays[0]}
        stray = (Finding("stray-label-files", source, facts),)
    if not pairs:
        return None, stray

    stretches: list[Recording] = []
    findings: list[Finding] = []
    named: dict[Path, set[Path]] = defaultdict(set)
    used: dict[Path, set[Path]] = defaultdict(set)
    for pair in (*pairs, *others):
        findings += pair.labels.findings
        for file in pair.named:
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
    kept, repeats = settle_repeats(stretches, source)

    if any(file.parent != folder for file in recordings):
        findings.append(Finding("labels-from-files", source, {"count": len(pairs)}))
    without = [file for file in recordings if file not in named and file not in used]
    if without:
        facts = {"count": len(without), "first": index.path(without[0])}
        findings.append(Finding("without-label-file", source, facts))
    empty = [file for file in recordings if file in named and file not in used]
    if empty:
        name = min(named[empty[0]]).name
        facts = {"count": len(empty), "first": index.path(empty[0]), "file": name}
        findings.append(Finding("without-label", source, facts))
    findings += stray
    lone = [pair for pair in pairs if pair.lone]
    if lone:
        facts = {
            "count": len(lone),
            "first": index.path(lone[0].text),
            "recording": lone[0].named[0].name,
        }
        findings.append(Finding("lone-label-files", source, facts))
    several = [file for file in recordings if len(used.get(file, ())) > 1]
    if several:
        names = [text.name for text in sorted(used[several[0]])]
        facts = {"count": len(several), "first": index.path(several[0]), "files": names}
        findings.append(Finding("several-label-files", source, facts))
    columns = Counter(pair.labels.column for pair in pairs if pair.labels.column)
    if len(columns) > 1 or not all(pair.labels.usual for pair in pairs):
        facts = {"columns": [list(item) for item in sorted(columns.items())]}
        findings.append(Finding("chosen-columns", source, facts))
    findings += repeats
    # Those about rows first, as for a CSV.
    findings.sort(key=lambda item: not item.unusable)
    return Dataset(source, tuple(kept), tuple(findings)), stray


class _Index:
    """The recordings of a folder by their folders and names."""

    def __init__(self, folder: Path, recordings: Sequence[Path]) -> None:
        self.folder = folder
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

    def named_after(self, text: Path) -> list[Path]:
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
            # The recordings that share most folders with the stated path, counted from the end.
            shared = []
            for file in found:
                pairs = zip(reversed(file.parts[:-1]), reversed(parts[:-1]), strict=False)
                shared.append(
                    sum(1 for _ in takewhile(lambda pair: pair[0].casefold() == pair[1], pairs))
                )
            found = [file for file, n in zip(found, shared, strict=True) if n == max(shared)]
        if len(found) > 1:
            found = [file for file in found if file.parent == text.parent] or found
        return found


def _stem(name: str) -> str:
    return os.path.splitext(name)[0].casefold()


def _placed(index: _Index, pair: _Pair, findings: list[Finding]) -> Iterator[tuple[Path, Stretch]]:
    """The stretches of a label file, each with its recording; add findings for those without."""
    by_file: dict[str, list[Stretch]] = defaultdict(list)
    for stretch in pair.labels.stretches:
        by_file[stretch.file].append(stretch)
    for stated, stretches in by_file.items():
        found = index.stated(stated, pair.text) if stated else pair.named
        if not found and len(by_file) == 1:
            # The recording was renamed, and the table with it.
            found = pair.named
        if len(found) == 1:
            yield from ((found[0], stretch) for stretch in stretches)
            continue
        # It cannot be decided which recording these rows are of.
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
