"""Keep leases alive: resume, heartbeat, checkpoint. Who gets work: see `granting`."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from potluck.protocol import donor as wire
from potluck_coordinator.core.claims import sharing
from potluck_coordinator.core.errors import BadResult, NotFound
from potluck_coordinator.core.ids import donor_name
from potluck_coordinator.core.leases import LeaseState, worth_going_on
from potluck_coordinator.core.records import Donor, Lease, Trial, Unit
from potluck_coordinator.core.units import UnitState, commit_steps, steps_per_epoch
from potluck_coordinator.services.chains import chain_to
from potluck_coordinator.services.lease_words import SECONDS_PER_UNIT, wire_lease
from potluck_coordinator.services.reach import NO_CREDENTIALS, Credentials
from potluck_coordinator.services.site import Site
from potluck_coordinator.services.states import check_state, not_uploaded
from potluck_coordinator.storage import (
    donors,
    leases,
    scores,
    studies,
    trials,
    units,
    uploads,
)
from potluck_coordinator.storage.transaction import Transaction, after_commit

GRACE_SECONDS = 600
LARGEST_TO_GO_ON = 1e12
"""A number of a state that others may go on from is no larger: training breaks at once beyond."""
LARGEST_CLAIM = 1e30
"""Beyond it means of claimed losses would overflow."""


def hash_token(token: str) -> str:
    """Hash a lease token: only this is kept."""
    return hashlib.sha256(token.encode()).hexdigest()


def donor_id(donor_key: str) -> str:
    """Name a donor by its secret's hash."""
    return "dn_" + hashlib.sha256(f"potluck donor {donor_key}".encode()).hexdigest()[:20]


@dataclass(frozen=True)
class DonorSession:
    """One socket's donor."""

    id: str
    name: str
    backend: str
    client: str
    memory_bytes: int | None = None
    network: str | None = None
    delivered: int = 0
    """Units that it had finished when it came."""
    credentials: Credentials = NO_CREDENTIALS
    """What it showed: whose units it may get is read from it at every grant."""


def turn_of(donor: DonorSession) -> str:
    """Say whose turns a donor's states take, where they are looked at: its network's.

    Args:
        donor: Who named them.
    """
    return donor.network or donor.id


async def welcome(
    site: Site,
    hello: wire.Hello,
    network: str | None = None,
    credentials: Credentials = NO_CREDENTIALS,
) -> tuple[DonorSession, list[wire.Lease]]:
    """Meet a donor; give back the leases that it still holds.

    Leases that it never spoke of and does not name end soon: their grant may never have arrived. A
    second tab of the same browser, which has just got one, speaks of it in time.
    """
    me = donor_id(hello.donor_key)
    name = donor_name(me)

    def act(tx: Transaction) -> tuple[int, list[wire.Lease]]:
        now = site.now()
        known = donors.meet(tx, Donor(id=me, name=name, created_at=now, seen_at=now))
        resumed = []
        for token in hello.leases[:64]:
            lease = leases.by_token(tx, hash_token(token))
            if lease is None or lease.donor_id != me or lease.state != LeaseState.HELD:
                continue
            leases.hear(tx, lease.id, now=now, expires_at=_until(site, lease, now))
            unit = units.get(tx, lease.unit_id)
            study = studies.lent(tx, unit.study_id)
            resumed.append(wire_lease(site, lease, token, unit, study))
        # Granted, perhaps, as the line broke or as the coordinator died: nobody has spoken of them.
        lost = {lease.id for lease in leases.held_by(tx, me) if lease.heard_at <= lease.started_at}
        lost -= {lease.id for lease in resumed}
        if lost:
            leases.shorten(tx, lost, now + site.settings.unheard_seconds, heard_by=now)
        return known.units, resumed

    delivered, resumed = await site.writer.run(act)
    session = DonorSession(
        me, name, hello.backend, hello.client, hello.memory_bytes, network, delivered, credentials
    )
    return session, resumed


async def left_behind(site: Site, lease_ids: Collection[str], heard_by: float) -> None:
    """Expect little of leases whose donor went away, or went before it said a word about them.

    A grant may never have arrived, as where a tab closed while it asked, and what a closing page
    hands back may be lost. A page that was only loaded anew comes back at once, and its greeting
    renews the lease, even if it is read before the end of the connection that was last heard at
    `heard_by`.
    """
    until = site.now() + site.settings.unheard_seconds
    await site.writer.run(lambda tx: leases.shorten(tx, lease_ids, until, heard_by=heard_by))


async def heartbeat(site: Site, donor: DonorSession, beats: Sequence[wire.Progress]) -> wire.Heard:
    """Extend leases and keep what donors claim; say which leases to stop."""

    def act(tx: Transaction) -> wire.Heard:
        now = site.now()
        held: list[str] = []
        stop: dict[str, str] = {}
        for beat in beats:
            lease = leases.get(tx, beat.lease_id)
            if site.device_checks.holds(beat.lease_id, donor.id):
                held.append(beat.lease_id)
            elif lease is None or lease.donor_id != donor.id:
                stop[beat.lease_id] = "unknown"
            elif lease.state != LeaseState.HELD:
                stop[lease.id] = _why_stop(tx, lease)
            else:
                _hear(site, tx, lease, beat, now)
                held.append(lease.id)
        return wire.Heard.model_validate({"held": held, "stop": stop})

    return await site.writer.run(act)


def _hear(site: Site, tx: Transaction, lease: Lease, beat: wire.Progress, now: float) -> None:
    unit = units.get(tx, lease.unit_id)
    values: dict[str, object] = {"commitments": commitments(lease, unit, beat.commitments)}
    end = unit.to_epoch * steps_per_epoch(unit.rows, unit.batch_size)
    if lease.step <= beat.step <= end:
        values |= {"step": beat.step, "epoch": min(beat.epoch, unit.to_epoch)}
    if beat.loss is not None and abs(beat.loss) <= LARGEST_CLAIM:
        values["loss"] = beat.loss
        keep_claim(tx, unit, beat.epoch, beat.loss)
    if beat.samples_per_second is not None and isfinite(beat.samples_per_second):
        values["samples_per_second"] = beat.samples_per_second
    leases.hear(tx, lease.id, now=now, expires_at=_until(site, lease, now), **values)
    after_commit(tx, lambda: site.hub.publish(unit.study_id))


def commitments(lease: Lease, unit: Unit, told: Mapping[int, str]) -> dict[str, str]:
    """Add commitments to a lease's; steps that the unit did not ask about are left out."""
    spe = steps_per_epoch(unit.rows, unit.batch_size)
    asked = commit_steps(unit.from_epoch * spe, unit.to_epoch * spe)
    return {**lease.commitments, **{str(k): v for k, v in told.items() if k in asked}}


def _until(site: Site, lease: Lease, now: float) -> float:
    """Say until when a lease is held after a word from its donor: not for ever."""
    last = lease.started_at + SECONDS_PER_UNIT + GRACE_SECONDS
    return min(now + site.settings.lease_seconds, last)


def keep_claim(tx: Transaction, unit: Unit, epoch: int, loss: float) -> None:
    """Keep a claimed loss of one of this unit's own epochs; what no curve can show is left out.

    Args:
        tx: The transaction.
        unit: The unit; of a very long one not every epoch's claim is kept.
        epoch: Which epoch it is of, counted over the whole trial.
        loss: What a donor claims.
    """
    mine = unit.from_epoch < epoch <= unit.to_epoch and abs(loss) <= LARGEST_CLAIM
    if mine and unit.kind == "trial":
        among = sharing(epoch, unit.from_epoch, unit.to_epoch)
        place = (unit.study_id, unit.trial, unit.fold, unit.repeat)
        scores.claim(tx, place, epoch, loss, among=among)


def _why_stop(tx: Transaction, lease: Lease) -> str:
    try:
        unit = units.get(tx, lease.unit_id)
    except NotFound:
        return "cancelled"
    if unit.state == UnitState.CANCELLED:
        return "cancelled"
    return "superseded" if lease.state == LeaseState.SUPERSEDED else "expired"


async def checkpoint(
    site: Site, donor: DonorSession, states: Sequence[wire.Checkpointed]
) -> wire.Heard:
    """Name uploaded states from which anybody could go on. Raises BadResult for a bad one."""
    for state in dict.fromkeys((one.lease_id, one.artifact, one.step) for one in states):
        await _check_state(site, donor, *state)

    def act(tx: Transaction) -> wire.Heard:
        now = site.now()
        held: list[str] = []
        stop: dict[str, str] = {}
        for state in states:
            lease = leases.get(tx, state.lease_id)
            if site.device_checks.holds(state.lease_id, donor.id):
                held.append(state.lease_id)
            elif lease is None or lease.donor_id != donor.id:
                stop[state.lease_id] = "unknown"
            elif lease.state != LeaseState.HELD:
                stop[lease.id] = _why_stop(tx, lease)
            elif not uploads.has(tx, lease.id, state.artifact):  # a newer one took its place
                raise not_uploaded(state.artifact)
            else:
                held.append(lease.id)
                _go_on_from(site, tx, lease, state)
                leases.hear(tx, lease.id, now=now, expires_at=_until(site, lease, now))
        return wire.Heard.model_validate({"held": held, "stop": stop})

    return await site.writer.run(act)


def _go_on_from(site: Site, tx: Transaction, lease: Lease, state: wire.Checkpointed) -> None:
    """Name a newer state to go on from. The one before it, or one that is late, may go."""
    unit = units.get(tx, lease.unit_id)
    before = holder_of_checkpoint(tx, unit, lease)
    later = before is not None and (before.started_at, before.id) < (lease.started_at, lease.id)
    wanted = not later and _worth_it(site, tx, unit, lease, state.step)
    if wanted and units.note_checkpoint(
        tx, unit.id, lease.id, state.artifact, state.step, older=before is not None
    ):
        old = unit.checkpoint if unit.checkpoint_lease == lease.id else None
        old = None if old == state.artifact else old
    else:  # a second holder's, say, or too little; its end it may still hand in
        end = unit.to_epoch * steps_per_epoch(unit.rows, unit.batch_size)
        old = state.artifact if state.step < end and state.artifact != unit.checkpoint else None
    if old is not None:
        uploads.drop(tx, lease.id, old)
        after_commit(tx, lambda: site.superseded.add(old))


def _worth_it(site: Site, tx: Transaction, unit: Unit, lease: Lease, step: int) -> bool:
    """Say whether a state is far enough, where many leases led to where its own began."""
    begun = lease.start_lease
    led = 0 if begun is None else len(chain_to(tx, begun, lease.start, lease.from_step))
    spe = steps_per_epoch(unit.rows, unit.batch_size)
    whole, held = (unit.to_epoch - unit.from_epoch) * spe, site.now() - lease.started_at
    return worth_going_on(led, step - lease.from_step, whole, held)


def holder_of_checkpoint(tx: Transaction, unit: Unit, lease: Lease) -> Lease | None:
    """Give the other lease that named a unit's state and is still held.

    Where two hold a unit, the states of the first one count: a second holder, who came to help or
    to harm, takes none of them away.

    Args:
        tx: The transaction.
        unit: The unit, with its state to go on from.
        lease: One of those that hold it, or held it until now.
    """
    if unit.checkpoint_lease in (None, lease.id):
        return None
    found = leases.get(tx, unit.checkpoint_lease)
    return found if found is not None and found.state == LeaseState.HELD else None


async def _check_state(
    site: Site, donor: DonorSession, lease_id: str, artifact: str, step: int
) -> None:
    """Refuse a state that was not uploaded, lies outside its unit, or is none to go on from."""

    def look(tx: Transaction) -> tuple[Lease, Unit, Trial] | None:
        lease = leases.get(tx, lease_id)
        if lease is None or lease.donor_id != donor.id or lease.state != LeaseState.HELD:
            return None
        if not uploads.has(tx, lease.id, artifact):
            raise not_uploaded(artifact)
        unit = units.get(tx, lease.unit_id)
        trial = trials.get(tx, unit.study_id, unit.trial)
        assert trial is not None
        return lease, unit, trial

    found = await site.writer.read(look)
    if found is None:
        return
    lease, unit, trial = found
    end = unit.to_epoch * steps_per_epoch(unit.rows, unit.batch_size)
    if not lease.from_step < step <= end:
        raise BadResult(
            "result.step",
            "The checkpoint's step lies outside of its lease.",
            expected=f"a step after {lease.from_step}, up to {end}",
            got=str(step),
        )
    if (lease.id, artifact, step) == (unit.checkpoint_lease, unit.checkpoint, unit.checkpoint_step):
        return  # it passed before
    turn = turn_of(donor)
    await check_state(site, trial, unit, artifact, step, turn=turn, largest=LARGEST_TO_GO_ON)
