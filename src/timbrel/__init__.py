"""Timbrel turns a folder of labelled recordings into a small sound classifier you can trust.

Everything public is here, imported when first used: `import timbrel` needs neither Keras nor
onnxruntime.
"""

from __future__ import annotations

import importlib

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
    "TakenBack": "timbrel.tagging.undo",
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
