"""Who may read which artifact. Anything else does not exist, as far as the asker is told."""

from __future__ import annotations

from potluck_coordinator.core.errors import NotFound
from potluck_coordinator.core.leases import LeaseState
from potluck_coordinator.core.records import Lease
from potluck_coordinator.services.access import Asker
from potluck_coordinator.services.leases import hash_token
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage import access, artifact_uses, leases, studies, units
from potluck_coordinator.storage.transaction import Transaction


def hidden(sha: str) -> NotFound:
    """Refuse what is not there, or not there for whoever asks.

    Args:
        sha: What was asked for.
    """
    return NotFound(
        "artifact.not_found",
        "There is no such artifact for this lease or session.",
        got=sha[:64],
    )


async def lease_reads(site: Site, token: str, sha: str) -> None:
    """Allow a held lease its unit's topology, start and tensors; raise NotFound otherwise."""

    def look(tx: Transaction) -> None:
        lease = leases.by_token(tx, hash_token(token))
        if lease is None or lease.state != LeaseState.HELD:
            raise hidden(sha)
        if not _is_still_permitted(tx, lease, site.now()):
            raise hidden(sha)
        unit = units.get(tx, lease.unit_id)
        if sha not in (unit.topology, unit.tensors, lease.start):
            raise hidden(sha)

    await site.writer.read(look)


def _is_still_permitted(tx: Transaction, lease: Lease, now: float) -> bool:
    """Say whether the token by which a lease was had still opens something.

    Whoever was removed meanwhile may end what it trains, and gets no rows any more.
    """
    return lease.permit is None or access.find_by_token_id(tx, lease.permit, now) is not None


async def session_reads(site: Site, asker: Asker, sha: str) -> None:
    """Allow what belongs to a study that the asker may see; encoded held rows never."""

    def look(tx: Transaction) -> None:
        for study_id, owner_only in artifact_uses.of(tx, sha):
            study = studies.get(tx, study_id)
            if asker.may_edit(study) or (not owner_only and asker.may_see(study)):
                return
        raise hidden(sha)

    await site.writer.read(look)
