"""What the tests share: the real recordings, a tiny data set, a tiny model."""

import contextlib
import hashlib
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from cases import RATE, closed as closing, sound

from timbrel.progress import Progress

# Tests may import Keras before Timbrel does.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    os.environ["TIMBREL_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def shared():
    """The folder with the real recordings; tests that need it are skipped without."""
    folder = Path(os.environ.get("TIMBREL_SHARED", ROOT.parent / "shared"))
    if not (folder / "data" / "instruments" / "instruments.csv").is_file():
        pytest.skip("the real recordings are not here (set TIMBREL_SHARED to their folder)")
    return folder


def bursts(samples, seed=0):
    """Loud and quiet stretches of noise, of all lengths, float32."""
    rng = np.random.default_rng(seed)
    count = samples // 20 + 2
    levels = np.repeat(10 ** rng.uniform(-4, 0, count), rng.integers(1, 60, count))
    return np.float32(np.resize(levels, samples) * rng.normal(size=samples))


def write_folder(folder, *, kinds=("hiss", "hum", "whistle"), recordings=8, seconds=0.5):
    """A data set of one folder per kind."""
    for number, kind in enumerate(kinds):
        (folder / kind).mkdir(parents=True)
        for take in range(recordings):
            rng = np.random.default_rng([number, take])
            soundfile.write(folder / kind / f"{take}.wav", sound(kind, seconds, rng), RATE)
    return folder


class Recorder(Progress):
    """Keeps every call."""

    def __init__(self):
        self.stages, self.rows, self.findings = [], [], []

    def stage(self, name, done, total, note=""):
        self.stages.append((name, done, total, note))

    def row(self, table, row):
        self.rows.append((table, row))

    def finding(self, finding):
        self.findings.append(finding)

    def table(self, name):
        return [row for table, row in self.rows if table == name]


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory):
    """Three easy classes of eight half-second recordings each; read only."""
    return write_folder(tmp_path_factory.mktemp("data") / "tiny")


@pytest.fixture(scope="session")
def tiny_training(tiny_data, tmp_path_factory):
    """The result of training on `tiny_data`; read only."""
    from timbrel.workflows.train import train

    folder = tmp_path_factory.mktemp("models") / "tiny"
    return train(tiny_data, folder, recipe="tutorial-cnn", epochs=6)


@pytest.fixture(scope="session")
def _without_learning():
    """Stand-ins for `fit` and for the export in cross-validation; see `untrained`."""
    from timbrel.model.export import export_onnx
    from timbrel.networks.builders import network
    from timbrel.progress import Progress
    from timbrel.training.fit import HISTORY_KEYS, Fitted

    exported = {}

    def fit(train, recipe, *, seed=0, progress=None, **_):
        history = [
            dict.fromkeys(HISTORY_KEYS, 0.5) | {"epoch": epoch}
            for epoch in range(1, recipe.epochs + 1)
        ]
        for row in history:
            (progress or Progress()).row("epochs", row)
        model = network(recipe, train.input_shape, len(train.labels), seed=seed)
        # Rounded, so that most parts of a data set have the same.
        low, high = train.value_range
        scale = (10 * math.floor(low / 10), 10 * math.ceil(high / 10))
        return Fitted(model, scale, history, "float32")

    def export(trained):
        weights = hashlib.sha256(b"".join(item.tobytes() for item in trained.network.get_weights()))
        key = (trained.recipe, trained.scale, trained.temperature, weights.digest())
        if key not in exported:
            exported[key] = export_onnx(trained)
        return exported[key]

    return fit, export


@pytest.fixture
def untrained(_without_learning, monkeypatch):
    """Leave networks as they were built, for tests that do not depend on what they learn.

    In cross-validation, equal networks are exported once.
    """
    fit, export = _without_learning
    monkeypatch.setattr("timbrel.workflows.train.fit", fit)
    monkeypatch.setattr("timbrel.evaluation.run.fit", fit)
    monkeypatch.setattr("timbrel.evaluation.run.export_onnx", export)


@pytest.fixture
def tiny_model(request):
    """The model directory of `tiny_training`; read only.

    Where only what predicting needs is installed, it was trained elsewhere on the same recordings:
    TIMBREL_TINY_MODEL is its folder (see benchmarks/versions.py).
    """
    made = os.environ.get("TIMBREL_TINY_MODEL")
    return Path(made) if made else request.getfixturevalue("tiny_training").path


@pytest.fixture(scope="session")
def distributions(tmp_path_factory):
    """The folder with the sdist, and with the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("distributions")
    command = [sys.executable, "-m", "build", "--outdir", folder, ROOT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    return folder


@pytest.fixture(scope="session")
def sdist(distributions):
    """What `make dist` writes."""
    (found,) = distributions.glob("timbrel-*.tar.gz")
    return found


@pytest.fixture(scope="session")
def wheel(distributions):
    """What `make dist` writes."""
    (found,) = distributions.glob("timbrel-*-py3-none-any.whl")
    return found


@pytest.fixture
def call(capfd):
    """Run `timbrel …` in this process; return exit status, stdout and stderr."""
    from timbrel.cli.main import main

    def run(*arguments):
        with pytest.raises(SystemExit) as stopped:
            main([str(word) for word in arguments])
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return stopped.value.code or 0, out, err

    return run


def interruptible(*arguments):
    """A command that runs the program so that Ctrl-C reaches it.

    Where tests run in the background, all processes may ignore it by default.
    """
    program = (
        "import signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from timbrel.cli.main import main\n"
        "main(sys.argv[1:])\n"
    )
    return [sys.executable, "-c", program, *map(str, arguments)]


@pytest.fixture
def library(tmp_path):
    """A small sample library to sort."""
    from tagging_killed import make_library

    make_library(tmp_path / "library")
    return tmp_path / "library"


@pytest.fixture
def out(tmp_path):
    """Where it is sorted to."""
    return tmp_path / "sorted"


@pytest.fixture
def site(monkeypatch, tmp_path):
    """A server with a small data set, which is known as `instruments`; retries do not wait."""
    from local_site import serving
    from timbrel.fetching import download
    from timbrel.fetching.known import KNOWN_DATA
    from tiny_known import put

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(download.time, "sleep", lambda seconds: None)
    monkeypatch.chdir(tmp_path)
    with serving() as site:
        monkeypatch.setitem(KNOWN_DATA, "instruments", put(site))
        yield site


@pytest.fixture
def closed():
    """Gives a function that makes folders of some names unreadable."""
    with contextlib.ExitStack() as stack:
        yield lambda *names: stack.enter_context(closing(*names))
