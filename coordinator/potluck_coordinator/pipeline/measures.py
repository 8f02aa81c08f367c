"""Which metrics can be measured of which study, and which way each is better."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from potluck.protocol.study import ClassificationMetric, MetricName, RegressionMetric, Task

CLASSIFICATION: tuple[MetricName, ...] = get_args(ClassificationMetric)
REGRESSION: tuple[MetricName, ...] = get_args(RegressionMetric)
SMALLER_IS_BETTER: tuple[MetricName, ...] = (
    "log_loss",
    "hinge",
    "rmse",
    "mse",
    "mae",
    "median_absolute_error",
    "mape",
    "msle",
)
OF_TWO_CLASSES = ("precision", "recall", "f1")
OF_PROBABILITIES = ("log_loss",)
OF_MARGINS = ("hinge",)
MORE_CLASSES_THAN = {"top_3_accuracy": 3, "top_5_accuracy": 5}


def suited_metrics(
    task: Task, classes: Sequence[str] | None, margins: bool
) -> tuple[MetricName, ...]:
    """List what can be measured. `margins`: outputs rank classes, but are no probabilities."""
    if task == "regression" or classes is None:
        return REGRESSION
    return tuple(
        name
        for name in CLASSIFICATION
        if len(classes) > MORE_CLASSES_THAN.get(name, 0)
        and not (name in OF_TWO_CLASSES and len(classes) != 2)
        and not (name in OF_PROBABILITIES and margins)
        and not (name in OF_MARGINS and not margins)
    )
