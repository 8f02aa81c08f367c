"""From one file to another: the whole conversion, one weight at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potluck_converter.description import report
from potluck_converter.errors import ConversionError
from potluck_converter.limits import DEFAULT_LIMITS, Limits
from potluck_converter.sources import read_path
from potluck_converter.targets import Format, form_of, write_to
from potluck_converter.writers.tfjs import Quantization

Progress = Callable[[int, int], None]
"""Told bytes of weights written so far, and in all."""


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
    `model.json`; or a folder with one of them. `dst`: a file ending in `.h5` or `.keras`, or a
    folder. `to` decides where the ending does not. `quantize` is for TF.js alone.

    Raises ConversionError.
    """
    source, target = Path(src), Path(dst)
    form = form_of(dst, to)
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
    written = write_to(model, _stem(source), target, form, quantize)
    return {**report(model), "written": [str(path) for path in written]}


def _stem(source: Path) -> str:
    return source.stem if source.is_file() and source.suffix != ".json" else "model"


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
