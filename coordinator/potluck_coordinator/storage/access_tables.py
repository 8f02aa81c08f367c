"""Who may do what: accounts, groups, hashed tokens, and browser sessions."""

from __future__ import annotations

from sqlalchemy import UniqueConstraint
from sqlalchemy.types import Float
from sqlmodel import Field

from potluck_coordinator.storage.naming import SQLModel


class AccountRow(SQLModel, table=True):
    """Somebody who may submit; tokens open it."""

    __tablename__ = "account"

    id: str = Field(primary_key=True)
    name: str = Field(unique=True)
    role: str
    created_at: float
    revoked: bool = False


class GroupRow(SQLModel, table=True):
    """An owner's circle of donors. The code is kept readable: its owner shows it to others."""

    __tablename__ = "donor_group"
    __table_args__ = (UniqueConstraint("owner", "name"),)

    id: str = Field(primary_key=True)
    name: str
    owner: str = Field(index=True)
    code: str
    code_hash: str = Field(unique=True)
    created_at: float = Field(sa_type=Float)


class TokenRow(SQLModel, table=True):
    """A key, kept as its SHA-256: to an account, or that of a group's member."""

    __tablename__ = "access_token"

    id: str = Field(primary_key=True)
    account_id: str | None = Field(None, foreign_key="account.id", index=True)
    group_id: str | None = Field(None, foreign_key="donor_group.id", index=True, ondelete="CASCADE")
    name: str
    scope: str
    token_hash: str = Field(unique=True)
    created_at: float = Field(sa_type=Float)
    last_used_at: float | None = Field(default=None, sa_type=Float)
    expires_at: float | None = Field(default=None, sa_type=Float)
    revoked_at: float | None = Field(default=None, sa_type=Float)


class SessionRow(SQLModel, table=True):
    """A browser's sign-in, and the token that opened it."""

    __tablename__ = "browser_session"

    id_hash: str = Field(primary_key=True)
    token_id: str = Field(foreign_key="access_token.id", index=True, ondelete="CASCADE")
    csrf: str
    expires_at: float = Field(index=True)
