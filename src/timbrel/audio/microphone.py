"""Record from a microphone through PortAudio (the package sounddevice, extra `live`)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from types import ModuleType

import numpy as np

from timbrel.errors import DeviceError, MissingExtra

# Length of a piece.
_PIECE_SECONDS = 0.02

_INSTEAD = "or pipe sound in: arecord -f S16_LE -r 44100 | timbrel listen -"


@dataclass(frozen=True)
class Device:
    """A device that records.

    Attributes:
        number: its number in PortAudio.
        name: its name in PortAudio.
        channels: the most channels that it records.
        rate: its default sample rate in Hz.
        usual: whether it is the default device.
    """

    number: int
    name: str
    channels: int
    rate: int
    usual: bool = False


def devices() -> list[Device]:
    """All devices that record.

    Raises:
        MissingExtra: sounddevice is not installed.
        DeviceError: PortAudio is not installed, or there is no device.
    """
    port = _portaudio()
    usual = port.default.device[0]
    found = [
        Device(
            number=number,
            name=entry["name"],
            channels=entry["max_input_channels"],
            rate=round(entry["default_samplerate"]),
            usual=number == usual,
        )
        for number, entry in enumerate(port.query_devices())
        if entry["max_input_channels"] > 0
    ]
    if not found:
        raise DeviceError(f"No sound card or microphone was found. Plug one in, {_INSTEAD}")
    return found


def choose(wanted: str | None) -> Device:
    """Find a device by its number or a part of its name; the default device for None.

    Raises:
        MissingExtra, DeviceError: as `devices`; also where no device matches, or several do.
    """
    there = devices()
    if wanted is None:
        return next((device for device in there if device.usual), there[0])
    fit = [device for device in there if str(device.number) == wanted] or [
        device for device in there if wanted.casefold() in device.name.casefold()
    ]
    if len(fit) != 1:
        names = "; ".join(f"{device.number} {device.name}" for device in fit or there)
        which = "Several devices fit" if fit else "No device fits"
        raise DeviceError(f"{which} '{wanted}'. Choose by number: {names}.")
    return fit[0]


class Microphone:
    """A device that records, as pieces float32 `(samples, 1)` in [−1, 1]; iterate to record.

    Args:
        device: the device to record with.

    Attributes:
        lost: how many times sound was lost because the program was too slow.

    Iterating raises DeviceError where the device cannot be used. It does not end by itself.
    """

    def __init__(self, device: Device) -> None:
        self.device = device
        self.lost = 0

    def __iter__(self) -> Iterator[np.ndarray]:
        port = _portaudio()
        pieces: SimpleQueue[np.ndarray] = SimpleQueue()

        def take(piece: np.ndarray, _frames: int, _time: object, status: object) -> None:
            self.lost += bool(getattr(status, "input_overflow", False))
            pieces.put(piece.copy())

        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(
                    port.InputStream(
                        samplerate=self.device.rate,
                        blocksize=max(round(self.device.rate * _PIECE_SECONDS), 1),
                        device=self.device.number,
                        channels=1,
                        dtype="float32",
                        callback=take,
                    )
                )
            except port.PortAudioError as error:
                raise DeviceError(
                    f"'{self.device.name}' cannot be recorded with ({error}). Choose another "
                    f"device with --device, {_INSTEAD}"
                ) from error
            while True:
                yield pieces.get()


def _portaudio() -> ModuleType:
    try:
        import sounddevice
    except ModuleNotFoundError as error:
        raise MissingExtra.of("live", "Listening to a microphone") from error
    except OSError as error:
        raise DeviceError(
            "The library PortAudio is not installed. Install it (on Debian and Ubuntu: apt install "
            f"libportaudio2), {_INSTEAD}"
        ) from error
    return sounddevice
