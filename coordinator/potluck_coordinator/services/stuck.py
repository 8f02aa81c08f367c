"""A unit that donors gave up on: nobody's word alone sets it aside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from potluck_coordinator.core.leases import MAX_TRIES
from potluck_coordinator.core.records import Lease, Replay, Unit
from potluck_coordinator.core.trust import ReplayState, Why
from potluck_coordinator.core.units import UnitState, steps_per_epoch
from potluck_coordinator.services import dead_ends
from potluck_coordinator.services.chains import Segment
from potluck_coordinator.services.events import WORK
from potluck_coordinator.services.replays import open_replay
from potluck_coordinator.services.rungs import set_unit_aside
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage import donor_standings, leases, replays, units
from potluck_coordinator.storage.transaction import Transaction, after_commit
from potluck_coordinator.training.replay import Replayed

FIRST_STEPS = 3
TRAINS = "the coordinator itself could train its {} steps"


def ask_whether_stuck(site: Site, tx: Transaction, unit: Unit, lease: Lease) -> None:
    """Let the coordinator's own donor train a unit's next steps, unless that is under way.

    Args:
        site: The coordinator.
        tx: The transaction.
        unit: The unit; where it has a state to go on from, they are the steps from there.
        lease: The last one that got nowhere.
    """
    start = unit.checkpoint or unit.start
    if replays.open_of_unit(tx, unit.id, Why.STUCK) or start is None:
        return
    spe = steps_per_epoch(unit.rows, unit.batch_size)
    first = unit.checkpoint_step if unit.checkpoint else unit.from_epoch * spe
    whole = replace(lease, start=start, from_step=first)
    segment = Segment(whole, end="", to_step=min(first + FIRST_STEPS, unit.to_epoch * spe))
    open_replay(site, tx, unit, segment, Why.STUCK)


def conclude_stuck(
    site: Site, tx: Transaction, replay: Replay, done: Replayed, note: str, by: str
) -> None:
    """Set a unit aside that the coordinator cannot train either, or offer it again.

    Where it cannot tell, because a unit cannot be trained exactly here, established donors on
    different networks must have failed. A unit that has a state to go on from begins anew first.
    """
    trains = done.comparison is not None
    verdict = ReplayState.REFUTED if trains else ReplayState.UNDECIDED
    if done.failed:
        verdict = ReplayState.AGREED
    unit = units.get(tx, replay.unit_id)
    aside = verdict is ReplayState.AGREED or (
        verdict is ReplayState.UNDECIDED and _established_failed(site, tx, unit)
    )
    now = site.now()
    first = replay.start == unit.start
    told = f"the coordinator itself: {note}"
    if trains:
        told = TRAINS.format("first" if first else "next")
    replays.decide(
        tx, replay.id, verdict, decided_at=now, replayed_by=by, note=told, released_at=now
    )
    reasons = [*unit.reasons, told][-20:]
    same = replay.start == (unit.checkpoint or unit.start)  # else it goes on from elsewhere by now
    begun = unit.checkpoint is not None
    if same and not begun and aside and unit.state in (UnitState.READY, UnitState.LEASED):
        set_unit_aside(site, tx, unit, reasons, lease_id=None)
    else:
        if same and begun and not trains:
            begin_anew(site, tx, unit, reasons)
        else:
            units.note(tx, unit.id, tries=0, reasons=reasons)
        after_commit(tx, lambda: site.hub.publish(WORK))
    after_commit(tx, lambda: site.hub.publish(unit.study_id))


def begin_anew(site: Site, tx: Transaction, unit: Unit, reasons: Sequence[str]) -> None:
    """Let a unit be trained from its start: from the state to go on from nobody got anywhere.

    Args:
        site: The coordinator.
        tx: The transaction.
        unit: The unit, with that state.
        reasons: What is known of its attempts.
    """
    dead_ends.dropped(site, tx, unit)
    units.forget_checkpoint(tx, unit.id)
    units.note(tx, unit.id, tries=0, reasons=reasons)


def _established_failed(site: Site, tx: Transaction, unit: Unit) -> bool:
    failed = [
        donor for donor in leases.failed_at(tx, unit.id) if donor_standings.best_of(tx, donor) > 0
    ]
    networks = {site.presence.network_of(donor) for donor in failed} - {None}  # long gone: unknown
    return len(failed) >= MAX_TRIES and len(networks) > 1
