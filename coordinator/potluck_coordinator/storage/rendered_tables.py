"""The table of models' files that were written once and are kept."""

from __future__ import annotations

from sqlalchemy.types import BigInteger, Float
from sqlmodel import Field

from potluck_coordinator.storage.naming import SQLModel


class RenderedRow(SQLModel, table=True):
    """A model in one form. Its artifact is kept for this row; its graph and weights are not."""

    __tablename__ = "rendered"
    graph: str = Field(primary_key=True)
    weights: str = Field(primary_key=True, index=True)
    format: str = Field(primary_key=True)
    artifact: str
    bytes: int = Field(sa_type=BigInteger)
    potluck: str
    used_at: float = Field(sa_type=Float, index=True)
