"""Timbrel turns a folder of labelled recordings into a small sound classifier you can trust.

Everything public is here, imported when first used: `import timbrel` needs neither Keras nor
onnxruntime.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

# For type checkers and editors; `_PUBLIC` below is what happens. A test compares the two.
if TYPE_CHECKING:
    from timbrel.audio.clean import Cleaned as Cleaned, clean as clean, envelope as envelope
    from timbrel.audio.decode import (
        Decoded as Decoded,
        IsolatedDecoder as IsolatedDecoder,
        decode as decode,
    )
    from timbrel.audio.pcm import Pcm as Pcm
    from timbrel.audio.reading import Reading as Reading
    from timbrel.audio.windows import Windowing as Windowing, consecutive as consecutive
    from timbrel.dataset.folds import deal_folds as deal_folds, hold_out as hold_out
    from timbrel.dataset.manifest import (
        Dataset as Dataset,
        Recording as Recording,
        read_dataset as read_dataset,
    )
    from timbrel.dataset.synthesis import make_synthetic as make_synthetic
    from timbrel.errors import (
        AudioError as AudioError,
        DataError as DataError,
        DecoderError as DecoderError,
        DecoderFailed as DecoderFailed,
        DeviceError as DeviceError,
        FetchError as FetchError,
        InvalidArgument as InvalidArgument,
        MissingExtra as MissingExtra,
        ModelError as ModelError,
        OutputError as OutputError,
        TimbrelError as TimbrelError,
    )
    from timbrel.features.cache import FeatureCache as FeatureCache
    from timbrel.features.logmel import LogMel as LogMel
    from timbrel.features.mfcc import MFCC as MFCC
    from timbrel.fetching.known import KNOWN_DATA as KNOWN_DATA, KnownData as KnownData
    from timbrel.findings import Finding as Finding
    from timbrel.inference.events import EventSettings as EventSettings
    from timbrel.inference.prediction import Prediction as Prediction, Predictions as Predictions
    from timbrel.inference.predictor import Predictor as Predictor, load as load
    from timbrel.networks.builders import front_end as front_end, network as network
    from timbrel.networks.recipes import (
        RECIPES as RECIPES,
        Recipe as Recipe,
        get_recipe as get_recipe,
    )
    from timbrel.progress import Progress as Progress
    from timbrel.tagging.moves import TakenBack as TakenBack
    from timbrel.training.examples import (
        Examples as Examples,
        balanced_class_weight as balanced_class_weight,
        draw_windows as draw_windows,
    )
    from timbrel.training.fit import fit as fit
    from timbrel.training.prepare import Prepared as Prepared, prepare as prepare
    from timbrel.workflows.check import check as check
    from timbrel.workflows.compare import evaluate_models as evaluate_models
    from timbrel.workflows.data import (
        FetchedData as FetchedData,
        FetchObserver as FetchObserver,
        fetch_data as fetch_data,
    )
    from timbrel.workflows.demo import demo as demo
    from timbrel.workflows.evaluate import evaluate as evaluate
    from timbrel.workflows.explore import explore as explore
    from timbrel.workflows.info import ModelInfo as ModelInfo, info as info
    from timbrel.workflows.listen import listen as listen
    from timbrel.workflows.predict import predict as predict
    from timbrel.workflows.summary import summary as summary
    from timbrel.workflows.tag import (
        TagObserver as TagObserver,
        TagResult as TagResult,
        tag as tag,
        undo_tag as undo_tag,
    )
    from timbrel.workflows.train import train as train

__version__ = "0.1.0"

_PUBLIC = {
    "AudioError": "timbrel.errors",
    "DataError": "timbrel.errors",
    "DecoderError": "timbrel.errors",
    "DecoderFailed": "timbrel.errors",
    "DeviceError": "timbrel.errors",
    "FetchError": "timbrel.errors",
    "InvalidArgument": "timbrel.errors",
    "MissingExtra": "timbrel.errors",
    "ModelError": "timbrel.errors",
    "OutputError": "timbrel.errors",
    "TimbrelError": "timbrel.errors",
    "Finding": "timbrel.findings",
    "Progress": "timbrel.progress",
    "Decoded": "timbrel.audio.decode",
    "decode": "timbrel.audio.decode",
    "Pcm": "timbrel.audio.pcm",
    "Reading": "timbrel.audio.reading",
    "IsolatedDecoder": "timbrel.audio.decode",
    "Cleaned": "timbrel.audio.clean",
    "clean": "timbrel.audio.clean",
    "envelope": "timbrel.audio.clean",
    "Windowing": "timbrel.audio.windows",
    "consecutive": "timbrel.audio.windows",
    "Dataset": "timbrel.dataset.manifest",
    "Recording": "timbrel.dataset.manifest",
    "read_dataset": "timbrel.dataset.manifest",
    "deal_folds": "timbrel.dataset.folds",
    "hold_out": "timbrel.dataset.folds",
    "make_synthetic": "timbrel.dataset.synthesis",
    "KNOWN_DATA": "timbrel.fetching.known",
    "KnownData": "timbrel.fetching.known",
    "LogMel": "timbrel.features.logmel",
    "MFCC": "timbrel.features.mfcc",
    "FeatureCache": "timbrel.features.cache",
    "RECIPES": "timbrel.networks.recipes",
    "Recipe": "timbrel.networks.recipes",
    "get_recipe": "timbrel.networks.recipes",
    "front_end": "timbrel.networks.builders",
    "network": "timbrel.networks.builders",
    "Examples": "timbrel.training.examples",
    "Prepared": "timbrel.training.prepare",
    "prepare": "timbrel.training.prepare",
    "draw_windows": "timbrel.training.examples",
    "balanced_class_weight": "timbrel.training.examples",
    "fit": "timbrel.training.fit",
    "EventSettings": "timbrel.inference.events",
    "Prediction": "timbrel.inference.prediction",
    "Predictions": "timbrel.inference.prediction",
    "Predictor": "timbrel.inference.predictor",
    "load": "timbrel.inference.predictor",
    "FetchObserver": "timbrel.workflows.data",
    "check": "timbrel.workflows.check",
    "FetchedData": "timbrel.workflows.data",
    "fetch_data": "timbrel.workflows.data",
    "demo": "timbrel.workflows.demo",
    "evaluate": "timbrel.workflows.evaluate",
    "evaluate_models": "timbrel.workflows.compare",
    "explore": "timbrel.workflows.explore",
    "listen": "timbrel.workflows.listen",
    "predict": "timbrel.workflows.predict",
    "ModelInfo": "timbrel.workflows.info",
    "info": "timbrel.workflows.info",
    "summary": "timbrel.workflows.summary",
    "TagObserver": "timbrel.workflows.tag",
    "TagResult": "timbrel.workflows.tag",
    "TakenBack": "timbrel.tagging.moves",
    "tag": "timbrel.workflows.tag",
    "undo_tag": "timbrel.workflows.tag",
    "train": "timbrel.workflows.train",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> object:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'timbrel' has no attribute '{name}'")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
