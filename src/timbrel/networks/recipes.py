"""Recipes: a front end, a network and a training schedule under one name.

A recipe is frozen data that can be written into a model and compared. `NETWORKS` and `FRONT_ENDS`
list the kinds of networks and front ends.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from timbrel.audio.windows import Windowing
from timbrel.errors import InvalidArgument
from timbrel.features.augment import Augmentation
from timbrel.features.front_ends import FrontEndSettings, LogMelSettings, MFCCSettings
from timbrel.networks.cnn import CNN
from timbrel.networks.network import Network
from timbrel.networks.rnn import RNN
from timbrel.networks.statistics_cnn import StatisticsCNN
from timbrel.text import duration, frequency, plain

NETWORKS: dict[str, type[Network]] = {kind.kind: kind for kind in (CNN, RNN, StatisticsCNN)}
FRONT_ENDS: dict[str, type[FrontEndSettings]] = {
    kind.kind: kind for kind in (MFCCSettings, LogMelSettings)
}

# The smallest number of copies of each recording.
_LEAST_COPIES = 3
# The smallest number of windows of an epoch: below it, starting and validating takes most of the
# time.
_LEAST_WINDOWS = 3000


@dataclass(frozen=True)
class Schedule:
    """A training schedule other than the tutorial's.

    AdamW with a learning rate that rises and falls once over the whole training. An epoch contains
    every recording equally often, each time as one of its augmented copies, drawn at random; the
    fixed part of the network is computed once for each copy. The network must take pictures in the
    form in which the front end gives them.

    Attributes:
        learning_rate: at its highest.
        weight_decay: of the kernels.
        smoothing: share of each target that is spread over all classes.
        crops: windows to train on in all; the number of epochs follows from it and the next three.
        views: the largest number of times that each copy is trained on, so that few recordings take
            less time.
        least_crops: the smallest number of windows, even with few recordings.
        least_passes: the smallest number of passes over the recordings, even with many.
        copies: approximate number of copies of all recordings together.
        most_copies: the largest number of copies of one recording.
        outliers: pictures of no class that an epoch contains in addition, as a share of the others;
            their target is the same probability for every class.
        patience: share of the epochs after which training stops if its loss no longer falls.
        augmentation: random changes of the copies.
    """

    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    smoothing: float = 0.1
    crops: int = 48_000
    views: int = 25
    least_crops: int = 12_000
    least_passes: int = 8
    copies: int = 12_000
    most_copies: int = 24
    outliers: float = 0.25
    patience: float = 0.3
    augmentation: Augmentation = field(default_factory=Augmentation)

    def passes(self, recordings: int) -> int:
        """Passes of an epoch over the recordings, so that it has at least 3000 windows."""
        return max(-(-_LEAST_WINDOWS // recordings), 1)

    def epochs(self, recordings: int) -> int:
        """Number of epochs for this many recordings, if training does not stop early."""
        most = self.views * self.copies_each(recordings) * recordings
        crops = max(min(self.crops, most), self.least_crops, self.least_passes * recordings)
        return max(round(crops / (recordings * self.passes(recordings))), 1)

    def copies_each(self, recordings: int) -> int:
        """Number of copies of each recording if there are this many recordings."""
        return min(max(self.copies // recordings, _LEAST_COPIES), self.most_copies)


@dataclass(frozen=True, repr=False)
class Recipe:
    """A front end, a network and a training schedule.

    Attributes:
        name: the value of `-r`.
        description: one sentence.
        windowing: how a recording is cleaned and cut into windows.
        front_end: settings of the front end.
        network: the kind of network and its sizes.
        epochs: passes over the training windows; None where the schedule determines them.
        batch_size: windows of a training step.
        schedule: None trains as the tutorial does: all drawn windows once in each epoch, Adam.
    """

    name: str
    description: str
    windowing: Windowing
    network: Network
    front_end: FrontEndSettings = field(default_factory=MFCCSettings)
    epochs: int | None = 10
    batch_size: int = 32
    schedule: Schedule | None = None

    def __repr__(self) -> str:
        windowing, picture = self.windowing, type(self.front_end).__name__.removesuffix("Settings")
        seconds = duration(windowing.window / windowing.rate)
        return plain(
            f"Recipe({self.name!r}: {type(self.network).__name__} on {picture} of {seconds} at "
            f"{frequency(windowing.rate)})"
        )

    def epochs_for(self, recordings: int) -> int:
        """Number of epochs for this many recordings to learn from."""
        if self.epochs is not None:
            return self.epochs
        return (self.schedule or Schedule()).epochs(recordings)

    def to_dict(self) -> dict:
        """Return the recipe as JSON data."""
        data = dataclasses.asdict(self)
        data["network"]["kind"] = self.network.kind
        data["front_end"]["kind"] = self.front_end.kind
        return data

    @classmethod
    def from_dict(cls, data: dict) -> Recipe:
        """Rebuild a recipe from what `to_dict` gave.

        Raises:
            InvalidArgument: a key is missing or unknown.
        """
        try:
            described = dict(data["network"])
            sizes = {
                key: tuple(value) if isinstance(value, list) else value
                for key, value in described.items()
                if key != "kind"
            }
            # The first models had only one front end and do not name it.
            settings = {"kind": "mfcc", **data["front_end"]}
            network = NETWORKS[described["kind"]]
            front_end = FRONT_ENDS[settings.pop("kind")]
            schedule = data.get("schedule")
            if schedule is not None:
                changes = Augmentation(**schedule["augmentation"])
                schedule = Schedule(**{**schedule, "augmentation": changes})
            parts = {
                "windowing": Windowing(**data["windowing"]),
                "network": network(**sizes),
                "front_end": front_end(**settings),
                "schedule": schedule,
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
        """Return the recipe with other epochs, batch size or cleaning; None keeps the recipe's.

        Raises:
            InvalidArgument: `epochs` or `batch_size` is below 1, or the threshold is not at least 0
                and below 1.
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


_TUTORIAL_WINDOWS = Windowing(
    rate=16_000, window=1600, hop=1600, clean_threshold=0.005, clean_window=0.1
)

# 95 frames.
_THREE_SECONDS = Windowing(rate=32_000, window=98_304, hop=49_152, depth=40.0)

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
        Recipe(
            name="statistics-cnn",
            description="A dense network on statistics of a log-mel picture of three seconds, and "
            "a small CNN on its course.",
            windowing=_THREE_SECONDS,
            front_end=LogMelSettings(),
            network=StatisticsCNN(),
            epochs=None,
            batch_size=128,
            schedule=Schedule(),
        ),
        Recipe(
            name="strong",
            description="The two networks of statistics-cnn, and a CNN on the whole picture.",
            windowing=_THREE_SECONDS,
            front_end=LogMelSettings(),
            network=StatisticsCNN(picture=(16, 32, 64, 128)),
            epochs=None,
            batch_size=128,
            schedule=Schedule(crops=96_000, most_copies=48),
        ),
    )
}

DEFAULT_RECIPE = "statistics-cnn"
# The recipe whose pictures `explore` shows.
TUTORIAL_RECIPE = "tutorial-cnn"


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
