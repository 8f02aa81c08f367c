"""Loss, metrics and optimizer as TF.js 4 reads them: `trainingConfig` of model.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from potluck_converter.training_config import snake, understood

_LOSSES = frozenset(
    {"mean_squared_error", "mean_absolute_error", "mean_absolute_percentage_error"}
    | {"mean_squared_logarithmic_error", "squared_hinge", "hinge", "categorical_hinge", "logcosh"}
    | {"categorical_crossentropy", "sparse_categorical_crossentropy", "binary_crossentropy"}
    | {"kullback_leibler_divergence", "poisson"}
)
_RENAMED_LOSSES = {
    "kl_divergence": "kullback_leibler_divergence",
    "log_cosh": "logcosh",
}
_METRICS = {
    **{name: name for name in ("accuracy", "acc", "crossentropy", "ce", "precision")},
    **{name: name for name in ("binary_accuracy", "categorical_accuracy")},
    **{name: name for name in ("categorical_crossentropy", "sparse_categorical_crossentropy")},
    "mean_squared_error": "mse",
    "mean_absolute_error": "mae",
    "mean_absolute_percentage_error": "mape",
    "cosine_similarity": "cosine",
    # What TF.js takes "accuracy" for follows from the loss.
    "sparse_categorical_accuracy": "accuracy",
}
_OPTIMIZERS: dict[str, dict[str, str]] = {
    "SGD": {"learning_rate": "learning_rate"},
    "Adam": {"learning_rate": "learning_rate", "beta_1": "beta1", "beta_2": "beta2"}
    | {"epsilon": "epsilon"},
    "Adamax": {"learning_rate": "learning_rate", "beta_1": "beta1", "beta_2": "beta2"}
    | {"epsilon": "epsilon"},
    "RMSprop": {"learning_rate": "learning_rate", "rho": "decay", "momentum": "momentum"}
    | {"epsilon": "epsilon", "centered": "centered"},
    "Adadelta": {"learning_rate": "learning_rate", "rho": "rho", "epsilon": "epsilon"},
    "Adagrad": {"learning_rate": "learning_rate"}
    | {"initial_accumulator_value": "initial_accumulator_value"},
}
"""TF.js's optimizers, by Keras's names, with Keras's options and what TF.js calls them."""

_DEFAULTS = {"from_logits": False, "label_smoothing": 0.0, "axis": -1}


def for_tfjs(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Give what `tf.loadLayersModel` compiles with; None where TF.js has not all of it.

    Metrics that TF.js does not have are left out: the others hold without them.
    """
    found = understood(given)
    if found is None:
        return None
    optimizer, loss = _optimizer(found["optimizer"]), _loss(found["loss"])
    if optimizer is None or loss is None:
        return None
    told: dict[str, Any] = {"loss": loss, "optimizer_config": optimizer}
    metrics = _metrics(found["metrics"])
    return told | ({"metrics": metrics} if metrics else {})


def _optimizer(given: Mapping[str, Any]) -> dict[str, Any] | None:
    name, config = given["class_name"], given["config"]
    names = _OPTIMIZERS.get(name)
    if names is None or config.get("amsgrad") or config.get("weight_decay"):
        return None
    kept = {names[key]: value for key, value in config.items() if key in names}
    if name == "SGD" and config.get("momentum"):
        nesterov = bool(config.get("nesterov", False))
        kept |= {"momentum": config["momentum"], "use_nesterov": nesterov}
        name = "Momentum"
    # TF.js's own name has another capital; its Adamax takes Keras 2's decay, and adds it up.
    kept |= {"decay": 0.0} if name == "Adamax" else {}
    return {"class_name": "RMSProp" if name == "RMSprop" else name, "config": kept}


def _loss(value: Any) -> Any:
    """Give names that TF.js has; None where one is lacking."""
    if isinstance(value, list):
        each = [_loss(item) for item in value]
        return each if None not in each else None
    if isinstance(value, dict) and "class_name" not in value:
        named = {key: _loss(item) for key, item in value.items()}
        return named if None not in named.values() else None
    if isinstance(value, dict):
        config = value["config"]
        if any(config.get(key, plain) != plain for key, plain in _DEFAULTS.items()):
            return None
        value = snake(value["class_name"])
    value = _RENAMED_LOSSES.get(value, value)
    return value if value in _LOSSES else None


def _metrics(value: Any) -> list[str]:
    if not isinstance(value, list):
        return []
    found = []
    for item in value:
        name = (
            snake(item["class_name"]) if isinstance(item, dict) and "class_name" in item else item
        )
        if isinstance(name, str) and name in _METRICS and _METRICS[name] not in found:
            found.append(_METRICS[name])
    return found
