"""What a model was compiled with, in plain words and numbers, from any of the formats.

Unlike `training_config.understood`, which carries all or nothing to writers, each part is taken
by itself, and what cannot be taken is said. A name that is not known is a custom one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from potluck_converter.errors import shorten
from potluck_converter.origin import is_custom, optimizer_class
from potluck_converter.training_config import LATER, OPTIMIZERS, snake

MOST_METRICS = 32
MOST_SAID = 12
_FUNCTIONS = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
    "bce": "binary_crossentropy",
    "kld": "kl_divergence",
    "kldivergence": "kl_divergence",
    "kullback_leibler_divergence": "kl_divergence",
    "logcosh": "log_cosh",
    "huber_loss": "huber",
    "cosine_proximity": "cosine_similarity",
    "acc": "accuracy",
    "ce": "crossentropy",
    "f1score": "f1_score",
    "r2score": "r2_score",
    "top_kcategorical_accuracy": "top_k_categorical_accuracy",
    "sparse_top_kcategorical_accuracy": "sparse_top_k_categorical_accuracy",
}
_OPTIMIZERS = {name.lower(): name.lower() for name in OPTIMIZERS} | {"momentum": "sgd"}
_NUMBERS = {**LATER, "lr": "learning_rate", "use_nesterov": "nesterov"}
_ASIDE = frozenset(
    {"name", "dtype", "jit_compile", "is_legacy_optimizer", "fn", "trainable"}
    | {"loss_scale_factor", "gradient_accumulation_steps", "decay"}
)
_NO_NUMBER = "no plain number"
MOST_PIECES = 65


def compiled(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Give what a file says of loss, optimizer and metrics; None where nothing was compiled.

    The result is plain JSON: `loss` and each of `metrics` as `{"name", "options"}` (`name` as
    Keras 3 calls the function), `optimizer` as `{"name", "numbers", "schedule"}` (`name` in small
    letters; `schedule` as `{"name", "numbers"}`, counted in steps, or None), each None where it is
    absent or not known; and `left_out`, sentences on what could not be taken. Options and numbers
    are finite numbers, words and booleans; whether they are in bounds is for the reader to check.
    An option is None where the file does not say it though it may have been set: Keras 3 leaves
    out Huber's `delta`.
    """
    if not isinstance(given, Mapping) or not given:
        return None
    said: list[str] = []
    found = {
        "loss": _loss(given.get("loss"), said),
        "optimizer": _optimizer(given.get("optimizer_config") or given.get("optimizer"), said),
        "metrics": _metrics(given.get("metrics"), said),
    }
    if _matters(given.get("loss_weights")):
        said.append("Compiled loss weights are not used: a study has one loss.")
    if given.get("weighted_metrics"):
        said.append("Compiled weighted metrics are not used.")
    more = len(said) - MOST_SAID
    if more > 0:
        said[MOST_SAID:] = [f"{more} more things that were compiled are not used."]
    return {**found, "left_out": said}


def _loss(value: Any, said: list[str]) -> dict[str, Any] | None:
    value = _only(value)
    if value is None:
        return None
    if isinstance(value, list | tuple) or (isinstance(value, dict) and "class_name" not in value):
        said.append("The model was compiled with several losses; a study has one.")
        return None
    found = _named(value)
    if found is None:
        said.append(f"The compiled loss {_shown(value)} is custom and cannot be used.")
    return found


def _metrics(value: Any, said: list[str]) -> list[dict[str, Any]]:
    if isinstance(value, dict) and "class_name" not in value:
        value = list(value.values())
    if not isinstance(value, list):
        value = [] if value is None else [value]
    flat = [one for item in value for one in (item if isinstance(item, list) else [item])]
    if len(flat) > MOST_METRICS:
        said.append(f"Only the first {MOST_METRICS} compiled metrics were looked at.")
    found = []
    for item in flat[:MOST_METRICS]:
        metric = _named(item)
        if metric is not None:
            found.append(metric)
        elif item is not None:
            said.append(f"The compiled metric {_shown(item)} is custom and is not measured.")
    return found


def _optimizer(value: Any, said: list[str]) -> dict[str, Any] | None:
    for _ in range(4):  # Keras wraps the optimizer where it trains in half precision
        if not isinstance(value, dict) or value.get("class_name") != "LossScaleOptimizer":
            break
        config = value.get("config")
        value = config.get("inner_optimizer") if isinstance(config, dict) else None
    if value is None:
        return None
    if isinstance(value, str):
        value = {"class_name": value, "config": {}}
    known = isinstance(value, dict) and isinstance(value.get("class_name"), str)
    own = known and not is_custom(value)
    name = _OPTIMIZERS.get(optimizer_class(value).lower()) if own else None
    config = value.get("config") if known else None
    if name is None or not isinstance(config, dict):
        said.append(f"The compiled optimizer {_shown(value)} is custom or not known here.")
        return None
    config = {_NUMBERS.get(key, key): number for key, number in config.items()}
    # TF.js calls RMSprop's rho "decay"; elsewhere it is Keras 2's falling rate.
    if name == "rmsprop" and "rho" not in config and "decay" in config:
        config["rho"] = config.pop("decay")
    elif _matters(config.get("decay"), 0):
        said.append(f"The compiled {name}'s decay of the learning rate is not used.")
    for field in ("loss_scale_factor", "gradient_accumulation_steps"):
        if _matters(config.get(field)):
            said.append(f"The compiled {name}'s {field} is not used.")
    rate, schedule = config.get("learning_rate"), None
    if isinstance(rate, dict):
        schedule = _schedule(config.pop("learning_rate"), said)
    numbers = _plain(config, f"{name}'s", said)
    return {"name": name, "numbers": numbers, "schedule": schedule}


def _schedule(value: Mapping[str, Any], said: list[str]) -> dict[str, Any] | None:
    name, config = value.get("class_name"), value.get("config")
    if not isinstance(name, str) or not isinstance(config, dict) or is_custom(value):
        said.append(f"The compiled learning rate schedule {_shown(value)} is custom.")
        return None
    lists = {
        key: [_number(one) for one in config[key]]
        for key in ("boundaries", "values")
        if isinstance(config.get(key), list)
        and len(config[key]) <= MOST_PIECES
        and all(_finite(one) for one in config[key])
    }
    rest = {key: one for key, one in config.items() if key not in ("boundaries", "values")}
    numbers = _plain(rest, f"{shorten(name, 80)}'s", said)
    return {"name": shorten(name, 80), "numbers": {**numbers, **lists}}


def _named(value: Any) -> dict[str, Any] | None:
    """Give a loss or a metric by its function's name; None for a custom one."""
    options: dict[str, Any] = {}
    if isinstance(value, dict):
        name, config = value.get("class_name"), value.get("config")
        if name == "function" and isinstance(config, str):
            # Keras writes its own functions by their full names; any other is the submitter's.
            own = config in _OWN_FUNCTIONS and not is_custom(value)
            return _named(config) if own else None
        if not isinstance(name, str) or not isinstance(config, dict) or is_custom(value):
            return None
        if name == "MeanMetricWrapper":  # Keras 2's, around a function
            named = config.get("name") in ("accuracy", "acc")
            return _named("accuracy" if named else config.get("fn"))
        kept = {k: v for k, v in config.items() if k not in _ASIDE and v is not None}
        options = {k: v if _simple(v) else _NO_NUMBER for k, v in kept.items()}
        if name == "Huber" and "delta" not in options:
            options["delta"] = None
        value = name
    if not isinstance(value, str) or not value.isidentifier() or len(value) > 80:
        return None
    short = snake(value)
    short = _FUNCTIONS.get(short, short)
    if short not in _KNOWN:
        return None
    return {"name": short, "options": {k[:80]: _number(v) for k, v in list(options.items())[:32]}}


_OWN_FUNCTIONS = frozenset(
    {"mean_squared_error", "mean_absolute_error", "mean_absolute_percentage_error", "poisson"}
    | {"mean_squared_logarithmic_error", "huber", "log_cosh", "kl_divergence", "dice", "tversky"}
    | {"binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy"}
    | {"binary_focal_crossentropy", "categorical_focal_crossentropy", "cosine_similarity"}
    | {"hinge", "squared_hinge", "categorical_hinge", "ctc", "circle", "binary_accuracy"}
    | {"categorical_accuracy", "sparse_categorical_accuracy", "top_k_categorical_accuracy"}
    | {"sparse_top_k_categorical_accuracy"}
)
"""Keras's losses and metrics that are functions."""
_KNOWN = _OWN_FUNCTIONS | (
    {"root_mean_squared_error", "accuracy", "crossentropy", "auc", "precision", "recall"}
    | {"f1_score", "fbeta_score", "r2_score", "mean_io_u", "io_u"}
)
"""Functions of Keras, and classes by the name that `snake` gives them."""


def _plain(config: Mapping[str, Any], whose: str, said: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in list(config.items())[:64]:
        if value is None or key in _ASIDE:
            continue
        if _simple(value):
            found[str(key)[:80]] = _number(value)
        else:
            said.append(f"The compiled {whose} {shorten(str(key), 80)} is no finite number.")
    return found


def _simple(value: Any) -> bool:
    return isinstance(value, bool) or _finite(value) or (isinstance(value, str) and len(value) < 81)


def _finite(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < 1e300 and math.isfinite(value)


def _number(value: Any) -> Any:
    """Give a number as it was written: Keras saves 0.001 as the float32 0.0010000000474974513."""
    if not isinstance(value, float):
        return value
    import numpy as np

    with np.errstate(over="ignore"):
        single = np.float32(value)
    return float(str(single)) if float(single) == value else value


def _only(value: Any) -> Any:
    """Take the one loss of one output out of its list or dict."""
    for _ in range(4):
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        elif isinstance(value, dict) and len(value) == 1 and "class_name" not in value:
            value = next(iter(value.values()))
        else:
            break
    return value


def _matters(value: Any, plain: Any = None) -> bool:
    """Tell whether weights, or another option, say something other than nothing."""
    if isinstance(value, dict):
        value = list(value.values())
    values = value if isinstance(value, list) else [value]
    return any(one not in (None, plain, 1, False) for one in values)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        name, config = value.get("class_name"), value.get("config")
        value = config if name == "function" and isinstance(config, str) else name
    return f'"{shorten(str(value), 80)}"'
