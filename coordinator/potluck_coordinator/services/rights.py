"""Who may read which artifact. Anything else does not exist, as far as the asker is told."""

from __future__ import annotations

from potluck_coordinator.core.errors import BadResult, NotFound
from potluck_coordinator.core.leases import LeaseState
from potluck_coordinator.core.records import Lease, Unit
from potluck_coordinator.core.units import COMMIT_STEPS
from potluck_coordinator.services.access import Asker
from potluck_coordinator.services.challenges import allows_upload
from potluck_coordinator.services.leases import hash_token
from potluck_coordinator.services.rates import Rate
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage import access, artifact_uses, leases, studies, units, uploads
from potluck_coordinator.storage.transaction import Transaction

MOST_STATES = 3 * COMMIT_STEPS
"""States of one lease that are kept at a time. It needs those that a replay may ask for, the one to
go on from and its result; when it names a newer one to go on from, the older one goes."""


def _hidden(sha: str) -> NotFound:
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
            raise _hidden(sha)
        if not _is_still_permitted(tx, lease, site.now()):
            raise _hidden(sha)
        unit = units.get(tx, lease.unit_id)
        if sha not in (unit.topology, unit.tensors, lease.start):
            raise _hidden(sha)

    await site.writer.read(look)


def _is_still_permitted(tx: Transaction, lease: Lease, now: float) -> bool:
    """Say whether the token by which a lease was had still opens something.

    Whoever was removed meanwhile may end what it trains, and gets no rows any more.
    """
    return lease.permit is None or access.find_by_token_id(tx, lease.permit, now) is not None


async def lease_writes(site: Site, token: str, sha: str) -> tuple[Lease, Unit]:
    """Allow an upload with a lease that is held, late or challenged; raise NotFound otherwise.

    Raises BadResult `result.too_many_uploads`; TooOften `rate.lease_states`.
    """

    def look(tx: Transaction) -> tuple[Lease, Unit]:
        lease = leases.by_token(tx, hash_token(token))
        if lease is None:
            raise _hidden(sha)
        if lease.state not in (LeaseState.HELD, LeaseState.EXPIRED):
            if not allows_upload(tx, lease.id, sha):
                raise _hidden(sha)
            return lease, units.get(tx, lease.unit_id)
        again = uploads.has(tx, lease.id, sha)
        if not again and uploads.count(tx, lease.id) >= MOST_STATES:
            raise BadResult(
                "result.too_many_uploads",
                "This lease keeps more states here than a unit needs.",
                expected=f"at most {MOST_STATES}",
                got="one more",
                hint="Say `checkpoint` of a newer state: the older one goes then.",
            )
        return lease, units.get(tx, lease.unit_id)

    found = await site.writer.read(look)
    site.rates.charge(Rate.LEASE_STATES, found[0].id)
    return found


async def session_reads(site: Site, asker: Asker, sha: str) -> None:
    """Allow what belongs to a study that the asker may see; encoded held rows never."""

    def look(tx: Transaction) -> None:
        for study_id, owner_only in artifact_uses.of(tx, sha):
            study = studies.get(tx, study_id)
            if asker.may_edit(study) or (not owner_only and asker.may_see(study)):
                return
        raise _hidden(sha)

    await site.writer.read(look)
