"""Bytes that no fact names any more."""

from __future__ import annotations

from collections.abc import Iterable

from potluck_coordinator.services.site import Site
from potluck_coordinator.storage import artifact_uses, renderings, uploads


async def forget(site: Site, artifacts: Iterable[str]) -> int:
    """Delete those of these artifacts that no fact names. Ask after the facts were deleted.

    What somebody puts meanwhile, or has put and is about to name, stays. With models' graphs and
    weights go the files that were written of them. Gives how many went.
    """
    candidates = set(artifacts)
    if not candidates:
        return 0
    files = await site.writer.read(lambda tx: renderings.of_no_model(tx, candidates))
    if files:
        await site.writer.run(lambda tx: renderings.remove(tx, files))
    return await _forget(site, candidates | {file.artifact for file in files})


async def _forget(site: Site, candidates: set[str]) -> int:
    gone = 0
    with site.artifacts.watching(candidates) as watch:
        kept = await site.writer.read(lambda tx: artifact_uses.named(tx, candidates))
        for sha in candidates - kept:
            gone += await site.artifacts.delete_unless_put(sha, watch)
    return gone


async def forget_uploads(site: Site) -> int:
    """Delete what ended leases uploaded and nothing counts of."""
    gone = 0
    while some := await site.writer.run(uploads.release):
        gone += await forget(site, some)
    return gone


async def forget_superseded(site: Site) -> int:
    """Delete states that newer ones took the place of, unless somebody goes on from them."""
    some = {site.superseded.pop() for _ in range(len(site.superseded))}
    return await forget(site, some)
