"""Keras 3's optimizers and schedules for a donor without a browser."""

from __future__ import annotations

from potluck_coordinator.training.optimizers.plateau import PlateauState, after_epoch
from potluck_coordinator.training.optimizers.rates import rate_at
from potluck_coordinator.training.optimizers.rules import rule_of
from potluck_coordinator.training.optimizers.step import Step, initial_of, kind_of, step_of

__all__ = [
    "PlateauState",
    "Step",
    "after_epoch",
    "initial_of",
    "kind_of",
    "rate_at",
    "rule_of",
    "step_of",
]
