"""Recipes: a front end, a network and a training schedule under one name.

A recipe is plain frozen data, so that it can be written into a model and compared; what builds
layers from it stands in `timbrel.networks.builders`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from timbrel.audio.windows import Windowing
from timbrel.errors import InvalidArgument
from timbrel.wording import duration, frequency, plain


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
class LogMelSettings:
    """Settings of `timbrel.features.logmel.LogMel`, in its units."""

    frame: int = 2048
    hop: int = 1024
    nfft: int = 2048
    filters: int = 128
    low: float = 40.0
    floor: float = 1e-14


@dataclass(frozen=True)
class CNN:
    """The tutorial's convolutional network.

    Attributes:
        filters: channels of the 3×3 convolutions (ReLU, same padding).
        dropout: share of values dropped after the 2×2 max pooling.
        dense: units of the dense layers before the last (ReLU).
        strides: of each convolution; 1 where none is named.
        between: share of values dropped after each convolution.
    """

    filters: tuple[int, ...] = (32, 32, 64, 128)
    dropout: float = 0.5
    dense: tuple[int, ...] = (128, 64)
    strides: tuple[int, ...] = ()
    between: float = 0.0


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
class StatisticsCNN:
    """Views of a log-mel picture, each with a classifier of its own, whose answers are averaged.

    A dense network on statistics over the frames, a convolutional network on the course of the
    sound in a fixed number of steps, and, where wanted, one on the picture as it is.

    Attributes:
        depth: range below the loudest band and frame that is heard, in dB.
        hidden: units of the hidden layer on the statistics (ReLU).
        steps: steps of the course.
        filters: channels of the 3×3 convolutions (ReLU); the last halves the bands, the others the
            steps too.
        dense: units of the hidden layer after the convolutions (ReLU).
        dropout: share of the statistics, and of other values before a dense layer, that is dropped.
        picture: channels of the 3×3 convolutions (ReLU) on the picture, each of which halves frames
            and bands; none without it.
    """

    depth: float = 80.0
    hidden: int = 256
    steps: int = 24
    filters: tuple[int, ...] = (16, 32, 64)
    dense: int = 96
    dropout: tuple[float, float] = (0.2, 0.4)
    picture: tuple[int, ...] = ()


@dataclass(frozen=True)
class Augmentation:
    """How the copies of a picture are changed that are trained on, to imitate the world.

    All ranges are symmetric where nothing else is said; a share is the probability that a picture
    is changed in that way.

    Attributes:
        share: of the pictures that are changed in any of the ways below but `shift`.
        shift: the sound begins later by up to this share of the window, where there is room.
        speed: playing speed, as a natural logarithm.
        pitch: bands up or down.
        equaliser: deviation of a smooth curve over the bands, in dB.
        tilt: deviation of the tilt from the lowest to the middle band, in dB.
        room: share with a reverberant tail.
        noise: share with coloured noise added, 15 to 60 dB below the loudest frame.
        band_limit: share that loses the bands above a random one, as low rates and codecs do.
        mixup: both parameters of the beta distribution that mixes pairs; 0 for none.
    """

    share: float = 0.5
    shift: float = 0.3
    speed: float = 0.1
    pitch: float = 4.0
    equaliser: float = 3.0
    tilt: float = 3.0
    room: float = 0.2
    noise: float = 0.4
    band_limit: float = 0.1
    mixup: float = 0.2


@dataclass(frozen=True)
class Schedule:
    """How a network is trained where it is not trained as the tutorial does.

    AdamW with a learning rate that rises and falls once over the whole training. An epoch holds
    every recording equally often, one of its changed copies drawn anew each time; what is fixed in
    the network is computed once for each copy.

    Attributes:
        learning_rate: at its highest.
        weight_decay: of the kernels.
        smoothing: share of each target that is spread over all classes.
        crops: windows to train on in all; the number of epochs follows from it and the next three.
        views: how often each copy is trained on at most, so that few recordings take less time.
        least_crops: however few recordings there are.
        least_passes: over the recordings, however many there are.
        copies: of all recordings together, about.
        most_copies: of one recording.
        outliers: pictures of no class that an epoch holds besides, as a share of the others; what
            is wanted of them is the same probability for every class.
        patience: share of the epochs after which training stops if its loss falls no more.
        augmentation: how pictures are changed.
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
        """How often an epoch goes through the recordings: one has 3000 windows or more."""
        return max(-(-_LEAST_WINDOWS // recordings), 1)

    def epochs(self, recordings: int) -> int:
        """Number of epochs for this many recordings, if training does not stop before."""
        most = self.views * self.copies_each(recordings) * recordings
        crops = max(min(self.crops, most), self.least_crops, self.least_passes * recordings)
        return max(round(crops / (recordings * self.passes(recordings))), 1)

    def copies_each(self, recordings: int) -> int:
        """Changed copies of each recording where there are this many."""
        return min(max(self.copies // recordings, _LEAST_COPIES), self.most_copies)


# However many recordings there are, so that none is heard in one way alone.
_LEAST_COPIES = 3
# An epoch of fewer windows would spend its time on beginning, ending and validation.
_LEAST_WINDOWS = 3000


@dataclass(frozen=True, repr=False)
class Recipe:
    """A front end, a network and a training schedule.

    Attributes:
        name: what `-r` takes.
        description: one sentence.
        windowing: how a recording becomes windows.
        front_end: settings of the front end.
        network: the network and its sizes.
        epochs: passes over the training windows; None where the schedule says how many.
        batch_size: windows a training step.
        schedule: None means as the tutorial does: all drawn windows once an epoch, Adam.
    """

    name: str
    description: str
    windowing: Windowing
    network: CNN | RNN | StatisticsCNN
    front_end: MFCCSettings | LogMelSettings = field(default_factory=MFCCSettings)
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
        """Number of epochs where there are this many recordings to learn from."""
        if self.epochs is not None:
            return self.epochs
        return (self.schedule or Schedule()).epochs(recordings)

    def to_dict(self) -> dict:
        """Return the recipe as JSON data."""
        data = dataclasses.asdict(self)
        data["network"]["kind"] = type(self.network).__name__.lower()
        data["front_end"]["kind"] = _kind_of_front_end(self.front_end)
        return data

    @classmethod
    def from_dict(cls, data: dict) -> Recipe:
        """Rebuild a recipe from what `to_dict` gave.

        Raises:
            InvalidArgument: a key is missing or unknown.
        """
        try:
            network, front_end = dict(data["network"]), dict(data["front_end"])
            kind = _NETWORKS[network.pop("kind")]
            sizes = {key: tuple(v) if isinstance(v, list) else v for key, v in network.items()}
            # Models from before there were two front ends do not name theirs.
            settings = _FRONT_ENDS[front_end.pop("kind", "mfcc")]
            schedule = data.get("schedule")
            if schedule is not None:
                changes = Augmentation(**schedule["augmentation"])
                schedule = Schedule(**{**schedule, "augmentation": changes})
            parts = {
                "windowing": Windowing(**data["windowing"]),
                "front_end": settings(**front_end),
                "network": kind(**sizes),
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


_NETWORKS = {kind.__name__.lower(): kind for kind in (CNN, RNN, StatisticsCNN)}
_FRONT_ENDS = {"mfcc": MFCCSettings, "logmel": LogMelSettings}


def _kind_of_front_end(settings: MFCCSettings | LogMelSettings) -> str:
    return next(name for name, kind in _FRONT_ENDS.items() if isinstance(settings, kind))


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
# Whose pictures `explore` shows.
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
