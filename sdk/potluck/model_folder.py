"""Which model lies in a folder, by the rule of the converter, and what is said where none does."""

from __future__ import annotations

from pathlib import Path

from potluck.errors import BadArgument

MODEL_JSON = "model.json"
_ENDINGS = (".h5", ".hdf5", ".keras")
UNZIPPED = ("config.json", "model.weights.h5")
"""What lies in a folder that was a `.keras`: an architecture with its weights."""
_HEAD = 64 << 20
"""So much of a `.json` is looked at: TF.js's and Keras's are far smaller."""


def model_in(folder: Path) -> list[Path]:
    """Find the one model of a folder: its file, or an architecture with its weights.

    Raises `BadArgument`, which names what the folder holds instead.
    """
    if (folder / MODEL_JSON).is_file():
        return [folder / MODEL_JSON]
    if all((folder / name).is_file() for name in UNZIPPED):
        return [folder / name for name in UNZIPPED]
    found = _models(folder)
    if len(found) == 1:
        return found[0]
    if not found and any((folder / f"saved_model.{kind}").is_file() for kind in ("pb", "pbtxt")):
        raise BadArgument(
            f"{folder} is a TensorFlow SavedModel, which holds a program and no Keras model. "
            'Save the Keras model that it was made from: model.save("model.keras").'
        )
    if not found:
        raise BadArgument(
            f"There is no model in the folder {folder}. Give the path of a .keras, an .h5 or a "
            "model.json, or of a folder that holds one of them."
        )
    names = ", ".join(paths[0].name for paths in found[:5])
    raise BadArgument(f"There are several models in the folder {folder} ({names}). Name one.")


def _models(folder: Path) -> list[list[Path]]:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    # Labels, a tokenizer: a .json beside a model need not be one.
    heads = {path: _head(path) for path in files if path.suffix.lower() == ".json"}
    tfjs = [[path] for path, head in heads.items() if _is_tfjs(head)]
    pairs = [
        [path, *_weights(path, files)]
        for path, head in heads.items()
        if b'"class_name"' in head and not _is_tfjs(head)
    ]
    taken = {weights for pair in pairs for weights in pair[1:]}
    alone = [p for p in files if p.suffix.lower() in _ENDINGS and p not in taken]
    return [*pairs, *tfjs, *([path] for path in alone)]


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


def _is_tfjs(text: bytes) -> bool:
    return b'"modelTopology"' in text or b'"weightsManifest"' in text


def _weights(architecture: Path, files: list[Path]) -> list[Path]:
    """Find the weights of an architecture: the `.h5` of the same name, or the only one."""
    stem = architecture.name[: -len(architecture.suffix)]
    own = [f"{stem}{ending}" for ending in (".weights.h5", ".h5", "_weights.h5")]
    stored = [path for path in files if path.suffix.lower() == ".h5"]
    named = sorted((p for p in stored if p.name in own), key=lambda path: own.index(path.name))
    return named[:1] or (stored if len(stored) == 1 else [])
