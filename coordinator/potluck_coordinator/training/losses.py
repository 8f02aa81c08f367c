"""One loss for each row, by Keras's own functions."""

from __future__ import annotations

from typing import Any

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
