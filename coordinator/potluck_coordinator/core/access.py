"""Who may do what: tokens, accounts and sessions, without a database."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import Literal

from potluck_coordinator.core.errors import Conflict

Role = Literal["admin", "submitter"]
Scope = Literal["all", "donate"]
"""What a token opens: all that its account may do, or donating alone."""

USE_NOTED_EVERY_S = 3600.0
"""When a token was last used is kept to the hour: no request needs to write."""
DAY_S = 24 * 3600.0
TOKEN_PREFIX = "potluck_"
TOKEN_BYTES = 32


@dataclass(frozen=True)
class Account:
    """Somebody who may submit. `id` is no secret and never changes."""

    id: str
    name: str
    role: Role
    created_at: float
    revoked: bool

    @property
    def is_admin(self) -> bool:
        """Say whether this account may manage others."""
        return self.role == "admin" and not self.revoked


@dataclass(frozen=True, kw_only=True)
class Token:
    """A key to an account, or that of a group's member. Its secret is kept as a hash alone."""

    id: str
    account_id: str | None
    group_id: str | None
    """The group whose units its holder may train; None for an account's own token."""
    name: str
    scope: Scope
    token_hash: str
    created_at: float
    last_used_at: float | None = None
    expires_at: float | None = None
    revoked_at: float | None = None

    def is_alive(self, at: float) -> bool:
        """Say whether it opens anything at a time, as far as the token itself goes."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)

    def use_is_news(self, at: float) -> bool:
        """Say whether its use now is to be noted."""
        return self.last_used_at is None or at - self.last_used_at >= USE_NOTED_EVERY_S


def expiry(now: float, days: float | None) -> float | None:
    """Give when a token expires, as a Unix time.

    Args:
        now: The Unix time from which the days count.
        days: In how many days; None: never.
    """
    return None if days is None else now + days * DAY_S


def token_ended(token: Token) -> Conflict:
    """Refuse to change a token that ended: whoever lost it would hold a key again.

    Args:
        token: One that is not alive.
    """
    how = "expired" if token.revoked_at is None else "revoked"
    return Conflict(
        "token.state",
        "This token has expired." if how == "expired" else "This token was revoked.",
        expected="a token that has not ended",
        got=f"{'an' if how == 'expired' else 'a'} {how} one",
        hint="What ended stays so: make another one.",
    )


@dataclass(frozen=True)
class BrowserSession:
    """A browser's sign-in by a token. Who has none is a visitor (`core.visitors`)."""

    token_id: str
    csrf: str
    expires_at: float


@dataclass(frozen=True)
class Bearer:
    """Who holds a token that is alive: its account, unless it is a group's member alone."""

    token: Token
    account: Account | None


def new_token(random: bytes) -> str:
    """Make a token from at least 32 random bytes. Raises `ValueError` for fewer."""
    if len(random) < TOKEN_BYTES:
        raise ValueError(f"A token takes {TOKEN_BYTES} random bytes, got {len(random)}.")
    return TOKEN_PREFIX + base64.urlsafe_b64encode(random).decode().rstrip("=")


def hash_token(token: str) -> str:
    """Give what is kept of a token: SHA-256 in hexadecimal. Tokens are random, so no salt."""
    return hashlib.sha256(token.strip().encode()).hexdigest()


def same_secret(given: str, expected: str) -> bool:
    """Compare two secrets in a time that does not tell where they differ."""
    return hmac.compare_digest(given.encode(), expected.encode())
