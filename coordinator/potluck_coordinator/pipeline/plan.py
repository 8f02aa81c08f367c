"""What the coordinator understood of a specification, before any row is encoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import prod
from typing import Any, Literal

from potluck.protocol.study import (
    Direction,
    Duplicates,
    LossName,
    MetricName,
    Objective,
    Scaling,
    Split,
    StudySpec,
    Task,
)
from potluck_coordinator.core.errors import BadInput, BadStudy
from potluck_coordinator.pipeline.compiled import aim_with_compiled
from potluck_coordinator.pipeline.dataset import Dataset
from potluck_coordinator.pipeline.exact import refuse_merged
from potluck_coordinator.pipeline.facts import ModelFacts
from potluck_coordinator.pipeline.features import check_features
from potluck_coordinator.pipeline.labels import as_numbers, read_target
from potluck_coordinator.pipeline.not_yet import check_model, check_target
from potluck_coordinator.pipeline.objective import infer_aim
from potluck_coordinator.pipeline.one_hot import empty_classes
from potluck_coordinator.pipeline.parts import part_warnings
from potluck_coordinator.pipeline.roles import (
    Features,
    features_told,
    plain_target,
    suggested_features,
)
from potluck_coordinator.pipeline.scaling import Settled, feature_scaling, target_scaling
from potluck_coordinator.pipeline.shapes import fit_shape
from potluck_coordinator.pipeline.shares import Part
from potluck_coordinator.pipeline.shares import settle as settle_parts
from potluck_coordinator.pipeline.spelling import Spelling
from potluck_coordinator.pipeline.target import target_column, target_numbers
from potluck_coordinator.pipeline.weights import ClassWeight, settle_weights, without_weights
from potluck_coordinator.pipeline.wording import words_told

TUPLES = ("features", "classes", "input_shape", "warnings", "losses", "metrics")


@dataclass(frozen=True)
class Plan:
    """Everything settled about a study's way from rows to tensors.

    `tokens`: features go in as int32, unscaled. With folds, `rows_train` counts all rows that are
    not test rows. `rows_*` are 0 for parts that the study does not have. `margins`: the outputs
    rank classes, but are no probabilities. `scaling` is that of features, and of a numeric target
    where `target_scaling` is None. `own_units`: the target is not scaled. `losses` and
    `metrics` are those that would suit. `duplicates`: may rows with equal features part? `parts`:
    what each part holds. `encoded_width`: how many numbers the features of a row become.
    `spellings`: how columns are written that are not plain, which the dataset is read with.
    `compiled`: what the specification left open and the model's compile settled.

    A stored plan gives the same rows and tensors for good: the defaults say how it was before there
    was such a field.
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
    target_scaling: Scaling | None = None
    class_weight: ClassWeight | None = None
    sample_weight: str | None = None
    losses: tuple[LossName, ...] = ()
    metrics: tuple[MetricName, ...] = ()
    duplicates: Duplicates = "together"
    parts: tuple[Part, ...] = ()
    encoded_width: int | None = None
    spellings: Mapping[str, Spelling] = field(default_factory=dict)
    compiled: Mapping[str, bool | int | float | str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Give plain JSON."""
        data = asdict(self)
        data["spellings"] = {name: one.to_json() for name, one in self.spellings.items()}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in data.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        """Read what `to_json` wrote."""
        fields: dict[str, Any] = dict(data)
        for name in TUPLES:
            fields[name] = None if data[name] is None else tuple(data[name])
        fields["parts"] = tuple(Part.from_json(part) for part in data.get("parts", ()))
        spellings = data.get("spellings", {})
        fields["spellings"] = {name: Spelling.from_json(one) for name, one in spellings.items()}
        return cls(**fields)


def plan_study(dataset: Dataset, spec: StudySpec, model: ModelFacts) -> Plan:
    """Settle target, features, aim, shapes and split, and try the split out.

    Raises BadStudy (`pipeline.*`) and BadDataset (`dataset.*`).
    """
    asked = spec.pipeline
    _check_split(asked.split)
    if asked.sample_weight is not None:
        dataset = as_numbers(dataset, [asked.sample_weight])
    dataset = without_weights(dataset, asked.sample_weight, asked.target)
    check_model(model)
    target = asked.target or plain_target(dataset, lambda name: _fits(dataset, name, spec, model))
    chosen = _chosen(dataset, target, asked.features)
    check_target(dataset, target, chosen.names, spec, model)
    dataset = read_target(dataset, target, spec, model)
    column = target_column(dataset, target)
    refuse_merged(column, "target")
    try:
        settled = aim_with_compiled(column, spec, model)
    except BadInput as error:
        # Numbers that were not plain are why the target's words do not fit.
        error.hint = getattr(column, "note", "") or error.hint
        raise
    aim = settled.aim
    class_weight = settle_weights(spec, aim.classes)
    left_out = {target: "the target", asked.sample_weight: "the rows' weight"}
    features = tuple(name for name in chosen.names if name not in left_out)
    if model.vocabulary is not None:
        dataset = as_numbers(dataset, features)
    width, warnings = check_features(dataset, features, model.vocabulary)
    warnings += words_told(dataset, target, features)
    warnings += features_told(dataset, features, chosen.left_out)
    warnings += [
        f"{name} is {what} and was left out of the features."
        for name, what in left_out.items()
        if name in chosen.names
    ]
    input_shape, read_so = _input_shape(dataset, features, width, model, chosen.left_out)
    split = asked.split
    scaling = feature_scaling(asked.scaling, model)
    scaled = Settled(scaling.scaling)
    if aim.classes is None:
        scaled = target_scaling(asked.scaling, model, column, own_units=aim.loss.own_units)
    used = {target, asked.sample_weight, *features}
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
        scaling=scaling.scaling,
        tokens=model.vocabulary is not None,
        input_shape=input_shape,
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
            *read_so,
            *scaling.warnings,
            *scaled.warnings,
        ),
        loss_options=dict(aim.loss.options),
        margins=aim.loss.reading == "margins",
        own_units=aim.loss.own_units,
        target_scaling=scaled.scaling,
        class_weight=class_weight,
        sample_weight=asked.sample_weight,
        losses=aim.losses,
        metrics=aim.metrics,
        encoded_width=prod(width),
        spellings={name: spelling for name, spelling in dataset.spellings.items() if name in used},
        compiled=dict(settled.values),
    )
    return _with_rows(plan, dataset, split.duplicates)


def _fits(dataset: Dataset, target: str, spec: StudySpec, model: ModelFacts) -> bool:
    """Tell whether the model could be trained for a column, with the asked loss or without.

    A sigmoid or tanh is for classes, unless a task was asked for.
    """
    plain = spec.model_copy(update={"loss": None, "objective": Objective()})
    bounded = model.final_activation in ("sigmoid", "tanh")
    for tried in (spec, plain):
        try:
            column = target_column(read_target(dataset, target, tried, model), target)
            aim = infer_aim(column, tried, model)
        except BadInput:
            continue
        asked = spec.pipeline.task or tried.loss or tried.objective.metric
        if asked or aim.task == "classification" or not bounded:
            return True
    return False


def _chosen(dataset: Dataset, target: str, asked: Sequence[str] | None) -> Features:
    if asked is None:
        return suggested_features(dataset, target)
    return Features(tuple(dict.fromkeys(asked)), {})


def _input_shape(
    dataset: Dataset,
    features: Sequence[str],
    width: tuple[int, ...],
    model: ModelFacts,
    left_out: Mapping[str, str],
) -> tuple[tuple[int, ...], list[str]]:
    """Fit a row to the model's input; a refusal names what was left out of the row."""
    try:
        return fit_shape(dataset, features, width, model)
    except BadStudy as error:
        if left_out:
            told = " ".join(features_told(dataset, (), left_out))
            error.hint = f"{told} {error.hint}".strip()
        raise


def _with_rows(plan: Plan, dataset: Dataset, duplicates: Duplicates | None) -> Plan:
    settled = settle_parts(dataset, plan, duplicates)
    splits = settled.splits
    said = [*plan.warnings, *settled.warnings]
    if len(splits.test) == 0:
        said.append("There is no test part: no sealed score will be there in the end.")
    said += part_warnings(plan, splits, target_numbers(dataset, plan.target, plan.classes))
    return replace(
        plan,
        duplicates=settled.duplicates,
        parts=settled.parts,
        rows_train=len(splits.train),
        rows_validation=0 if splits.validation is None else len(splits.validation),
        rows_test=len(splits.test),
        warnings=tuple(said),
    )


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
