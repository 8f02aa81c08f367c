"""The ledger's tables: facts not yet chained, the chains, and where each chain ends."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Text, UniqueConstraint
from sqlmodel import Field

from potluck_coordinator.storage.naming import SQLModel

_BigId = BigInteger().with_variant(Integer(), "sqlite")  # SQLite counts up only INTEGER keys


class LedgerOutbox(SQLModel, table=True):
    """A fact, written in the transaction that made it true, until the sealer chains it."""

    __tablename__ = "ledger_outbox"

    id: int | None = Field(None, sa_column=Column(_BigId, primary_key=True, autoincrement=True))
    chain: str
    kind: str
    body: str = Field(sa_type=Text)
    at: str


class LedgerEntry(SQLModel, table=True):
    """One link. `body` is canonical JSON text, so that no database can reword it."""

    __tablename__ = "ledger_entry"
    __table_args__ = (UniqueConstraint("chain", "seq"),)

    id: int | None = Field(None, sa_column=Column(_BigId, primary_key=True, autoincrement=True))
    chain: str
    seq: int
    kind: str
    body: str = Field(sa_type=Text)
    at: str
    previous: str
    hash: str


class LedgerHead(SQLModel, table=True):
    """The last link of a chain."""

    __tablename__ = "ledger_head"

    chain: str = Field(primary_key=True)
    seq: int
    hash: str
