"""What a file says of loss, metrics and optimizer, from one of Keras's forms to another.

Only plain names and numbers are carried: a stranger's file must not put objects into ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OPTIMIZERS = frozenset(
    {"SGD", "RMSprop", "Adam", "AdamW", "Adadelta", "Adagrad", "Adamax", "Nadam", "Ftrl", "Lion"}
)
_SHORT = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
}


def for_h5(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Give it as a `.h5` has it; None where there is nothing that can be carried."""
    found = _plain(given)
    if found is None:
        return None
    optimizer = found.pop("optimizer")
    absent = {"loss_weights": None, "weighted_metrics": None}
    return {**found, **absent, "optimizer_config": optimizer}


def for_zip(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Give it as a `.keras` has it; None where there is nothing that can be carried."""
    found = _plain(given)
    if found is None:
        return None
    optimizer = {**found["optimizer"], "module": "keras.optimizers", "registered_name": None}
    return {**found, "optimizer": optimizer}


def _plain(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if given is None:
        return None
    optimizer = given.get("optimizer_config") or given.get("optimizer")
    if not isinstance(optimizer, dict) or optimizer.get("class_name") not in OPTIMIZERS:
        return None
    config = optimizer.get("config")
    loss, metrics = given.get("loss"), given.get("metrics")
    if not isinstance(config, dict) or not _names(loss) or not (metrics is None or _names(metrics)):
        return None
    kept = {
        key: value
        for key, value in config.items()
        if isinstance(value, int | float | str) and key not in ("is_legacy_optimizer", "decay")
    }
    if any(isinstance(value, dict | list) for value in config.values()):
        return None  # a schedule
    return {
        "loss": _full(loss),
        "metrics": _full(metrics),
        "optimizer": {"class_name": optimizer["class_name"], "config": kept},
    }


def _full(value: Any) -> Any:
    """Write short names out: Keras 3 cannot load "mse" from a `.h5` that it wrote itself."""
    if isinstance(value, dict):
        return {key: _full(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_full(item) for item in value]
    return _SHORT.get(value, value) if isinstance(value, str) else value


def _names(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(k, str) and _names(v) for k, v in value.items())
    if isinstance(value, list):
        return all(_names(v) for v in value)
    return value is None or (isinstance(value, str) and value.isidentifier())
