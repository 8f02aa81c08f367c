"""Accounts, tokens and groups of donors, as the coordinator tells of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from potluck.protocol.base import Exact, Wire

Scope = Literal["all", "donate"]
AccountRole = Literal["submitter", "admin"]
MOST_DAYS = 36_500
Days = Annotated[float, Field(ge=0, le=MOST_DAYS, allow_inf_nan=False)]
SomeDays = Annotated[float, Field(gt=0, le=MOST_DAYS, allow_inf_nan=False)]
"""A token that has expired when it is made is good for nothing."""


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
    expires_in_days: SomeDays | None = None


class TokenChange(Exact):
    """What is to be changed; what is left out stays. `expires_in_days: null`: never.

    A token that was revoked or has expired cannot be changed any more (409 `token.state`).
    """

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


class GroupMaking(Exact):
    name: str = Field(min_length=1, max_length=120)


class GroupChange(Exact):
    name: str = Field(min_length=1, max_length=120)


class Group(Wire):
    """A group of donors, as its owner sees it."""

    id: str
    name: str
    owner: str
    code: str = Field(description="Whoever has it may join: at `/join/CODE`, or by `potluck`.")
    members: int
    created_at: float


class Member(Wire):
    """A member's key, without its secret."""

    id: str
    name: str
    joined_at: float
    last_used_at: float | None = Field(description="To the hour.")


class Invitation(Exact):
    """A group's code, from whoever has it."""

    code: str = Field(min_length=1, max_length=200)


class Joining(Exact):
    """Join a group. `keep`: a browser gets the key as a cookie, a program in the answer."""

    code: str = Field(min_length=1, max_length=200)
    name: str = Field("a browser", min_length=1, max_length=120)
    keep: Literal["cookie", "answer"] = "answer"


class InvitedGroup(Wire):
    """What a code leads to."""

    name: str
    owner: str


class JoinedGroup(Wire):
    """A group that one is a member of."""

    id: str
    name: str
    owner: str
    key: str | None = Field(
        None, description="May donate for the group, and nothing else. Shown to programs, once."
    )
