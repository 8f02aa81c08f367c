"""Losses and optimizers: what depends on the small number that a backend calls epsilon."""

from __future__ import annotations

from typing import Any

from tests.gradients.case import Case

LOSSES: dict[str, tuple[str, str]] = {
    "meanSquaredError": ("positive", "linear"),
    "meanAbsoluteError": ("positive", "linear"),
    "meanAbsolutePercentageError": ("positive", "linear"),
    "meanSquaredLogarithmicError": ("positive", "sigmoid"),
    "squaredHinge": ("signs", "tanh"),
    "hinge": ("signs", "tanh"),
    "categoricalHinge": ("bits", "tanh"),
    "logcosh": ("positive", "linear"),
    "categoricalCrossentropy": ("shares", "softmax"),
    "sparseCategoricalCrossentropy": ("labels", "softmax"),
    "binaryCrossentropy": ("bits", "sigmoid"),
    "kullbackLeiblerDivergence": ("shares", "softmax"),
    "poisson": ("positive", "sigmoid"),
    "cosineProximity": ("positive", "linear"),
}
OPTIMIZERS = {
    "sgd": 0.1,
    "momentum": 0.1,
    "adagrad": 0.1,
    "adadelta": 0.1,
    "adam": 0.01,
    "adamax": 0.01,
    "rmsprop": 0.01,
}
SPREAD: dict[str, Any] = {"values": "apart", "low": -5.0, "high": 5.0}
CASES = [
    Case(
        f"Loss: {loss}",
        "Loss",
        (("Dense", {"units": 3, "activation": activation}),),
        ((5, 3),),
        loss=loss,
        truth=truth,
        **SPREAD,
    )
    for loss, (truth, activation) in LOSSES.items()
] + [
    Case(f"Optimizer: {name}, default epsilon", "Optimizer", (), (), optimizer=name, rate=rate)
    for name, rate in OPTIMIZERS.items()
]
