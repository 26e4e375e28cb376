"""`timbrel demo`: the main job from nothing."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from timbrel.dataset.manifest import read_dataset
from timbrel.dataset.synthetic import make_synthetic
from timbrel.display.html import block
from timbrel.errors import InvalidArgument
from timbrel.features.cache import FeatureCache
from timbrel.files import write_bytes
from timbrel.inference.drawing import predictions_parts
from timbrel.inference.prediction import Prediction
from timbrel.inference.predictions import Predictions
from timbrel.inference.predictor import load
from timbrel.inference.writers import write_predictions
from timbrel.wording import plain, plural
from timbrel.workflows.check import CheckResult, check
from timbrel.workflows.observer import TrainObserver
from timbrel.workflows.predict import predict
from timbrel.workflows.train import TrainResult, train
from timbrel.workflows.watched import watched

RECORDINGS = 30
# Set apart from the seeds that people choose, so that the new sounds are none of the old.
_NEW_SEED = 1_000_003


@dataclass(frozen=True, repr=False)
class DemoResult:
    """What the demo made.

    Attributes:
        data: the CSV of the synthesised recordings.
        checked: what is wrong or odd about them.
        trained: the model and its score.
        predictions: of sounds made afterwards, with their true labels.
        table: the CSV with the predictions.
    """

    data: Path
    checked: CheckResult
    trained: TrainResult
    predictions: list[tuple[str, Prediction]]
    table: Path

    def __repr__(self) -> str:
        right = sum(label == item.predicted for label, item in self.predictions)
        heard = f"{right} of {plural(len(self.predictions), 'new sound')} heard right"
        return plain(f"DemoResult({str(self.data.parent.parent)!r}: {heard}; {self.trained!r})")

    def _repr_html_(self) -> str:
        answers = [item for _, item in self.predictions]
        return block(*predictions_parts(answers), *self.trained.html_parts())


def demo(
    output: str | os.PathLike = "timbrel-demo",
    *,
    recordings: int = RECORDINGS,
    epochs: int | None = None,
    seed: int = 0,
    cache: FeatureCache | None = None,
    progress: bool = False,
    observer: TrainObserver | None = None,
    say: Callable[[str], None] | None = None,
) -> DemoResult:
    """Make the built-in data set, check it, train on it, score, and predict new sounds.

    Args:
        output: folder for everything; made where it is not there.
        recordings: recordings a class.
        epochs: in place of the recipe's.
        seed: of the sounds and of the training.
        cache: where features are kept.
        progress: show bars as the work goes on, in a notebook's cell or on a terminal's stderr.
        observer: told how it goes, in place of bars.
        say: given a sentence before each step.

    Raises:
        InvalidArgument: the folder holds something else.
    """
    folder = Path(output)
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "data/recordings").is_dir():
        raise InvalidArgument(
            f"'{folder}' exists and was not made by timbrel demo. Choose another folder with -o."
        )
    with watched(observer, progress) as told:
        how = {"epochs": epochs, "seed": seed, "cache": cache}
        return _demo(folder, recordings, how, watching=(told, say or (lambda sentence: None)))


def _demo(
    folder: Path,
    recordings: int,
    how: dict,
    *,
    watching: tuple[TrainObserver, Callable[[str], None]],
) -> DemoResult:
    """Make the demo; `how` are arguments of `train`."""
    (observer, say), seed = watching, how["seed"]
    data, new = folder / "data", folder / "new-sounds"
    say(f"Making {recordings} recordings of each of ten instrument-like classes in {data} …")
    table = make_synthetic(
        data,
        recordings=recordings,
        seed=seed,
        progress=lambda done, total: observer.progress("making", done, total),
    )
    say("Checking them: what is broken, odd, doubled or probably mislabelled …")
    checked = check(table, seed=seed, observer=observer)
    say(checked.conclusion + (f" (timbrel check {table})" if checked.findings else ""))
    say("Training on them, with whole recordings held out for the score …")
    trained = train(table, folder / "model", **how, observer=observer)
    say(f"Making one new sound of each class in {new}, and predicting them …")
    make_synthetic(new, recordings=1, seed=_NEW_SEED + seed)
    predictions = predict([new], load(trained.path))
    written = folder / "predictions.csv"
    _write(predictions, written)
    labels = _labels(new / "recordings.csv")
    pairs = [(labels[Path(item.path).name], item) for item in predictions]
    return DemoResult(table, checked, trained, pairs, written)


def _write(predictions: Predictions, path: Path) -> None:
    text = io.StringIO()
    write_predictions(predictions, text, form="csv")
    write_bytes(path, text.getvalue().encode(errors="surrogateescape"))


def _labels(table: Path) -> dict[str, str]:
    return {item.file.name: item.label for item in read_dataset(table).recordings}
