"""A trial's parameters, sorted by whom they concern: optimizer, schedule, batches, layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from potluck.protocol.optimizers import AnyOptimizer, Common, Optimizer
from potluck.protocol.schedules import Warming
from potluck_coordinator.core.errors import BadStudy
from potluck_coordinator.search import boundaries

_OPTIMIZER: TypeAdapter[AnyOptimizer] = TypeAdapter(Optimizer)
DEFAULT_BATCH_SIZE = 32
DEFAULT_LEARNING_RATE = {"sgd": 0.01}
OTHER_LEARNING_RATE = 0.001
OWN_FIELDS: Mapping[str, frozenset[str]] = {
    kind.model_fields["name"].default: frozenset(kind.model_fields) - {"name", "schedule"}
    for kind in Common.__subclasses__()
}
SCHEDULE_FIELDS: Mapping[str, frozenset[str]] = {
    kind.model_fields["name"].default: frozenset(kind.model_fields) - {"name"}
    for kind in Warming.__subclasses__()
}
STEPS_A_TRIAL = 3


def optimizer_name(parameters: Mapping[str, Any]) -> str:
    """Name the optimizer, Adam where nothing is said."""
    return str(parameters.get("optimizer", "adam"))


def optimizer(parameters: Mapping[str, Any], epochs: int) -> AnyOptimizer:
    """Give the optimizer of a trial of so many epochs; defaults are Keras 3's.

    Parameters that this optimizer or its schedule does not read are left aside. Raises `BadStudy`
    (`search.together`) for values that cannot be together.
    """
    name = optimizer_name(parameters)
    rate = DEFAULT_LEARNING_RATE.get(name, OTHER_LEARNING_RATE)
    fields = {k: v for k, v in parameters.items() if k in OWN_FIELDS[name]}
    schedule = _schedule(parameters, epochs)
    try:
        return _OPTIMIZER.validate_python(
            {"learning_rate": rate, **fields, "name": name, "schedule": schedule}
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise BadStudy(
            "search.together",
            "These parameters cannot be together.",
            expected=first["msg"],
            got=str(first["input"])[:200],
            hint="Leave one of them out.",
            where="optimizer",
        ) from error


def _schedule(parameters: Mapping[str, Any], epochs: int) -> dict[str, Any]:
    """Give the schedule's fields; what has no default in Keras spans the whole trial."""
    name = str(parameters.get("schedule", "constant"))
    own = SCHEDULE_FIELDS[name]
    fields = {k: v for k, v in parameters.items() if k in own}
    warmup = float(parameters.get("warmup_epochs", 0.0))
    if "decay_epochs" in own:
        fields.setdefault("decay_epochs", max(epochs - warmup, 1.0))
    if "every_epochs" in own:
        fields.setdefault("every_epochs", max(epochs - warmup, 1.0) / STEPS_A_TRIAL)
    if name == "piecewise":
        ends = boundaries(str(parameters.get("boundaries", f"{epochs / 2:g}, {epochs * 0.75:g}")))
        factor = float(parameters.get("factor", 0.1))
        fields |= {"boundaries": ends, "factors": [factor**i for i in range(len(ends) + 1)]}
    return {**fields, "name": name}


def batch_size(parameters: Mapping[str, Any]) -> int:
    """Give the batch size, 32 where nothing is said."""
    return int(parameters.get("batch_size", DEFAULT_BATCH_SIZE))


def overrides(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Give the layer overrides, such as `layers.dense_1.units`."""
    return {k: v for k, v in parameters.items() if k.startswith("layers.")}
