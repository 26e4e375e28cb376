"""Write a model directory completely or not at all; read one and check it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from timbrel.errors import InvalidArgument, ModelError, OutputError
from timbrel.model.metadata import (
    AGAIN,
    NAME_ONE,
    check_graph,
    check_metadata,
    read_file,
    read_json,
)
from timbrel.model.runtime import Session

GRAPH = "model.onnx"
DESCRIPTION = "model.json"
CHECKPOINT = "checkpoint"
_AGAIN = AGAIN.capitalize()
# The model that comes with the package; `make instrument-model` makes it.
INSTRUMENTS = Path(__file__).with_name("instruments.onnx")


@dataclass(frozen=True)
class LoadedModel:
    """A model read from disk.

    Attributes:
        name: as the user typed it.
        metadata: the content of `model.json`, or of its copy inside `model.onnx`.
        session: runs the graph.
        graph: the content of `model.onnx`.
    """

    name: str
    metadata: dict
    session: Session
    graph: bytes


def load_model(model: str | os.PathLike | None = None, *, threads: int = 0) -> LoadedModel:
    """Read a model directory or a `model.onnx` alone; by default the instrument model.

    Raises:
        ModelError: there is none, it is damaged, of a newer schema, or its parts do not belong
            together.
    """
    model = INSTRUMENTS if model is None else model
    path = Path(model)
    try:
        if path.is_dir():
            return _load_directory(path, threads)
        exists = path.exists()
    except PermissionError as error:
        raise ModelError(
            f"The model '{model}' cannot be read ({error.strerror}); change the permissions of it "
            "and of the folders that contain it."
        ) from error
    if not exists:
        raise ModelError(f"There is no model '{model}'; {NAME_ONE}.")
    graph = read_file(path)
    session = Session(graph, f"'{model}'", threads=threads)
    metadata = check_metadata(session.metadata, f"'{model}'")
    check_graph(metadata, window=session.window, classes=session.classes, name=f"'{model}'")
    return LoadedModel(str(model), metadata, session, graph)


def _load_directory(folder: Path, threads: int) -> LoadedModel:
    if not (folder / DESCRIPTION).is_file() or not (folder / GRAPH).is_file():
        if (folder / CHECKPOINT).is_dir():
            raise ModelError(
                f"The training of the model '{folder}' was not finished. "
                "Continue it with timbrel train --resume."
            )
        raise ModelError(
            f"'{folder}' is not a Timbrel model: it lacks {DESCRIPTION} or {GRAPH}; name a folder "
            "that timbrel train wrote."
        )
    content = read_json(read_file(folder / DESCRIPTION), f"'{folder / DESCRIPTION}'")
    graph = read_file(folder / GRAPH)
    metadata = check_metadata(content, f"'{folder / DESCRIPTION}'")
    expected = metadata.get("files", {}).get(GRAPH)
    if expected != hashlib.sha256(graph).hexdigest():
        raise ModelError(
            f"'{folder / GRAPH}' is not the file that {DESCRIPTION} describes (SHA-256 differs). "
            f"{_AGAIN}."
        )
    session = Session(graph, f"'{folder / GRAPH}'", threads=threads)
    if {key: value for key, value in metadata.items() if key != "files"} != session.metadata:
        raise ModelError(
            f"'{folder / DESCRIPTION}' was changed: it differs from its copy inside {GRAPH}. "
            f"{_AGAIN}."
        )
    check_graph(metadata, window=session.window, classes=session.classes, name=f"'{folder}'")
    return LoadedModel(str(folder), metadata, session, graph)


def check_output(folder: str | os.PathLike) -> Path:
    """Check that a model can be written to a folder, and create it if it does not exist.

    Raises:
        InvalidArgument: the path contains something that is not a model, finished or unfinished.
        OutputError: no permission.
    """
    path = Path(folder)
    if path.exists() and not path.is_dir():
        raise InvalidArgument(f"'{path}' exists and is a file. Choose another folder with -o.")
    try:
        path.mkdir(parents=True, exist_ok=True)
        content = {entry.name for entry in path.iterdir()}
        ours = any((path / CHECKPOINT).glob("*/state.npz"))
        with contextlib.suppress(ModelError):
            found = read_json(read_file(path / DESCRIPTION), DESCRIPTION)
            ours |= isinstance(found, dict) and {"schema", "labels", "recipe"} <= set(found)
        if content and not ours:
            raise InvalidArgument(
                f"'{path}' exists and is not a Timbrel model. Choose another folder with -o."
            )
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise OutputError.of(path, error) from error
    return path


def write_model(folder: Path, files: dict[str, bytes], metadata: dict) -> None:
    """Write a model: all files under temporary names, then rename them, `model.json` last.

    Args:
        folder: what `check_output` returned.
        files: content by name, `model.onnx` among them.
        metadata: the description, to which the SHA-256 of the files is added.

    Raises:
        OutputError: disk full, no permission; an earlier model is left unchanged.
    """
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    description = json.dumps({**metadata, "files": sums}, indent=2, ensure_ascii=False) + "\n"
    # Bytes of a file name that are not text become escapes, which are valid JSON.
    everything = {**files, DESCRIPTION: description.encode(errors="backslashreplace")}
    partial = {name: folder / f".{name}.partial" for name in everything}
    try:
        for name, content in everything.items():
            with open(partial[name], "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for name, path in partial.items():
            os.replace(path, folder / name)
    except OSError as error:
        raise OutputError.of(folder, error) from error
    finally:
        for path in partial.values():
            path.unlink(missing_ok=True)
