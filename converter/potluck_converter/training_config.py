"""What a file says of loss, metrics and optimizer, from one form to another.

Only known names, plain numbers and objects of known classes are carried: a stranger's file must not
put objects into ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from potluck_converter.origin import is_custom, optimizer_class

OPTIMIZERS = frozenset(
    {"SGD", "RMSprop", "Adam", "AdamW", "Adadelta", "Adagrad", "Adamax", "Nadam", "Ftrl", "Lion"}
)
_SHORT = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
}
_OBJECTS = frozenset(
    {"BinaryCrossentropy", "CategoricalCrossentropy", "SparseCategoricalCrossentropy"}
    | {"MeanSquaredError", "MeanAbsoluteError", "MeanAbsolutePercentageError", "Poisson"}
    | {"MeanSquaredLogarithmicError", "Huber", "LogCosh", "Hinge", "SquaredHinge", "KLDivergence"}
    | {"CategoricalHinge", "CosineSimilarity", "BinaryFocalCrossentropy", "Accuracy", "AUC"}
    | {"BinaryAccuracy", "CategoricalAccuracy", "SparseCategoricalAccuracy", "RootMeanSquaredError"}
    | {"TopKCategoricalAccuracy", "SparseTopKCategoricalAccuracy", "Precision", "Recall"}
    | {"F1Score", "FBetaScore", "R2Score", "MeanIoU", "IoU"}
)
"""Losses and metrics that Keras writes as a class with a config."""

LATER = {"learningRate": "learning_rate", "beta1": "beta_1", "beta2": "beta_2"} | {
    "initialAccumulatorValue": "initial_accumulator_value",
    "useNesterov": "nesterov",
}
"""What TF.js calls otherwise."""


def for_h5(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Give it as a `.h5` has it; None where there is nothing that can be carried."""
    found = understood(given)
    if found is None:
        return None
    optimizer = found.pop("optimizer")
    absent = {"loss_weights": None, "weighted_metrics": None}
    return {**found, **absent, "optimizer_config": optimizer}


def for_zip(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Give it as a `.keras` has it; None where there is nothing that can be carried."""
    found = understood(given)
    if found is None:
        return None
    optimizer = {**found["optimizer"], "module": "keras.optimizers", "registered_name": None}
    loss = _placed(found["loss"], "keras.losses")
    metrics = _placed(found["metrics"], "keras.metrics")
    return {"loss": loss, "metrics": metrics, "optimizer": optimizer}


def understood(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Give loss, metrics and optimizer in one form, whichever file they came from, or None."""
    if given is None:
        return None
    optimizer = given.get("optimizer_config") or given.get("optimizer")
    if not isinstance(optimizer, dict) or not isinstance(optimizer.get("config"), dict):
        return None
    config = {LATER.get(key, key): value for key, value in optimizer["config"].items()}
    name = "" if is_custom(optimizer) else optimizer_class(optimizer)
    if name == "Momentum":
        name = "SGD"
    elif name in ("RMSProp", "rmsProp"):
        name = "RMSprop"
        config["rho"] = config.pop("decay", config.get("rho", 0.9))
    if name not in OPTIMIZERS or any(isinstance(value, dict | list) for value in config.values()):
        return None  # another's own, or a schedule
    kept = {
        key: value
        for key, value in config.items()
        if isinstance(value, int | float | str) and key not in _LEFT_OUT
    }
    try:
        loss, metrics = _carried(given.get("loss")), _carried(given.get("metrics"))
    except ValueError:
        return None
    if isinstance(metrics, list) and len(metrics) == 1 and isinstance(metrics[0], list):
        metrics = metrics[0]  # Keras 2 lists them for each output, even for one
    return {"loss": loss, "metrics": metrics, "optimizer": {"class_name": name, "config": kept}}


_LEFT_OUT = frozenset({"is_legacy_optimizer", "decay", "jit_compile"})


def _carried(value: Any) -> Any:
    """Give a loss or metric, or several; raises ValueError for what is not known."""
    if value is None:
        return None
    if isinstance(value, str) and value.isidentifier():
        # In full: Keras 3 cannot load "mse" from a `.h5` that it wrote itself.
        return _SHORT.get(value, value)
    if isinstance(value, list):
        return [_carried(item) for item in value]
    if isinstance(value, dict) and "class_name" in value:
        return _object(value)
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _carried(item) for key, item in value.items()}
    raise ValueError(repr(value))


def _object(value: Mapping[str, Any]) -> Any:
    name, config = value["class_name"], value.get("config")
    if not isinstance(config, dict) or is_custom(value):
        raise ValueError(repr(value))
    if name == "MeanMetricWrapper":  # Keras 2's, around a function
        if config.get("name") in ("accuracy", "acc"):
            return "accuracy"
        return _carried(config.get("fn"))
    if name not in _OBJECTS:
        raise ValueError(repr(value))
    kept = {k: v for k, v in config.items() if k not in ("fn", "dtype")}
    if any(not isinstance(v, str | int | float | None) for v in kept.values()):
        raise ValueError(repr(value))
    if kept.get("reduction") == "auto":
        kept["reduction"] = "sum_over_batch_size"
    return {"class_name": name, "config": kept}


def _placed(value: Any, module: str) -> Any:
    """Say of each object where Keras 3 has its class."""
    if isinstance(value, list):
        return [_placed(item, module) for item in value]
    if isinstance(value, dict) and "class_name" in value:
        return {**value, "module": module, "registered_name": None}
    if isinstance(value, dict):
        return {key: _placed(item, module) for key, item in value.items()}
    return value


def snake(name: str) -> str:
    """Give a class's name as the function of the same meaning is called."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
