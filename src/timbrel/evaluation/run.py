"""A run: train on some rows of a corpus, and score others with the exported network.

`train` is one run and a folder. Cross-validation, the random split, the learning curve, classes
that are left out, and `check --deep` are lists of runs with other masks
(`timbrel.evaluation.crossval`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from timbrel import __version__
from timbrel.audio.windows import consecutive, counting, windows_at_once
from timbrel.dataset.corpus import Corpus
from timbrel.dataset.recording import targets
from timbrel.errors import OutputError
from timbrel.evaluation.calibration import calibrate, file_means, tempered
from timbrel.features.cache import FeatureCache
from timbrel.findings import Finding
from timbrel.model.export import (
    Trained,
    export_onnx,
    measure_parity,
    probabilities,
    whole_model,
)
from timbrel.model.runtime import Session
from timbrel.networks.recipes import Recipe
from timbrel.progress import Progress
from timbrel.training.examples import Examples
from timbrel.training.fit import Checkpoint, Fitted, fit, training_policy

_BATCH = 512
# Windows on which an export is compared with its Keras model: so many, or so many samples.
_MOST_COMPARED, _SAMPLES_COMPARED = 2048, 1 << 23


@dataclass(frozen=True)
class WindowScores:
    """Probabilities that a network gives to windows of recordings.

    Attributes:
        probabilities: float32 `(n, classes)`.
        row: int64 `(n,)`, ascending, the row of the recording that each window belongs to.
        temperature: of the network; the probabilities are softmax(logits / temperature).
    """

    probabilities: np.ndarray
    row: np.ndarray
    temperature: float = 1.0

    @property
    def rows(self) -> np.ndarray:
        """The recordings that have windows, int64 `(files,)`, ascending."""
        return np.unique(self.row)

    @property
    def file(self) -> np.ndarray:
        """The recording of each window as an index into `rows`, int64 `(n,)`."""
        return np.unique(self.row, return_inverse=True)[1]

    def of(self, rows: np.ndarray) -> WindowScores:
        """The windows of some recordings.

        Args:
            rows: bool, a mask over the rows of the corpus.
        """
        chosen = rows[self.row]
        return replace(self, probabilities=self.probabilities[chosen], row=self.row[chosen])

    def at(self, temperature: float) -> np.ndarray:
        """Probabilities at a temperature, `(n, classes)`."""
        if temperature == self.temperature:
            return self.probabilities
        return tempered(self.probabilities, temperature / self.temperature)

    def files(self, temperature: float) -> np.ndarray:
        """Mean probabilities of each of `rows` at a temperature; float64 `(files, classes)`."""
        if not len(self.row):
            return np.empty(self.probabilities.shape, dtype=np.float64)
        return file_means(self.at(temperature), self.file)


def _no_rows() -> np.ndarray:
    return np.zeros(0, dtype=bool)


@dataclass(frozen=True)
class Run:
    """One network to train, and the recordings to score with it.

    The masks over the rows of the corpus select none unless given.

    Attributes:
        name: shown to the user, for instance "fold 2 of 5".
        learn: bool `(rows,)`, recordings to learn from, background among them.
        labels: the classes to learn.
        score: bool `(rows,)`, recordings to score as a whole.
        calibrate: bool `(rows,)`, recordings that temperature and threshold are fitted on; where
            there are none, the temperature is 1.
        validate: bool `(rows,)`, recordings whose drawn windows the `val_` figures are computed on;
            nothing is chosen by them.
        drawn: bool `(rows,)`, recordings whose drawn windows are scored.
        seed: of weights, order and dropout.
        split_windows: bool `(windows,)`, drawn windows to hold out whatever their recordings, as
            the tutorial does; they are validated on and scored. None splits by recordings.
    """

    name: str
    learn: np.ndarray
    labels: tuple[str, ...]
    score: np.ndarray = field(default_factory=_no_rows)
    calibrate: np.ndarray = field(default_factory=_no_rows)
    validate: np.ndarray = field(default_factory=_no_rows)
    drawn: np.ndarray = field(default_factory=_no_rows)
    seed: int = 0
    split_windows: np.ndarray | None = None

    def __post_init__(self) -> None:
        for name in ("score", "calibrate", "validate", "drawn"):
            if not len(getattr(self, name)):
                object.__setattr__(self, name, np.zeros_like(self.learn))

    def examples(self, examples: Examples) -> tuple[Examples, Examples]:
        """Split all drawn windows: those to learn from, and those to validate on."""
        if self.split_windows is not None:
            return examples.split_windows(self.split_windows)
        if self.labels != examples.labels:
            examples = examples.restrict(self.labels)
        learn, rest = examples.split(~self.learn)
        return learn, rest.select(self.validate[rest.recording])


@dataclass(frozen=True)
class RunResult:
    """The result of a run.

    Attributes:
        run: the run.
        windows: scores of the consecutive windows that count, of the recordings to score.
        drawn: scores of the drawn windows.
        temperature, threshold: fitted on the recordings to calibrate on; 1 and 0 without any.
        history: a row for each epoch.
        seconds: spent on `train` and on `predict`.
        parity: the largest difference in probability between the network and its export, and the
            number of windows that it was measured on.
    """

    run: Run
    windows: WindowScores
    drawn: WindowScores
    temperature: float
    threshold: float
    history: list[dict]
    seconds: dict[str, float]
    parity: dict[str, float]


@dataclass(frozen=True)
class TrainedRun:
    """The network of a run and its scores; an interrupted evaluation keeps the scores alone.

    Attributes:
        result: the scores.
        fitted: the network as it was trained.
        trained: all that was exported.
        graph: the exported model.
    """

    result: RunResult
    fitted: Fitted
    trained: Trained
    graph: bytes


def execute(
    run: Run,
    corpus: Corpus,
    examples: Examples,
    recipe: Recipe,
    *,
    checkpoint: Checkpoint | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> TrainedRun:
    """Fit, calibrate, export and score.

    Args:
        run: the recordings to learn from and to score.
        corpus: the recordings.
        examples: windows drawn from them.
        recipe: the recipe to train.
        checkpoint: where the state is stored after every epoch.
        resume: continue from the checkpoint, where there is one.
        progress: receives the stages.

    Raises:
        ModelError: the exported network differs from the trained one, or the checkpoint is damaged
            or belongs to a training with other data or options.
    """
    progress = progress or Progress()
    started = time.perf_counter()
    learn, validation = run.examples(examples)
    fitted = fit(
        learn,
        recipe,
        validation=validation,
        seed=run.seed,
        checkpoint=checkpoint,
        resume=resume,
        progress=progress,
    )
    trained = Trained(recipe, fitted.network, fitted.scale)
    temperature, threshold = 1.0, 0.0
    if run.calibrate.any():
        whole = whole_model(trained)
        inner = score_recordings(
            corpus,
            run.calibrate,
            lambda windows: probabilities(whole, windows),
            classes=len(run.labels),
            stage="calibrating",
            progress=progress,
        )
        target = targets(corpus.select(inner.rows), run.labels)
        temperature, threshold = calibrate(inner.probabilities, inner.file, target)
        trained = replace(trained, temperature=temperature)
    progress.stage("exporting", 0, 1)
    graph = export_onnx(trained)
    progress.stage("exporting", 1, 1)
    exported = time.perf_counter()
    session = Session(graph, "The exported model")
    windows = score_recordings(
        corpus,
        run.score,
        lambda part: session.run(part)[0],
        classes=len(run.labels),
        stage="scoring",
        progress=progress,
    )
    aside = run.split_windows
    drawn = _in_order(examples, run.drawn[examples.recording] if aside is None else aside)
    size = windows_at_once(corpus.windowing.window, most=_BATCH)
    answers = [np.empty((0, len(run.labels)), dtype=np.float32)]
    for first in range(0, len(drawn), size):
        part = drawn[first : first + size]
        cut = corpus.windows(examples.recording[part], examples.start[part])
        answers.append(session.run(cut)[0])
    compared = run.score[examples.recording] if aside is None else aside
    parity = check_parity(trained, graph, corpus, examples, compared)
    result = RunResult(
        run=run,
        windows=replace(windows, temperature=temperature),
        drawn=WindowScores(np.concatenate(answers), examples.recording[drawn], temperature),
        temperature=temperature,
        threshold=threshold,
        history=fitted.history,
        seconds={"train": exported - started, "predict": time.perf_counter() - exported},
        parity=parity,
    )
    return TrainedRun(result, fitted, trained, graph)


def score_recordings(
    corpus: Corpus,
    rows: np.ndarray,
    answer: Callable[[np.ndarray], np.ndarray],
    *,
    classes: int,
    stage: str = "scoring",
    progress: Progress | None = None,
) -> WindowScores:
    """Score the consecutive windows of recordings, many windows at a time.

    Args:
        corpus: the recordings.
        rows: bool `(rows,)`, the recordings to score.
        answer: computes probabilities, float32 `(n, classes)`, of float32 windows `(n, window)`.
        classes: number of classes of the network.
        stage: name of the stage for `progress`.
        progress: receives the stage, in recordings.

    Returns:
        Scores of the windows that count (`timbrel.audio.windows.counts`).
    """
    places = np.flatnonzero(rows).tolist()
    enough = windows_at_once(corpus.windowing.window, most=_BATCH)
    answers = [np.empty((0, classes), dtype=np.float32)]
    waiting: list[np.ndarray] = []
    counts = []
    for number, cleaned in enumerate(corpus.cleaned(places), 1):
        whole = consecutive(cleaned, corpus.windowing).samples
        waiting.append(counting(whole, corpus.windowing))
        counts.append(len(waiting[-1]))
        if sum(map(len, waiting)) >= enough or number == len(places):
            answers.append(answer(np.concatenate(waiting)))
            waiting = []
        if progress:
            progress.stage(stage, number, len(places))
    return WindowScores(np.concatenate(answers), np.repeat(places, counts).astype(np.int64))


def check_parity(
    trained: Trained, graph: bytes, corpus: Corpus, examples: Examples, compared: np.ndarray
) -> dict[str, float]:
    """Compare an export with its Keras model on drawn windows of evenly chosen recordings.

    Args:
        trained: the parts that were exported.
        graph: the exported graph.
        corpus: the recordings.
        examples: windows drawn from them.
        compared: bool `(windows,)`, the drawn windows that may be used.

    Returns:
        `max_difference` in probability and the number of `windows` that were used.

    Raises:
        ModelError: the difference is too large.
    """
    windows = _in_order(examples, compared)
    most = max(min(_MOST_COMPARED, _SAMPLES_COMPARED // corpus.windowing.window), 1)
    several, first, file = np.unique(
        examples.recording[windows], return_index=True, return_inverse=True
    )
    apart = -(-max(len(several), 1) // most)
    each = max(most // max(len(several), 1), 1)
    some = windows[(file % apart == 0) & (np.arange(len(windows)) - first[file] < each)]
    cut = corpus.windows(examples.recording[some], examples.start[some])
    difference = measure_parity(whole_model(trained), graph, cut)
    return {"max_difference": difference, "windows": len(some)}


def _in_order(examples: Examples, chosen: np.ndarray) -> np.ndarray:
    """Positions of chosen windows, sorted by recording; int64 `(n,)`."""
    places = np.flatnonzero(chosen)
    return places[np.argsort(examples.recording[places], kind="stable")]


class Runs:
    """Executes runs on one corpus, and stores finished runs until all are finished.

    Args:
        corpus, examples, recipe: as for `execute`.
        cache: where finished runs are stored, so that an interrupted evaluation can be continued.
        resume: use the finished runs of an interrupted evaluation.
        total: number of runs that will be executed.
        progress: receives the stage "networks", and the stages of each run.

    Attributes:
        seconds: spent so far on `train` and on `predict`, by an interrupted evaluation too.
    """

    def __init__(
        self,
        corpus: Corpus,
        examples: Examples,
        recipe: Recipe,
        *,
        cache: FeatureCache,
        resume: bool,
        total: int,
        progress: Progress,
    ) -> None:
        self.corpus, self.examples, self.recipe = corpus, examples, recipe
        self._cache, self._resume = cache, resume
        self._total, self._done, self._progress = total, 0, progress
        self._keys: list[str] = []
        self.seconds = {"train": 0.0, "predict": 0.0}

    def execute(self, run: Run) -> RunResult:
        """Execute a run, or read its result from the cache where an evaluation was interrupted.

        Raises:
            ModelError: the exported network differs from the trained one.
        """
        self._progress.stage("networks", self._done, self._total, run.name)
        learn, _ = run.examples(self.examples)
        masks = (run.score, run.calibrate, run.validate, run.drawn, run.split_windows)
        key = FeatureCache.key(
            version=__version__,
            run=[run.name, run.seed, list(run.labels)],
            recipe=self.recipe.to_dict(),
            data=self.corpus.data_sha256(),
            background=[self.corpus.sha256[row] for row in np.flatnonzero(self.corpus.background)],
            arithmetic=training_policy(self.recipe.network),
            learn=learn.sha256,
            masks=[mask is not None and np.packbits(mask).tobytes().hex() for mask in masks],
        )
        result = self._stored(key, run) if self._resume else None
        if result is None:
            # Without the network: those of a hundred folds must not stay in memory.
            result = execute(
                run, self.corpus, self.examples, self.recipe, progress=self._progress
            ).result
            self._store(key, result)
        self._keys.append(key)
        self._done += 1
        self._progress.stage("networks", self._done, self._total, run.name)
        for name, spent in result.seconds.items():
            self.seconds[name] = round(self.seconds[name] + spent, 3)
        return result

    def forget(self) -> None:
        """Remove the stored runs, once the evaluation is complete."""
        for key in self._keys:
            self._cache.remove(key)

    def _store(self, key: str, result: RunResult) -> None:
        facts = {
            "history": result.history,
            "seconds": result.seconds,
            "temperature": result.temperature,
            "threshold": result.threshold,
            "parity": result.parity,
        }
        arrays = {
            "facts": np.array(json.dumps(facts)),
            "windows": result.windows.probabilities,
            "window_rows": result.windows.row,
            "drawn": result.drawn.probabilities,
            "drawn_rows": result.drawn.row,
        }
        try:
            self._cache.put(key, arrays)
        except OutputError as error:
            finding = Finding("run-not-kept", result.run.name, {"cause": str(error)})
            self._progress.finding(finding)

    def _stored(self, key: str, run: Run) -> RunResult | None:
        arrays = self._cache.get(key)
        if arrays is None or set(arrays) != _STORED:
            return None
        facts = json.loads(str(arrays["facts"]))
        temperature = facts["temperature"]
        return RunResult(
            run=run,
            windows=WindowScores(arrays["windows"], arrays["window_rows"], temperature),
            drawn=WindowScores(arrays["drawn"], arrays["drawn_rows"], temperature),
            **facts,
        )


_STORED = {"facts", "windows", "window_rows", "drawn", "drawn_rows"}
