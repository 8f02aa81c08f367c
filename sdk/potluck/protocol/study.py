"""The study specification: what a submitter asks for. Field by field in docs/protocol.md."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from potluck.protocol.base import Exact, UInt32

Scalar = bool | int | float | str
Task = Literal["classification", "regression"]
Direction = Literal["maximize", "minimize"]
Visibility = Literal["public", "private"]
Donors = Literal["everyone", "group", "mine"]
"""Who gets a study's units: whoever donates; a group's members and one's own donors; those alone.
One's own are donors that are signed in with the submitter's account, or show a token of it."""
LossName = Literal[
    "sparse_categorical_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "kl_divergence",
    "cosine_similarity",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "hinge",
    "squared_hinge",
    "dice",
    "tversky",
    "mean_squared_error",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_logarithmic_error",
    "huber",
    "log_cosh",
    "poisson",
]
"""Keras 3's losses of one output. Not CTC (sequences of labels) nor Circle (embeddings)."""
ClassificationMetric = Literal[
    "accuracy",
    "balanced_accuracy",
    "top_3_accuracy",
    "top_5_accuracy",
    "precision",
    "recall",
    "f1",
    "precision_macro",
    "recall_macro",
    "f1_macro",
    "cohen_kappa",
    "mcc",
    "log_loss",
    "roc_auc",
    "pr_auc",
    "cosine_similarity",
    "hinge",
]
RegressionMetric = Literal[
    "r2",
    "explained_variance",
    "rmse",
    "mse",
    "mae",
    "median_absolute_error",
    "mape",
    "msle",
]
MetricName = Literal[ClassificationMetric, RegressionMetric]
Scaling = Literal["standard", "minmax", "none"]
Duplicates = Literal["together", "free"]


class LossOptions(Exact):
    """What a loss can be told, in Keras 3's words; `None` is Keras's default.

    `label_smoothing`: cross-entropies and focal ones. `gamma`: focal ones. `alpha`: focal ones and
    Tversky. `apply_class_balancing`: binary focal. `beta`: Tversky. `delta`: Huber.
    """

    label_smoothing: float | None = Field(None, ge=0, lt=1, allow_inf_nan=False)
    gamma: float | None = Field(None, ge=0, le=20, allow_inf_nan=False)
    alpha: float | None = Field(None, ge=0, le=20, allow_inf_nan=False)
    beta: float | None = Field(None, ge=0, le=20, allow_inf_nan=False)
    delta: float | None = Field(None, gt=0, le=1e6, allow_inf_nan=False)
    apply_class_balancing: bool | None = None


Weight = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
ClassWeight = Literal["balanced"] | Annotated[dict[str, Weight], Field(max_length=1000)]
"""`balanced`: rows / (classes x rows of the class), of the training rows. Else weights by class
label; classes that are not named weigh 1."""


class Fixed(Exact):
    """A parameter with one value."""

    kind: Literal["fixed"] = "fixed"
    value: Scalar


class Float(Exact):
    """A real number in [low, high]."""

    kind: Literal["float"] = "float"
    low: float
    high: float
    log: bool = False
    step: float | None = None


class Int(Exact):
    """A whole number in [low, high]."""

    kind: Literal["int"] = "int"
    low: int
    high: int
    log: bool = False
    step: int = 1


class Choice(Exact):
    """One of a list of values."""

    kind: Literal["choice"] = "choice"
    choices: list[Scalar] = Field(min_length=1, max_length=256, fail_fast=True)


Parameter = Annotated[Fixed | Float | Int | Choice, Field(discriminator="kind")]
"""Ranges are checked by the coordinator (`search.range_empty`), so that the error has a code."""


class Split(Exact):
    """How rows part company. Fractions are of all rows; folds and validation exclude each other.

    `duplicates`: rows with equal features stay `together` in one part of every split, or are
    `free` to part. `None`: together where they look like copies of one another (parting them would
    leak) and the parts still hold about their shares; else free, which the plan says.
    """

    validation: float | None = Field(0.2, gt=0, lt=1)
    test: float = Field(0.2, ge=0, lt=1)
    folds: int | None = Field(None, ge=2)
    stratify: bool = True
    seed: UInt32 = 0
    duplicates: Duplicates | None = None

    @model_validator(mode="before")
    @classmethod
    def _folds_replace_validation(cls, data: object) -> object:
        if isinstance(data, dict) and data.get("folds") is not None and "validation" not in data:
            return {**data, "validation": None}
        return data


class Pipeline(Exact):
    """From a dataset to tensors. `None` means: let the coordinator infer it, and show it.

    `sample_weight` names a column of weights, numbers from 0: never a feature; `None` is none.
    `scaling`: numbers are scaled to mean 0 and deviation 1 (`standard`), to 0 to 1 (`minmax`), or
    not. Inferred: `standard`, but `none` of the features of a model that scales them itself or
    whose first layer is frozen.
    """

    target: str | None = None
    features: Annotated[list[str], Field(fail_fast=True)] | None = None
    task: Task | None = None
    sample_weight: str | None = None
    scaling: Scaling | None = None
    split: Split = Field(default_factory=Split)


class Objective(Exact):
    """What ranks trials: a metric that the coordinator computes, and which way is better."""

    metric: MetricName | None = None
    direction: Direction | None = None


class StudySpec(Exact):
    """Everything that a study is, apart from the bytes it names.

    `parameters` keys: `learning_rate`, `batch_size`, `optimizer` (a name of
    `potluck.protocol.optimizers`), an optimizer's own fields (`momentum`, `beta_1`,
    `weight_decay`, `clipnorm`, `use_ema`, ...), `schedule` (a name of
    `potluck.protocol.schedules`) and its fields (`warmup_epochs`, `decay_epochs`, `patience`, ...;
    `boundaries` as text: `10, 20`), and `layers.<name>.<field>` (`layers.dense_1.units`). `rungs`
    are epoch counts, ascending; the last one is the study's epochs.
    """

    name: str = Field(min_length=1, max_length=120)
    description: str = Field("", max_length=4000)
    model_id: str
    dataset_id: str
    pipeline: Pipeline = Field(default_factory=Pipeline)
    objective: Objective = Field(default_factory=Objective)
    loss: LossName | None = None
    loss_options: LossOptions = Field(default_factory=LossOptions)
    class_weight: ClassWeight | None = None
    parameters: dict[str, Parameter] = Field(default_factory=dict)
    sampler: Literal["random", "grid"] = "random"
    trials: int = Field(12, ge=1, le=10_000)
    repeats: int = Field(1, ge=1, le=20)
    rungs: list[int] = Field(default_factory=lambda: [10], min_length=1, max_length=12)
    init: Literal["fresh", "uploaded"] | None = None
    seed: UInt32 = 0
    visibility: Visibility = "public"
    donors: Donors = "everyone"
    group_id: str | None = Field(None, description="With `donors: group`: which one.")
    rows_are_public: bool = Field(
        False,
        description="The submitter knows that encoded training rows reach every donor; needed with "
        "`donors: everyone`.",
    )
