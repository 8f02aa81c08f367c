"""Where a model is written: what the name asks for, and a whole model there or none."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

from potluck_converter.errors import ConversionError, unwritable
from potluck_converter.graph import Model
from potluck_converter.writers.tfjs import Quantization, tfjs_files

Format = Literal["tfjs", "h5", "keras"]

ENDINGS: dict[str, Format] = {".h5": "h5", ".hdf5": "h5", ".keras": "keras"}
_OURS = 16 << 20  # a model.json larger than this was not written here


def form_of(dst: str | Path, to: Format | None) -> Format:
    """Say what to write, by `to` and the target's ending; raises ConversionError."""
    target, text = Path(dst), str(dst)
    if not text.strip():
        raise _refused("There is no name to write to.", text, "Give a file or a folder.")
    if to is not None and to not in get_args(Format):
        raise _refused(f"Nothing is written as {to}.", text, "Write tfjs, h5 or keras.")
    ending = ENDINGS.get(target.suffix.lower())
    if ending is not None:
        if to is not None and to != ending:
            hint = f"Leave out `to`, or write to another name than {target.name}."
            raise _refused(f"The ending of the target says {ending}, and not {to}.", text, hint)
        return ending
    folder = target.is_dir() or text.endswith(("/", os.sep)) or not target.suffix or to == "tfjs"
    if not folder or target.name in ENDINGS:
        hint = "End it in .h5 or .keras, or in / for a folder with TF.js files."
        raise _refused("Nothing is written with this ending.", text, hint)
    return to or "tfjs"


def _refused(message: str, got: str, hint: str) -> ConversionError:
    return ConversionError(
        "model.unknown_ending",
        message,
        expected="a file ending in .h5 or .keras, or a folder",
        got=got or "nothing",
        hint=hint,
        where=got,
    )


def write_to(
    model: Model, stem: str, target: Path, form: Format, quantize: Quantization | None
) -> list[Path]:
    """Write a model; whoever looks sees a whole one or none. Raises `model.unwritable`.

    `stem` names the file where the target is a folder.
    """
    try:
        if form == "tfjs":
            return _write_folder(model, target, quantize)
        if target.suffix.lower() not in ENDINGS:
            target = target / f"{stem}.{form}"
        if target.is_dir():
            raise IsADirectoryError(21, "Is a directory", str(target))
        target.parent.mkdir(parents=True, exist_ok=True)
        return [_write_file(model, target, _writer(form))]
    except OSError as error:
        raise unwritable(error, target) from error


def _write_file(model: Model, target: Path, writer: Callable[[Model, Path], None]) -> Path:
    scratch = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        writer(model, scratch)
        scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)
    return target


def _write_folder(model: Model, target: Path, quantize: Quantization | None) -> list[Path]:
    there = target.is_dir()
    if there:
        scratch = target / f".potluck.{os.getpid()}.part"
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = target.with_name(f".{target.name}.{os.getpid()}.part")
        if target.exists():
            raise FileExistsError(17, "File exists", str(target))
    names = []
    try:
        scratch.mkdir()
        for name, content in tfjs_files(model, quantize=quantize):
            (scratch / name).write_bytes(content)
            names.append(name)
        if there:
            _move_in(scratch, target, names)
        else:
            scratch.replace(target)
    finally:
        _clear(scratch)
    return [target / name for name in names]


def _clear(scratch: Path) -> None:
    """Remove what is left of a scratch folder."""
    if scratch.is_dir():
        for path in scratch.iterdir():
            path.unlink()
        scratch.rmdir()


def _move_in(scratch: Path, target: Path, names: list[str]) -> None:
    """Put a model in place of another; `model.json`, the last, is missing in between."""
    head = target / "model.json"
    old = _shards(head)
    head.unlink(missing_ok=True)
    for name in old - set(names):
        (target / name).unlink(missing_ok=True)
    for name in names:
        (scratch / name).replace(target / name)


def _shards(head: Path) -> set[str]:
    """Name the weight files beside a `model.json` that was written here; none of another's."""
    try:
        if head.stat().st_size > _OURS:
            return set()
        said = json.loads(head.read_bytes())
        if said["convertedBy"] != "Potluck":
            return set()
        paths = [path for group in said["weightsManifest"] for path in group["paths"]]
        return {path for path in paths if path.endswith(".bin") and Path(path).name == path}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return set()


def _writer(form: Format) -> Callable[[Model, Path], None]:
    if form == "h5":
        from potluck_converter.writers.keras_h5 import write_keras_h5_to

        return write_keras_h5_to
    from potluck_converter.writers.keras_zip import write_keras_zip_to

    return write_keras_zip_to
