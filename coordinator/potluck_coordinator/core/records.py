"""The facts that storage gives and takes: frozen, field for field what a table keeps.

Folds use -1 for none here (SQL keys want a value); the wire says `null`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from potluck_coordinator.core.groups import Circle, circle_of
from potluck_coordinator.core.row_numbers import PartRows

Json = Mapping[str, Any]
NO_FOLD = -1
VALIDATION_PART = -1
REFIT_PART = -2


def wire_fold(fold: int) -> int | None:
    """Give the wire's fold: `None` where there is none."""
    return None if fold == NO_FOLD else fold


@dataclass(frozen=True, kw_only=True)
class Model:
    """An uploaded model: its canonical graph and weights are artifacts."""

    id: str
    name: str
    owner: str
    hash: str
    graph: str
    weights: str
    report: Json
    facts: Json
    created_at: float


@dataclass(frozen=True, kw_only=True)
class Rendering:
    """A model's file in one form (`h5`, `keras`, `tfjs`), as it is kept.

    `graph` and `weights` are what it was written from, `artifact` are its bytes; `potluck` is the
    version that wrote it: another one may write it otherwise.
    """

    graph: str
    weights: str
    format: str
    artifact: str
    bytes: int
    potluck: str
    used_at: float


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """An uploaded dataset, immutable, versioned by name."""

    id: str
    name: str
    version: int
    owner: str
    hash: str
    filename: str
    bytes: int
    profile: Json
    created_at: float
    deleted_at: float | None = None


@dataclass(frozen=True, kw_only=True)
class Lending:
    """Whose units may go to whom."""

    owner: str
    donors: str
    """Who gets its units: `everyone`, `group`, `mine`."""
    group_id: str | None

    @property
    def circle(self) -> Circle:
        """Give the donors who may get its units."""
        return circle_of(self.donors, self.owner, self.group_id)


@dataclass(frozen=True, kw_only=True)
class Study(Lending):
    """One hypertuning queue."""

    id: str
    name: str
    state: str
    reason: str = ""
    visibility: str
    model_id: str
    dataset_id: str
    spec: Json
    plan: Json
    wire_plan: Json
    direction: str
    trials: int
    created_at: float
    finished_at: float | None = None
    best_trial: int | None = None
    donors: str = "everyone"
    group_id: str | None = None
    encoded: bool = True
    """Whether the rows that its units need now are there: see `services.parts`."""
    kept_bytes: int = 0
    """What its specification, plans and row numbers take in the database, as long as it is kept."""


@dataclass(frozen=True, kw_only=True)
class RunningStudy(Lending):
    """What is small of a study that runs."""

    id: str
    trials: int
    encoded: bool


@dataclass(frozen=True, kw_only=True)
class RankedStudy:
    """What is needed of a study to rank its trials."""

    id: str
    state: str
    direction: str


@dataclass(frozen=True, kw_only=True)
class EndingStudy(RankedStudy):
    """What decides whether a study is over."""

    trials: int
    asked: int
    """The trials that were asked for: its space may have had fewer."""
    folds: int
    """0: it has a validation split."""


@dataclass(frozen=True, kw_only=True)
class CountedStudy:
    """What quotas count of a study that runs. `folds` 0: it has a validation split."""

    id: str
    name: str
    trials: int
    folds: int
    repeats: int
    rungs: int


@dataclass(frozen=True, kw_only=True)
class LentStudy(Lending):
    """What is told of a study to those who get its units."""

    id: str
    name: str
    visibility: str
    epochs: int
    """Those of its last rung."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One pairing of training rows with the rows that score them.

    `part`: 0.. a fold, -1 the validation split, -2 the refit on all training rows.
    `train`, `held`: artifacts with the encoded rows, None until they were encoded for the first
    time. `kept`: whether these artifacts are there now; they can be made again, the same. Which
    rows they are, and their encoder, are large and read apart: see `storage.parts`.
    """

    study_id: str
    part: int
    train: str | None
    held: str | None
    rows_train: int
    kept: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """Give the artifacts of its encoded rows; none before they were made."""
        return tuple(sha for sha in (self.train, self.held) if sha is not None)


@dataclass(frozen=True, kw_only=True)
class NewPart:
    """A part that is not kept yet, with all that is kept of it."""

    about: Part
    rows: PartRows
    encoder: Json


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One point of the search space."""

    study_id: str
    number: int
    state: str
    reason: str = ""
    parameters: Json
    graph: str
    topology: str
    refit_start: str | None = None
    value: float | None = None
    created_at: float
    finished_at: float | None = None
    start_bytes: int = 0
    """Bytes of its start states, without those that an earlier trial had too."""


@dataclass(frozen=True, kw_only=True)
class Unit:
    """trial × fold × repeat × rung. `fold` -1: none."""

    id: str
    study_id: str
    trial: int
    kind: str
    fold: int
    repeat: int
    rung: int
    state: str
    part: int
    from_epoch: int
    to_epoch: int
    rows: int
    batch_size: int
    seed: int
    topology: str
    tensors: str
    start: str | None = None
    training: Json
    flops: str
    upload_bytes: int
    stack: str | None = None
    """Units of the same value can train together as one batched graph."""
    memory_bytes: int = 0
    ready_since: float | None = None
    tries: int = 0
    reasons: tuple[str, ...]
    lease_id: str | None = None
    checkpoint: str | None = None
    checkpoint_step: int = 0
    checkpoint_lease: str | None = None
    result: str | None = None
    result_lease: str | None = None
    diverged: bool = False
    claims: Json
    result_bytes: int = 0
    """Bytes of its result, and of the predictions that were made with it."""


@dataclass(frozen=True, kw_only=True)
class Donor:
    """One browser profile or headless client; its id is the hash of its key."""

    id: str
    name: str
    created_at: float
    seen_at: float
    units: int = 0
    credit: str = "0"
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Lease:
    """One donor's time-limited hold on one unit; an attempt is what came of it."""

    id: str
    token_hash: str
    unit_id: str
    study_id: str
    fold: int
    donor_id: str
    backend: str
    client: str
    state: str
    start: str
    start_lease: str | None = None
    from_step: int
    epoch: int
    step: int
    loss: float | None = None
    samples_per_second: float | None = None
    commitments: Json
    started_at: float
    heard_at: float
    expires_at: float
    ended_at: float | None = None
    result: str | None = None
    stacked: bool = False
    reason: str = ""
    permit: str | None = None
    """The token that let its donor have the unit; None: it needed none."""
    released_at: float | None = None
    """Since when the bytes of the states that it names are not kept; None: they are."""


@dataclass(frozen=True, kw_only=True)
class Replay:
    """One lease's work that is, or was, trained again. Steps count over the whole trial.

    `end`: the state that the donor handed in; with `diverged` it claims that training diverged.
    `distance` and `tolerance`: see `core.trust.judge`.
    """

    id: str
    study_id: str
    unit_id: str
    trial: int
    lease_id: str
    donor_id: str
    backend: str
    """The backend class: see `core.trust.backend_class`."""
    why: str
    state: str
    start: str
    end: str
    from_step: int
    to_step: int
    diverged: bool = False
    asked_at: float
    decided_at: float | None = None
    replayed_by: str = ""
    distance: float | None = None
    tolerance: float | None = None
    note: str = ""
    released_at: float | None = None
    """Since when the bytes of its two states are not kept for it; None: they are."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A donor's record with one backend class. `agreements`: replays that agreed, in a row."""

    donor_id: str
    backend: str
    agreements: int = 0
    agreed: int = 0
    refuted: int = 0


@dataclass(frozen=True, kw_only=True)
class Score:
    """Metrics that the coordinator computed from returned weights."""

    unit_id: str
    study_id: str
    metrics: Json
    value: float | None = None
    rows: int
    predictions: str | None = None
    scored_at: float
    loss: float | None = None
    """Of a refit: the mean loss over its training rows, without penalties."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """One look at the sealed test split."""

    study_id: str
    number: int
    trial: int
    metrics: Json
    rows: int
    at: float
