"""Task, loss, metric and direction: inferred, and checked where they were asked for."""

from __future__ import annotations

from dataclasses import dataclass

from potluck.protocol.study import Direction, LossName, MetricName, StudySpec, Task
from potluck_coordinator.core.errors import BadDataset, BadStudy
from potluck_coordinator.pipeline.dataset import Categorical, Numeric
from potluck_coordinator.pipeline.facts import ModelFacts
from potluck_coordinator.pipeline.target import classes_of

MOST_CLASSES = 1000
CLASSIFICATION: tuple[MetricName, ...] = (
    "accuracy",
    "balanced_accuracy",
    "f1_macro",
    "log_loss",
    "roc_auc",
)
REGRESSION: tuple[MetricName, ...] = ("r2", "rmse", "mse", "mae")
SMALLER_IS_BETTER: tuple[MetricName, ...] = ("log_loss", "rmse", "mse", "mae")


@dataclass(frozen=True)
class Aim:
    """What a study trains for, and what ranks its trials."""

    task: Task
    classes: tuple[str, ...] | None
    outputs: int
    loss: LossName
    from_logits: bool
    metric: MetricName
    direction: Direction
    warnings: tuple[str, ...]


def infer_aim(target: Numeric | Categorical, spec: StudySpec, model: ModelFacts) -> Aim:
    """Settle the aim. Raises BadStudy `pipeline.*`, BadDataset `dataset.one_class`."""
    warnings: list[str] = []
    outputs = _outputs(model)
    _refuse_missing(target)
    classes = classes_of(target)
    task = spec.pipeline.task or _task(target, classes, outputs, model, spec, warnings)
    _refuse_constant(target, classes, task)
    if task == "classification":
        _check_classes(classes, outputs, model.final_activation)
    else:
        _check_regression(target, outputs, model.final_activation, warnings)
    metric, direction = _objective(spec, task, warnings)
    return Aim(
        task=task,
        classes=classes if task == "classification" else None,
        outputs=outputs,
        loss=_loss(spec.loss, task, outputs),
        from_logits=task == "classification" and model.final_activation == "linear",
        metric=metric,
        direction=direction,
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
    missing = int(target.missing.sum())
    if missing:
        raise BadDataset(
            "dataset.missing_values",
            f"The target {target.name!r} has rows without a value.",
            expected="a value in every row",
            got=f"{missing} rows without one, first row {int(target.missing.argmax()) + 1}",
            hint="Remove these rows and upload the dataset again.",
            where=target.name,
        )


def _refuse_constant(target: Numeric | Categorical, classes: tuple[str, ...], task: Task) -> None:
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
        return "classification" if spec.loss.endswith("crossentropy") else "regression"
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


def _check_classes(classes: tuple[str, ...], outputs: int, activation: str) -> None:
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
    if activation not in suited:
        raise BadStudy(
            "pipeline.output_mismatch",
            "The model's last activation gives no probabilities over these classes.",
            expected=" or ".join(suited),
            got=activation,
            hint=f"End the model with {suited[0]}.",
            where="model",
        )


def _check_regression(
    target: Numeric | Categorical, outputs: int, activation: str, warnings: list[str]
) -> None:
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
    if activation != "linear":
        warnings.append(
            f"The last activation is {activation}: it cannot reach every value of the target."
        )


def _loss(asked: LossName | None, task: Task, outputs: int) -> LossName:
    suited: tuple[LossName, ...] = ("mean_squared_error", "mean_absolute_error")
    if task == "classification":
        suited = ("binary_crossentropy",) if outputs == 1 else ("sparse_categorical_crossentropy",)
    if asked is None or asked in suited:
        return asked or suited[0]
    raise BadStudy(
        "pipeline.loss_unsuited",
        f"This loss does not suit {task} with {outputs} output{'s' if outputs != 1 else ''}.",
        expected=" or ".join(suited),
        got=asked,
        where="loss",
    )


def _objective(spec: StudySpec, task: Task, warnings: list[str]) -> tuple[MetricName, Direction]:
    suited = CLASSIFICATION if task == "classification" else REGRESSION
    metric: MetricName = spec.objective.metric or ("accuracy" if suited is CLASSIFICATION else "r2")
    if metric not in suited:
        raise BadStudy(
            "pipeline.metric_unsuited",
            f"This metric does not measure {task}.",
            expected=", ".join(suited),
            got=metric,
            where="objective.metric",
        )
    natural: Direction = "minimize" if metric in SMALLER_IS_BETTER else "maximize"
    direction = spec.objective.direction or natural
    if direction != natural:
        warnings.append(f"The study is to {direction} {metric}, which is better the other way.")
    return metric, direction
