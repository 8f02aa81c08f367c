"""The tables of trust: what was trained again, how donors stand, and what leases earned."""

from __future__ import annotations

from sqlalchemy import Index, Text
from sqlalchemy.types import BigInteger, Float
from sqlmodel import Field

from potluck_coordinator.storage.naming import SQLModel


class ReplayRow(SQLModel, table=True):
    """One lease's work that is, or was, trained again."""

    __tablename__ = "replay"
    __table_args__ = (
        Index("replay_by_state", "state", "asked_at"),
        Index("replay_by_study", "study_id", "state"),
        Index("replay_by_pair", "backend", "replayed_by", "state"),
    )
    id: str = Field(primary_key=True)
    study_id: str = Field(foreign_key="study.id", ondelete="CASCADE")
    unit_id: str = Field(foreign_key="unit.id", ondelete="CASCADE", index=True)
    trial: int
    lease_id: str = Field(foreign_key="lease.id", ondelete="CASCADE", index=True)
    donor_id: str = Field(foreign_key="donor.id", index=True)
    backend: str
    why: str
    state: str
    start: str
    end: str
    from_step: int = Field(sa_type=BigInteger)
    to_step: int = Field(sa_type=BigInteger)
    diverged: bool = False
    asked_at: float = Field(sa_type=Float)
    decided_at: float | None = Field(default=None, sa_type=Float)
    replayed_by: str = ""
    distance: float | None = Field(default=None, sa_type=Float)
    tolerance: float | None = Field(default=None, sa_type=Float)
    note: str = Field(default="", sa_type=Text)
    released_at: float | None = Field(default=None, sa_type=Float)


class StandingRow(SQLModel, table=True):
    """A donor's record with one backend class."""

    __tablename__ = "standing"
    donor_id: str = Field(foreign_key="donor.id", primary_key=True)
    backend: str = Field(primary_key=True)
    agreements: int = 0
    agreed: int = 0
    refuted: int = 0


class CreditRow(SQLModel, table=True):
    """What a lease earned its donor. It stays when it is taken back, so that it can be given again.

    `flops`: verified, as decimal digits. `taken_by`: the replay that took it back; None: it counts.
    """

    __tablename__ = "credit"
    lease_id: str = Field(foreign_key="lease.id", primary_key=True, ondelete="CASCADE")
    units: int
    flops: str
    taken_by: str | None = Field(default=None, index=True)
