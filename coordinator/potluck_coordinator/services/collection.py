"""What nothing names any more is collected: bytes, strangers' records, and the database's room."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from potluck_coordinator.services.site import Site
from potluck_coordinator.storage import artifact_uses, donors, leases, vacuum
from potluck_coordinator.storage.transaction import Transaction

PAGES_AT_ONCE = 500
PAUSE_SECONDS = 0.05


@dataclass(frozen=True)
class Collected:
    """What one round found: artifacts, records of donors, pages of the database."""

    artifacts: int
    donors: int
    pages: int


async def collect(site: Site) -> Collected:
    """Delete what is older than `collect_after` seconds and named by nothing.

    An upload under way is not touched: its bytes are younger, or held until they are named.
    """
    now = site.now()
    before = now - site.settings.collect_after
    unseen = now - site.settings.forget_donors_after
    online = site.presence.donors()

    def forget_rows(tx: Transaction) -> int:
        leases.forget_uploads(tx, before)
        return donors.forget_strangers(tx, unseen, online)

    gone = await site.writer.run(forget_rows)
    artifacts = await _collect_artifacts(site, before) if site.settings.owns_artifacts() else 0
    return Collected(artifacts, gone, await _give_room_back(site))


async def _collect_artifacts(site: Site, before: float) -> int:
    candidates = await asyncio.to_thread(site.artifacts.older_than, before)
    if not candidates:
        return 0
    gone = 0
    with site.artifacts.watching(candidates) as watch:
        for sha in await site.writer.read(lambda tx: _unnamed(tx, candidates)):
            gone += await site.artifacts.delete_unless_put(sha, watch)
    return gone


def _unnamed(tx: Transaction, candidates: set[str]) -> set[str]:
    left = set(candidates)
    for name in artifact_uses.all_names(tx):
        left.discard(name)
    return left


async def _give_room_back(site: Site) -> int:
    """Shrink the database piece by piece, so that others can write in between."""
    pages = 0
    while freed := await site.writer.run(lambda tx: vacuum.give_back(tx, PAGES_AT_ONCE)):
        pages += freed
        await asyncio.sleep(PAUSE_SECONDS)
    if pages:
        await asyncio.to_thread(site.writer.copy_log)
    return pages
