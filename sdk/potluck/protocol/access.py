"""Accounts, tokens and groups of donors, as the coordinator tells of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from potluck.protocol.base import Exact, Wire

Scope = Literal["all", "donate"]
AccountRole = Literal["submitter", "admin"]
Days = Annotated[float, Field(ge=0, le=36_500, allow_inf_nan=False)]


class TokenRecord(Wire):
    """A token, without its secret, which is kept by nobody but its holder."""

    id: str
    name: str
    scope: Scope = Field(description="`donate`: it may donate, and nothing else.")
    created_at: float
    last_used_at: float | None = Field(description="To the hour.")
    expires_at: float | None
    revoked_at: float | None
    this: bool = Field(False, description="Whether it is the one by which this was asked.")


class TokenMaking(Exact):
    """Ask for one more token of an account."""

    name: str = Field(min_length=1, max_length=120)
    scope: Scope = "all"
    expires_in_days: Days | None = None


class TokenChange(Exact):
    """What is to be changed; what is left out stays. `expires_in_days: null`: never."""

    name: str | None = Field(None, min_length=1, max_length=120)
    expires_in_days: Days | None = None


class MadeToken(Wire):
    """A new token; the secret is shown this once."""

    record: TokenRecord
    token: str


class AccountMaking(Exact):
    name: str = Field(min_length=1, max_length=80)
    role: AccountRole = "submitter"


class AccountChange(Exact):
    name: str = Field(min_length=1, max_length=80)


class AccountRecord(Wire):
    id: str
    name: str
    role: AccountRole
    created_at: float
    revoked: bool
    tokens: int = Field(description="How many of its tokens have not ended.")


class NewAccount(Wire):
    """A new account with its first token, which is shown this once."""

    account: AccountRecord
    token: str
