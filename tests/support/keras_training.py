"""Keras on JAX trains a small unit: the layers' gradients and the optimizers are Keras's own.

Compiled once for each network and once for each optimizer, so that every pair of them is cheap.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import jax
import keras
import numpy as np
from numpy.typing import NDArray

from potluck_converter import read_model
from potluck_coordinator.core.randomness import epoch_order
from tests.support.keras_files import saved
from tests.support.keras_optimizers import keras_optimizer
from tests.support.optimizer_cases import optimizer
from tests.support.small_units import SmallUnit

WIDTH = 8192
"""Every rule works number by number, so a network's weights are one array of this length."""

Arrays = dict[str, NDArray[Any]]


class KerasTraining:
    """A network with a gradient step; classes, as `SmallUnit` has them by default."""

    def __init__(self, network: Any) -> None:
        self.network = network
        loss = keras.losses.SparseCategoricalCrossentropy()

        def value(trained: Any, fixed: Any, x: Any, y: Any) -> Any:
            outputs, fixed, penalties = network.stateless_call(
                trained, fixed, x, training=True, return_losses=True
            )
            return loss(y, outputs) + sum(penalties), fixed

        self._gradients = jax.jit(jax.grad(value, has_aux=True))
        self._start = [np.asarray(variable.value) for variable in network.variables]

    def train(self, unit: SmallUnit, fields: dict[str, Any], steps: int) -> Arrays:
        """Train the unit's rows in its order; give the weights by the converter's names."""
        network = self.network
        for variable, value in zip(network.variables, self._start, strict=True):
            variable.assign(value)
        trained = [np.asarray(variable.value) for variable in network.trainable_variables]
        fixed: Any = [np.asarray(variable.value) for variable in network.non_trainable_variables]
        rule, state = _rule(repr(fields))
        for step in range(steps):
            epoch, place = divmod(step, unit.steps_per_epoch)
            order = np.array(epoch_order(unit.seed, epoch, unit.rows))
            rows = order[place * unit.batch_size : (place + 1) * unit.batch_size]
            gradients, fixed = self._gradients(
                trained, fixed, unit.data["x"][rows], unit.data["y"][rows]
            )
            (moved,), state = rule(state, [_flat(gradients)], [_flat(trained)])
            trained = _parted(np.asarray(moved), trained)
        for variable, value in zip(network.trainable_variables, trained, strict=True):
            variable.assign(value)
        for variable, value in zip(network.non_trainable_variables, fixed, strict=True):
            variable.assign(value)
        return dict(read_model({"m.h5": saved(network)}).weights)


@cache
def _rule(fields: str) -> tuple[Any, list[Any]]:
    """Compile Keras's optimizer; `fields`: as the wire has it, as Python writes it."""
    import ast

    own = keras_optimizer(optimizer(ast.literal_eval(fields)), 1)
    own.build([keras.Variable(np.zeros(WIDTH, np.float32))])
    return jax.jit(own.stateless_apply), [np.asarray(slot.value) for slot in own.variables]


def _flat(arrays: Sequence[Any]) -> NDArray[np.float32]:
    numbers = np.concatenate([np.ravel(array) for array in arrays])
    return np.pad(numbers.astype(np.float32), (0, WIDTH - numbers.size))


def _parted(flat: NDArray[np.float32], like: Sequence[Any]) -> list[Any]:
    ends = np.cumsum([array.size for array in like])
    parts = np.split(flat[: ends[-1]], ends[:-1])
    return [part.reshape(array.shape) for part, array in zip(parts, like, strict=True)]
