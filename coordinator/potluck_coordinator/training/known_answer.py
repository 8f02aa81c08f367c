"""A micro-training whose result is known, the same as in a tab; and how fast this machine trains.

`known_answer.json` is the client's `known_answer.gen.json`, byte for byte; a test holds them equal.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from math import prod, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potluck.protocol.optimizers import Adam, AnyOptimizer, Sgd
from potluck.protocol.study import LossName, LossOptions
from potluck_coordinator.training.checkpoint import State, write_checkpoint, write_tensors
from potluck_coordinator.training.randomness import WORD, stream, threefry
from potluck_coordinator.training.unit_training import Training

STEPS = 6
TOLERANCE = 1e-4
"""As in a tab: float32 in another order of sums stays below 1e-5 of a weight's largest element."""
SPEED_SECONDS = 0.5
SEED = 20

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Reference:
    """A small training with fixed weights and rows."""

    rows: int
    batch_size: int
    optimizer: AnyOptimizer
    topology: bytes
    checkpoint: bytes
    tensors: bytes
    seed: int = SEED
    loss: LossName = "sparse_categorical_crossentropy"
    loss_options: LossOptions = field(default_factory=LossOptions)
    from_logits: bool = False

    @property
    def steps_per_epoch(self) -> int:
        """Count an epoch's batches."""
        return -(-self.rows // self.batch_size)

    def open(self) -> Training:
        """Open it."""
        return Training(self, self.topology, self.checkpoint, self.tensors)


def trains_rightly() -> bool:
    """Say whether this process trains rightly."""
    training = known_answer_reference().open()
    for _ in range(STEPS):
        training.advance()
    return distance(training.state().weights, known_answer()) <= TOLERANCE


def samples_per_second() -> float:
    """Measure the speed on a network of the size that people bring to a table."""
    reference = speed_reference()
    training = reference.open()
    for _ in range(2 * reference.steps_per_epoch):  # compiles
        training.advance()
    training.loss()
    begun, from_step = time.perf_counter(), training.step
    while time.perf_counter() - begun < SPEED_SECONDS:
        for _ in range(reference.steps_per_epoch):
            training.advance()
        training.loss()
    steps = training.step - from_step
    return steps * reference.batch_size / (time.perf_counter() - begun)


def known_answer() -> dict[str, NDArray[np.float64]]:
    """Give the answer, each weight as a flat array."""
    text = files(__package__).joinpath("known_answer.json").read_text()
    return {name: np.asarray(values) for name, values in json.loads(text).items()}


def distance(got: Arrays, expected: Arrays) -> float:
    """Give the largest error of any weight, relative to its array's largest element."""
    worst = 0.0
    for name, right in expected.items():
        error = float(np.max(np.abs(got[name].reshape(-1) - right)))
        worst = max(worst, error / max(float(np.max(np.abs(right))), 1e-6))
        if np.isnan(error):
            return float("inf")
    return worst


def known_answer_reference() -> Reference:
    """Give the training whose answer is known."""
    conv = {"filters": 4, "kernel_size": [3, 3], "padding": "same", "activation": "relu"}
    return _reference(
        (6, 6, 1),
        3,
        [
            ("Conv2D", {"name": "conv", **conv}),
            ("MaxPooling2D", {"name": "pool", "pool_size": [2, 2]}),
            ("BatchNormalization", {"name": "norm"}),
            ("Flatten", {"name": "flatten"}),
            ("Dropout", {"name": "dropout", "rate": 0.25}),
            ("Dense", {"name": "dense", "units": 5, "activation": "tanh"}),
            ("Dense", {"name": "head", "units": 3, "activation": "softmax"}),
        ],
        {
            "conv/kernel": (3, 3, 1, 4),
            "conv/bias": (4,),
            **{f"norm/{part}": (4,) for part in ("gamma", "beta", "moving_mean")},
            "norm/moving_variance": (4,),
            "dense/kernel": (36, 5),
            "dense/bias": (5,),
            "head/kernel": (5, 3),
            "head/bias": (3,),
        },
        rows=20,
        batch_size=8,
        optimizer=Sgd(learning_rate=0.1, momentum=0.9),
    )


def speed_reference() -> Reference:
    """Give the training by which speed is measured."""
    return _reference(
        (8, 8, 1),
        10,
        [
            (
                "Conv2D",
                {"name": "conv", "filters": 16, "kernel_size": [3, 3], "activation": "relu"},
            ),
            ("MaxPooling2D", {"name": "pool", "pool_size": [2, 2]}),
            ("Flatten", {"name": "flatten"}),
            ("Dense", {"name": "dense", "units": 128, "activation": "relu"}),
            ("Dense", {"name": "head", "units": 10, "activation": "softmax"}),
        ],
        {
            "conv/kernel": (3, 3, 1, 16),
            "conv/bias": (16,),
            "dense/kernel": (144, 128),
            "dense/bias": (128,),
            "head/kernel": (128, 10),
            "head/bias": (10,),
        },
        rows=256,
        batch_size=32,
        optimizer=Adam(learning_rate=1e-3),
    )


def _reference(
    shape: Sequence[int],
    classes: int,
    layers: Sequence[tuple[str, Mapping[str, Any]]],
    weights: Mapping[str, tuple[int, ...]],
    *,
    rows: int,
    batch_size: int,
    optimizer: AnyOptimizer,
) -> Reference:
    first = {"name": "input", "batch_input_shape": [None, *shape], "dtype": "float32"}
    listed = [{"class_name": c, "config": o} for c, o in (("InputLayer", first), *layers)]
    topology = {"class_name": "Sequential", "config": {"name": "reference", "layers": listed}}
    start = {name: _start(name, size) for name, size in weights.items()}
    x = _even("reference/x", (rows, *shape), -1.0, 1.0)
    y = (np.arange(rows) % classes).astype(np.int32)
    return Reference(
        rows=rows,
        batch_size=batch_size,
        optimizer=optimizer,
        topology=json.dumps(topology).encode(),
        checkpoint=write_checkpoint(State(weights=start, epoch=0, step=0)),
        tensors=write_tensors({"x": x, "y": y}),
    )


def _start(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    if name.endswith(("gamma", "moving_variance")):
        return np.ones(shape, np.float32)
    if name.endswith(("beta", "bias", "moving_mean")):
        return np.zeros(shape, np.float32)
    limit = sqrt(3 / (prod(shape) / shape[-1]))
    return _even(f"reference/{name}", shape, -limit, limit)


def _even(purpose: str, shape: Sequence[int], low: float, high: float) -> NDArray[np.float32]:
    key = [np.array([word], np.uint32) for word in (SEED, stream(purpose), 0)]
    words, _ = threefry(key[0], key[1], key[2], np.arange(prod(shape), dtype=np.uint32))
    values: NDArray[np.float32] = (low + (high - low) * words / WORD).astype(np.float32)
    return values.reshape(tuple(shape))
