"""The tutorial's way of predicting, as a program of its own: print the class of each recording.

With the libraries that it used (librosa, pandas, python_speech_features, Keras on TensorFlow): read
at 16 kHz, cut out the silence, a MFCC of each 0.1 s, one Keras `predict` for each recording, the
mean over its windows. SETTINGS is a JSON object with `labels` and `scale`.

    python benchmarks/tutorial_predict.py MODEL.keras SETTINGS RECORDING …
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import keras
import librosa
import numpy as np
import pandas as pd
from python_speech_features import mfcc

RATE, WINDOW, THRESHOLD = 16_000, 1600, 0.005


def pictures(path: str) -> np.ndarray:
    """MFCC of the windows of a recording; float64 `(n, 13, 9)`."""
    signal, rate = librosa.load(path, sr=RATE)
    level = pd.Series(signal).apply(np.abs)
    level = level.rolling(window=int(rate / 10), min_periods=1, center=True).mean()
    kept = signal[(level > THRESHOLD).to_numpy()]
    signal = np.pad(kept, (0, max(WINDOW - len(kept), 0)))
    starts = range(0, len(signal) - WINDOW + 1, WINDOW)
    windows = [signal[start : start + WINDOW] for start in starts]
    return np.array([mfcc(part, rate, numcep=13, nfilt=26, nfft=512).T for part in windows])


def main() -> None:
    model = keras.models.load_model(sys.argv[1])
    settings = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    low, high = settings["scale"]
    for path in sys.argv[3:]:
        scaled = (pictures(path)[..., None] - low) / (high - low)
        answer = model.predict(scaled, verbose=0).mean(axis=0)
        print(settings["labels"][int(answer.argmax())], flush=True)


if __name__ == "__main__":
    main()
