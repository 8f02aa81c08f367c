"""One loss for each row, by Keras's own functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import safetensors.numpy

from potluck.protocol.study import LossName, LossOptions
from potluck_coordinator.scoring.backend import load_keras

BY_NUMBER = "sparse_categorical_crossentropy"


def row_losses(
    name: LossName, options: LossOptions, from_logits: bool, targets: Any, outputs: Any
) -> Any:
    """Give each row's loss as Keras defines it, [rows].

    Class numbers (int32 [rows]) become one-hot rows where the loss wants them. Dice and Tversky
    are of a whole batch: each of its rows then has the batch's loss.
    """
    import jax
    import jax.numpy as jnp

    told: dict[str, Any] = options.model_dump(exclude_none=True)
    if name.endswith("crossentropy"):
        told["from_logits"] = from_logits
    if name != BY_NUMBER and jnp.issubdtype(targets.dtype, jnp.integer):
        targets = jax.nn.one_hot(targets, outputs.shape[-1], dtype=outputs.dtype)
    losses = getattr(load_keras().losses, name)(targets, outputs, **told)
    return jnp.broadcast_to(losses.reshape(-1), (outputs.shape[0],))


def weighted(rows: Any, weights: Any | None) -> Any:
    """Multiply row losses by their weights; the mean is still over rows, as in Keras."""
    return rows if weights is None else rows * weights


def mean_loss(
    tensors: bytes, predictions: bytes, name: LossName, options: LossOptions, from_logits: bool
) -> float | None:
    """Give the mean loss over a unit's own rows, without penalties; None where it is no number.

    `tensors`: safetensors with `y` and, where rows are weighted, `w`. `predictions`: safetensors
    with `raw`, the network's outputs for the same rows in the same order.
    """
    import jax.numpy as jnp

    data = safetensors.numpy.load(tensors)
    raw = safetensors.numpy.load(predictions)["raw"]
    rows = row_losses(name, options, from_logits, jnp.asarray(data["y"]), jnp.asarray(raw))
    found = float(np.mean(np.asarray(weighted(rows, data.get("w")), np.float64)))
    return found if np.isfinite(found) else None
