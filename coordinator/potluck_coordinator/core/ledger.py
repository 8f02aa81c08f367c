"""The ledger's arithmetic: canonical bodies, hashes and the check of a chain."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import rfc8785

GENESIS = "0" * 64
"""What the first entry of every chain names as its predecessor."""

SITE_CHAIN = "site"
LARGEST_EXACT = 2**53


@dataclass(frozen=True)
class Entry:
    """One link of a chain. `hash` covers everything else."""

    seq: int
    kind: str
    at: str
    body: Mapping[str, Any]
    previous: str
    hash: str


def entry_hash(seq: int, kind: str, at: str, body: Mapping[str, Any], previous: str) -> str:
    """Hash an entry: SHA-256, in hexadecimal, of its RFC 8785 canonical JSON."""
    return hashlib.sha256(
        rfc8785.dumps({"seq": seq, "kind": kind, "at": at, "body": body, "previous": previous})
    ).hexdigest()


def link(seq: int, kind: str, at: str, body: Mapping[str, Any], previous: str) -> Entry:
    """Make the entry that follows `previous`."""
    return Entry(seq, kind, at, body, previous, entry_hash(seq, kind, at, body, previous))


def verify(entries: Iterable[Entry], head: str | None = None) -> int | None:
    """Give the first `seq` at which a whole chain is broken, or None.

    With `head`, a chain whose end was cut off is broken at the first entry that is missing.
    """
    previous = GENESIS
    seq = 0
    for entry in entries:
        try:
            expected = entry_hash(entry.seq, entry.kind, entry.at, entry.body, entry.previous)
        except (rfc8785.CanonicalizationError, ValueError):
            return seq
        if (entry.seq, entry.previous, entry.hash) != (seq, previous, expected):
            return seq
        previous = entry.hash
        seq += 1
    return seq if head is not None and head != previous else None


def ledger_time(seconds: float) -> str:
    """Write a Unix time as UTC in RFC 3339 with milliseconds."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ledger_safe(value: Any) -> Any:
    """Give the one form of a value that canonical JSON writes and reads back unchanged.

    Numbers beyond ±2^53 become strings; whole floats become integers; tuples become lists. Raises
    `ValueError` for NaN and infinities, keys that are no strings, and text that is no Unicode;
    `TypeError` for what JSON has no word for.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        value.encode()  # a lone surrogate has no UTF-8; UnicodeEncodeError is a ValueError
        return value
    if isinstance(value, int):
        return int(value) if abs(value) < LARGEST_EXACT else str(int(value))
    if isinstance(value, float):
        return _safe_float(float(value))
    if isinstance(value, Mapping):
        return {_safe_key(key): ledger_safe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [ledger_safe(item) for item in value]
    raise TypeError(f"The ledger has no form for a {type(value).__name__}.")


def canonical_body(body: Mapping[str, Any]) -> str:
    """Write a body as the canonical JSON text that storage keeps."""
    return rfc8785.dumps(ledger_safe(body)).decode()


def read_body(text: str) -> dict[str, Any]:
    """Read what `canonical_body` wrote."""
    body: dict[str, Any] = json.loads(text)
    return body


def _safe_float(value: float) -> int | float | str:
    if not math.isfinite(value):
        raise ValueError(f"The ledger takes no {value}.")
    if not value.is_integer():
        return value
    return int(value) if abs(value) < LARGEST_EXACT else repr(value)


def _safe_key(key: object) -> str:
    if not isinstance(key, str):
        raise ValueError(f"The ledger's keys are strings, got {type(key).__name__}.")
    key.encode()
    return key
