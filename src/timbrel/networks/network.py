"""The base of all kinds of networks: sizes, layers, and everything that depends on the kind.

Each kind is one module with one sub-class of `Network`, a frozen dataclass of its sizes, and is
listed in `timbrel.networks.recipes.NETWORKS`. No other code distinguishes the kinds.

Recipes are also read where Keras is not installed, so these modules import it inside methods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

if TYPE_CHECKING:
    from timbrel.features.backend import keras
    from timbrel.networks.layers import SeededLayers

# Pictures computed at a time by `outputs_of`.
_AT_ONCE = 128


class Network:
    """Base of the kinds of networks.

    A sub-class implements `hidden_layers`, for a plain stack of layers, or `build`,
    `hidden_and_logits` and, where something in it has no weights to learn, `divide`.

    Attributes:
        kind: its name in `Recipe.to_dict`.
        scales: whether it takes pictures scaled to [0, 1], by the minimum and maximum of the
            training pictures, or as the front end gives them.
        faster_in_bfloat16: whether it trains faster on matrix units for bfloat16.
    """

    kind: ClassVar[str]
    scales: ClassVar[bool] = True
    faster_in_bfloat16: ClassVar[bool] = False

    def arrangement(self, shape: tuple[int, ...]) -> list[keras.layers.Layer]:
        """Layers that rearrange pictures of a front end, of this shape, for the network."""
        return []

    def hidden_layers(self, make: SeededLayers) -> list[keras.layers.Layer]:
        """The layers of a plain stack, without the classifier at the end."""
        raise NotImplementedError

    def build(
        self, picture: keras.KerasTensor, classes: int, *, make: SeededLayers, name: str
    ) -> keras.Model:
        """Build the untrained network.

        Args:
            picture: its input, one scaled picture.
            classes: number of classes.
            make: makes the layers that have weights or dropout.
            name: of the model.

        Returns:
            A model whose output is float32 `(batch, classes)`, softmax probabilities.
        """
        from timbrel.features.backend import keras

        hidden = self.hidden_layers(make)
        last = make.classifier(classes, name="probabilities")
        return keras.Sequential([picture, *hidden, last], name=name)

    def divide(self, model: keras.Model) -> tuple[keras.Model | None, keras.Model]:
        """Divide a built network into a fixed part and a part that learns; both share its weights.

        Returns:
            A model from pictures to a list of the inputs of the second, computed once for each
            picture; None where everything learns. And a model from these to the answers, which may
            end in several classifiers to be averaged, output `(batch, classifiers, classes)`.
        """
        return None, model

    def finish(
        self,
        model: keras.Model,
        *,
        pictures: np.ndarray,
        target: np.ndarray,
        recording: np.ndarray,
        classes: int,
    ) -> None:
        """Set the weights of a trained network that are computed and not learned, if any.

        Args:
            model: trained.
            pictures: float32 `(n, …)`, the training pictures.
            target: int `(n,)`, their classes.
            recording: int `(n,)`, the recording of each.
            classes: number of classes.
        """

    def hidden_and_logits(self, model: keras.Model, picture: keras.KerasTensor) -> tuple:
        """Apply a trained network to a picture, for export.

        Returns:
            The hidden units below the classifier, `(batch, d)`, and the logits, whose softmax are
            the probabilities, `(batch, classes)`.
        """
        from timbrel.features.backend import keras

        *below, last = model.layers
        hidden = picture
        for layer in below:
            hidden = layer(hidden)
        linear = keras.layers.Dense(last.units, name="logits")
        logits = linear(hidden)
        linear.set_weights(last.get_weights())
        return hidden, logits


def outputs_of(model: keras.Model, pictures: np.ndarray) -> list[np.ndarray]:
    """All outputs of a model for pictures `(n, …)`; float32 `(n, …)` each."""
    batches = []
    for start in range(0, len(pictures), _AT_ONCE):
        part = pictures[start : start + _AT_ONCE]
        missing = _AT_ONCE - len(part)
        # Padded to a fixed number, because the model would be compiled again for another one.
        padded = np.pad(part, [(0, missing), *[(0, 0)] * (part.ndim - 1)])
        outputs = model.predict_on_batch(padded)
        outputs = outputs if isinstance(outputs, list) else [outputs]
        batches.append([output[: len(part)] for output in outputs])
    return [np.concatenate(output) for output in zip(*batches, strict=True)]
