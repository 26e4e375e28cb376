"""Print what an environment is and how large, as JSON: run by its Python, for versions.py.

Sizes are those of all files of Timbrel and of what it needs, in millions of bytes: `core` without
extras, then for each extra what it adds to that.
"""

from __future__ import annotations

import json
import platform
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

EXTRAS = ("train", "parquet", "tags", "live")


def needed(name: str, extras: tuple[str, ...] = ()) -> dict[str, Distribution]:
    """A package that is installed and all that it needs, by name."""
    waiting = [(canonicalize_name(name), extras)]
    seen = set(waiting)
    for name, extras in waiting:
        for need in map(Requirement, distribution(name).requires or ()):
            wanted = ({"extra": extra} for extra in ("", *extras))
            if need.marker is None or any(map(need.marker.evaluate, wanted)):
                item = (canonicalize_name(need.name), tuple(sorted(need.extras)))
                if item not in seen:
                    seen.add(item)
                    waiting.append(item)
    return {name: distribution(name) for name, _ in seen}


def megabytes(packages: dict[str, Distribution]) -> float:
    """Size of all files of some packages, in millions of bytes."""
    paths = (Path(item.locate_file(file)) for item in packages.values() for file in item.files)
    return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6


def sizes() -> dict[str, float]:
    """What the core takes, and what each extra that is installed adds."""
    core = needed("timbrel")
    found = {"core": round(megabytes(core), 1)}
    for extra in EXTRAS:
        try:
            added = needed("timbrel", (extra,))
        except PackageNotFoundError:
            continue
        more = {name: item for name, item in added.items() if name not in core}
        found[extra] = round(megabytes(more), 1)
    return found


if __name__ == "__main__":
    facts = {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": f"{platform.system()} {platform.machine()}",
        "libc": " ".join(platform.libc_ver()),
        "megabytes": sizes(),
        "packages": {canonicalize_name(item.name): item.version for item in distributions()},
    }
    json.dump(facts, sys.stdout)
