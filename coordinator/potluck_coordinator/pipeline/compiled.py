"""Loss and metric that a model was compiled with, where the specification leaves them open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import ValidationError

from potluck.protocol.study import LossName, LossOptions, MetricName, StudySpec
from potluck_coordinator.core.errors import BadInput
from potluck_coordinator.pipeline.dataset import Categorical, Numeric
from potluck_coordinator.pipeline.facts import ModelFacts
from potluck_coordinator.pipeline.losses import KINDS
from potluck_coordinator.pipeline.objective import Aim, infer_aim

Value = bool | int | float | str
_METRICS: Mapping[str, MetricName] = {
    "accuracy": "accuracy",
    "binary_accuracy": "accuracy",
    "categorical_accuracy": "accuracy",
    "sparse_categorical_accuracy": "accuracy",
    "binary_crossentropy": "log_loss",
    "categorical_crossentropy": "log_loss",
    "sparse_categorical_crossentropy": "log_loss",
    "crossentropy": "log_loss",
    "precision": "precision",
    "recall": "recall",
    "hinge": "hinge",
    "cosine_similarity": "cosine_similarity",
    "mean_squared_error": "mse",
    "mean_absolute_error": "mae",
    "root_mean_squared_error": "rmse",
    "mean_absolute_percentage_error": "mape",
    "mean_squared_logarithmic_error": "msle",
    "r2_score": "r2",
}
_BY_OPTION: Mapping[str, tuple[str, Value, Mapping[Value, MetricName]]] = {
    "auc": ("curve", "ROC", {"ROC": "roc_auc", "PR": "pr_auc"}),
    "top_k_categorical_accuracy": ("k", 5, {3: "top_3_accuracy", 5: "top_5_accuracy"}),
    "sparse_top_k_categorical_accuracy": ("k", 5, {3: "top_3_accuracy", 5: "top_5_accuracy"}),
    "f1_score": ("average", "", {"macro": "f1_macro"}),
}
"""Metrics that one option makes one of several of ours, with the option's default."""
_PLAIN: Mapping[str, tuple[Value, ...]] = {
    "from_logits": (False, True),
    "axis": (-1,),
    "reduction": ("sum_over_batch_size", "auto", "mean", "mean_with_sample_weight"),
    "threshold": (0.5,),
    "thresholds": (0.5,),
    "num_thresholds": (200,),
    "summation_method": ("interpolation",),
    "multi_label": (False,),
    "class_aggregation": ("uniform_average",),
    "num_regressors": (0,),
}
"""Options that say what holds here anyway."""


@dataclass(frozen=True)
class Taken:
    """The aim, and what of it was compiled: `values` by name, such as `loss_options.delta`."""

    aim: Aim
    values: Mapping[str, Value]
    warnings: tuple[str, ...]


def aim_with_compiled(target: Numeric | Categorical, spec: StudySpec, model: ModelFacts) -> Taken:
    """Settle the aim as `infer_aim` does, with compiled loss and metric as defaults.

    What the specification says wins. What was compiled and cannot be taken is left out with a
    warning. Raises what `infer_aim` raises.
    """
    said = _left_out(model, spec)
    if model.compiled is None:
        return Taken(infer_aim(target, spec, model), {}, tuple(said))
    values: dict[str, Value] = {}
    spec = _with_loss(target, spec, model, values, said)
    spec = _with_metric(target, spec, model, values, said)
    return Taken(infer_aim(target, spec, model), values, tuple(said))


def _left_out(model: ModelFacts, spec: StudySpec) -> list[str]:
    if model.compiled is None:
        return []
    own = {
        "loss": spec.loss is not None,
        "metric": spec.objective.metric is not None,
        "optimizer": "optimizer" in spec.parameters,
    }
    silent = [f"The compiled {part} " for part, named in own.items() if named]
    # What the submitter chose in other words needs no warning.
    return [s for s in model.compiled["left_out"] if not s.startswith(tuple(silent))]


def _with_loss(
    target: Numeric | Categorical,
    spec: StudySpec,
    model: ModelFacts,
    values: dict[str, Value],
    said: list[str],
) -> StudySpec:
    found = (model.compiled or {}).get("loss")
    if spec.loss is not None or found is None:
        return spec
    name = found["name"]
    if name not in get_args(LossName):
        said.append(f"The compiled loss {name} is not known here.")
        return spec
    own = spec.loss_options.model_dump(exclude_none=True)
    asked = {option: value for option, value in found["options"].items() if option not in own}
    options, problems = _options(name, asked)
    wanted = spec.model_copy(
        update={"loss": name, "loss_options": LossOptions.model_validate({**options, **own})}
    )
    aim = _suited(target, spec, wanted, model)
    if aim is None:
        said.append(
            f"The model was compiled with {name}, which does not suit this target and task: "
            "the usual loss is taken instead."
        )
        return spec
    said += problems
    logits = bool(found["options"].get("from_logits", False))
    if aim.loss.reading in ("logits", "probabilities") and logits != (aim.loss.reading == "logits"):
        said.append(
            f"The loss was compiled with from_logits={logits}, but the model ends in "
            f"{model.final_activation}: its outputs are read as {aim.loss.reading}."
        )
    values["loss"] = name
    defaults = KINDS[aim.loss.name].options
    values |= {
        f"loss_options.{option}": value
        for option, value in options.items()
        if value != defaults.get(option)
    }
    return wanted


def _suited(
    target: Numeric | Categorical, spec: StudySpec, wanted: StudySpec, model: ModelFacts
) -> Aim | None:
    """Give the aim with the compiled loss; None where it is the wrong loss for this study."""
    try:
        aim = infer_aim(target, wanted, model)
    except BadInput:
        return None
    squashed = model.final_activation in ("sigmoid", "softmax")
    if aim.task == "regression" and squashed:
        try:
            # Squared errors of class numbers: here classes are learned by a loss of classes.
            return None if infer_aim(target, spec, model).task == "classification" else aim
        except BadInput:
            return aim
    return aim


def _options(name: LossName, given: Mapping[str, Any]) -> tuple[dict[str, float | bool], list[str]]:
    taken: dict[str, float | bool] = {}
    said: list[str] = []
    known = {*KINDS[name].options}
    if name == "sparse_categorical_crossentropy":
        known.add("label_smoothing")
    for option, value in given.items():
        if value in _PLAIN.get(option, ()):
            continue
        if value is None:
            said.append(
                f"The model's file does not hold the {option} of its compiled {name} (Keras 3 "
                f"does not save it): {KINDS[name].options[option]:g} is taken. Set "
                f"loss_options.{option} if it was another."
            )
            continue
        try:
            if option not in known or isinstance(value, str):
                raise ValueError(option)
            LossOptions.model_validate({option: value})
        except (ValidationError, ValueError):
            said.append(f"The compiled {name}'s {option} ({value}) is not used.")
            continue
        taken[option] = value
    return taken, said


def _with_metric(
    target: Numeric | Categorical,
    spec: StudySpec,
    model: ModelFacts,
    values: dict[str, Value],
    said: list[str],
) -> StudySpec:
    metrics = (model.compiled or {}).get("metrics", [])
    if spec.objective.metric is not None or not metrics:
        return spec
    suited = infer_aim(target, spec, model).metrics
    chosen: MetricName | None = None
    for metric in metrics:
        name = _metric(metric)
        if name in suited and chosen is None:
            chosen = name
        elif name is None or name not in suited:
            said.append(f"The compiled metric {metric['name']} is not measured in this study.")
    if chosen is None:
        return spec
    values["metric"] = chosen
    objective = spec.objective.model_copy(update={"metric": chosen})
    return spec.model_copy(update={"objective": objective})


def _metric(found: Mapping[str, Any]) -> MetricName | None:
    """Name our metric of the same meaning; None where an option makes it another."""
    name, options = found["name"], dict(found["options"])
    metric = _METRICS.get(name)
    if name in _BY_OPTION:
        option, default, ours = _BY_OPTION[name]
        metric = ours.get(options.pop(option, default))
    if any(value not in _PLAIN.get(option, ()) for option, value in options.items()):
        return None
    return metric
