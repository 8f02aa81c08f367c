"""What the coordinator understood of a specification, before any row is encoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from potluck.protocol.study import Direction, LossName, MetricName, Scaling, Split, StudySpec, Task
from potluck_coordinator.core.errors import BadDataset, BadStudy
from potluck_coordinator.pipeline.compiled import aim_with_compiled
from potluck_coordinator.pipeline.dataset import Dataset
from potluck_coordinator.pipeline.facts import ModelFacts
from potluck_coordinator.pipeline.features import check_features, fit_shape
from potluck_coordinator.pipeline.not_yet import check_model, check_target
from potluck_coordinator.pipeline.one_hot import empty_classes
from potluck_coordinator.pipeline.roles import suggested_features, suggested_target
from potluck_coordinator.pipeline.split import split_rows
from potluck_coordinator.pipeline.target import target_column
from potluck_coordinator.pipeline.weights import ClassWeight, check_weights, without_weights

TUPLES = ("features", "classes", "input_shape", "warnings", "losses", "metrics")


@dataclass(frozen=True)
class Plan:
    """Everything settled about a study's way from rows to tensors.

    `tokens`: features go in as int32, unscaled. With folds, `rows_train` counts all rows that are
    not test rows. `rows_*` are 0 for parts that the study does not have. `margins`: the outputs
    rank classes, but are no probabilities. `own_units`: the target is not scaled. `losses` and
    `metrics` are those that would suit. `compiled`: what the specification left open and the
    model's compile settled.
    """

    task: Task
    target: str
    features: tuple[str, ...]
    classes: tuple[str, ...] | None
    outputs: int
    loss: LossName
    from_logits: bool
    metric: MetricName
    direction: Direction
    init: Literal["fresh", "uploaded"]
    scaling: Scaling
    tokens: bool
    input_shape: tuple[int, ...]
    validation: float | None
    test: float
    folds: int | None
    stratify: bool
    seed: int
    rows_train: int = 0
    rows_validation: int = 0
    rows_test: int = 0
    warnings: tuple[str, ...] = ()
    loss_options: Mapping[str, float | bool] = field(default_factory=dict)
    margins: bool = False
    own_units: bool = False
    class_weight: ClassWeight | None = None
    sample_weight: str | None = None
    losses: tuple[LossName, ...] = ()
    metrics: tuple[MetricName, ...] = ()
    compiled: Mapping[str, bool | int | float | str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Give plain JSON."""
        data = asdict(self)
        return {k: list(v) if k in TUPLES and v is not None else v for k, v in data.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        """Read what `to_json` wrote."""
        fields: dict[str, Any] = dict(data)
        for name in TUPLES:
            fields[name] = None if data[name] is None else tuple(data[name])
        return cls(**fields)


def plan_study(dataset: Dataset, spec: StudySpec, model: ModelFacts) -> Plan:
    """Settle target, features, aim, shapes and split, and try the split out.

    Raises BadStudy (`pipeline.*`) and BadDataset (`dataset.*`).
    """
    asked = spec.pipeline
    _check_split(asked.split)
    dataset = without_weights(dataset, asked.sample_weight, asked.target)
    target = asked.target or suggested_target(dataset)
    if target is None:
        raise BadDataset(
            "dataset.target_missing",
            "No target was named, and none is plain from the data.",
            expected="one of: " + ", ".join(list(dataset.columns)[:20]),
            got="none",
            where="pipeline.target",
        )
    wanted = suggested_features(dataset, target) if asked.features is None else asked.features
    check_model(model)
    check_target(dataset, target, wanted, spec, model)
    column = target_column(dataset, target)
    settled = aim_with_compiled(column, spec, model)
    aim = settled.aim
    check_weights(spec, aim.classes)
    left_out = {target: "the target", asked.sample_weight: "the rows' weight"}
    features = tuple(dict.fromkeys(name for name in wanted if name not in left_out))
    width, warnings = check_features(dataset, features, model.vocabulary)
    warnings += [
        f"{name} is {what} and was left out of the features."
        for name, what in left_out.items()
        if name in wanted
    ]
    split = asked.split
    plan = Plan(
        task=aim.task,
        target=target,
        features=features,
        classes=aim.classes,
        outputs=aim.outputs,
        loss=aim.loss.name,
        from_logits=aim.loss.reading == "logits",
        metric=aim.metric,
        direction=aim.direction,
        init=spec.init or _init(model),
        scaling=asked.scaling,
        tokens=model.vocabulary is not None,
        input_shape=fit_shape(dataset, features, width, model),
        validation=split.validation,
        test=split.test,
        folds=split.folds,
        stratify=split.stratify,
        seed=split.seed,
        warnings=(
            *dataset.warnings,
            *model.warnings,
            *empty_classes(column),
            *settled.warnings,
            *aim.warnings,
            *warnings,
        ),
        loss_options=dict(aim.loss.options),
        margins=aim.loss.reading == "margins",
        own_units=aim.loss.own_units,
        class_weight=spec.class_weight,
        sample_weight=asked.sample_weight,
        losses=aim.losses,
        metrics=aim.metrics,
        compiled=dict(settled.values),
    )
    return _with_rows(plan, dataset)


def _with_rows(plan: Plan, dataset: Dataset) -> Plan:
    splits = split_rows(dataset, plan)
    said = list(plan.warnings)
    if len(splits.test) == 0:
        said.append("There is no test part: no sealed score will be there in the end.")
    data = plan.to_json() | {
        "rows_train": len(splits.train),
        "rows_validation": 0 if splits.validation is None else len(splits.validation),
        "rows_test": len(splits.test),
        "warnings": said,
    }
    return Plan.from_json(data)


def _init(model: ModelFacts) -> Literal["fresh", "uploaded"]:
    """Keep uploaded weights where a layer is frozen or fitted: fresh ones would lose its sense."""
    kept = any(layer.fitted or (layer.weighted and not layer.trainable) for layer in model.layers)
    return "uploaded" if kept else "fresh"


def _check_split(split: Split) -> None:
    if split.folds is not None and split.validation is not None:
        raise BadStudy(
            "pipeline.folds_and_validation",
            "Folds and a validation part exclude each other.",
            expected="one of the two",
            got=f"{split.folds} folds and a validation part of {split.validation:g}",
            hint="Set validation to null, or leave folds out.",
            where="pipeline.split",
        )
    if split.folds is None and split.validation is None:
        raise BadStudy(
            "pipeline.nothing_to_score",
            "Trials need rows to be scored on.",
            expected="a validation part, or folds",
            got="neither",
            where="pipeline.split",
        )
    if (split.validation or 0.0) + split.test >= 1:
        raise BadStudy(
            "pipeline.split_too_large",
            "Validation and test parts leave no rows to train on.",
            expected="fractions that sum to less than 1",
            got=f"{(split.validation or 0.0) + split.test:g}",
            where="pipeline.split",
        )
