"""States that leases upload: how many are kept of one, while it is held and once it has expired."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from potluck_coordinator.core.errors import BadResult, PotluckError
from potluck_coordinator.core.leases import LeaseState
from potluck_coordinator.core.records import Lease, Unit
from potluck_coordinator.core.units import COMMIT_STEPS, steps_per_epoch
from potluck_coordinator.services.challenges import allows_upload
from potluck_coordinator.services.leases import hash_token
from potluck_coordinator.services.leftovers import forget
from potluck_coordinator.services.rates import Rate
from potluck_coordinator.services.rights import hidden
from potluck_coordinator.services.room import must_be_shared
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage import leases, units, uploads
from potluck_coordinator.storage.transaction import Transaction, after_commit

MOST_STATES = 3 * COMMIT_STEPS
"""States of one lease that are kept at a time. It needs those that a replay may ask for, the one to
go on from and its result; when it names a newer one to go on from, the older one goes."""
MOST_LATE = 2
"""States of an expired lease, beside those that something names: its result, and once more."""
OPEN = (LeaseState.HELD, LeaseState.EXPIRED)


async def lease_writes(site: Site, token: str, sha: str) -> tuple[Lease, Unit]:
    """Allow an upload with a lease that is held, late or challenged.

    Args:
        site: The coordinator.
        token: The lease's.
        sha: What is to be uploaded.

    Raises:
        NotFound: `artifact.not_found`, for any other lease.
        BadResult: `result.too_many_uploads`.
        NoRoom: `disk.share`.
        TooOften: `rate.lease_states`.
    """

    def look(tx: Transaction) -> tuple[Lease, Unit]:
        lease = leases.by_token(tx, hash_token(token))
        if lease is None:
            raise hidden(sha)
        unit = units.get(tx, lease.unit_id)
        if lease.state in OPEN:
            _must_be_few(tx, lease, unit, sha)
            _must_be_shared(site, tx, lease, 0)
        elif not allows_upload(tx, lease.id, sha):
            raise hidden(sha)
        return lease, unit

    found = await site.writer.read(look)
    site.rates.charge(Rate.LEASE_STATES, found[0].id)
    return found


async def note(site: Site, lease_id: str, sha: str, size: int) -> None:
    """Remember what a lease has uploaded; of what came at once with too much else nothing stays.

    Call it while the bytes are held under `naming`.

    Args:
        site: The coordinator.
        lease_id: The lease.
        sha: Its state.
        size: The state's bytes.

    Raises:
        NotFound: `artifact.not_found` where its study was deleted meanwhile.
        BadResult: `result.too_many_uploads`.
        NoRoom: `disk.share`.
    """

    def act(tx: Transaction) -> None:
        lease = leases.get(tx, lease_id)
        if lease is None:
            raise hidden(sha)
        if lease.state in OPEN:
            _must_be_few(tx, lease, units.get(tx, lease.unit_id), sha)
            _must_be_shared(site, tx, lease, size)
        uploads.note(tx, lease_id, sha, size)
        after_commit(tx, lambda: site.state_shares.came(lease.donor_id, size))

    try:
        await site.writer.run(act)
    except PotluckError:
        await forget(site, {sha})
        raise


async def newest(site: Site, some: Sequence[Lease]) -> dict[str, str]:
    """Give the state that came last of each lease that has several which nothing names.

    Args:
        site: The coordinator.
        some: The leases.
    """

    def look(tx: Transaction) -> dict[str, list[str]]:
        return {lease.id: _unnamed(tx, lease, units.get(tx, lease.unit_id)) for lease in some}

    found: dict[str, str] = {}
    for lease_id, states in (await site.writer.read(look)).items():
        if len(states) > 1:
            found[lease_id] = max([(await site.artifacts.put_at(sha), sha) for sha in states])[1]
    return found


def leave_few(
    site: Site, tx: Transaction, lease: Lease, unit: Unit, newest: Mapping[str, str]
) -> None:
    """Forget what an expired lease does not need to be finished late.

    What stays is its unit's state to go on from, what it committed to for the unit's end, and
    what came last.

    Args:
        site: The coordinator.
        tx: The transaction in which it expires.
        lease: The lease.
        unit: Its unit, as it was before.
        newest: By lease, what came last.
    """
    if lease.id not in newest:
        return
    gone = [sha for sha in _unnamed(tx, lease, unit) if sha != newest[lease.id]]
    for sha in gone:
        uploads.drop(tx, lease.id, sha)
    after_commit(tx, lambda: site.superseded.update(gone))


def _must_be_few(tx: Transaction, lease: Lease, unit: Unit, sha: str) -> None:
    if uploads.has(tx, lease.id, sha):
        return
    held = lease.state == LeaseState.HELD
    most = MOST_STATES if held else MOST_LATE
    kept = uploads.count(tx, lease.id) if held else len(_unnamed(tx, lease, unit))
    if kept >= most and (held or sha != _committed_end(lease, unit)):
        raise BadResult(
            "result.too_many_uploads",
            "This lease keeps more states here than a unit needs."
            if held
            else "This lease has expired, and needs to upload nothing but its result.",
            expected=f"at most {most}",
            got="one more",
            hint="Say `checkpoint` of a newer state: the older one goes then."
            if held
            else "Hand in what was uploaded, or ask for work.",
        )


def _must_be_shared(site: Site, tx: Transaction, lease: Lease, size: int) -> None:
    mine, network = lease.donor_id, site.presence.network_of(lease.donor_id)

    def near(donor: str) -> bool:
        return donor == mine or (network is not None and site.presence.network_of(donor) == network)

    must_be_shared(site, site.state_shares.of(tx, site.now(), near), size)


def _unnamed(tx: Transaction, lease: Lease, unit: Unit) -> list[str]:
    """List a lease's uploads but for the state to go on from, and what it said its end would be."""
    named = {_committed_end(lease, unit)}
    if unit.checkpoint_lease == lease.id:
        named.add(unit.checkpoint)
    return [sha for sha in uploads.of(tx, lease.id) if sha not in named]


def _committed_end(lease: Lease, unit: Unit) -> str | None:
    end = unit.to_epoch * steps_per_epoch(unit.rows, unit.batch_size)
    return lease.commitments.get(str(end))
