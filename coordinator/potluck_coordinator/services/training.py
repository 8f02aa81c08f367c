"""A trial's parameters, sorted by whom they concern: optimizer, batches, layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from potluck.protocol.donor import Adam, Optimizer, RmsProp, Sgd

_OPTIMIZER: TypeAdapter[Sgd | Adam | RmsProp] = TypeAdapter(Optimizer)
DEFAULT_BATCH_SIZE = 32
DEFAULT_LEARNING_RATE = {"sgd": 0.01, "adam": 0.001, "rmsprop": 0.001}
OWN_FIELDS = {
    "sgd": {"momentum", "nesterov"},
    "adam": {"beta_1", "beta_2", "epsilon"},
    "rmsprop": {"rho", "momentum", "epsilon"},
}


def optimizer(parameters: Mapping[str, Any]) -> Sgd | Adam | RmsProp:
    """Give the optimizer; parameters of other optimizers are left aside. Defaults are Keras 3's."""
    name = str(parameters.get("optimizer", "adam"))
    fields = {k: v for k, v in parameters.items() if k in OWN_FIELDS[name]}
    rate = parameters.get("learning_rate", DEFAULT_LEARNING_RATE[name])
    return _OPTIMIZER.validate_python({"name": name, "learning_rate": rate, **fields})


def batch_size(parameters: Mapping[str, Any]) -> int:
    """Give the batch size, 32 where nothing is said."""
    return int(parameters.get("batch_size", DEFAULT_BATCH_SIZE))


def overrides(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Give the layer overrides, such as `layers.dense_1.units`."""
    return {k: v for k, v in parameters.items() if k.startswith("layers.")}
