"""The ledger: facts are recorded with what makes them true, and chained before the commit."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import CursorResult, delete, func, insert, or_, select, text, update
from sqlmodel import Session, col

from potluck_coordinator.core.ledger import (
    GENESIS,
    SITE_CHAIN,
    Entry,
    canonical_body,
    ledger_time,
    link,
    read_body,
)
from potluck_coordinator.storage.hooks import after_commit
from potluck_coordinator.storage.ledger_tables import LedgerEntry, LedgerHead, LedgerOutbox

SEALER_LOCK = 0x506F746C75636B  # "Potluck": one sealer at a time among coordinators
SEAL_BLOCK = 1000
LOGGED = ("study", "trial", "unit", "lease", "model", "dataset")
"""Fields of a fact that name things; a log says no more of it."""

_log = logging.getLogger(__name__)


def record(session: Session, chain: str, kind: str, body: Mapping[str, Any], at: float) -> None:
    """Record a fact in this transaction. `chain`: a study's id or `SITE_CHAIN`; `at`: Unix time.

    Raises `ValueError` where the body holds NaN or infinities.
    """
    session.execute(
        insert(LedgerOutbox).values(
            chain=chain, kind=kind, body=canonical_body(body), at=ledger_time(at)
        )
    )
    named = {name: body[name] for name in LOGGED if isinstance(body.get(name), str | int)}
    if chain != SITE_CHAIN:
        named["study"] = chain
    after_commit(session, lambda: _log.info("recorded: %s", kind, extra=named))


def seal(session: Session, limit: int = SEAL_BLOCK) -> int:
    """Chain up to `limit` recorded facts in the order of their ids; give how many.

    With several coordinators on one PostgreSQL, sealers take turns: the lock is held until the
    transaction ends, and is the last one taken, so that it cannot be part of a deadlock.
    """
    unsealed = select(col(LedgerOutbox.id)).limit(1)
    if session.execute(unsealed).first() is None:
        return 0
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(SEALER_LOCK)))
    rows = session.execute(
        select(LedgerOutbox.__table__).order_by(text("id")).limit(limit)  # type: ignore[attr-defined]
    ).all()
    if not rows:
        return 0
    chains = sorted({row.chain for row in rows})
    heads = {
        row.chain: (row.seq, row.hash)
        for row in session.execute(
            select(LedgerHead.__table__).where(col(LedgerHead.chain).in_(chains))  # type: ignore[attr-defined]
        )
    }
    last = dict(heads)
    links = []
    for row in rows:
        seq, previous = last.get(row.chain, (-1, GENESIS))
        entry = link(seq + 1, row.kind, row.at, read_body(row.body), previous)
        last[row.chain] = (entry.seq, entry.hash)
        links.append(
            {
                "chain": row.chain,
                "seq": entry.seq,
                "kind": entry.kind,
                "body": row.body,
                "at": entry.at,
                "previous": entry.previous,
                "hash": entry.hash,
            }
        )
    session.execute(insert(LedgerEntry), links)
    for chain in chains:
        _move_head(session, chain, heads.get(chain), last[chain])
    session.execute(delete(LedgerOutbox).where(col(LedgerOutbox.id).in_([r.id for r in rows])))
    return len(rows)


def seal_all(session: Session) -> int:
    """Chain everything that is recorded; give how many facts."""
    total = 0
    while sealed := seal(session):
        total += sealed
    return total


def entries(session: Session, chain: str, after: int = -1, limit: int | None = None) -> list[Entry]:
    """Read a chain in order, from the entry that follows `after`."""
    query = (
        select(LedgerEntry.__table__)  # type: ignore[attr-defined]
        .where(col(LedgerEntry.chain) == chain, col(LedgerEntry.seq) > after)
        .order_by(col(LedgerEntry.seq))
        .limit(limit)
    )
    return [
        Entry(row.seq, row.kind, row.at, read_body(row.body), row.previous, row.hash)
        for row in session.execute(query)
    ]


def first_of(session: Session, chain: str, kind: str) -> Entry | None:
    """Give a chain's first entry of a kind, or None: what follows it is not read.

    Args:
        session: The transaction.
        chain: A study's id or `SITE_CHAIN`.
        kind: What the entry tells of, as in `record`.
    """
    query = (
        select(LedgerEntry.__table__)  # type: ignore[attr-defined]
        .where(col(LedgerEntry.chain) == chain, col(LedgerEntry.kind) == kind)
        .order_by(col(LedgerEntry.seq))
        .limit(1)
    )
    row = session.execute(query).first()
    if row is None:
        return None
    return Entry(row.seq, row.kind, row.at, read_body(row.body), row.previous, row.hash)


def of_trial(
    session: Session, chain: str, trial: int, since: float, *, scanned: int, most: int
) -> tuple[list[Entry], bool]:
    """Give a trial's entries in order, and whether there may be more than were looked for.

    Args:
        session: The transaction.
        chain: The study's id.
        trial: The trial's number.
        since: When it was made: what was recorded before is not looked at.
        scanned: How many of the chain's entries from then on are looked at.
        most: How many entries are given at most.
    """
    first = _first_since(session, chain, since)
    # The bodies are canonical JSON: a quotation mark within a text has a backslash before it.
    named = [col(LedgerEntry.body).contains(f'"trial":{trial}{end}') for end in ",}"]
    query = (
        select(LedgerEntry.__table__)  # type: ignore[attr-defined]
        .where(
            col(LedgerEntry.chain) == chain,
            col(LedgerEntry.seq) >= first,
            col(LedgerEntry.seq) < first + scanned,
            or_(*named),
        )
        .order_by(col(LedgerEntry.seq))
        .limit(most + 1)
    )
    read = [
        Entry(row.seq, row.kind, row.at, read_body(row.body), row.previous, row.hash)
        for row in session.execute(query)
    ]
    found = [entry for entry in read if entry.body.get("trial") == trial]
    more = len(read) > most or length(session, chain) > first + scanned
    return found[:most], more


def _first_since(session: Session, chain: str, since: float) -> int:
    """Give about where a chain's entries of a time begin: they are numbered in their order."""
    begin, end = 0, length(session, chain)
    at = ledger_time(since)
    while begin < end:
        middle = (begin + end) // 2
        query = select(col(LedgerEntry.at)).where(
            col(LedgerEntry.chain) == chain, col(LedgerEntry.seq) == middle
        )
        found = session.execute(query).scalar()
        if found is not None and found < at:
            begin = middle + 1
        else:
            end = middle
    return begin


def head(session: Session, chain: str) -> str:
    """Give the hash of a chain's last entry, `GENESIS` for an empty chain."""
    found = session.execute(
        select(col(LedgerHead.hash)).where(col(LedgerHead.chain) == chain)
    ).scalar()
    return GENESIS if found is None else found


def length(session: Session, chain: str) -> int:
    """Count a chain's entries: they are numbered from 0 without a gap."""
    last = session.execute(
        select(col(LedgerHead.seq)).where(col(LedgerHead.chain) == chain)
    ).scalar()
    return 0 if last is None else last + 1


def _move_head(
    session: Session, chain: str, old: tuple[int, str] | None, new: tuple[int, str]
) -> None:
    if old is None:
        session.execute(insert(LedgerHead).values(chain=chain, seq=new[0], hash=new[1]))
        return
    moved = session.execute(
        update(LedgerHead)
        .where(col(LedgerHead.chain) == chain, col(LedgerHead.hash) == old[1])
        .values(seq=new[0], hash=new[1])
    )
    if cast("CursorResult[Any]", moved).rowcount != 1:
        raise RuntimeError(f"Two sealers met on the chain {chain!r}.")
