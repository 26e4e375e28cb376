"""Train on one part of a data set and hear the other: the step that cross-validation repeats."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

import numpy as np

from timbrel import __version__
from timbrel.dataset.fingerprint import dataset_sha256
from timbrel.errors import OutputError
from timbrel.evaluation.calibration import file_means
from timbrel.features.cache import FeatureCache
from timbrel.model.export import Trained, export_onnx, measure_parity, whole_model
from timbrel.model.runtime import Session
from timbrel.training.examples import Examples
from timbrel.training.fit import fit
from timbrel.training.precision import training_policy
from timbrel.training.prepare import Prepared
from timbrel.workflows.held_out import hear_each
from timbrel.workflows.none_of_these import Others
from timbrel.workflows.observer import EvaluateObserver

_ARRAYS = ("numbers", "windows", "window_file", "drawn", "drawn_file", "others", "others_file")

# Held-out windows on which each export is compared with its Keras model.
_PARITY_WINDOWS = 256


@dataclass(frozen=True)
class Heard:
    """What a network says of recordings that it was trained without; probabilities uncalibrated.

    Attributes:
        numbers: int `(files,)`, the recordings.
        windows: float32 `(n, classes)`, for their consecutive windows.
        window_file: int `(n,)`, the recording of each, an index into `numbers`.
        drawn: float32 `(m, classes)`, for the windows that were drawn from them.
        drawn_file: int `(m,)`, the recording of each, an index into `numbers`.
        others: float32 `(k, classes)`, for the windows of examples of none of these.
        others_file: int `(k,)`, the example of each.
        history: a row an epoch.
        seconds: of training, and of hearing.
    """

    numbers: np.ndarray
    windows: np.ndarray
    window_file: np.ndarray
    drawn: np.ndarray
    drawn_file: np.ndarray
    others: np.ndarray
    others_file: np.ndarray
    history: list[dict]
    seconds: tuple[float, float]

    @property
    def files(self) -> np.ndarray:
        """Mean probabilities of each recording; float64 `(files, classes)`."""
        return file_means(self.windows, self.window_file)


@dataclass(frozen=True)
class Task:
    """One network to train and what to ask it.

    Attributes:
        name: what to call it, for instance "fold 2 of 5".
        learn: what it is trained on.
        validation: what the `val_` figures are computed on; nothing is chosen by them.
        numbers: int `(files,)`, recordings to hear.
        drawn: the drawn windows to hear; those of `numbers` among them.
        whole: whether to hear the consecutive windows too.
        others: examples of none of these, to hear those that are not learned from.
        seed: of weights, order and dropout.
    """

    name: str
    learn: Examples
    validation: Examples | None
    numbers: np.ndarray
    drawn: Examples
    whole: bool = True
    others: Others | None = None
    seed: int = 0


class Runner:
    """Runs tasks on one data set, and keeps what is finished until all are.

    Args:
        prepared: the data set.
        cache: where finished tasks are kept, so that an interrupted evaluation can go on.
        resume: take up what an interrupted evaluation has finished.
        observer: told how it goes.

    Attributes:
        seconds: spent so far on `train` and on `predict`, by interrupted evaluations too.
    """

    def __init__(
        self,
        prepared: Prepared,
        cache: FeatureCache,
        *,
        resume: bool,
        observer: EvaluateObserver,
    ) -> None:
        self._prepared = prepared
        self._cache = cache
        self._resume = resume
        self._observer = observer
        self._keys: list[str] = []
        self.seconds = {"train": 0.0, "predict": 0.0}

    def run(self, task: Task) -> Heard:
        """Train and hear, or take the result from an interrupted evaluation.

        Raises:
            ModelError: the exported network differs from the trained one.
        """
        key = self._key(task)
        self._keys.append(key)
        heard = self._kept(key) if self._resume else None
        self._observer.task(task.name, resumed=heard is not None)
        if heard is None:
            heard = self._run(task)
            self._keep(key, heard)
        for name, spent in zip(self.seconds, heard.seconds, strict=True):
            self.seconds[name] = round(self.seconds[name] + spent, 3)
        return heard

    def tell(self, name: str, what: str) -> None:
        """Say in words how a network did."""
        self._observer.scored(name, what)

    def _keep(self, key: str, heard: Heard) -> None:
        said = json.dumps({"history": heard.history, "seconds": heard.seconds})
        arrays = {name: getattr(heard, name) for name in _ARRAYS}
        try:
            self._cache.put(key, {**arrays, "said": np.array(said)})
        except OutputError as error:
            self._observer.note(f"This network is not kept for --resume. {error}")

    def _kept(self, key: str) -> Heard | None:
        arrays = self._cache.get(key)
        if arrays is None or set(arrays) != {*_ARRAYS, "said"}:
            return None
        said = json.loads(str(arrays.pop("said")))
        return Heard(**arrays, history=said["history"], seconds=tuple(said["seconds"]))

    def forget(self) -> None:
        """Remove what was kept: the evaluation is whole."""
        for key in self._keys:
            self._cache.remove(key)

    def _run(self, task: Task) -> Heard:
        started = time.perf_counter()
        recipe, observer = self._prepared.recipe, self._observer
        fitted = fit(
            task.learn,
            recipe,
            validation=task.validation,
            seed=task.seed,
            listener=observer.listener(),
        )
        trained = Trained(recipe, fitted.network, fitted.scale)
        graph = export_onnx(trained)
        between = time.perf_counter()
        session = Session(graph, "The exported model")
        windows, drawn, some = [], [], []
        for whole, part in hear_each(self._prepared, task.numbers, drawn=task.drawn):
            windows.append(session.run(whole if task.whole else whole[:0])[0])
            drawn.append(session.run(part)[0])
            if sum(map(len, some)) < _PARITY_WINDOWS:
                some.append(whole[:2])
            observer.progress("scoring", len(windows), len(task.numbers))
        measure_parity(whole_model(trained), graph, np.concatenate(some)[:_PARITY_WINDOWS])
        tested = task.others.tested if task.others else ()
        others = [session.run(task.others.windows(number))[0] for number in tested]
        empty = np.empty((0, session.classes), dtype=np.float32)
        return Heard(
            numbers=np.asarray(task.numbers),
            windows=np.concatenate([empty, *windows]),
            window_file=_places(windows),
            drawn=np.concatenate([empty, *drawn]),
            drawn_file=_places(drawn),
            others=np.concatenate([empty, *others]),
            others_file=_places(others),
            history=fitted.history,
            seconds=(between - started, time.perf_counter() - between),
        )

    def _key(self, task: Task) -> str:
        prepared = self._prepared
        return FeatureCache.key(
            version=__version__,
            task=[task.name, task.seed, task.whole],
            recipe=prepared.recipe.to_dict(),
            data=dataset_sha256(prepared.recordings, prepared.sha256),
            arithmetic=training_policy(prepared.recipe.network),
            labels=list(task.learn.labels),
            learn=task.learn.sha256,
            drawn=task.drawn.sha256,
            numbers=np.asarray(task.numbers).tolist(),
            others=[task.others.sha256[n] for n in task.others.tested] if task.others else [],
        )


def _places(parts: list[np.ndarray]) -> np.ndarray:
    """For each row of the parts joined, the part that it came from; int64."""
    return np.repeat(np.arange(len(parts)), [len(part) for part in parts])
