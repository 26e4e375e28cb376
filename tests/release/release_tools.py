"""Fresh environments, and programs run as somebody does who has nothing else."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(*command, status=0, **options):
    """Run a program as somebody does who has nothing but what is installed; return what it did."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        check=False,
        **{"env": kept, **options},
    )
    assert done.returncode == status, done.stderr[-3000:] or done.stdout[-3000:]
    assert "Traceback" not in done.stderr
    return done


@dataclass(frozen=True)
class Environment:
    """A fresh environment, in which `pip` installs what was tried together."""

    folder: Path

    def __post_init__(self):
        run(sys.executable, "-m", "venv", self.folder)

    @property
    def bin(self):
        return self.folder / ("Scripts" if os.name == "nt" else "bin")

    def pip(self, verb, *arguments):
        quietly = ("--quiet", "--prefer-binary", "--constraint", ROOT / "constraints.txt")
        run(self.bin / "python", "-m", "pip", verb, *quietly, *arguments)

    def packages(self):
        listed = run(self.bin / "python", "-m", "pip", "list", "--format", "freeze").stdout
        return {line.partition("==")[0].lower() for line in listed.splitlines()}

    def timbrel(self, *arguments, **options):
        return run(self.bin / "timbrel", *arguments, cwd=self.folder, **options)
