"""Chains as the wire tells them: a study's, which outlives it, and the site's."""

from __future__ import annotations

from potluck.protocol import records as wire
from potluck_coordinator.core.errors import NotFound
from potluck_coordinator.core.ledger import SITE_CHAIN, Entry
from potluck_coordinator.services.access import Asker
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage import access, datasets, studies
from potluck_coordinator.storage.ledger import entries, first_of, head, length
from potluck_coordinator.storage.transaction import Transaction


async def study_ledger(
    site: Site,
    asker: Asker,
    study_id: str,
    *,
    before: int | None = None,
    limit: int | None = None,
) -> wire.Ledger:
    """Give a study's chain. A deleted study's stays readable by those who could read the study.

    With `limit`, only the last so many entries before number `before` (default: the chain's end),
    in the chain's order.
    """

    def look(tx: Transaction) -> wire.Ledger:
        study = studies.find(tx, study_id)
        if study is not None:
            asker.must_see(study)
        elif not _may_read(tx, asker, first_of(tx, study_id, "study")):
            raise NotFound("study.not_found", "There is no such study.", got=study_id)
        return _ledger(tx, study_id, before, limit)

    return await site.writer.read(look)


async def site_ledger(
    site: Site, *, before: int | None = None, limit: int | None = None
) -> wire.Ledger:
    """Give the site's own chain: uploads and deletions, by hash. In pages like a study's.

    Args:
        site: The coordinator.
        before: With `limit`: entries before this number; None: up to the chain's end.
        limit: How many entries at most; None: all.
    """
    return await site.writer.read(lambda tx: _ledger(tx, SITE_CHAIN, before, limit))


def _may_read(tx: Transaction, asker: Asker, entry: Entry | None) -> bool:
    """Say whether the entry that began a deleted study is there, and the asker's to read.

    The ledger names no visitor, and accounts by the names that they had: the dataset's row says
    whose the study was, and who has another account's former name owns nothing by that.
    """
    if entry is None:
        return False
    if entry.body["spec"]["visibility"] == "public" or asker.role == "admin":
        return True
    submitter = str(entry.body["submitter"])
    others = access.find_account(tx, submitter) is not None and not asker.owns(submitter)
    return not others and asker.owns(datasets.get(tx, entry.body["spec"]["dataset_id"]).owner)


def _ledger(
    tx: Transaction, chain: str, before: int | None = None, limit: int | None = None
) -> wire.Ledger:
    there = length(tx, chain)
    end = there if before is None else min(before, there)
    first = 0 if limit is None else max(0, end - limit)
    told = [entry_to_wire(entry) for entry in entries(tx, chain, first - 1, end - first)]
    return wire.Ledger(study_id=chain, entries=told, head=head(tx, chain), length=there)


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
