"""A model's files on disk: which belong together, and what to say where they cannot be read."""

from __future__ import annotations

from pathlib import Path

from potluck_converter.errors import ConversionError, unreadable
from potluck_converter.formats import HEAD_BYTES
from potluck_converter.graph import Model
from potluck_converter.limits import DEFAULT_LIMITS, Limits
from potluck_converter.read import is_architecture, is_tfjs, read_model, read_one

_ENDINGS = (".h5", ".hdf5", ".keras")
_READ = "a .h5 or .keras file, a .json with its weights, or a folder with one of them"


def read_path(source: Path, limits: Limits = DEFAULT_LIMITS) -> Model:
    """Read a model from its file; the file itself is never held whole. Raises ConversionError."""
    try:
        return _read(source, limits)
    except OSError as error:
        raise unreadable(error, source) from error


def _read(source: Path, limits: Limits) -> Model:
    if source.is_dir():
        source = _model_in(source, limits)
    if not source.exists():
        raise _no_model("There is no such file.", source, "Check how its name is written.")
    if not source.is_file():
        hint = "Name the file that holds the model, not a device or a pipe."
        raise _no_model("This is no regular file.", source, hint)
    tfjs = source.suffix.lower() == ".json" and is_tfjs(_head(source, limits))
    paths = [source, *(_shards(source) if tfjs else _weights(source))]
    if sum(path.stat().st_size for path in paths) > limits.file_bytes:
        raise ConversionError(
            "model.too_large",
            "The files are too large.",
            expected=f"at most {limits.file_bytes} bytes",
            where=str(source),
        )
    if source.suffix.lower() == ".json":
        return read_model({path.name: path.read_bytes() for path in paths}, limits)
    with source.open("rb") as file:
        head = file.read(HEAD_BYTES)
        file.seek(0)
        return read_one(file, head, source.name, limits)


def _no_model(message: str, source: Path, hint: str, got: str = "") -> ConversionError:
    return ConversionError(
        "model.unreadable",
        message,
        expected=_READ,
        got=got or str(source),
        hint=hint,
        where=str(source),
    )


def _model_in(folder: Path, limits: Limits) -> Path:
    """Find the one model of a folder: TF.js's `model.json`, or what else is alone there."""
    if (folder / "model.json").is_file():
        return folder / "model.json"
    files = sorted(path for path in folder.iterdir() if path.is_file())
    # Labels, a tokenizer: a .json beside a model need not be one.
    heads = {path: _head(path, limits) for path in files if path.suffix.lower() == ".json"}
    pairs = [path for path, head in heads.items() if is_architecture(head)]
    taken = {weights for path in pairs for weights in _weights(path)}
    found = pairs + [path for path, head in heads.items() if is_tfjs(head)]
    found += [p for p in files if p.suffix.lower() in _ENDINGS and p not in taken]
    if len(found) == 1:
        return found[0]
    if not found and (folder / "saved_model.pb").is_file():
        return folder / "saved_model.pb"  # refused, by its own name
    if not found:
        hint = "Name the folder that holds the model, or the model's file."
        raise _no_model("There is no model in this folder.", folder, hint, "none of them")
    names = ", ".join(path.name for path in found[:5])
    raise _no_model("There are several models in this folder.", folder, "Name one of them.", names)


def _head(source: Path, limits: Limits) -> bytes:
    with source.open("rb") as file:
        return file.read(limits.json_bytes)


def _shards(source: Path) -> list[Path]:
    return sorted(path for path in source.parent.glob("*.bin") if path.is_file())


def _weights(source: Path) -> list[Path]:
    """Find the weights of an architecture: the `.h5` of the same name, or the only one."""
    if source.suffix.lower() != ".json":
        return []
    stem = source.name[: -len(source.suffix)]
    own = [source.parent / f"{stem}{ending}" for ending in (".weights.h5", ".h5", "_weights.h5")]
    found = [path for path in own if path.is_file()][:1]
    others = sorted(path for path in source.parent.glob("*.h5") if path.is_file())
    return found or (others if len(others) == 1 else [])
