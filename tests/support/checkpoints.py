"""Checkpoints as bytes that a test holds, checked as those are that donors upload."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray
from safetensors.numpy import load

from potluck_coordinator.scoring import check_weights

WEIGHTS = "weights/"


def checked(
    checkpoint: bytes, shapes: Mapping[str, Sequence[int]], most: int, **told: Any
) -> dict[str, NDArray[Any]]:
    """Give a checkpoint's weights by `<layer>/<weight>`. Raises what `check_weights` raises."""
    check_weights(io.BytesIO(checkpoint), len(checkpoint), shapes, most, **told)
    held = load(checkpoint)
    return {key.removeprefix(WEIGHTS): held[key] for key in held if key.startswith(WEIGHTS)}
