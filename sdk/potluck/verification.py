"""Recompute a ledger's chain, without trusting the coordinator that wrote it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import rfc8785

from potluck.protocol.records import Ledger, LedgerEntry

GENESIS = "0" * 64
"""What a chain's first entry names as its predecessor."""


@dataclass(frozen=True)
class Verification:
    """What came of a check. `problem` is empty when the chain holds."""

    study_id: str
    entries: int
    head: str
    problem: str = ""
    at_seq: int | None = None

    @property
    def holds(self) -> bool:
        """Say whether every entry is what it was when it was written."""
        return not self.problem


def entry_hash(entry: LedgerEntry) -> str:
    """Hash an entry: SHA-256, in hexadecimal, of its RFC 8785 canonical JSON without `hash`.

    Raises `ValueError` for a body that canonical JSON has no form for.
    """
    return hashlib.sha256(
        rfc8785.dumps(
            {
                "seq": entry.seq,
                "kind": entry.kind,
                "at": entry.at,
                "body": entry.body,
                "previous": entry.previous,
            }
        )
    ).hexdigest()


def verify_ledger(ledger: Ledger) -> Verification:
    """Check that entries are numbered from 0, follow each other by hash, and end at `head`."""
    previous = GENESIS
    for seq, entry in enumerate(ledger.entries):
        problem = _problem(entry, seq, previous)
        if problem:
            return Verification(ledger.study_id, len(ledger.entries), ledger.head, problem, seq)
        previous = entry.hash
    problem = ""
    if ledger.head != previous:
        problem = "The head is not the last entry's hash: entries are missing at the end."
    at = len(ledger.entries) if problem else None
    return Verification(ledger.study_id, len(ledger.entries), ledger.head, problem, at)


def _problem(entry: LedgerEntry, seq: int, previous: str) -> str:
    if entry.seq != seq:
        return f"Entry {seq} calls itself {entry.seq}: entries are missing, doubled or moved."
    if entry.previous != previous:
        return f"Entry {seq} does not follow the entry before it."
    try:
        expected = entry_hash(entry)
    except ValueError as error:
        return f"Entry {seq} ({entry.kind}) has no canonical form: {error}."
    if entry.hash != expected:
        return f"Entry {seq} ({entry.kind}) is not what it was when it was written."
    return ""
