"""The settings of the front ends, which turn the windows of a recording into pictures.

A front end is two classes: its settings, a frozen dataclass here that is part of a recipe, and its
Keras layer, a `timbrel.features.framing.FrontEnd` in a module of its own. They are separate because
recipes are read where Keras is not installed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from timbrel.features.framing import FrontEnd


class FrontEndSettings:
    """Base of the settings of a front end; a sub-class is a frozen dataclass.

    Attributes:
        kind: the name of the front end in `Recipe.to_dict`.
    """

    kind: ClassVar[str]

    def layer(self, rate: int) -> FrontEnd:
        """Build the Keras layer from windows at `rate` Hz, float32 `(batch, samples)`."""
        raise NotImplementedError

    def mfcc(self, rate: int) -> MFCCSettings:
        """Settings of the MFCC that explain this front end: the tutorial's frames, at `rate` Hz."""
        frame, hop = rate // 40, rate // 100
        return MFCCSettings(frame=frame, hop=hop, nfft=1 << (frame - 1).bit_length())


@dataclass(frozen=True)
class MFCCSettings(FrontEndSettings):
    """Settings of `timbrel.features.mfcc.MFCC`, in its units; the tutorial's by default."""

    kind: ClassVar[str] = "mfcc"

    frame: int = 400
    hop: int = 160
    nfft: int = 512
    filters: int = 26
    coefficients: int = 13
    preemphasis: float = 0.97
    lifter: int = 22

    def layer(self, rate: int) -> FrontEnd:
        """Build the layer for windows at `rate` Hz."""
        from timbrel.features.mfcc import MFCC

        return MFCC(rate=rate, **asdict(self), name=self.kind)

    def mfcc(self, rate: int) -> MFCCSettings:
        """Return these settings."""
        return self


@dataclass(frozen=True)
class LogMelSettings(FrontEndSettings):
    """Settings of `timbrel.features.logmel.LogMel`, in its units."""

    kind: ClassVar[str] = "logmel"

    frame: int = 2048
    hop: int = 1024
    nfft: int = 2048
    filters: int = 128
    low: float = 40.0
    floor: float = 1e-14

    def layer(self, rate: int) -> FrontEnd:
        """Build the layer for windows at `rate` Hz."""
        from timbrel.features.logmel import LogMel

        return LogMel(rate=rate, **asdict(self), name=self.kind)
