"""Optimizers, clippings, decays, averages and schedules that are held to Keras's own."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from potluck.protocol.optimizers import AnyOptimizer, Optimizer

_ADAPTER: TypeAdapter[AnyOptimizer] = TypeAdapter(Optimizer)

RULES: dict[str, dict[str, Any]] = {
    "sgd": {"name": "sgd", "learning_rate": 0.1},
    "momentum": {"name": "sgd", "learning_rate": 0.1, "momentum": 0.9},
    "nesterov": {"name": "sgd", "learning_rate": 0.1, "momentum": 0.9, "nesterov": True},
    "adam": {"name": "adam", "learning_rate": 0.01, "beta_2": 0.9, "epsilon": 1e-3},
    "amsgrad": {
        "name": "adam",
        "learning_rate": 0.01,
        "beta_2": 0.7,
        "epsilon": 1e-3,
        "amsgrad": True,
    },
    "adamw": {"name": "adamw", "learning_rate": 0.01, "weight_decay": 0.3, "epsilon": 1e-3},
    "adamax": {"name": "adamax", "learning_rate": 0.01, "beta_2": 0.9, "epsilon": 1e-3},
    "nadam": {"name": "nadam", "learning_rate": 0.01, "beta_2": 0.9, "epsilon": 1e-3},
    "rmsprop": {"name": "rmsprop", "learning_rate": 0.01, "rho": 0.8, "epsilon": 1e-3},
    "rmsprop with momentum": {
        "name": "rmsprop",
        "learning_rate": 0.01,
        "momentum": 0.5,
        "epsilon": 1e-3,
    },
    "centered": {
        "name": "rmsprop",
        "learning_rate": 0.01,
        "rho": 0.8,
        "epsilon": 1e-2,
        "centered": True,
    },
    "centered with momentum": {
        "name": "rmsprop",
        "learning_rate": 0.01,
        "rho": 0.8,
        "momentum": 0.5,
        "epsilon": 1e-2,
        "centered": True,
    },
    "adagrad": {"name": "adagrad", "learning_rate": 0.1},
    "adadelta": {"name": "adadelta", "learning_rate": 5.0, "rho": 0.8, "epsilon": 1e-3},
    "lion": {"name": "lion", "learning_rate": 0.01, "beta_2": 0.9},
    "ftrl": {
        "name": "ftrl",
        "learning_rate": 0.2,
        "l1_regularization_strength": 0.001,
        "l2_regularization_strength": 0.01,
        "l2_shrinkage_regularization_strength": 0.01,
        "beta": 0.1,
    },
    "ftrl by another power": {"name": "ftrl", "learning_rate": 0.2, "learning_rate_power": -0.7},
}
EVERY: dict[str, dict[str, Any]] = {
    name: RULES[name]
    for name in ("sgd", "nesterov", "adam", "adamw", "adamax", "nadam", "rmsprop", "adagrad")
} | {
    # At a rate of 5, networks that normalize multiply any rounding.
    "adadelta": RULES["adadelta"] | {"learning_rate": 1.0},
    "lion": RULES["lion"],
    "ftrl": RULES["ftrl"],
}
"""One of each class, for tests of many networks."""
_MOVING = RULES["momentum"]
COMMON: dict[str, dict[str, Any]] = {
    "clipped by norm": _MOVING | {"clipnorm": 0.1},
    "clipped by global norm": _MOVING | {"global_clipnorm": 0.1},
    "clipped by value": _MOVING | {"clipvalue": 0.02},
    "weight decay": _MOVING | {"weight_decay": 0.2},
    "averaged": _MOVING | {"use_ema": True, "ema_momentum": 0.8},
    "averaged and overwritten": RULES["amsgrad"]
    | {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 4},
    "all at once": RULES["centered with momentum"]
    | {
        "global_clipnorm": 0.5,
        "weight_decay": 0.2,
        "use_ema": True,
        "ema_momentum": 0.8,
        "ema_overwrite_frequency": 5,
    },
}
SCHEDULES: dict[str, dict[str, Any]] = {
    "constant": {"name": "constant"},
    "warm-up": {"name": "constant", "warmup_epochs": 2.0, "warmup_from": 0.1},
    "step": {"name": "step", "every_epochs": 2.0, "factor": 0.5},
    "step after warm-up": {"name": "step", "every_epochs": 1.5, "factor": 0.5, "warmup_epochs": 1},
    "piecewise": {"name": "piecewise", "boundaries": [1.0, 3.0], "factors": [1.0, 0.3, 2.0]},
    "exponential": {"name": "exponential", "decay_epochs": 3.0, "decay_rate": 0.2},
    "cosine": {"name": "cosine", "decay_epochs": 4.0, "alpha": 0.1},
    "cosine after warm-up": {
        "name": "cosine",
        "decay_epochs": 3.0,
        "warmup_epochs": 2.0,
        "warmup_from": 0.2,
    },
    "one cycle": {"name": "one_cycle", "decay_epochs": 6.0, "rise_share": 0.4},
}
PLATEAU: dict[str, Any] = {
    "name": "plateau",
    "factor": 0.5,
    "patience": 2,
    "min_delta": 0.05,
    "cooldown": 1,
    "min_lr": 0.01,
}
SCHEDULED: dict[str, dict[str, Any]] = {
    name: _MOVING | {"schedule": schedule} for name, schedule in SCHEDULES.items()
}
ALL: dict[str, dict[str, Any]] = RULES | COMMON | SCHEDULED


def optimizer(fields: dict[str, Any]) -> AnyOptimizer:
    """Read an optimizer as a unit carries it."""
    return _ADAPTER.validate_python(fields)


def slightly_wrong(fields: dict[str, Any]) -> dict[str, Any]:
    """Give the same with a learning rate wrong by a fiftieth."""
    return fields | {"learning_rate": fields["learning_rate"] * 1.02}
