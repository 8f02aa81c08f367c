"""A unit's course: what decides its weights, as training takes it."""

from __future__ import annotations

from pydantic import TypeAdapter

from potluck.protocol.optimizers import AnyOptimizer
from potluck.protocol.study import LossOptions
from potluck_coordinator.core.records import Unit
from potluck_coordinator.core.units import steps_per_epoch
from potluck_coordinator.training.optimizers import rule_of
from potluck_coordinator.training.replay import Course

_OPTIMIZER: TypeAdapter[AnyOptimizer] = TypeAdapter(AnyOptimizer)


def slots_of(unit: Unit) -> tuple[str, ...]:
    """Name what the optimizer of a unit keeps of each weight, under Keras's names.

    Moving averages of the weights are none of these.

    Args:
        unit: The unit.
    """
    return rule_of(_OPTIMIZER.validate_python(unit.training["optimizer"])).slots


def course_of(unit: Unit) -> Course:
    """Give what decides a unit's weights."""
    training = unit.training
    return Course(
        rows=unit.rows,
        batch_size=unit.batch_size,
        steps_per_epoch=steps_per_epoch(unit.rows, unit.batch_size),
        optimizer=_OPTIMIZER.validate_python(training["optimizer"]),
        loss=training["loss"],
        loss_options=LossOptions.model_validate(training["loss_options"]),
        from_logits=training["from_logits"],
        seed=unit.seed,
    )
