"""Visitors of an open coordinator: whoever has no account owns things by a secret key of their own.

Nothing is kept of a key but the name of its owner, in what that owner made: strangers cannot fill
the database by asking for keys.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

ANYONE = "anyone"
"""The name that everybody without an account has for others, and whose things nobody owns."""
KEY_PREFIX = "potluck_visitor_"
"""`potluck.visitor` writes the same."""
KEY_BYTES = 32
_KEY = re.compile(re.escape(KEY_PREFIX) + r"[A-Za-z0-9_-]{43}")
OWNER_PREFIX = f"{ANYONE}:"


def new_visitor_key(random: bytes) -> str:
    """Make a key.

    Args:
        random: 32 random bytes.

    Raises:
        ValueError: For fewer or more bytes.
    """
    if len(random) != KEY_BYTES:
        raise ValueError(f"A visitor's key takes {KEY_BYTES} random bytes, got {len(random)}.")
    return KEY_PREFIX + base64.urlsafe_b64encode(random).decode().rstrip("=")


def begins_as_visitor_key(word: str) -> bool:
    """Say whether a word wants to be a visitor's key, well-formed or not.

    Args:
        word: What came where a token or a key may.
    """
    return word.startswith(KEY_PREFIX)


def is_visitor_key(word: str) -> bool:
    """Say whether a word has the form of a visitor's key: one length, one alphabet.

    Args:
        word: What came where a key may.
    """
    return _KEY.fullmatch(word) is not None


def owner_of(key: str) -> str:
    """Name the owner of what the holder of a key makes. Never to be shown: see `shown_owner`.

    Args:
        key: A well-formed visitor's key.
    """
    return OWNER_PREFIX + _derive(key, "owner")


def csrf_of(key: str) -> str:
    """Give the secret that a browser's changing requests carry beside the cookie with its key.

    Args:
        key: A well-formed visitor's key.
    """
    return _derive(key, "csrf")


def has_no_account(owner: str) -> bool:
    """Say whether an owner has no account.

    Args:
        owner: Whom a study, model or dataset is kept under.
    """
    return owner == ANYONE or owner.startswith(OWNER_PREFIX)


def shown_owner(owner: str) -> str:
    """Give the name of an owner as everybody may read it.

    Args:
        owner: Whom a study, model or dataset is kept under.
    """
    return ANYONE if has_no_account(owner) else owner


def _derive(key: str, purpose: str) -> str:
    return hmac.new(key.encode(), purpose.encode(), hashlib.sha256).hexdigest()
