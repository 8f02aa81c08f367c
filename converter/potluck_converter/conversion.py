"""From one file to another: the whole conversion, one weight at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from potluck_converter.description import report
from potluck_converter.errors import ConversionError
from potluck_converter.graph import Model
from potluck_converter.limits import DEFAULT_LIMITS, Limits
from potluck_converter.read import read_model, read_one
from potluck_converter.writers.tfjs import Quantization, tfjs_files

Format = Literal["tfjs", "h5", "keras"]
Progress = Callable[[int, int], None]
"""Told bytes of weights written so far, and in all."""

_ENDINGS: dict[str, Format] = {".h5": "h5", ".hdf5": "h5", ".keras": "keras"}


def convert(
    src: str | Path,
    dst: str | Path,
    to: Format | None = None,
    quantize: Quantization | None = None,
    *,
    progress: Progress | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> dict[str, Any]:
    """Convert a model's file and give its report, with what was written under `written`.

    `src`: `.h5`, `.keras`, an architecture `.json` beside its weights `.h5`, or TF.js's
    `model.json` (or its folder). `dst`: a file ending in `.h5` or `.keras`, or a folder. `to`
    decides where the ending does not. `quantize` is for TF.js alone. Raises ConversionError.
    """
    source, target = Path(src), Path(dst)
    form = to or _ENDINGS.get(target.suffix.lower(), "tfjs")
    if quantize is not None and form != "tfjs":
        raise ConversionError(
            "model.unsupported_option",
            "Only TF.js files can be quantized.",
            expected="to tfjs",
            got=form,
            hint="Leave out the quantization, or write for TF.js.",
        )
    model = read_path(source, limits)
    if progress is not None:
        model = replace(model, weights=_Counted(model.weights, progress))
    written = _write(model, _stem(source), target, form, quantize)
    return {**report(model), "written": [str(path) for path in written]}


def read_path(source: Path, limits: Limits = DEFAULT_LIMITS) -> Model:
    """Read a model from its file; the file itself is never held whole. Raises ConversionError."""
    if source.is_dir():
        source = source / "model.json"
    if not source.is_file():
        raise ConversionError(
            "model.unreadable",
            "There is no such file.",
            expected="a .h5 or .keras file, or a .json",
            got=str(source),
            where=str(source),
        )
    paths = [source, *_beside(source)] if source.suffix == ".json" else [source]
    if sum(path.stat().st_size for path in paths) > limits.file_bytes:
        raise ConversionError(
            "model.too_large",
            "The files are too large.",
            expected=f"at most {limits.file_bytes} bytes",
            where=str(source),
        )
    if len(paths) > 1 or source.suffix == ".json":
        return read_model({path.name: path.read_bytes() for path in paths}, limits)
    with source.open("rb") as file:
        head = file.read(8)
        file.seek(0)
        return read_one(file, head, source.name, limits)


def _beside(source: Path) -> list[Path]:
    """Find the weights of a `.json`: TF.js's `.bin` files, or the `.h5` of the same name."""
    shards = sorted(source.parent.glob("*.bin"))
    if shards:
        return shards
    stem = source.name.removesuffix(".json")
    own = [source.parent / f"{stem}{ending}" for ending in (".weights.h5", ".h5", "_weights.h5")]
    found = [path for path in own if path.is_file()] or sorted(source.parent.glob("*.h5"))
    return found[:1] if len(found) <= 1 or found[0] in own else []


def _stem(source: Path) -> str:
    return source.stem if source.is_file() and source.suffix != ".json" else "model"


def _write(
    model: Model, stem: str, target: Path, form: Format, quantize: Quantization | None
) -> list[Path]:
    if form == "tfjs":
        target.mkdir(parents=True, exist_ok=True)
        written = []
        for name, content in tfjs_files(model, quantize=quantize):
            (target / name).write_bytes(content)
            written.append(target / name)
        return written
    if target.suffix.lower() not in _ENDINGS:
        target.mkdir(parents=True, exist_ok=True)
        target = target / f"{stem}.{form}"
    target.parent.mkdir(parents=True, exist_ok=True)
    writer = _writer(form)
    # Whoever looks at the target sees a whole file or none.
    scratch = target.with_name(f".{target.name}.part")
    try:
        writer(model, scratch)
        scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)
    return [target]


def _writer(form: Format) -> Callable[[Model, Path], None]:
    if form == "h5":
        from potluck_converter.writers.keras_h5 import write_keras_h5_to

        return write_keras_h5_to
    from potluck_converter.writers.keras_zip import write_keras_zip_to

    return write_keras_zip_to


class _Counted(Mapping[str, NDArray[np.float32]]):
    """Weights that tell how many of their bytes were asked for."""

    def __init__(self, weights: Mapping[str, NDArray[np.float32]], tell: Progress) -> None:
        self._weights = weights
        self._tell = tell
        self._done = 0
        self._total = sum(value.nbytes for value in weights.values())

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        value = self._weights[name]
        self._done += value.nbytes
        self._tell(min(self._done, self._total), self._total)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._weights)

    def __len__(self) -> int:
        return len(self._weights)
