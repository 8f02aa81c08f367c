"""Give out work and keep it alive: grant, heartbeat, checkpoint, resume."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from potluck.protocol import donor as wire
from potluck_coordinator.core.errors import BadResult, NotFound
from potluck_coordinator.core.groups import Circle, Reach
from potluck_coordinator.core.ids import donor_name
from potluck_coordinator.core.leases import LeaseState
from potluck_coordinator.core.records import Donor, Lease, Study, Trial, Unit, wire_fold
from potluck_coordinator.core.scheduling import Asker, choose
from potluck_coordinator.core.stacking import stack_from
from potluck_coordinator.core.trust import KNOWN_AFTER, Why, most_leases
from potluck_coordinator.core.units import UnitEvent, UnitState, commit_steps, steps_per_epoch
from potluck_coordinator.core.visitors import shown_owner
from potluck_coordinator.services.chains import chain_to
from potluck_coordinator.services.reach import NO_CREDENTIALS, Credentials, reach_of
from potluck_coordinator.services.replays import ask, checks
from potluck_coordinator.services.site import Site
from potluck_coordinator.services.states import check_state, not_uploaded
from potluck_coordinator.storage import (
    donor_standings,
    donors,
    leases,
    scores,
    studies,
    trials,
    units,
)
from potluck_coordinator.storage.ledger import record
from potluck_coordinator.storage.transaction import Transaction, after_commit

SECONDS_PER_UNIT = 3600
"""After this a donor must hand a unit back."""
GRACE_SECONDS = 600
LARGEST_TO_GO_ON = 1e12
"""A number of a state that others may go on from is no larger: training breaks at once beyond."""
STALLED_TIMES = 3.0
"""A unit that is held so many times as long as its study's units take goes to a second donor."""
MOST_HELD = 16
"""Leases that one donor may hold at a time."""
HIDDEN = "a private study"


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
            study = studies.get(tx, unit.study_id)
            resumed.append(_wire_lease(site, lease, token, unit, study))
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


async def pause_left(site: Site, donor: DonorSession) -> float:
    """Give the seconds that a donor has to wait before it gets work again; 0: none."""
    now = site.now()
    if site.manners.pause_left(donor.id, donor.network, now, delivered=False) <= 0:
        return 0.0
    found = await site.writer.read(lambda tx: donors.get(tx, donor.id))
    delivered = found is not None and found.units > 0
    return site.manners.pause_left(donor.id, donor.network, now, delivered=delivered)


@dataclass(frozen=True)
class Granted:
    """What a donor got. `nothing_ready`: not because others come first."""

    leases: list[wire.Lease]
    nothing_ready: bool


async def grant(site: Site, donor: DonorSession, request: wire.Request) -> Granted:
    """Lease up to `request.most` units to a donor; none where there are none for it.

    Whoever has delivered nothing yet trains something known first: see `device_checks`.

    A tab gets only units that train together. Where nothing is ready, a unit that its holder makes
    no headway with is given to a second donor.
    """
    if checks(site) and donor.delivered == 0:
        checked = _check_device(site, donor)
        if checked is not None:
            return checked

    def act(tx: Transaction) -> Granted:
        now = site.now()
        reach = reach_of(tx, donor.credentials, now)
        ready = units.candidates(tx, memory_bytes=donor.memory_bytes, reach=reach)
        if not ready:
            copy = _copy_stalled(site, tx, donor, reach, now)
            return Granted([] if copy is None else [copy], nothing_ready=True)
        circles = {candidate.circle for candidate in ready}
        asker = Asker(
            id=donor.id,
            folds=leases.folds_of(tx, donor.id, {c.study_id for c in ready}),
            tried=units.tried_by(tx, donor.id, [c.id for c in ready]),
            cached=frozenset(request.cached),
            others_online=site.presence.others(donor.id, circles),
            memory_bytes=donor.memory_bytes,
        )
        least = min(candidate.memory_bytes for candidate in ready)
        most = min(request.most, _allowance(site, tx, donor, least, circles))
        # Without a browser there is a process for each lease; a tab has one engine.
        in_tab = donor.backend != "jax"
        chosen = choose(ready, asker, units.leased_by_owner(tx), now, most, together=in_tab)
        granted = [_lease_unit(site, tx, donor, reach, found.id, now) for found in chosen]
        return Granted([lease for lease in granted if lease is not None], nothing_ready=False)

    return await site.writer.run(act)


def _check_device(site: Site, donor: DonorSession) -> Granted | None:
    """Give a newcomer its check; nothing while it has one in hand; None where none is due."""
    now = site.now()
    if site.device_checks.under_way(donor.id, now):
        return Granted([], nothing_ready=False)
    if site.device_checks.due(donor.id, donor.backend):
        names = site.new_id("ck"), site.new_token()
        check = site.device_checks.lease(*names, donor.id, donor.backend, now)
        return Granted([check], nothing_ready=False)
    if site.device_checks.wanted:
        site.poke()
    return None


async def anything_for(site: Site, donor: DonorSession) -> bool:
    """Say whether a donor would find a unit ready: others' circles are no news to it."""

    def look(tx: Transaction) -> bool:
        reach = reach_of(tx, donor.credentials, site.now())
        return units.any_ready(tx, memory_bytes=donor.memory_bytes, reach=reach)

    return await site.writer.read(look)


def _allowance(
    site: Site,
    tx: Transaction,
    donor: DonorSession,
    memory_bytes: int,
    circles: Collection[Circle],
) -> int:
    """Say how many more leases a donor gets.

    Caps never bind while nobody else waits who could take a unit of so much memory, of one of these
    circles.
    """
    allowed = MOST_HELD
    if site.presence.others_wait(donor.id, memory_bytes, circles):
        found = donors.get(tx, donor.id)
        delivered = found.units if found is not None else 0
        agreements = donor_standings.best_of(tx, donor.id)
        allowed = most_leases(delivered, agreements, others_wait=True, most=MOST_HELD)
    allowed -= len(leases.held_by(tx, donor.id))
    near, waiting = donor.network, site.presence.strangers_wait
    if near is not None and waiting(near, memory_bytes, circles):
        held = leases.held_by_donor(tx)
        there = sum(n for d, n in held.items() if site.presence.network_of(d) == near)
        share = -(-(sum(held.values()) + 1) // max(1, site.presence.networks()))
        allowed = min(allowed, share - there)
    return max(0, allowed)


def _copy_stalled(
    site: Site, tx: Transaction, donor: DonorSession, reach: Reach, now: float
) -> wire.Lease | None:
    """Lease a unit to a second donor that the first one is much too long about.

    The first accepted result counts; the first holder may go on.
    """
    least = site.settings.stalled_seconds
    found = leases.stalled(tx, donor.id, now, least_s=least, times=STALLED_TIMES, reach=reach)
    for unit_id in found:
        unit = units.get(tx, unit_id)
        if donor.memory_bytes is None or unit.memory_bytes <= donor.memory_bytes:
            return _lease_unit(site, tx, donor, reach, unit_id, now, event=UnitEvent.COPY)
    return None


def _lease_unit(
    site: Site,
    tx: Transaction,
    donor: DonorSession,
    reach: Reach,
    unit_id: str,
    now: float,
    *,
    event: UnitEvent = UnitEvent.LEASE,
) -> wire.Lease | None:
    unit = units.get(tx, unit_id)
    study = studies.get(tx, unit.study_id)
    start = unit.checkpoint or unit.start
    if start is None or not reach.permits(study.circle):
        return None
    spe = steps_per_epoch(unit.rows, unit.batch_size)
    from_step = unit.checkpoint_step if unit.checkpoint else unit.from_epoch * spe
    token = site.new_token()
    lease = Lease(
        id=site.new_id("ls"),
        token_hash=hash_token(token),
        unit_id=unit.id,
        study_id=unit.study_id,
        fold=unit.fold,
        donor_id=donor.id,
        backend=donor.backend,
        client=donor.client,
        state=LeaseState.HELD.value,
        start=start,
        start_lease=unit.checkpoint_lease if unit.checkpoint else None,
        from_step=from_step,
        epoch=from_step // spe,
        step=from_step,
        commitments={},
        started_at=now,
        heard_at=now,
        expires_at=now + site.settings.lease_seconds,
        permit=reach.permit(study.circle),
    )
    if not units.change(tx, unit.id, event, lease_id=lease.id):
        return None
    leases.add(tx, lease)
    _doubt_checkpoint(site, tx, unit, lease)
    body = {
        "lease": lease.id,
        "unit": unit.id,
        "trial": unit.trial,
        "fold": wire_fold(unit.fold),
        "repeat": unit.repeat,
        "rung": unit.rung,
        "unit_kind": unit.kind,
        "donor": donor.name,
        "backend": donor.backend,
        "client": donor.client,
        "start": start,
        "tensors": unit.tensors,
        "topology": unit.topology,
        "seed": unit.seed,
        "from_step": from_step,
    }
    record(tx, unit.study_id, "lease", body, now)
    after_commit(tx, lambda: site.hub.publish(unit.study_id))
    return _wire_lease(site, lease, token, unit, study)


def _doubt_checkpoint(site: Site, tx: Transaction, unit: Unit, lease: Lease) -> None:
    """Let the state that a lease goes on from be proven, where its donor is not known yet.

    Training goes on meanwhile; if the state is refuted, the unit starts again.
    """
    if lease.start_lease is None or not checks(site):
        return
    for segment in chain_to(tx, lease.start_lease, lease.start, lease.from_step):
        other = segment.lease
        known = donor_standings.best_of(tx, other.donor_id) >= KNOWN_AFTER
        if other.donor_id != lease.donor_id and not known:
            ask(site, tx, unit, segment, Why.CHECKPOINT)


def _wire_lease(site: Site, lease: Lease, token: str, unit: Unit, study: Study) -> wire.Lease:
    spe = steps_per_epoch(unit.rows, unit.batch_size)
    commits = commit_steps(unit.from_epoch * spe, unit.to_epoch * spe)
    public = study.visibility == "public"
    return wire.Lease(
        id=lease.id,
        token=token,
        expires_in_s=site.settings.lease_seconds,
        unit=wire.Unit.model_validate(
            {
                "id": unit.id,
                "kind": unit.kind,
                "study_id": study.id,
                "study_name": study.name if public else HIDDEN,
                "submitter": shown_owner(study.owner) if public else "somebody",
                "trial": unit.trial,
                "fold": wire_fold(unit.fold),
                "repeat": unit.repeat,
                "rung": unit.rung,
                "from_epoch": unit.from_epoch,
                "to_epoch": unit.to_epoch,
                "epochs": study.spec["rungs"][-1],
                "rows": unit.rows,
                "batch_size": unit.batch_size,
                "steps_per_epoch": spe,
                "topology": unit.topology,
                "start": lease.start,
                "tensors": unit.tensors,
                "optimizer": unit.training["optimizer"],
                "loss": unit.training["loss"],
                "loss_options": unit.training["loss_options"],
                "from_logits": unit.training["from_logits"],
                "seed": unit.seed,
                "commit_steps": list(commits),
                "flops": unit.flops,
                "stack": stack_from(unit.stack, lease.from_step, unit.from_epoch * spe),
                "memory_bytes": unit.memory_bytes,
                "limits": {"seconds": SECONDS_PER_UNIT, "upload_bytes": unit.upload_bytes},
            }
        ),
    )


async def scoring(site: Site, donor: DonorSession) -> bool:
    """Say whether results are being scored from which more work for a donor may follow."""

    def look(tx: Transaction) -> bool:
        return units.any_returned(tx, reach_of(tx, donor.credentials, site.now()))

    return await site.writer.read(look)


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
    if beat.loss is not None and isfinite(beat.loss):
        values["loss"] = beat.loss
        keep_claims(tx, unit, {beat.epoch: beat.loss})
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


def keep_claims(tx: Transaction, unit: Unit, losses: Mapping[int, float]) -> None:
    """Keep claimed losses of this unit's own epochs."""
    mine = {e: v for e, v in losses.items() if unit.from_epoch < e <= unit.to_epoch}
    if mine and unit.kind == "trial":
        scores.claim(tx, (unit.study_id, unit.trial, unit.fold, unit.repeat), mine)


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
    for state in states:
        await _check_state(site, donor, state)

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
            else:
                held.append(lease.id)
                _go_on_from(site, tx, lease, state)
                leases.hear(tx, lease.id, now=now, expires_at=_until(site, lease, now))
        return wire.Heard.model_validate({"held": held, "stop": stop})

    return await site.writer.run(act)


def _go_on_from(site: Site, tx: Transaction, lease: Lease, state: wire.Checkpointed) -> None:
    """Name a newer state to go on from. The one before it, or one that is late, may go."""
    unit = units.get(tx, lease.unit_id)
    if units.note_checkpoint(tx, unit.id, lease.id, state.artifact, state.step):
        old = unit.checkpoint if unit.checkpoint_lease == lease.id else None
        old = None if old == state.artifact else old
    else:  # a second holder's, say; its end it may still hand in
        end = unit.to_epoch * steps_per_epoch(unit.rows, unit.batch_size)
        old = state.artifact if state.step < end and state.artifact != unit.checkpoint else None
    if old is not None:
        leases.drop_upload(tx, lease.id, old)
        after_commit(tx, lambda: site.superseded.add(old))


async def _check_state(site: Site, donor: DonorSession, state: wire.Checkpointed) -> None:
    """Refuse a state that was not uploaded, lies outside its unit, or is none to go on from."""

    def look(tx: Transaction) -> tuple[Lease, Unit, Trial] | None:
        lease = leases.get(tx, state.lease_id)
        if lease is None or lease.donor_id != donor.id or lease.state != LeaseState.HELD:
            return None
        if not leases.uploaded(tx, lease.id, state.artifact):
            raise not_uploaded(state.artifact)
        unit = units.get(tx, lease.unit_id)
        trial = trials.get(tx, unit.study_id, unit.trial)
        assert trial is not None
        return lease, unit, trial

    found = await site.writer.read(look)
    if found is None:
        return
    lease, unit, trial = found
    end = unit.to_epoch * steps_per_epoch(unit.rows, unit.batch_size)
    if not lease.from_step < state.step <= end:
        raise BadResult(
            "result.step",
            "The checkpoint's step lies outside of its lease.",
            expected=f"a step after {lease.from_step}, up to {end}",
            got=str(state.step),
        )
    await check_state(site, trial, unit, state.artifact, state.step, largest=LARGEST_TO_GO_ON)
