"""A network with two or three views of a log-mel picture, whose answers are averaged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from timbrel.networks.network import Network, outputs_of

if TYPE_CHECKING:
    from timbrel.features.backend import keras
    from timbrel.networks.layers import SeededLayers

# The largest number of pictures used to compute the distances to the classes.
_MOST_PICTURES = 20_000
# Names of layers: outputs of the fixed part, answers of the classifiers, hidden units below them.
_VIEWS = ("statistics", "course", "relative_picture")
_ANSWERS, _HIDDEN = "answers", "hidden"


@dataclass(frozen=True)
class StatisticsCNN(Network):
    """Views of a log-mel picture, each with a classifier of its own, whose answers are averaged.

    A dense network on statistics over the frames, a convolutional network on the course of the
    sound in a fixed number of steps, and optionally one on the whole picture.

    Attributes:
        depth: range below the loudest band and frame that is kept, in dB.
        hidden: units of the hidden layer on the statistics (ReLU).
        steps: steps of the course.
        filters: channels of the 3×3 convolutions (ReLU); the last halves the bands, the others the
            steps too.
        dense: units of the hidden layer after the convolutions (ReLU).
        dropout: share of the statistics, and of other values before a dense layer, that is dropped.
        picture: channels of the 3×3 convolutions (ReLU) on the picture, each of which halves frames
            and bands; empty for a network without them.
    """

    kind: ClassVar[str] = "statisticscnn"
    scales: ClassVar[bool] = False

    depth: float = 80.0
    hidden: int = 256
    steps: int = 24
    filters: tuple[int, ...] = (16, 32, 64)
    dense: int = 96
    dropout: tuple[float, float] = (0.2, 0.4)
    picture: tuple[int, ...] = ()

    def build(
        self, picture: keras.KerasTensor, classes: int, *, make: SeededLayers, name: str
    ) -> keras.Model:
        """Build the untrained network; `picture` is `(batch, frames, bands)`, not scaled."""
        from timbrel.features.backend import keras
        from timbrel.networks.layers import (
            Course,
            DistanceTemperature,
            MergedBands,
            RelativeLevel,
            SpectralRipple,
            SpectralStatistics,
        )

        layers = keras.layers
        # Levels are logarithms; bfloat16 would round them to half a decibel.
        exact = {"dtype": "float32"}

        # The fixed part.
        fine = RelativeLevel(depth=self.depth, name="relative_level", **exact)(picture)
        merged = MergedBands(name="merged_bands", **exact)(picture)
        coarse = RelativeLevel(depth=self.depth, name="relative_level_merged", **exact)(merged)
        statistics = layers.Concatenate(name="statistics", **exact)(
            [
                SpectralStatistics(name="spectral_statistics", **exact)(coarse),
                SpectralRipple(name="spectral_ripple", **exact)(fine),
            ]
        )
        course = Course(steps=self.steps, name="course", **exact)(coarse)

        # The part that learns: hidden units for each view.
        some, many = self.dropout
        hidden = {}
        values = layers.BatchNormalization(momentum=0.9, name="normalise", **exact)(statistics)
        values = make.dropout(some, name="statistics_dropout_1")(values)
        values = make.dense(self.hidden, name="statistics_dense")(values)
        hidden["statistics"] = make.dropout(many, name="statistics_dropout_2")(values)

        values = course
        for number, channels in enumerate(self.filters, 1):
            strides = (1, 2) if number == len(self.filters) else (2, 2)
            convolution = make.convolution(channels, strides=strides, name=f"course_conv_{number}")
            values = convolution(values)
        hidden["course"] = self._dense_units(values, make=make, view="course")

        if self.picture:
            values = layers.Reshape((*fine.shape[1:], 1), name="relative_picture", **exact)(fine)
            for number, channels in enumerate(self.picture, 1):
                convolution = make.convolution(
                    channels, strides=(2, 2), name=f"picture_conv_{number}"
                )
                values = convolution(values)
            frames, low = (values.shape[1], 1), {"dtype": make.dtype}
            mean = layers.AveragePooling2D(frames, name="picture_mean", **low)(values)
            highest = layers.MaxPooling2D(frames, name="picture_maximum", **low)(values)
            values = layers.Concatenate(name="picture_pooled", **low)([mean, highest])
            hidden["picture"] = self._dense_units(values, make=make, view="picture")

        # The classifiers.
        answers = []
        for view, values in hidden.items():
            answer = make.classifier(classes, name=f"classifier_{view}")(values)
            answers.append(layers.Reshape((1, classes), name=f"answer_{view}")(answer))
        together = layers.Concatenate(axis=1, name=_ANSWERS)(answers)
        mean = layers.GlobalAveragePooling1D(name="mean_answer", **exact)(together)
        joined = layers.Concatenate(name=_HIDDEN, **exact)(list(hidden.values()))
        cooled = DistanceTemperature(name="probabilities", **exact)([joined, mean])
        return keras.Model(picture, cooled, name=name)

    def _dense_units(self, values: keras.KerasTensor, *, make: SeededLayers, view: str):
        """Hidden units after convolutions."""
        from timbrel.features.backend import keras

        _, share = self.dropout
        values = keras.layers.Flatten(dtype=make.dtype, name=f"{view}_flatten")(values)
        values = make.dropout(share, name=f"{view}_dropout_1")(values)
        values = make.dense(self.dense, name=f"{view}_dense")(values)
        return make.dropout(share, name=f"{view}_dropout_2")(values)

    def divide(self, model: keras.Model) -> tuple[keras.Model | None, keras.Model]:
        """The views of the picture, and the classifiers."""
        from timbrel.features.backend import keras

        names = [layer.name for layer in model.layers]
        views = [model.get_layer(name).output for name in _VIEWS if name in names]
        answers = model.get_layer(_ANSWERS).output
        return keras.Model(model.input, views), keras.Model(views, answers)

    def finish(
        self,
        model: keras.Model,
        *,
        pictures: np.ndarray,
        target: np.ndarray,
        recording: np.ndarray,
        classes: int,
    ) -> None:
        """Compute and set the weights of `DistanceTemperature`."""
        from timbrel.networks.layers import weights_of

        count = len(pictures)
        few = np.unique(np.linspace(0, count - 1, min(count, _MOST_PICTURES)).astype(int))
        hidden, _ = outputs_of(self.hidden_and_answer(model), pictures[few])
        weights = weights_of(hidden, target[few], recording[few], classes=classes)
        model.layers[-1].set_weights(weights)

    def hidden_and_logits(self, model: keras.Model, picture: keras.KerasTensor) -> tuple:
        """Apply a trained network to a picture, for export.

        The probabilities are an average and have no logits; their logarithms take their place.
        """
        from timbrel.features.backend import keras

        hidden, answer = self.hidden_and_answer(model)(picture)
        return hidden, keras.layers.Activation(keras.ops.log, name="logits")(answer)

    def hidden_and_answer(self, model: keras.Model) -> keras.Model:
        """A model from pictures to the joined hidden units below the classifiers and the answer."""
        from timbrel.features.backend import keras

        return keras.Model(model.input, [model.get_layer(_HIDDEN).output, model.output])
