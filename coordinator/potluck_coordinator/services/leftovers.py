"""Bytes that no fact names any more."""

from __future__ import annotations

from collections.abc import Iterable

from potluck_coordinator.services.site import Site
from potluck_coordinator.storage import artifact_uses
from potluck_coordinator.storage.transaction import Transaction


async def forget(site: Site, artifacts: Iterable[str]) -> None:
    """Delete those of these artifacts that no fact names. Ask after the facts were deleted."""
    candidates = set(artifacts)

    def unnamed(tx: Transaction) -> set[str]:
        return {sha for sha in candidates if not artifact_uses.is_named(tx, sha)}

    for sha in await site.writer.run(unnamed):
        await site.artifacts.delete(sha)
