"""The weights that a checkpoint stands for once training has ended."""

from __future__ import annotations

from typing import Any

import safetensors.numpy
from numpy.typing import NDArray

from potluck_coordinator.scoring.check import AVERAGE, WEIGHTS


def scored_weights(checkpoint: bytes) -> dict[str, NDArray[Any]]:
    """Give a checkpoint's weights by `<layer>/<weight>`, as they are scored and handed out.

    Where the optimizer keeps moving averages (`use_ema`), they take the weights' place, as Keras 3
    does when training ends. The checkpoint itself keeps both: a later rung trains on from the
    weights. Only checkpoints that passed `check_weights`: it sees to which averages there are.
    """
    tensors = safetensors.numpy.load(checkpoint)
    found = {k.removeprefix(WEIGHTS): v for k, v in tensors.items() if k.startswith(WEIGHTS)}
    averages = {k.removeprefix(AVERAGE): v for k, v in tensors.items() if k.startswith(AVERAGE)}
    return found | averages
