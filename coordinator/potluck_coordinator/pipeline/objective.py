"""Task, loss, metric and direction: inferred, and checked where they were asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from potluck.protocol.study import Direction, LossName, MetricName, StudySpec, Task
from potluck_coordinator.core.errors import BadDataset, BadStudy
from potluck_coordinator.pipeline.dataset import Categorical, Numeric
from potluck_coordinator.pipeline.facts import ModelFacts
from potluck_coordinator.pipeline.gaps import missing_values
from potluck_coordinator.pipeline.losses import (
    Loss,
    settle_loss,
    shape_of,
    suited_losses,
    task_of,
)
from potluck_coordinator.pipeline.measures import CLASSIFICATION, SMALLER_IS_BETTER, suited_metrics
from potluck_coordinator.pipeline.one_hot import OneHot
from potluck_coordinator.pipeline.target import classes_of

MOST_CLASSES = 1000


@dataclass(frozen=True)
class Aim:
    """What a study trains for, and what ranks its trials."""

    task: Task
    classes: tuple[str, ...] | None
    outputs: int
    loss: Loss
    metric: MetricName
    direction: Direction
    losses: tuple[LossName, ...]
    metrics: tuple[MetricName, ...]
    warnings: tuple[str, ...]


def infer_aim(target: Numeric | Categorical, spec: StudySpec, model: ModelFacts) -> Aim:
    """Settle the aim. Raises BadStudy `pipeline.*`, BadDataset `dataset.one_class`."""
    warnings: list[str] = []
    outputs = _outputs(model)
    _refuse_missing(target)
    classes = classes_of(target)
    task = spec.pipeline.task or _task(target, classes, outputs, model, spec, warnings)
    _refuse_constant(target, classes, task)
    activation = model.final_activation
    if task == "classification":
        _refuse_amounts(target, classes, outputs, spec)
        _check_classes(classes, outputs, activation, asked=spec.loss)
    else:
        _check_regression(target, outputs, activation)
    loss = settle_loss(spec, task, outputs, activation)
    if loss.own_units and isinstance(target, Numeric):
        _check_amounts(target, loss)
    named = classes if task == "classification" else None
    metrics = suited_metrics(task, named, loss.reading == "margins")
    metric, direction = _objective(spec, task, metrics, warnings)
    return Aim(
        task=task,
        classes=named,
        outputs=outputs,
        loss=loss,
        metric=metric,
        direction=direction,
        losses=suited_losses(shape_of(task, outputs), activation),
        metrics=metrics,
        warnings=tuple(warnings),
    )


def _outputs(model: ModelFacts) -> int:
    shapes = list(model.output_shapes.values())
    if len(shapes) == 1 and len(shapes[0]) == 1 and shapes[0][0] is not None:
        return shapes[0][0]
    raise BadStudy(
        "pipeline.output_mismatch",
        "The model's output does not fit a target of one value a row.",
        expected="one output of shape [units]",
        got=", ".join(f"{name}: {list(shape)}" for name, shape in model.output_shapes.items()),
        hint="End the model in one Dense layer, after Flatten or global pooling.",
        where="model",
    )


def _refuse_missing(target: Numeric | Categorical) -> None:
    if target.missing.any():
        raise missing_values(target, "target", "Remove these rows and upload the dataset again.")


def _refuse_constant(target: Numeric | Categorical, classes: tuple[str, ...], task: Task) -> None:
    if isinstance(target, OneHot) and len(np.unique(target.values)) == 1:
        classes = (classes[int(target.values[0])],)  # the other columns are 0 everywhere
    if len(classes) > 1:
        return
    what = "class" if task == "classification" else "value"
    raise BadDataset(
        "dataset.one_class",
        f"Every row's target is the same {what}: there is nothing to learn.",
        expected="at least two classes" if task == "classification" else "values that differ",
        got=f"only {', '.join(classes)!r}",
        hint="Pick another target column.",
        where=target.name,
    )


def _task(
    target: Numeric | Categorical,
    classes: tuple[str, ...],
    outputs: int,
    model: ModelFacts,
    spec: StudySpec,
    warnings: list[str],
) -> Task:
    if isinstance(target, Categorical):
        return "classification"
    if spec.loss is not None:
        return task_of(spec.loss)
    if spec.objective.metric is not None:
        return "classification" if spec.objective.metric in CLASSIFICATION else "regression"
    if model.final_activation == "softmax":
        return "classification"
    if not target.integer:
        return "regression"
    fits = len(classes) == outputs or (len(classes) == 2 and outputs == 1)
    if fits and len(classes) <= MOST_CLASSES:
        if outputs == 1 and model.final_activation == "linear":
            warnings.append(
                f"{target.name} holds two whole numbers: taken as classes. "
                "Set the task to regression if they are amounts."
            )
        return "classification"
    if model.final_activation == "sigmoid" or outputs > 1:
        return "classification"
    return "regression"


def _check_classes(
    classes: tuple[str, ...], outputs: int, activation: str, asked: LossName | None
) -> None:
    count = len(classes)
    shown = ", ".join(classes[:8]) + (", …" if count > 8 else "")
    if not (outputs == count or (outputs == 1 and count == 2)):
        wanted = f"{count} outputs" + (", or 1 with sigmoid" if count == 2 else "")
        raise BadStudy(
            "pipeline.output_mismatch",
            "The model's outputs do not match the target's classes.",
            expected=f"{wanted} for the classes {shown}",
            got=f"{outputs} output" + ("s" if outputs != 1 else ""),
            hint=f"Give the last layer {count} units, or pick another target or task.",
            where="pipeline.target",
        )
    suited = ("sigmoid", "linear") if outputs == 1 else ("softmax", "linear")
    # A loss that was asked for has activations of its own.
    if asked is None and activation not in suited:
        raise BadStudy(
            "pipeline.output_mismatch",
            "The model's last activation gives no probabilities over these classes.",
            expected=" or ".join(suited),
            got=activation,
            hint=f"End the model with {suited[0]}.",
            where="model",
        )


def _refuse_amounts(
    target: Numeric | Categorical, classes: tuple[str, ...], outputs: int, spec: StudySpec
) -> None:
    """Refuse a loss or metric of classes for numbers that are none."""
    if isinstance(target, Categorical) or target.integer or spec.pipeline.task is not None:
        return
    if len(classes) == outputs or (outputs == 1 and len(classes) == 2):
        return
    loss = spec.loss is not None
    named = spec.loss or spec.objective.metric
    if named is None:
        return  # the model's softmax said so
    raise BadStudy(
        "pipeline.loss_unsuited" if loss else "pipeline.metric_unsuited",
        f"{named} is for classes, and the target {target.name!r} holds amounts.",
        expected="a loss of amounts, such as mean_squared_error"
        if loss
        else "a metric of amounts, such as r2, rmse or mae",
        got=f"{len(classes)} different numbers, with fractions",
        hint="Leave it out, or set the task to classification if each number is a class.",
        where="loss" if loss else "objective.metric",
    )


def _check_regression(target: Numeric | Categorical, outputs: int, activation: str) -> None:
    if isinstance(target, Categorical):
        raise BadDataset(
            "dataset.target_not_numeric",
            f"The target {target.name!r} holds words; regression needs numbers.",
            expected="a numeric column",
            got=", ".join(target.vocabulary[:3]),
            hint="Pick a numeric column, or set the task to classification.",
            where="pipeline.target",
        )
    if outputs != 1 or activation == "softmax":
        raise BadStudy(
            "pipeline.output_mismatch",
            "Regression needs one free number from the model.",
            expected="1 output, linear",
            got=f"{outputs} outputs, {activation}",
            hint="Give the last layer one unit without activation, or choose classification.",
            where="model",
        )


def _check_amounts(target: Numeric, loss: Loss) -> None:
    """Refuse amounts of which Keras's loss would make something silently."""
    values = target.values
    percentage = loss.name == "mean_absolute_percentage_error"
    wrong = values == 0 if percentage else values < 0
    if wrong.any():
        raise BadStudy(
            "pipeline.loss_unsuited",
            f"The loss {loss.name} does not suit this target.",
            expected="no amount of 0" if percentage else "amounts from 0",
            got=f"{values[wrong.argmax()]:g} in row {int(wrong.argmax()) + 1}",
            hint="Choose another loss.",
            where="loss",
        )


def _objective(
    spec: StudySpec, task: Task, suited: tuple[MetricName, ...], warnings: list[str]
) -> tuple[MetricName, Direction]:
    metric: MetricName = spec.objective.metric or ("accuracy" if task == "classification" else "r2")
    if metric not in suited:
        raise BadStudy(
            "pipeline.metric_unsuited",
            f"This metric cannot be measured in this {task}.",
            expected=", ".join(suited),
            got=metric,
            where="objective.metric",
        )
    natural: Direction = "minimize" if metric in SMALLER_IS_BETTER else "maximize"
    direction = spec.objective.direction or natural
    if direction != natural:
        warnings.append(f"The study is to {direction} {metric}, which is better the other way.")
    return metric, direction
