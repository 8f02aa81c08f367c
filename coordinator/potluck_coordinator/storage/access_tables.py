"""Who may do what: accounts with their hashed tokens, and browser sessions."""

from __future__ import annotations

from sqlmodel import Field, SQLModel


class AccountRow(SQLModel, table=True):
    """An account and the one token that opens it, kept as its SHA-256."""

    __tablename__ = "account"

    id: str = Field(primary_key=True)
    name: str = Field(unique=True)
    role: str
    token_hash: str = Field(unique=True)
    created_at: float
    revoked: bool = False


class SessionRow(SQLModel, table=True):
    """A browser's sign-in. On an open coordinator a session may have no account."""

    __tablename__ = "browser_session"

    id_hash: str = Field(primary_key=True)
    account_id: str | None = Field(None, foreign_key="account.id", index=True)
    csrf: str
    expires_at: float = Field(index=True)
