"""Killed at any point, a sorting goes on where it was or is taken back; nothing is ever lost."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tagging_killed import CASES

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_killed_before_any_call(case, tmp_path):
    if "labels" in case:
        pytest.importorskip("mutagen", reason="the tags extra is not installed")
    program = Path(__file__).with_name("tagging_killed.py")
    done = subprocess.run(
        [sys.executable, program, case, tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    sorting, taking_back = map(int, done.stdout.split())
    assert sorting > 40
    assert taking_back > 15
