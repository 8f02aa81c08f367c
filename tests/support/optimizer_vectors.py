"""What Keras's optimizers make of given gradients: `tests/vectors/optimizers.json`.

Python and TypeScript hold their rules to it. Written by
`KERAS_BACKEND=jax python -m tests.support.optimizer_vectors`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import keras
import numpy as np

from potluck.protocol.optimizers import AnyOptimizer
from potluck.protocol.schedules import Plateau
from tests.support.keras_optimizers import keras_optimizer, keras_plateau
from tests.support.optimizer_cases import ALL, PLATEAU, optimizer

PATH = Path(__file__).parents[1] / "vectors/optimizers.json"
STEPS, STEPS_PER_EPOCH = 24, 4
SIZES = (5, 6)

Weights = list[np.ndarray]


def gradients() -> list[Weights]:
    """Give the gradients of two weights at each step."""
    draw = np.random.default_rng(4)
    return [[draw.normal(size=size).astype(np.float32) for size in SIZES] for _ in range(STEPS)]


def start() -> Weights:
    """Give the two weights before the first step."""
    return [np.linspace(-1, 2, size, dtype=np.float32) for size in SIZES]


def theirs(given: AnyOptimizer) -> tuple[Weights, Weights]:
    """Give Keras's weights, and what it makes of them when training ends."""
    variables = [keras.Variable(w) for w in start()]
    own = keras_optimizer(given, STEPS_PER_EPOCH)
    for now in gradients():
        own.apply([jnp.asarray(gradient) for gradient in now], variables)
    weights = [np.asarray(variable.value) for variable in variables]
    own.finalize_variable_values(variables)
    return weights, [np.asarray(variable.value) for variable in variables]


LOSSES = [1.0, 0.9, 0.89, 0.88, 0.87, 0.86, 0.5, 0.49, 0.48, 0.47, 0.46, 0.45, 0.44, 0.43, 0.2, 0.2]
PLATEAUS: list[dict[str, Any]] = [
    PLATEAU,
    {"name": "plateau", "factor": 0.1, "patience": 0},
    {"name": "plateau", "factor": 0.3, "patience": 1, "cooldown": 3, "min_delta": 0.0},
    {"name": "plateau", "factor": 0.5, "patience": 2, "min_delta": 0.02},
]


def plateaus() -> list[dict[str, Any]]:
    """Give Keras's rate, waiting and cooling down after each epoch."""
    found = []
    for fields in PLATEAUS:
        own = keras.optimizers.SGD(0.1)
        callback = keras_plateau(Plateau.model_validate(fields), own)
        after = []
        for epoch, loss in enumerate(np.asarray(LOSSES, np.float32).tolist()):
            callback.on_epoch_end(epoch, {"loss": loss})
            rate = float(own.learning_rate)
            after.append([rate, callback.wait, callback.cooldown_counter])
        found.append({"schedule": fields, "losses": LOSSES, "after": after})
    return found


def vectors() -> dict[str, Any]:
    """Give all of the file."""
    cases = {}
    for name, fields in ALL.items():
        weights, final = theirs(optimizer(fields))
        cases[name] = {"optimizer": fields, "weights": _lists(weights), "final": _lists(final)}
    return {
        "steps_per_epoch": STEPS_PER_EPOCH,
        "start": _lists(start()),
        "gradients": [_lists(now) for now in gradients()],
        "cases": cases,
        "plateaus": plateaus(),
    }


def _lists(arrays: Weights) -> list[list[float]]:
    return [[float(f"{value:.9g}") for value in array] for array in arrays]


if __name__ == "__main__":
    PATH.write_text(json.dumps(vectors(), separators=(",", ":")) + "\n")
