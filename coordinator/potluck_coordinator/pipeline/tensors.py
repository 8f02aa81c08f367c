"""Arrays as safetensors bytes and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray


def to_safetensors(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Give the arrays as one safetensors file; the same arrays give the same bytes."""
    return safetensors.numpy.save({name: np.ascontiguousarray(a) for name, a in arrays.items()})


def from_safetensors(content: bytes) -> dict[str, NDArray[Any]]:
    """Read what `to_safetensors` wrote. For our own artifacts only."""
    return safetensors.numpy.load(content)
