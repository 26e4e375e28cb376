"""Save the state of a training after each epoch, to continue it after an interruption."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from timbrel.errors import ModelError
from timbrel.features.backend import keras
from timbrel.features.cache import load_arrays
from timbrel.files import replacing


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training between two epochs, in one file of a folder.

    Attributes:
        folder: a folder of its own in `checkpoint/` in the model directory.
        identity: what is trained on what (JSON data); only the same can be resumed.
    """

    folder: Path
    identity: dict

    @property
    def file(self) -> Path:
        """The one file, replaced as a whole after every epoch."""
        return self.folder / "state.npz"

    @property
    def _identity_and_backend(self) -> dict:
        return {**self.identity, "backend": keras.backend.backend()}

    def save(self, model: keras.Model, history: list[dict], best: list[np.ndarray]) -> None:
        """Write weights, optimiser state, history, and the best weights where they are kept.

        Raises:
            OutputError: the folder cannot be written.
        """
        variables = [*model.variables, *model.optimizer.variables]
        arrays = {
            f"variable_{number}": keras.ops.convert_to_numpy(variable)
            for number, variable in enumerate(variables)
        }
        arrays |= {f"best_{number}": weight for number, weight in enumerate(best)}
        facts = json.dumps({"identity": self._identity_and_backend, "history": history})
        with replacing(self.file) as temporary, open(temporary, "wb") as file:
            np.savez(file, said=np.array(facts), **arrays)

    def restore(self, model: keras.Model) -> tuple[list[dict], list[np.ndarray]]:
        """Put the state into a compiled model; return history and best weights, empty if none.

        Raises:
            ModelError: the checkpoint is damaged, or belongs to another training.
        """
        try:
            arrays = load_arrays(self.file)
            facts = json.loads(str(arrays.pop("said")))
        except FileNotFoundError:
            return [], []
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(
                f"The checkpoint {self.file} is damaged. Start again without --resume."
            ) from error
        for name, value in json.loads(json.dumps(self._identity_and_backend)).items():
            if facts["identity"].get(name) != value:
                raise ModelError(
                    f"The checkpoint in {self.folder} belongs to a training with another {name}. "
                    "Resume with the same data and options, or start again without --resume."
                )
        variables = [*model.variables, *model.optimizer.variables]
        for number, variable in enumerate(variables):
            variable.assign(arrays[f"variable_{number}"])
        kept = sum(name.startswith("best_") for name in arrays)
        return facts["history"], [arrays[f"best_{number}"] for number in range(kept)]

    def remove(self) -> None:
        """Remove the file, and its folders where nothing else is in them."""
        with contextlib.suppress(OSError):
            self.file.unlink()
        for folder in (self.folder, self.folder.parent):
            with contextlib.suppress(OSError):
                folder.rmdir()
