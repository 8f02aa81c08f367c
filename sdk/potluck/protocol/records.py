"""What the coordinator tells about models, datasets, studies, trials and the ledger."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from potluck.protocol.base import BigCount, Exact, JsonValue, Sha256, Wire
from potluck.protocol.study import (
    ClassWeight,
    Direction,
    Duplicates,
    LossName,
    LossOptions,
    MetricName,
    Scalar,
    Scaling,
    StudySpec,
    Task,
    Visibility,
)

StudyState = Literal["preparing", "running", "completed", "stopped", "failed"]
TrialState = Literal["running", "completed", "stopped", "failed", "incomplete"]
TrialActivity = Literal["waiting", "training", "being_scored"]
Unwritable = Annotated[
    dict[Literal["keras", "h5"], str],
    Field(description="Files that cannot hold the model, each with why. TF.js files always can."),
]
UnitState = Literal["blocked", "ready", "leased", "returned", "scored", "set_aside", "cancelled"]


class LayerReport(Wire):
    """One layer of a model's report. Shapes leave out the batch axis; `None` is any length."""

    name: str
    class_name: str
    output_shape: list[int | None]
    parameters: int
    trainable: bool
    forward_flops: BigCount = Field(description="Per sample; one multiply-add counts as two.")
    training_flops: BigCount = Field(description="Per sample: forward and backward, estimated.")
    activation_bytes: BigCount = Field(description="Kept for one sample's backward pass.")
    untrained_on: dict[str, str] = Field(
        description="Backends on which TF.js alone, without potluck-tfjs.js, does not train it, "
        "each with why. Potluck itself trains every layer on every backend."
    )
    own_class: str = Field(
        description="Why TF.js needs a class of Potluck's own, from potluck-tfjs.js, to run it at "
        "all; else empty."
    )
    searchable: dict[str, Scalar] = Field(
        description="Fields that a study may override, with their present values."
    )


class FittedFrom(Wire):
    """Of which model a fitted one was made, and what that did."""

    model_id: str
    model_name: str
    was: int = Field(description="How many numbers that model takes.")
    width: int = Field(description="How many numbers this one takes.")
    layers: list[str] = Field(description="Layers that started anew.")
    text: str = Field(description="What started anew and what stayed, in plain words.")


class ModelReport(Wire):
    """What the converter understood."""

    source: str = Field(examples=["Keras 3 .h5"])
    layers: list[LayerReport]
    parameters: int
    trainable_parameters: int
    input_shapes: dict[str, list[int | None]]
    output_shapes: dict[str, list[int | None]]
    forward_flops: BigCount
    training_flops: BigCount = Field(description="Per sample: forward, backward, estimated.")
    activation_bytes: BigCount = Field(description="Kept for one sample's backward pass.")
    unwritable: Unwritable = Field(default_factory=dict)
    fitted: FittedFrom | None = Field(
        None, description="Where its first layer was fitted to another number of inputs."
    )
    warnings: list[str]


class Model(Wire):
    id: str
    name: str
    hash: Sha256 = Field(description="Of the canonical graph and weights together.")
    created_at: float
    report: ModelReport


class ModelFit(Exact):
    """Ask for a model whose first layer takes another number of inputs."""

    width: int = Field(ge=1, le=1_000_000, description="How many numbers a row has.")


class Column(Wire):
    """One column of a table, or one array of an `.npz`."""

    name: str
    kind: Literal["numeric", "categorical", "array"]
    dtype: str
    shape: list[int] = Field(description="Per row; empty for a table's columns.")
    missing: int
    unique: int | None
    examples: list[str]
    width: int | None = Field(
        None, description="How many numbers the column becomes as a feature: one for each word."
    )
    identifier: str = Field(
        "",
        description="Why it looks like row numbers or names of rows; then it is no feature by "
        "itself. Else empty.",
    )


class DatasetProfile(Wire):
    kind: Literal["table", "arrays"]
    rows: int
    columns: list[Column]
    suggested_target: str | None
    warnings: list[str]


class Dataset(Wire):
    id: str
    name: str
    version: int
    hash: Sha256
    bytes: int
    created_at: float
    deleted: bool
    profile: DatasetProfile


class BundledDataset(Wire):
    """A real dataset that comes with scikit-learn."""

    name: str
    title: str
    rows: int
    target: str
    task: Task
    description: str


class PlannedPart(Wire):
    """One part of a split. `asked`: the share of all rows that it should hold."""

    name: str = Field(description="`training`, `validation`, `test`, or `fold 1` and so on.")
    rows: int
    asked: float
    class_rows: list[int] = Field(
        default_factory=list,
        description="Its rows of each class, in the classes' order; empty for numbers, and where "
        "there are more than 64 classes.",
    )


class StudyPlan(Wire):
    """What the coordinator understood of a specification; shown before and after submitting."""

    task: Task
    target: str
    features: list[str]
    classes: list[str] | None
    loss: LossName
    loss_options: LossOptions = Field(default_factory=LossOptions)
    from_logits: bool
    class_weight: ClassWeight | None = None
    sample_weight: str | None = None
    metric: MetricName
    direction: Direction
    losses: list[LossName] = Field(
        default_factory=list, description="Those that suit this task and model."
    )
    metrics: list[MetricName] = Field(
        default_factory=list, description="Those that can be measured here."
    )
    init: Literal["fresh", "uploaded"]
    rows_train: int
    rows_validation: int
    rows_test: int
    folds: int
    scaling: Scaling = Field("standard", description="How numbers among the features are scaled.")
    duplicates: Duplicates = Field(
        "together", description="Whether rows with equal features stay in one part of a split."
    )
    parts: list[PlannedPart] = Field(
        default_factory=list, description="What each part holds; at most 32 of them."
    )
    encoded_width: int | None = Field(
        None, description="How many numbers the features of a row become."
    )
    input_shape: list[int]
    trials: int
    units: int
    total_flops: BigCount
    compiled: dict[str, Scalar] = Field(
        default_factory=dict,
        description="What the specification left open and the model's compile settled: `loss`, "
        "`loss_options.<name>`, `metric`, and parameters such as `learning_rate`.",
    )
    who_gets_what: list[str] = Field(
        default_factory=list,
        description="Who gets what of the data and the network, in whole sentences.",
    )
    warnings: list[str]


class Counts(Wire):
    """Units by state."""

    blocked: int = 0
    ready: int = 0
    leased: int = 0
    returned: int = 0
    scored: int = 0
    set_aside: int = 0
    cancelled: int = 0


class UnitAtWork(Wire):
    """A unit that is being trained now."""

    trial: int
    fold: int | None
    repeat: int
    rung: int
    epoch: int
    to_epoch: int


class DonorAtWork(Wire):
    """A donor that is training now, once on each backend, whatever number of units it holds."""

    name: str
    backend: str
    units: list[UnitAtWork] = Field(description="In the order in which it began them.")
    samples_per_second: float | None = Field(description="Of all its units together; a claim.")


class Study(Wire):
    id: str
    name: str
    description: str
    submitter: str
    state: StudyState
    reason: str = Field("", description="Why it failed or stopped, in plain words.")
    visibility: Visibility
    created_at: float
    finished_at: float | None
    spec: StudySpec
    plan: StudyPlan
    model_name: str
    dataset_name: str
    counts: Counts
    units_planned: int = Field(
        0,
        description="Units in all: made ones less cancelled ones, and those that are still to be "
        "made. 0: an older coordinator does not say.",
    )
    trials_done: int
    best: float | None
    best_trial: int | None
    seconds_left: float | None
    donors: list[DonorAtWork]
    test_looks: int
    checks_open: int = Field(
        0, description="Results that the coordinator still trains again before the study ends."
    )
    group_gone: bool = Field(
        False,
        description="The group that it was submitted for was deleted: it is for its submitter's "
        "own donors alone.",
    )
    may_edit: bool = Field(description="The asking session may stop, extend or delete it.")


Check = Literal["confirmed", "checking", "scored"]
"""Whether the coordinator trained again what donors handed in: `confirmed` where it came to the
same, `checking` while it does, `scored` where it did not or could not."""


class LeaderboardRow(Wire):
    """One trial. Ranked: completed by objective, then by rung and objective. Claims never rank."""

    rank: int | None
    trial: int
    state: TrialState
    activity: TrialActivity | None = Field(
        None, description="What happens to a running trial at this moment."
    )
    rung: int | None = Field(description="The last rung with every score in.")
    epochs: int
    mean: float | None
    spread: float | None = Field(description="Sample standard deviation over folds or repeats.")
    n: int = Field(description="How many networks the mean is over.")
    check: Check = Field(
        "scored", description="Whether what this score stands on was trained again, and agreed."
    )
    claim_loss: float | None
    parameters: dict[str, Scalar]
    reason: str


class UnitScore(Wire):
    metrics: dict[str, float]
    absent: dict[str, str] = Field(
        default_factory=dict, description="Metrics that these rows do not define, each with why."
    )
    rows: int
    predictions: Sha256 | None


class LeaseRecord(Wire):
    id: str
    donor: str
    backend: str
    state: Literal["held", "completed", "expired", "handed_back", "superseded", "refused"]
    started_at: float
    ended_at: float | None
    from_step: int
    to_step: int
    reason: str


class UnitRecord(Wire):
    id: str
    kind: Literal["trial", "refit"]
    fold: int | None
    repeat: int
    rung: int
    state: UnitState
    from_epoch: int
    to_epoch: int
    tries: int
    result: Sha256 | None
    score: UnitScore | None
    claims: dict[str, float]
    leases: list[LeaseRecord] = Field(description="The newest of them, oldest first.")
    earlier_leases: int = Field(0, description="Leases before those in `leases`.")
    reasons: list[str]


class TrialDetail(Wire):
    row: LeaderboardRow
    units: list[UnitRecord]
    ledger: list[LedgerEntry]
    ledger_more: bool = Field(
        False,
        description="The study's whole ledger may hold more entries of this trial: it was not "
        "looked through to its end.",
    )


class CurvePoint(Wire):
    epoch: int
    value: float


class Curve(Wire):
    """One trial's curve. `scores`: mean metric at each scored rung; `claims`: training loss.

    A curve has at most 501 claims, all curves of a study together about 20,000: of several epochs
    in a row the last one's, beside the first claim and the last.
    """

    trial: int
    state: TrialState
    scores: list[CurvePoint]
    claims: list[CurvePoint]


class LedgerEntry(Wire):
    """One link of the chain: `hash = SHA-256(RFC 8785 of {seq, kind, body, at, previous})`."""

    seq: int
    kind: str = Field(examples=["score"])
    at: str = Field(description="UTC, RFC 3339 with milliseconds.")
    body: dict[str, JsonValue]
    previous: Sha256
    hash: Sha256


class Ledger(Wire):
    """A chain, or a part of it that was asked for."""

    study_id: str
    entries: list[LedgerEntry]
    head: Sha256
    length: int = Field(
        0, description="Entries of the whole chain. 0: an older coordinator does not say."
    )


class TestLook(Wire):
    """One look at the sealed test split."""

    __test__ = False  # pytest would otherwise take the name for a test class

    number: int
    trial: int
    metrics: dict[str, float]
    absent: dict[str, str] = Field(
        default_factory=dict, description="Metrics that these rows do not define, each with why."
    )
    rows: int
    at: float


class Prediction(Wire):
    row: int = Field(description="Index in the uploaded dataset.")
    truth: str | float
    predicted: str | float
    probabilities: dict[str, float] | None


class Predictions(Wire):
    """Decoded predictions of the best model on the rows it was scored on.

    `raw` is what the network's last layer gave, one list a row, in the order of `rows`.
    """

    trial: int
    kind: Literal["validation", "training"] = Field(
        description="`training`: a refit has seen these rows; they rank nothing."
    )
    predictions: list[Prediction]
    raw: list[list[float]]


class FileNumbers(Wire):
    """What the coordinator computed with the very weights that are handed out."""

    metrics: dict[str, float]
    loss: float | None = Field(description="The study's loss on these rows, without penalties.")
    rows: int
    on: Literal["training", "validation"] = Field(
        description="`training`: rows that it was trained on, so that they flatter it."
    )


class BestModel(Wire):
    study_id: str
    trial: int
    kind: Literal["trial", "refit"]
    metric: MetricName
    mean: float
    spread: float | None
    parameters: dict[str, Scalar]
    weights: Sha256
    check: Check = Field(
        "scored", description="Of the file's training, and of all that the estimate stands on."
    )
    own: FileNumbers | None = Field(
        None, description="The file's own numbers; `mean` is the estimate of its recipe."
    )
    classes: list[str] | None
    unwritable: Unwritable = Field(default_factory=dict)


class ReplayRecord(Wire):
    """One donor's work that the coordinator trained again, or is about to."""

    id: str
    trial: int
    unit: str
    lease: str
    donor: str = Field(examples=["quiet-otter"])
    backend: str = Field(description="The backend's class; `+stacked` trained several units.")
    why: Literal[
        "sampled", "challenge", "finalist", "diverged", "checkpoint", "stuck", "refuted_before"
    ] = Field(description="`challenge`: one interval of a long unit.")
    state: Literal[
        "asked", "unanswered", "open", "agreed", "refuted", "undecided", "dropped", "undone"
    ] = Field(description="`asked`: the donor was asked for the two states of an interval.")
    from_step: int
    to_step: int
    distance: float | None = Field(
        description="Between the two ends, as a share of the way that training moved the weights."
    )
    tolerance: float | None = Field(description="What was allowed.")
    note: str
    asked_at: float
    decided_at: float | None


class VerdictUndo(Exact):
    note: str = Field("", max_length=500, description="Why the verdict was wrong.")


class StudyExtension(Exact):
    trials: int = Field(ge=1, le=10_000, description="How many trials to add.")


class SiteStatus(Wire):
    """What the home page shows."""

    version: str
    open: bool
    donors_online: int
    studies_running: int
    units_scored: int
    credit_flops: BigCount


class SignIn(Exact):
    token: str


class Session(Wire):
    """Who the asker is. `csrf` goes into the header `X-Potluck-CSRF` of changing requests."""

    signed_in: bool
    name: str
    role: Literal["anonymous", "donor", "submitter", "admin"] = Field(
        description="`donor`: signed in with a token that may only donate."
    )
    may_submit: bool
    csrf: str


class TokenRequest(Exact):
    name: str = Field(min_length=1, max_length=80)


class NewToken(Wire):
    """Shown once; only its hash is kept."""

    name: str
    token: str


TrialDetail.model_rebuild()
