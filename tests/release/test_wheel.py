"""The wheel, installed alone into a fresh environment, predicts."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(*command, **options):
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_the_core_install_predicts(tiny_model, tiny_data, tmp_path):
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", tmp_path, ROOT)
    wheel = next(tmp_path.glob("timbrel-*.whl"))
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", wheel)
    installed = run(python, "-m", "pip", "list", "--format", "freeze").lower()
    assert "keras" not in installed
    assert "tensorflow" not in installed
    out = run(python, "-m", "timbrel", "predict", tiny_data / "hum", "-m", tiny_model, cwd=tmp_path)
    assert len(out.splitlines()) == 9
    assert ",hum," in out
