"""Which work is trained again because something depends on it. Samples: see `sampling`."""

from __future__ import annotations

from potluck_coordinator.core.records import Lease, Replay, Unit
from potluck_coordinator.core.trust import (
    KNOWN_AFTER,
    Interval,
    ReplayState,
    Why,
    backend_class,
)
from potluck_coordinator.core.units import steps_per_epoch
from potluck_coordinator.services.chains import (
    Segment,
    network_segments,
    standing_segments,
)
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage import donor_standings, replays, units
from potluck_coordinator.storage.transaction import Transaction, after_commit

PROVEN = (ReplayState.AGREED, ReplayState.UNDONE)


def checks(site: Site) -> bool:
    """Say whether this coordinator trains anything again."""
    return site.settings.own_donor > 0


def takes_longer(site: Site, unit: Unit, segment: Segment, seconds: float) -> bool:
    """Say whether training a segment again would take longer than so many seconds.

    Args:
        site: The coordinator, which knows how fast it trains.
        unit: The unit.
        segment: What a lease of it trained.
        seconds: Of one core.
    """
    spe = steps_per_epoch(unit.rows, unit.batch_size)
    all_steps = (unit.to_epoch - unit.from_epoch) * spe
    steps = segment.to_step - segment.lease.from_step
    return site.own_pace.expected(unit, steps, all_steps) > seconds


def is_known(tx: Transaction, lease: Lease) -> bool:
    """Say whether a lease's donor is known with the backend that trained it.

    Until its result is in, nobody knows whether a lease is trained together with others.

    Args:
        tx: A transaction.
        lease: The lease.
    """
    kinds = {backend_class(lease.backend, stacked) for stacked in (False, True)}
    found = [donor_standings.of(tx, lease.donor_id, kind).agreements for kind in kinds]
    return max(found) >= KNOWN_AFTER


def is_proven(site: Site, tx: Transaction, unit: Unit, segment: Segment) -> bool:
    """Say whether a segment was proven, can be, or needs no proof: its donor is known.

    Args:
        site: The coordinator.
        tx: A transaction.
        unit: The unit.
        segment: What a lease of it trained.
    """
    if is_known(tx, segment.lease):
        return True
    if not takes_longer(site, unit, segment, site.settings.own_donor_seconds):
        return True
    known = replays.of_leases(tx, [segment.lease.id]).get(segment.lease.id)
    under_way = known is not None and known.state in (*PROVEN, ReplayState.OPEN)
    return known is not None and under_way and is_of(known, segment)


def ask(site: Site, tx: Transaction, unit: Unit, segment: Segment, why: Why) -> Replay:
    """Let a segment be trained again; give its replay, which may be there already."""
    lease = segment.lease
    known = replays.of_leases(tx, [lease.id]).get(lease.id)
    if known is not None and is_of(known, segment):
        replays.raise_priority(tx, [known.id], why)
        return known
    diverged = unit.diverged and lease.id == unit.result_lease
    return open_replay(site, tx, unit, segment, why, diverged=diverged)


def is_of(replay: Replay, segment: Segment) -> bool:
    """Say whether a replay of a segment's lease is, or was, of what that lease came to.

    Args:
        replay: The newest replay of the lease.
        segment: The lease with what it came to.
    """
    return replay.state != ReplayState.DROPPED and replay.end == segment.end


def open_replay(
    site: Site,
    tx: Transaction,
    unit: Unit,
    segment: Segment,
    why: Why,
    *,
    diverged: bool = False,
    interval: Interval | None = None,
    state: ReplayState = ReplayState.OPEN,
) -> Replay:
    """Open a replay of a segment, or of one interval of it.

    An `end` of no characters: only whether it can be trained, or a state that nobody knows.
    """
    lease = segment.lease
    if interval is None:
        interval = Interval(lease.from_step, segment.to_step, lease.start, segment.end)
    made = Replay(
        id=site.new_id("rp"),
        study_id=unit.study_id,
        unit_id=unit.id,
        trial=unit.trial,
        lease_id=lease.id,
        donor_id=lease.donor_id,
        backend=backend_class(lease.backend, lease.stacked),
        why=why.value,
        state=state.value,
        start=interval.start or "",
        end=interval.end or "",
        from_step=interval.from_step,
        to_step=interval.to_step,
        diverged=diverged,
        asked_at=site.now(),
    )
    replays.add(tx, made)
    after_commit(tx, site.poke)
    return made


def ask_for_network(site: Site, tx: Transaction, unit: Unit, why: Why) -> list[tuple[Unit, Replay]]:
    """Let everything that led to a unit's result be trained again, earlier rungs too.

    Gives each replay with the unit that it trains again, the last one first.
    """
    return [(own, ask(site, tx, own, segment, why)) for own, segment in network_segments(tx, unit)]


def ask_for_all_of(site: Site, tx: Transaction, donor_id: str) -> None:
    """Let everything else that counts of a refuted donor be trained again.

    Its earlier segments too: an honest last step says nothing of them. So are the states that
    others went on from, whether their unit has a result yet or not.
    """
    for unit_id in replays.units_standing_on(tx, donor_id):
        unit = units.get(tx, unit_id)
        for segment in standing_segments(tx, unit):
            if segment.lease.donor_id == donor_id:
                ask(site, tx, unit, segment, Why.REFUTED_BEFORE)
