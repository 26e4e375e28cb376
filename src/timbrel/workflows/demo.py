"""`timbrel demo`: the main job on synthesised recordings."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from timbrel.dataset.corpus import open_corpus
from timbrel.dataset.manifest import read_dataset
from timbrel.dataset.synthesis import make_synthetic
from timbrel.display.html import block
from timbrel.errors import InvalidArgument
from timbrel.features.cache import FeatureCache, default_folder
from timbrel.inference.outputs import opened
from timbrel.inference.prediction import Prediction, predictions_parts
from timbrel.inference.predictor import load
from timbrel.model.directory import check_output
from timbrel.networks.recipes import DEFAULT_RECIPE, get_recipe
from timbrel.progress import Progress, watching
from timbrel.text import plain, plural
from timbrel.workflows.check import CheckResult, check_corpus
from timbrel.workflows.predict import predict
from timbrel.workflows.train import TrainResult, train_corpus

RECORDINGS = 30
# Added to the seed, so that the new sounds are none of the old.
_NEW_SEED = 1_000_003


@dataclass(frozen=True, repr=False)
class DemoResult:
    """The files that the demo made, and its results.

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
        score = f"{right} of {plural(len(self.predictions), 'new sound')} predicted correctly"
        return plain(f"DemoResult({str(self.data.parent.parent)!r}: {score}; {self.trained!r})")

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
    progress: Progress | bool = False,
    say: Callable[[str], None] | None = None,
) -> DemoResult:
    """Make the built-in data set, check it, train on it, score, and predict new sounds.

    Args:
        output: folder for everything; made if it does not exist.
        recordings: recordings a class.
        epochs: in place of the recipe's.
        seed: of the sounds and of the training.
        cache: where features are kept.
        progress: True for bars, in a notebook's cell or on a terminal's stderr, or an object to
            tell.
        say: given a sentence before each step.

    Raises:
        InvalidArgument: the folder holds something else.
    """
    folder = Path(output)
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "data/recordings").is_dir():
        raise InvalidArgument(
            f"'{folder}' exists and was not made by timbrel demo. Choose another folder with -o."
        )
    data, new = folder / "data", folder / "new-sounds"
    cache = FeatureCache(default_folder()) if cache is None else cache
    say = say or (lambda sentence: None)
    recipe = get_recipe(DEFAULT_RECIPE).adjusted(epochs=epochs)
    with watching(progress) as told:
        say(f"Making {recordings} recordings of each of ten instrument-like classes in {data} …")
        table = make_synthetic(data, recordings=recordings, seed=seed, progress=told)
        say("Checking them: what is broken, odd, doubled or probably mislabelled …")
        started = time.perf_counter()
        # Read once, to be checked and to be learned from.
        with open_corpus(
            read_dataset(table), recipe.windowing, levels=True, statistics=True, progress=told
        ) as corpus:
            checked = check_corpus(corpus, recipe, seed=seed, progress=told)
            say(checked.conclusion + (f" (timbrel check {table})" if checked.findings else ""))
            say("Training on them, with whole recordings held out for the score …")
            trained = train_corpus(
                corpus,
                check_output(folder / "model"),
                recipe=recipe,
                seed=seed,
                cache=cache,
                progress=told,
                started=started,
            )
        say(f"Making one new sound of each class in {new}, and predicting them …")
        make_synthetic(new, recordings=1, seed=_NEW_SEED + seed)
        predictions = predict([new], load(trained.path))
    csv = folder / "predictions.csv"
    with opened(str(csv), [item.path for item in predictions]) as rows:
        for item in predictions:
            rows.begin(item.path)
            rows.write(item)
            rows.end()
    made = read_dataset(new / "recordings.csv").recordings
    label_of = {item.file.name: item.label for item in made}
    pairs = [(label_of[Path(item.path).name], item) for item in predictions]
    return DemoResult(table, checked, trained, pairs, csv)
