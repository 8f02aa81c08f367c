"""Chains as the wire tells them: a study's, which outlives it, and the site's."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial

from potluck.protocol import records as wire
from potluck_coordinator.core.errors import NotFound
from potluck_coordinator.core.ledger import SITE_CHAIN, Entry
from potluck_coordinator.services.access import Asker
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage import access, datasets, studies
from potluck_coordinator.storage.ledger import entries, first_of, head, length
from potluck_coordinator.storage.transaction import Transaction

READ_AT_ONCE = 100
"""Entries of a chain that are in memory for one reader."""


@dataclass(frozen=True)
class Part:
    """A chain, or a part of it, that somebody may read."""

    chain: str
    head: str
    length: int
    first: int
    """The number of its first entry."""
    end: int
    """That of the entry after its last."""


async def study_ledger(
    site: Site,
    asker: Asker,
    study_id: str,
    *,
    before: int | None = None,
    limit: int | None = None,
) -> Part:
    """Give a study's chain. A deleted study's stays readable by those who could read the study.

    With `limit`, only the last so many entries before number `before` (default: the chain's end),
    in the chain's order.
    """

    def look(tx: Transaction) -> Part:
        study = studies.find(tx, study_id)
        if study is not None:
            asker.must_see(study)
        elif not _may_read(tx, asker, first_of(tx, study_id, "study")):
            raise NotFound("study.not_found", "There is no such study.", got=study_id)
        return _part(tx, study_id, before, limit)

    return await site.writer.read(look)


async def site_ledger(
    site: Site, asker: Asker, *, before: int | None = None, limit: int | None = None
) -> Part:
    """Give the site's own chain: uploads and deletions, by hash. In pages like a study's.

    Whoever has a small table could find by its hash that somebody uploaded it, which is not for
    strangers to know.

    Args:
        site: The coordinator.
        asker: Who asks.
        before: With `limit`: entries before this number; None: up to the chain's end.
        limit: How many entries at most; None: all.

    Raises:
        NotSignedIn: `access.token_needed` for who has no account.
        NotAllowed: `access.donate_only`.
    """
    asker.must_have_account()
    return await site.writer.read(lambda tx: _part(tx, SITE_CHAIN, before, limit))


async def written(site: Site, part: Part) -> AsyncIterator[bytes]:
    """Write a part of a chain as JSON (`Ledger`), some entries at a time.

    What is appended meanwhile changes nothing: entries are numbered, and stay as they are.

    Args:
        site: The coordinator.
        part: Which entries.
    """
    yield b'{"study_id":%s,"entries":[' % json.dumps(part.chain).encode()
    for begin in range(part.first, part.end, READ_AT_ONCE):
        number = min(READ_AT_ONCE, part.end - begin)
        some = await site.writer.read(partial(_some, part.chain, begin, number))
        yield some if begin == part.first else b"," + some
    yield b'],"head":%s,"length":%d}' % (json.dumps(part.head).encode(), part.length)


def _some(chain: str, begin: int, number: int, tx: Transaction) -> bytes:
    found = entries(tx, chain, begin - 1, number)
    return b",".join(entry_to_wire(entry).model_dump_json().encode() for entry in found)


def _may_read(tx: Transaction, asker: Asker, entry: Entry | None) -> bool:
    """Say whether the entry that began a deleted study is there, and the asker's to read.

    The ledger names no visitor, and accounts by the names that they had: the dataset's row says
    whose the study was, and who has another account's former name owns nothing by that. Once that
    row is gone too, a private study's chain is the operator's alone to read.
    """
    if entry is None:
        return False
    told = entry.body if "visibility" in entry.body else entry.body["spec"]  # an earlier version's
    if told["visibility"] == "public" or asker.role == "admin":
        return True
    submitter = str(entry.body["submitter"])
    if access.find_account(tx, submitter) is not None and not asker.owns(submitter):
        return False
    dataset = datasets.find(tx, told.get("dataset") or told.get("dataset_id") or "")
    return dataset is not None and asker.owns(dataset.owner)


def _part(tx: Transaction, chain: str, before: int | None = None, limit: int | None = None) -> Part:
    there = length(tx, chain)
    end = there if before is None else min(before, there)
    first = 0 if limit is None else max(0, end - limit)
    return Part(chain, head(tx, chain), there, first, end)


def entry_to_wire(entry: Entry) -> wire.LedgerEntry:
    """Give what the wire tells of an entry: everything."""
    return wire.LedgerEntry(
        seq=entry.seq,
        kind=entry.kind,
        at=entry.at,
        body=dict(entry.body),
        previous=entry.previous,
        hash=entry.hash,
    )
