"""Recipes: a front end, a network and a training schedule under one name.

A recipe is plain frozen data, so that it can be written into a model and compared; what builds
layers from it stands in `timbrel.networks.builders`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from timbrel.audio.windows import Windowing
from timbrel.errors import InvalidArgument


@dataclass(frozen=True)
class MFCCSettings:
    """Settings of `timbrel.features.mfcc.MFCC`, in its units; the tutorial's by default."""

    frame: int = 400
    hop: int = 160
    nfft: int = 512
    filters: int = 26
    coefficients: int = 13
    preemphasis: float = 0.97
    lifter: int = 22


@dataclass(frozen=True)
class CNN:
    """The tutorial's convolutional network.

    Attributes:
        filters: channels of the 3×3 convolutions (ReLU, same padding, stride 1).
        dropout: share of values dropped after the 2×2 max pooling.
        dense: units of the dense layers before the last (ReLU).
    """

    filters: tuple[int, ...] = (32, 32, 64, 128)
    dropout: float = 0.5
    dense: tuple[int, ...] = (128, 64)


@dataclass(frozen=True)
class RNN:
    """The tutorial's recurrent network.

    Attributes:
        units: units of the LSTM layers, all returning sequences.
        dropout: share of values dropped after them.
        dense: units of the dense layers applied to every time step (ReLU).
    """

    units: tuple[int, ...] = (128, 128)
    dropout: float = 0.5
    dense: tuple[int, ...] = (64, 32, 16, 8)


@dataclass(frozen=True)
class Recipe:
    """A front end, a network and a training schedule.

    Attributes:
        name: what `-r` takes.
        description: one sentence.
        windowing: how a recording becomes windows.
        front_end: settings of the front end.
        network: the network and its sizes.
        epochs: passes over the training windows.
        batch_size: windows a training step.
    """

    name: str
    description: str
    windowing: Windowing
    network: CNN | RNN
    front_end: MFCCSettings = field(default_factory=MFCCSettings)
    epochs: int = 10
    batch_size: int = 32

    def to_dict(self) -> dict:
        """Return the recipe as JSON data."""
        data = dataclasses.asdict(self)
        data["network"]["kind"] = type(self.network).__name__.lower()
        return data

    @classmethod
    def from_dict(cls, data: dict) -> Recipe:
        """Rebuild a recipe from what `to_dict` gave.

        Raises:
            InvalidArgument: a key is missing or unknown.
        """
        try:
            network = dict(data["network"])
            kind = _NETWORKS[network.pop("kind")]
            sizes = {key: tuple(v) if isinstance(v, list) else v for key, v in network.items()}
            parts = {
                "windowing": Windowing(**data["windowing"]),
                "front_end": MFCCSettings(**data["front_end"]),
                "network": kind(**sizes),
            }
            return cls(**{**data, **parts})
        except (KeyError, TypeError) as error:
            raise InvalidArgument(
                f"`recipe` must have the keys of `Recipe.to_dict`. Got {data} ({error})."
            ) from error

    def adjusted(
        self,
        *,
        epochs: int | None = None,
        batch_size: int | None = None,
        clean_threshold: float | None = None,
    ) -> Recipe:
        """Return the recipe with another schedule or cleaning; None keeps what it has.

        Raises:
            InvalidArgument: fewer than one epoch or window a step, or a threshold that is no
                share of full scale.
        """
        for name, value in (("epochs", epochs), ("batch_size", batch_size)):
            if value is not None and value < 1:
                raise InvalidArgument(f"`{name}` must be at least 1. Got {value}.")
        windowing = self.windowing
        if clean_threshold is not None:
            if not 0 <= clean_threshold < 1:
                raise InvalidArgument(
                    "`clean_threshold` must be at least 0 and below 1, in units of full scale. "
                    f"Got {clean_threshold}."
                )
            windowing = dataclasses.replace(windowing, clean_threshold=clean_threshold)
        return dataclasses.replace(
            self,
            windowing=windowing,
            epochs=epochs or self.epochs,
            batch_size=batch_size or self.batch_size,
        )


_NETWORKS = {kind.__name__.lower(): kind for kind in (CNN, RNN)}

_TUTORIAL_WINDOWS = Windowing(
    rate=16_000, window=1600, hop=1600, clean_threshold=0.005, clean_window=0.1
)

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="tutorial-cnn",
            description="The tutorial's convolutional network, literally: filters 32, 32, 64, 128.",
            windowing=_TUTORIAL_WINDOWS,
            network=CNN(),
        ),
        Recipe(
            name="tutorial-cnn-16",
            description="The same with filters 16, 32, 64, 128, as its author's repository has it.",
            windowing=_TUTORIAL_WINDOWS,
            network=CNN(filters=(16, 32, 64, 128)),
        ),
        Recipe(
            name="tutorial-rnn",
            description="The tutorial's recurrent network: two LSTM layers over the frames.",
            windowing=_TUTORIAL_WINDOWS,
            network=RNN(),
        ),
    )
}

DEFAULT_RECIPE = "tutorial-cnn"


def get_recipe(recipe: str | Recipe) -> Recipe:
    """Return a recipe by name, or the recipe itself.

    Raises:
        InvalidArgument: there is no recipe of that name.
    """
    if isinstance(recipe, Recipe):
        return recipe
    if recipe not in RECIPES:
        names = ", ".join(f"'{name}'" for name in RECIPES)
        raise InvalidArgument(f"`recipe` must be one of {names}. Got '{recipe}'.")
    return RECIPES[recipe]
