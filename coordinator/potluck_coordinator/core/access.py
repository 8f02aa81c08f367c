"""Who may do what: tokens, accounts and sessions, without a database."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import Literal

Role = Literal["admin", "submitter"]

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


@dataclass(frozen=True)
class BrowserSession:
    """A browser's sign-in to an account. Who has none is a visitor (`core.visitors`)."""

    account_id: str
    csrf: str
    expires_at: float


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
