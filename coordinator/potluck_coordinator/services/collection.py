"""What nothing names any more is collected: bytes, strangers' records, and the database's room."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from functools import partial
from itertools import islice

from potluck_coordinator.services.renderings import sweep
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage import access, artifact_uses, donors, groups, uploads, vacuum
from potluck_coordinator.storage.transaction import Transaction

MARK = "artifacts-of"
FEW = 20
PAGES_AT_ONCE = 500
ROWS_AT_ONCE = 500
MOST_STRANGERS = 100_000
"""In one round: the next one takes the others."""
PAUSE_SECONDS = 0.05
GROUP_SECONDS = 30 * 86_400.0
"""Visitors' groups without members and studies go after so long."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Collected:
    """What one round found: artifacts, records of donors, pages of the database."""

    artifacts: int
    donors: int
    pages: int


async def collect(site: Site) -> Collected:
    """Delete what is older than `collect_after` seconds and named by nothing; old models' files.

    An upload under way is not touched: its bytes are younger, or held until they are named.
    """
    now = site.now()
    before = now - site.settings.collect_after
    unseen = now - site.settings.forget_donors_after

    await _forget_uploads(site, before)
    gone = await _forget_strangers(site, unseen)
    await _forget_groups(site, now - GROUP_SECONDS)
    own = site.settings.owns_artifacts() and await _belongs_together(site)
    artifacts = await _collect_artifacts(site, before) if own else 0
    artifacts += await sweep(site)
    return Collected(artifacts, gone, await _give_room_back(site))


async def _forget_uploads(site: Site, before: float) -> None:
    """Forget what leases uploaded that ended long ago, some at a time: others write in between."""
    some: list[str] = []
    while some := await site.writer.read(lambda tx: uploads.stale(tx, before, ROWS_AT_ONCE)):
        await site.writer.run(partial(uploads.forget, lease_ids=some))


async def _forget_strangers(site: Site, unseen: float) -> int:
    """Forget donors who did nothing, some at a time: others write in between.

    Each round looks for all that it may forget, in a reader's thread, and looks no more than once.
    """
    online = site.presence.donors()
    found = await site.writer.read(lambda tx: donors.strangers(tx, unseen, online, MOST_STRANGERS))
    gone = 0
    for begin in range(0, len(found), ROWS_AT_ONCE):
        some = found[begin : begin + ROWS_AT_ONCE]
        forget = partial(donors.forget_strangers, donor_ids=some, before=unseen)
        gone += await site.writer.run(forget)
    return gone


async def _forget_groups(site: Site, before: float) -> None:
    """Forget visitors' groups that nobody uses, some at a time."""
    forgotten = partial(groups.forget_unused, before=before, most=ROWS_AT_ONCE)
    while some := await site.writer.run(forgotten):
        for group in some:
            site.whence.forget(group)


async def _belongs_together(site: Site) -> bool:
    """Say whether this folder's artifacts are this database's: else all of them had no name.

    The database is known by its first account, the folder by a file that says whose it is. A folder
    without that file is this database's if it holds something that the database names.
    """
    first = await site.writer.read(access.first_account)
    mark = site.settings.data / MARK
    if first is None:
        return False
    if not mark.exists():
        names = await site.writer.read(lambda tx: list(islice(artifact_uses.all_names(tx), FEW)))
        if not any([await site.artifacts.exists(name) for name in names]):
            return False
        mark.write_text(first)
    if mark.read_text() == first:
        return True
    _log.warning(
        "Nothing is collected: the artifacts in the data folder are another database's. "
        "If they are this one's, delete the file %s.",
        MARK,
    )
    return False


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
