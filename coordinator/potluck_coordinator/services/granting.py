"""Give out work: which units a donor gets, and when it gets none."""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import dataclass

from potluck.protocol import donor as wire
from potluck_coordinator.core.groups import EVERYONE, Circle, Reach
from potluck_coordinator.core.leases import LeaseState
from potluck_coordinator.core.records import Lease, wire_fold
from potluck_coordinator.core.scheduling import Asker, choose
from potluck_coordinator.core.trust import most_leases
from potluck_coordinator.core.units import UnitEvent, steps_per_epoch
from potluck_coordinator.services.lease_words import wire_lease
from potluck_coordinator.services.leases import DonorSession, hash_token
from potluck_coordinator.services.reach import reach_of
from potluck_coordinator.services.replays import checks
from potluck_coordinator.services.site import Site
from potluck_coordinator.services.stalls import Stalls, look, offered
from potluck_coordinator.services.starts import doubt_start, trusted_start
from potluck_coordinator.storage import (
    donor_standings,
    donors,
    leases,
    offers,
    studies,
    units,
)
from potluck_coordinator.storage.ledger import record
from potluck_coordinator.storage.transaction import Transaction, after_commit

MOST_HELD = 16
"""Leases that one donor may hold at a time."""


async def pause_left(site: Site, donor: DonorSession) -> float:
    """Give the seconds that a donor has to wait before it gets work again; 0: none."""
    now = site.now()
    if site.manners.pause_left(donor.id, donor.network, now, delivered=False) <= 0:
        return 0.0
    delivered = await site.writer.read(lambda tx: donors.finished(tx, donor.id)) > 0
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
    no headway with is given to a second donor; where something is, only one that is overdue, which
    takes its turn among the others.
    """
    if checks(site) and donor.delivered == 0:
        checked = _check_device(site, donor)
        if checked is not None:
            return checked

    def act(tx: Transaction) -> Granted:
        now = site.now()
        reach = reach_of(tx, donor.credentials, now)
        any_ready = offers.any_ready(tx, memory_bytes=donor.memory_bytes, reach=reach)
        if any_ready and _most_allowed(site, tx, donor, reach) == 0:
            return Granted([], nothing_ready=False)  # before anything is listed in vain
        found = look(
            site.study_paces,
            tx,
            donor.id,
            now,
            site.settings.stalled_seconds,
            only_overdue=any_ready,
        )
        if not any_ready:
            copy = _copy_stalled(site, tx, donor, reach, found, now)
            return Granted([] if copy is None else [copy], nothing_ready=True)
        ready = offers.candidates(tx, memory_bytes=donor.memory_bytes, reach=reach)
        copies = []
        if found.overdue and _has_delivered(tx, donor):
            copies = offered(tx, found.overdue, reach, donor.memory_bytes)
        ready += copies
        if not ready:  # what there is lies beyond the studies that are looked at
            return Granted([], nothing_ready=True)
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
        busy = found.without(units.leased_by_owner(tx))
        chosen = choose(ready, asker, busy, now, most, together=in_tab)
        second = {copy.id for copy in copies}
        events = [UnitEvent.COPY if c.id in second else UnitEvent.LEASE for c in chosen]
        granted = [
            _lease_unit(site, tx, donor, reach, one.id, now, event=event)
            for one, event in zip(chosen, events, strict=True)
        ]
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
        return offers.any_ready(tx, memory_bytes=donor.memory_bytes, reach=reach)

    return await site.writer.read(look)


def _most_allowed(site: Site, tx: Transaction, donor: DonorSession, reach: Reach) -> int:
    """Say how many more leases a donor gets at most, whatever units are ready for it.

    It is `_allowance` for the largest unit that it takes. Of a donor that gets units of some circle
    nobody knows yet whether others wait who may have them.
    """
    most = sys.maxsize if donor.memory_bytes is None else donor.memory_bytes
    return _allowance(site, tx, donor, most, () if reach.owners or reach.groups else (EVERYONE,))


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
        delivered = donors.finished(tx, donor.id)
        agreements = donor_standings.best_of(tx, donor.id)
        allowed = most_leases(delivered, agreements, others_wait=True, most=MOST_HELD)
    allowed -= leases.count_held(tx, donor.id)
    near, waiting = donor.network, site.presence.networks_waiting(memory_bytes, circles)
    if near is not None and waiting - {near}:
        held = leases.held_by_donor(tx)
        there = sum(n for d, n in held.items() if site.presence.network_of(d) == near)
        networks = {site.presence.network_of(d) for d in held} | waiting | {near}
        share = -(-(sum(held.values()) + 1) // len(networks))
        allowed = min(allowed, share - there)
    return max(0, allowed)


def _has_delivered(tx: Transaction, donor: DonorSession) -> bool:
    """Say whether a donor has finished a unit: others take no second copy while more is ready.

    Keys are free, and who only holds units must not hold their copies too.
    """
    return donor.delivered > 0 or donors.finished(tx, donor.id) > 0


def _copy_stalled(
    site: Site, tx: Transaction, donor: DonorSession, reach: Reach, found: Stalls, now: float
) -> wire.Lease | None:
    """Lease a unit to a second donor that the first one is much too long about.

    The first accepted result counts; the first holder may go on.
    """
    copies = offered(tx, found.stalled, reach, donor.memory_bytes, most=1)
    if not copies:
        return None
    first = copies[0]
    if _allowance(site, tx, donor, first.memory_bytes, {first.circle}) < 1:
        return None
    return _lease_unit(site, tx, donor, reach, first.id, now, event=UnitEvent.COPY)


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
    study = studies.lent(tx, unit.study_id)
    start = trusted_start(site, tx, unit) if reach.permits(study.circle) else None
    if start is None:
        return None
    spe = steps_per_epoch(unit.rows, unit.batch_size)
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
        start=start.state,
        start_lease=start.lease,
        from_step=start.step,
        epoch=start.step // spe,
        step=start.step,
        commitments={},
        started_at=now,
        heard_at=now,
        expires_at=now + site.settings.lease_seconds,
        permit=reach.permit(study.circle),
    )
    if not units.change(tx, unit.id, event, lease_id=lease.id):
        return None
    leases.add(tx, lease)
    doubt_start(site, tx, unit, lease)
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
        "start": start.state,
        "tensors": unit.tensors,
        "topology": unit.topology,
        "seed": unit.seed,
        "from_step": start.step,
    }
    record(tx, unit.study_id, "lease", body, now)
    after_commit(tx, lambda: site.hub.publish(unit.study_id))
    return wire_lease(site, lease, token, unit, study)


async def more_follows(site: Site, donor: DonorSession) -> bool:
    """Say whether more work for a donor may follow soon.

    It may while results are being scored, and while a study's rows or trials are being made.
    """
    making = frozenset(site.making)

    def look(tx: Transaction) -> bool:
        reach = reach_of(tx, donor.credentials, site.now())
        return units.any_returned(tx, reach) or (
            bool(making) and studies.any_running(tx, making, reach)
        )

    return await site.writer.read(look)
