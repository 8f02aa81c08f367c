"""What a submitter may pass as a model, and the files that go to the coordinator."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from potluck.arguments import shown
from potluck.errors import BadArgument
from potluck.model_folder import MODEL_JSON, UNZIPPED, model_in
from potluck.transport import Upload, open_files

NAMES = {b"\x89HDF\r\n\x1a\n": "model.h5", b"PK\x03\x04": "model.keras"}
"""What the first bytes of a file say of it."""


@contextmanager
def model_files(model: object) -> Iterator[tuple[str, list[Upload]]]:
    """Give a model's name and its files, open as long as the context lasts.

    `model` is the path of a `.keras` or `.h5` file, of a `model.json` (its weight files lie beside
    it) or of a folder that holds one of these, an architecture with its weights, or what a
    `.keras` unzips into; a list of paths that belong together (an architecture's `.json` and its
    weights' `.h5`); the bytes of a `.keras` or `.h5` file; or a Keras model.
    Raises `BadArgument`.
    """
    if isinstance(model, bytes | bytearray | memoryview):
        content = bytes(model)
        name = next((name for magic, name in NAMES.items() if content.startswith(magic)), None)
        if name is None:
            raise BadArgument(
                "The bytes given as a model are no HDF5 and no zip file. Give the content of an "
                ".h5 or a .keras file."
            )
        yield "model", [("files", (name, content))]
    elif isinstance(model, str | Path | list | tuple):
        paths = _together(model) if isinstance(model, list | tuple) else _paths(_path(model))
        with open_files(paths) as opened:
            yield _name(paths[0]), [("files", file) for file in opened]
    elif is_keras_model(model):
        with tempfile.TemporaryDirectory(prefix="potluck-") as folder:
            name = str(getattr(model, "name", "") or "model")
            path = Path(folder) / "model.h5"
            save_keras(model, path)
            with open_files([path]) as opened:
                yield name, [("files", file) for file in opened]
    else:
        raise BadArgument(
            f"A model is a path, a list of paths, the bytes of an .h5 or .keras file or a Keras "
            f"model, got a {type(model).__name__}."
        )


def is_keras_model(thing: object) -> bool:
    """Tell a Keras model without importing Keras."""
    roots = {kind.__module__.partition(".")[0] for kind in type(thing).__mro__}
    return bool(roots & {"keras", "tf_keras"}) and callable(getattr(thing, "save", None))


def save_keras(model: Any, path: Path) -> None:
    """Save a Keras model as `.h5`, without Keras's advice against that format."""
    log = logging.getLogger("absl")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        model.save(path)
    finally:
        log.setLevel(level)


def _name(path: Path) -> str:
    return path.parent.resolve().name if path.name in (MODEL_JSON, UNZIPPED[0]) else path.stem


def _path(given: object) -> Path:
    if given == "":
        raise BadArgument("The model's path is empty. Give the path of a .keras or an .h5 file.")
    if isinstance(given, str | Path):
        try:
            path = Path(given).expanduser()
            path.is_file()
        except (OSError, ValueError, RuntimeError):  # too long, or an unknown home
            raise BadArgument(f"There is no model file at {shown(str(given))}.") from None
        return path
    raise BadArgument(f"A model's files are paths, got a {type(given).__name__}.")


def _together(given: Sequence[object]) -> list[Path]:
    """Give the files of a model that the caller named one by one."""
    paths = [_path(one) for one in given]
    missing = next((path for path in paths if not path.is_file()), None)
    if not paths or missing is not None:
        raise BadArgument(f"There is no model file at {missing or 'an empty list'}.")
    return paths


def _paths(path: Path) -> list[Path]:
    if path.is_dir():
        try:
            path, *weights = model_in(path)
        except OSError as error:
            raise BadArgument(f"The folder {path} cannot be read: {error.strerror}.") from None
        if weights:
            return [path, *weights]
    if not path.is_file():
        raise BadArgument(f"There is no model file at {path}.")
    if path.suffix.lower() != ".json":
        return [path]
    try:
        manifest = json.loads(path.read_bytes())["weightsManifest"]
        names = [str(name) for group in manifest for name in group["paths"]]
    except (ValueError, KeyError, TypeError):
        raise BadArgument(
            f"{path} is no TF.js layers model: a model.json lists its weight files under "
            "weightsManifest. If it is a Keras architecture, give it and its weights as a list: "
            f'["{path.name}", "weights.h5"].'
        ) from None
    shards = []
    for listed in names:
        name = listed.removeprefix("./")  # as a browser's download has it
        # A manifest must not make this machine send files from elsewhere.
        if Path(name).name != name:
            raise BadArgument(f"{path} names a weight file outside its own folder: {name!r}.")
        shard = path.parent / name
        if not shard.is_file():
            raise BadArgument(f"{path} names the weight file {name!r}, which is not beside it.")
        shards.append(shard)
    return [path, *shards]
