"""The tables of the main job. Table classes never leave storage.

Times are seconds since 1970 (UTC). Hashes are lower-case hexadecimal SHA-256. FLOPs are kept as
text: they outgrow 64 bits.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Index, Text, UniqueConstraint
from sqlalchemy.types import JSON, BigInteger, Float
from sqlmodel import Field

from potluck_coordinator.storage.naming import SQLModel

Json = dict[str, Any]


class ModelRow(SQLModel, table=True):
    """An uploaded model: its canonical graph and weights are artifacts."""

    __tablename__ = "model"
    id: str = Field(primary_key=True)
    name: str
    owner: str = Field(index=True)
    hash: str
    graph: str
    weights: str
    report: Json = Field(sa_column=Column(JSON, nullable=False))
    facts: Json = Field(sa_column=Column(JSON, nullable=False))
    created_at: float = Field(sa_type=Float)


class DatasetRow(SQLModel, table=True):
    """An uploaded dataset, immutable, versioned by name."""

    __tablename__ = "dataset"
    __table_args__ = (UniqueConstraint("owner", "name", "version"),)
    id: str = Field(primary_key=True)
    name: str
    version: int
    owner: str = Field(index=True)
    hash: str
    filename: str
    bytes: int = Field(sa_type=BigInteger)
    profile: Json = Field(sa_column=Column(JSON, nullable=False))
    created_at: float = Field(sa_type=Float)
    deleted_at: float | None = Field(default=None, sa_type=Float)


class StudyRow(SQLModel, table=True):
    """One hypertuning queue."""

    __tablename__ = "study"
    __table_args__ = (Index("study_by_kept", "owner", "id", "name", "kept_bytes"),)
    id: str = Field(primary_key=True)
    name: str
    owner: str = Field(index=True)
    state: str = Field(index=True)
    reason: str = ""
    visibility: str
    model_id: str = Field(foreign_key="model.id")
    dataset_id: str = Field(foreign_key="dataset.id")
    spec: Json = Field(sa_column=Column(JSON, nullable=False))
    plan: Json = Field(sa_column=Column(JSON, nullable=False))
    wire_plan: Json = Field(sa_column=Column(JSON, nullable=False))
    direction: str
    trials: int
    created_at: float = Field(sa_type=Float)
    finished_at: float | None = Field(default=None, sa_type=Float)
    best_trial: int | None = None
    donors: str = "everyone"
    group_id: str | None = Field(default=None, index=True)
    encoded: bool = True
    kept_bytes: int = Field(default=0, sa_type=BigInteger)


class PartRow(SQLModel, table=True):
    """One pairing of training rows with the rows that score them.

    `part`: 0.. a fold, -1 the validation split, -2 the refit on all training rows.
    """

    __tablename__ = "part"
    study_id: str = Field(foreign_key="study.id", primary_key=True, ondelete="CASCADE")
    part: int = Field(primary_key=True)
    train: str | None
    held: str | None
    rows_train: int
    train_rows: list[int] = Field(sa_column=Column(JSON, nullable=False))
    held_rows: list[int] = Field(sa_column=Column(JSON, nullable=False))
    encoder: Json = Field(sa_column=Column(JSON, nullable=False))
    kept: bool = Field(default=True, index=True)


class SealedRow(SQLModel, table=True):
    """The test split's row numbers: named here, encoded only when somebody looks."""

    __tablename__ = "sealed"
    study_id: str = Field(foreign_key="study.id", primary_key=True, ondelete="CASCADE")
    rows: list[int] = Field(sa_column=Column(JSON, nullable=False))


class TrialRow(SQLModel, table=True):
    """One point of the search space."""

    __tablename__ = "trial"
    __table_args__ = (Index("trial_by_value", "study_id", "state", "value", "number"),)
    study_id: str = Field(foreign_key="study.id", primary_key=True, ondelete="CASCADE")
    number: int = Field(primary_key=True)
    state: str = Field(index=True)
    reason: str = ""
    parameters: Json = Field(sa_column=Column(JSON, nullable=False))
    graph: str
    topology: str
    refit_start: str | None = None
    value: float | None = Field(default=None, sa_type=Float)
    created_at: float = Field(sa_type=Float)
    finished_at: float | None = Field(default=None, sa_type=Float)
    start_bytes: int = Field(default=0, sa_type=BigInteger)


class UnitRow(SQLModel, table=True):
    """trial × fold × repeat × rung. `fold` -1: none."""

    __tablename__ = "unit"
    __table_args__ = (
        UniqueConstraint("study_id", "trial", "kind", "fold", "repeat", "rung"),
        Index("unit_by_state", "state", "ready_since"),
        Index(
            "unit_by_turn",
            *("study_id", "state", "ready_since", "trial", "fold", "repeat", "memory_bytes"),
        ),
        Index("unit_by_memory", "study_id", "state", "memory_bytes"),
    )
    id: str = Field(primary_key=True)
    study_id: str = Field(foreign_key="study.id", ondelete="CASCADE")
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
    seed: int = Field(sa_type=BigInteger)
    topology: str
    tensors: str
    start: str | None = None
    training: Json = Field(sa_column=Column(JSON, nullable=False))
    flops: str
    upload_bytes: int = Field(sa_type=BigInteger)
    stack: str | None = None
    memory_bytes: int = Field(default=0, sa_type=BigInteger)
    ready_since: float | None = Field(default=None, sa_type=Float)
    tries: int = 0
    reasons: list[str] = Field(sa_column=Column(JSON, nullable=False))
    lease_id: str | None = None
    checkpoint: str | None = None
    checkpoint_step: int = 0
    checkpoint_lease: str | None = None
    result: str | None = None
    result_lease: str | None = None
    diverged: bool = False
    claims: Json = Field(sa_column=Column(JSON, nullable=False))
    result_bytes: int = Field(default=0, sa_type=BigInteger)


class DonorRow(SQLModel, table=True):
    """One browser profile or headless client; its id is the hash of its key."""

    __tablename__ = "donor"
    id: str = Field(primary_key=True)
    name: str
    created_at: float = Field(sa_type=Float)
    seen_at: float = Field(sa_type=Float)
    units: int = 0
    credit: str = "0"
    seconds: float = Field(default=0.0, sa_type=Float)


class LeaseRow(SQLModel, table=True):
    """One donor's time-limited hold on one unit; an attempt is what came of it."""

    __tablename__ = "lease"
    __table_args__ = (
        Index("lease_by_unit", "unit_id"),
        Index("lease_by_donor", "donor_id", "state"),
        Index("lease_by_donor_and_study", "donor_id", "study_id", "started_at"),
        Index("lease_by_ending", "study_id", "state", "ended_at"),
        Index("lease_by_expiry", "state", "expires_at"),
    )
    id: str = Field(primary_key=True)
    token_hash: str = Field(unique=True)
    unit_id: str = Field(foreign_key="unit.id", ondelete="CASCADE")
    study_id: str = Field(index=True)
    fold: int
    donor_id: str = Field(foreign_key="donor.id")
    backend: str
    client: str
    state: str
    start: str
    start_lease: str | None = None
    from_step: int
    epoch: int
    step: int
    loss: float | None = Field(default=None, sa_type=Float)
    samples_per_second: float | None = Field(default=None, sa_type=Float)
    commitments: Json = Field(sa_column=Column(JSON, nullable=False))
    started_at: float = Field(sa_type=Float)
    heard_at: float = Field(sa_type=Float)
    expires_at: float = Field(sa_type=Float)
    ended_at: float | None = Field(default=None, sa_type=Float)
    result: str | None = None
    stacked: bool = False
    reason: str = Field(default="", sa_type=Text)
    permit: str | None = None
    released_at: float | None = Field(default=None, sa_type=Float)


class UploadRow(SQLModel, table=True):
    """Bytes that a lease uploaded: nothing else may be named in its messages."""

    __tablename__ = "upload"
    lease_id: str = Field(foreign_key="lease.id", primary_key=True, ondelete="CASCADE")
    artifact: str = Field(primary_key=True)
    bytes: int = Field(sa_type=BigInteger)


class ScoreRow(SQLModel, table=True):
    """Metrics that the coordinator computed from returned weights."""

    __tablename__ = "score"
    unit_id: str = Field(foreign_key="unit.id", primary_key=True, ondelete="CASCADE")
    study_id: str = Field(index=True)
    metrics: Json = Field(sa_column=Column(JSON, nullable=False))
    value: float | None = Field(default=None, sa_type=Float)
    rows: int
    predictions: str | None = None
    scored_at: float = Field(sa_type=Float)
    loss: float | None = Field(default=None, sa_type=Float)


class ClaimRow(SQLModel, table=True):
    """A training loss that a donor reported. Never ranked."""

    __tablename__ = "claim"
    study_id: str = Field(foreign_key="study.id", primary_key=True, ondelete="CASCADE")
    trial: int = Field(primary_key=True)
    fold: int = Field(primary_key=True)
    repeat: int = Field(primary_key=True)
    epoch: int = Field(primary_key=True)
    loss: float = Field(sa_type=Float)


class LookRow(SQLModel, table=True):
    """One look at the sealed test split."""

    __tablename__ = "look"
    study_id: str = Field(foreign_key="study.id", primary_key=True, ondelete="CASCADE")
    number: int = Field(primary_key=True)
    trial: int
    metrics: Json = Field(sa_column=Column(JSON, nullable=False))
    rows: int
    at: float = Field(sa_type=Float)
