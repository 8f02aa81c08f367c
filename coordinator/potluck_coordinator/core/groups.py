"""Groups: a submitter's circle of donors, who join by a code and get donate-only keys."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Literal

Donors = Literal["everyone", "group", "mine"]
"""Who gets a study's units."""

CODE_BYTES = 16
"""128 random bits: nobody guesses a code, at whatever rate."""
MOST_GROUPS = 50
"""Groups of one owner."""
MOST_MEMBERS = 2000
"""Members of one group that were not removed."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """An owner's group. `code` is what lets others join."""

    id: str
    name: str
    owner: str
    code: str
    code_hash: str
    created_at: float


@dataclass(frozen=True)
class Reach:
    """Whose units a donor may get, beside those for everyone."""

    owners: dict[str, str | None]
    """Owner -> the token that says so; None: a visitor's key, which nobody can take back."""
    groups: dict[str, str]
    """Group -> the member's key."""

    def permits(self, donors: str, owner: str, group_id: str | None) -> bool:
        """Say whether the donor may get a study's units.

        Args:
            donors: Whom the study is for.
            owner: Whose study it is.
            group_id: Its group; None unless it is for one.
        """
        if donors == "everyone":
            return True
        return owner in self.owners if donors == "mine" else group_id in self.groups

    def permit(self, donors: str, owner: str, group_id: str | None) -> str | None:
        """Give the token that lets the donor have a study's units; None: it needs none.

        Args:
            donors: Whom the study is for.
            owner: Whose study it is.
            group_id: Its group; None unless it is for one.
        """
        if donors == "mine":
            return self.owners.get(owner)
        return self.groups.get(group_id or "") if donors == "group" else None


NO_REACH = Reach({}, {})


def new_code(random: bytes) -> str:
    """Spell a code. Raises `ValueError` for fewer than 16 random bytes."""
    if len(random) < CODE_BYTES:
        raise ValueError(f"A code takes {CODE_BYTES} random bytes, got {len(random)}.")
    return base64.urlsafe_b64encode(random).decode().rstrip("=")


def hash_code(code: str) -> str:
    """Give what a code is looked up by: how long that takes says nothing about the code."""
    return hashlib.sha256(f"potluck group {code.strip()}".encode()).hexdigest()
