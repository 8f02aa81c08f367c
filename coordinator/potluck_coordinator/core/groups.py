"""Groups: a submitter's circle of donors, who join by a code and get donate-only keys."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
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
class Circle:
    """The donors who may get a study's units."""

    donors: Donors
    owner: str = ""
    """Whose study it is; says nothing where it is for everyone."""
    group_id: str | None = None
    """The group; None unless it is for one."""


EVERYONE = Circle("everyone")


def circle_of(donors: str, owner: str, group_id: str | None) -> Circle:
    """Give the circle of a study.

    Args:
        donors: Whom it is for: `everyone`, `group` or `mine`.
        owner: Whose study it is.
        group_id: Its group; None unless it is for one.

    Raises:
        ValueError: For another word than these three.
    """
    if donors == "everyone":
        return EVERYONE
    if donors == "group":
        return Circle("group", owner, group_id)
    if donors == "mine":
        return Circle("mine", owner)
    raise ValueError(f"No circle of donors is called {donors!r}.")


@dataclass(frozen=True)
class Reach:
    """Whose units a donor may get, beside those for everyone."""

    owners: Mapping[str, str | None]
    """Owner -> the token that says so; None: a visitor's key, which nobody can take back."""
    groups: Mapping[str, str]
    """Group -> the member's key."""

    def permits(self, circle: Circle) -> bool:
        """Say whether the donor may get the units of a circle's studies.

        A group's studies are for its members, and for their owner's own donors.
        """
        if circle == EVERYONE or circle.owner in self.owners:
            return True
        return circle.donors == "group" and circle.group_id in self.groups

    def permit(self, circle: Circle) -> str | None:
        """Give the token that lets the donor have a circle's units; None: it needs none."""
        if circle == EVERYONE:
            return None
        if circle.owner in self.owners:
            return self.owners[circle.owner]
        return self.groups.get(circle.group_id or "") if circle.donors == "group" else None

    def tokens(self) -> frozenset[str]:
        """Give the tokens that it stands on."""
        return frozenset(t for t in (*self.owners.values(), *self.groups.values()) if t is not None)


NO_REACH = Reach({}, {})


def new_code(random: bytes) -> str:
    """Spell a code. Raises `ValueError` for fewer than 16 random bytes."""
    if len(random) < CODE_BYTES:
        raise ValueError(f"A code takes {CODE_BYTES} random bytes, got {len(random)}.")
    return base64.urlsafe_b64encode(random).decode().rstrip("=")


def hash_code(code: str) -> str:
    """Give what a code is looked up by: how long that takes says nothing about the code."""
    return hashlib.sha256(f"potluck group {code.strip()}".encode()).hexdigest()
