"""What a replay says, and what follows from it. An operator may take a verdict back."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from potluck.protocol import records as wire
from potluck_coordinator.core.errors import Conflict, NotFound
from potluck_coordinator.core.ids import donor_name
from potluck_coordinator.core.leases import LeaseState
from potluck_coordinator.core.records import Replay, Standing, Unit
from potluck_coordinator.core.trust import (
    KNOWN_AFTER,
    Comparison,
    ReplayState,
    Why,
    judge,
    tolerance_for,
)
from potluck_coordinator.core.units import UnitEvent, UnitState, steps_per_epoch
from potluck_coordinator.services import dead_ends
from potluck_coordinator.services.access import Asker
from potluck_coordinator.services.chains import Segment, credit_segment, standing_segments, stands
from potluck_coordinator.services.endings import finish_if_done
from potluck_coordinator.services.replays import ask_for_all_of, is_known
from potluck_coordinator.services.site import Site
from potluck_coordinator.services.sizes import size_of
from potluck_coordinator.services.starts import was_long
from potluck_coordinator.services.voiding import void
from potluck_coordinator.storage import credits, donor_standings, leases, replays, studies, units
from potluck_coordinator.storage.ledger import record
from potluck_coordinator.storage.transaction import Transaction, after_commit

OWN = "own"
"""The backend class of the coordinator's own donor: Keras on JAX, one unit at a time."""


def conclude(
    site: Site,
    tx: Transaction,
    replay: Replay,
    found: Comparison | None,
    note: str,
    *,
    too_long: bool = False,
) -> ReplayState | None:
    """Keep a replay's verdict and draw the consequences; None where nobody needs it any more.

    Args:
        site: The coordinator.
        tx: The transaction.
        replay: The replay.
        found: What it is judged by; None where it could not be trained again.
        note: Why not, or what else is to be said.
        too_long: It would take longer than is given to it.
    """
    tolerance = tolerance_for(site.deviations.learned(replay.backend))
    verdict = ReplayState.UNDECIDED
    if found is not None:
        verdict = judge(found, tolerance, claimed_divergence=replay.diverged)
    distance = None if found is None or replay.diverged else min(found.distance, 1e9)
    decided = replays.decide(
        tx,
        replay.id,
        verdict,
        decided_at=site.now(),
        replayed_by=OWN,
        distance=distance,
        tolerance=tolerance,
        note=note,
        released_at=None if verdict is ReplayState.REFUTED else site.now(),
    )
    if not decided:
        return None
    body = {
        "replay": replay.id,
        "unit": replay.unit_id,
        "trial": replay.trial,
        "lease": replay.lease_id,
        "donor": donor_name(replay.donor_id),
        "backend": replay.backend,
        "by": OWN,
        "why": replay.why,
        "from_step": replay.from_step,
        "to_step": replay.to_step,
        "verdict": verdict.value,
        "distance": distance,
        "tolerance": tolerance,
        "note": note,
    }
    record(tx, replay.study_id, "replay", body, site.now())
    if verdict is not ReplayState.UNDECIDED:
        _stand(site, tx, replay, verdict, distance)
    network = site.presence.network_of(replay.donor_id)
    if verdict is ReplayState.REFUTED:
        after_commit(tx, lambda: site.manners.failed(replay.donor_id, network, site.now()))
    elif verdict is ReplayState.AGREED:
        after_commit(tx, lambda: site.manners.did_well(replay.donor_id))
    unit = units.get(tx, replay.unit_id)
    if verdict is ReplayState.REFUTED:
        _refute(site, tx, replay, unit)
    else:
        _release_credit(site, tx, replay, unit, agreed=verdict is ReplayState.AGREED)
    if too_long:
        _leave_unproven_start(site, tx, replay, unit)
    finish_if_done(site, tx, replay.study_id)
    after_commit(tx, lambda: site.hub.publish(replay.study_id))
    after_commit(tx, site.poke)
    return verdict


def _stand(
    site: Site, tx: Transaction, replay: Replay, verdict: ReplayState, distance: float | None
) -> None:
    """Keep a donor's record, and learn from a known one how far honest work may be off."""
    known = donor_standings.of(tx, replay.donor_id, replay.backend)
    after = _after(known, agreed=verdict is ReplayState.AGREED)
    donor_standings.keep(tx, after)
    network = site.presence.network_of(replay.donor_id)
    if network is None:
        return
    signed_in = site.presence.signed_in(replay.donor_id)
    if verdict is ReplayState.REFUTED:
        after_commit(tx, lambda: site.deviations.refuted(network))
    elif distance is not None and after.agreements >= KNOWN_AFTER:
        told = partial(
            site.deviations.agreed, replay.backend, network, distance, signed_in=signed_in
        )
        after_commit(tx, told)


def _after(known: Standing, *, agreed: bool) -> Standing:
    if agreed:
        return replace(known, agreements=known.agreements + 1, agreed=known.agreed + 1)
    return replace(known, agreements=0, refuted=known.refuted + 1)


def _release_credit(
    site: Site, tx: Transaction, replay: Replay, unit: Unit, *, agreed: bool
) -> None:
    """Give a challenged lease its credit, once nothing speaks against it any more."""
    if replay.why == Why.CHALLENGE:
        due = replay.state == ReplayState.OPEN
    else:
        due = agreed and replays.drop_challenge(tx, replay.lease_id, now=site.now())
    mine = _own_segment(tx, replay, unit) if due and unit.state == UnitState.SCORED else None
    if mine is not None:
        credit_segment(tx, unit, mine)


def _refute(site: Site, tx: Transaction, replay: Replay, unit: Unit) -> None:
    """Put the unit back in the queue, and doubt the donor's other work."""
    if _own_segment(tx, replay, unit) is not None:
        note = f"{replay.lease_id}: what came back is not what was asked for"
        void(site, tx, unit, note, replay)
    ask_for_all_of(site, tx, replay.donor_id)
    dead_ends.refuted(site, tx, replay)


def _leave_unproven_start(site: Site, tx: Transaction, replay: Replay, unit: Unit) -> None:
    """Begin again from the last proven state where a stranger's cannot be proven after all.

    A unit that has its result keeps it, as a scored one.
    """
    lease = leases.get(tx, replay.lease_id)
    if replay.why != Why.CHECKPOINT or unit.result is not None or lease is None:
        return
    if is_known(tx, lease) or was_long(lease):
        return
    if _own_segment(tx, replay, unit) is not None:
        note = f"{lease.id}: it takes too long to prove what others went on from"
        void(site, tx, unit, note, back_to=lease)


def _own_segment(tx: Transaction, replay: Replay, unit: Unit) -> Segment | None:
    """Give the replay's segment where the unit's result, or the state it goes on from, needs it."""
    chain = standing_segments(tx, unit)
    part = replay.why == Why.CHALLENGE
    return next(
        (s for s in chain if s.lease.id == replay.lease_id and (part or s.end == replay.end)), None
    )


MOST_LISTED = 1000


async def replays_of(site: Site, asker: Asker, study_id: str) -> list[wire.ReplayRecord]:
    """List a study's replays, newest first, as far as the asker may see it. Raises NotFound."""

    def look(tx: Transaction) -> list[wire.ReplayRecord]:
        asker.must_see(studies.get(tx, study_id))
        return [replay_to_wire(one) for one in replays.of_study(tx, study_id, MOST_LISTED)]

    return await site.writer.read(look)


def replay_to_wire(replay: Replay) -> wire.ReplayRecord:
    """Give what the wire tells of a replay."""
    return wire.ReplayRecord.model_validate(
        {
            "id": replay.id,
            "trial": replay.trial,
            "unit": replay.unit_id,
            "lease": replay.lease_id,
            "donor": donor_name(replay.donor_id),
            "backend": replay.backend,
            "why": replay.why,
            "state": replay.state,
            "from_step": replay.from_step,
            "to_step": replay.to_step,
            "distance": replay.distance,
            "tolerance": replay.tolerance,
            "note": replay.note,
            "asked_at": replay.asked_at,
            "decided_at": replay.decided_at,
        }
    )


async def undo(
    site: Site, asker: Asker, study_id: str, replay_id: str, note: str
) -> wire.ReplayRecord:
    """Take a refutation back: the donor's record is as before, and its result counts again.

    Whoever lost credit by it gets it again, also where another result has come meanwhile. The
    result is scored again if the unit still waits for another one.

    Raises NotAllowed (only an admin may), NotFound, Conflict `replay.not_refuted`.
    """
    asker.must_be_admin()

    def act(tx: Transaction) -> wire.ReplayRecord:
        replay = replays.get(tx, replay_id)
        if replay.study_id != study_id:
            raise NotFound("replay.not_found", "There is no such replay.", got=replay_id)
        if replay.why == Why.STUCK or not replays.undo(tx, replay.id, note):
            raise Conflict(
                "replay.not_refuted",
                "Only a refutation can be taken back.",
                expected="a replay that refuted a result",
                got=replay.state,
            )
        known = donor_standings.of(tx, replay.donor_id, replay.backend)
        before = replays.agreements_before(tx, replay)
        donor_standings.keep(
            tx,
            replace(
                known,
                agreements=known.agreements + before + 1,
                agreed=known.agreed + 1,
                refuted=max(0, known.refuted - 1),
            ),
        )
        recredited = credits.give_back(tx, replay.id)
        restored = _restore(site, tx, replay)
        dead_ends.undone(site, tx, replay)
        body = {
            "replay": replay.id,
            "unit": replay.unit_id,
            "trial": replay.trial,
            "by": asker.name,
            "note": note,
            "restored": restored,
            "recredited": recredited,
        }
        record(tx, replay.study_id, "replay_undone", body, site.now())
        after_commit(tx, site.poke)
        after_commit(tx, lambda: site.hub.publish(replay.study_id))
        return replay_to_wire(replays.get(tx, replay.id))

    return await site.writer.run(act)


def _restore(site: Site, tx: Transaction, replay: Replay) -> bool:
    """Give a unit its result back, unless it has another one by now."""
    unit = units.get(tx, replay.unit_id)
    end = unit.to_epoch * steps_per_epoch(unit.rows, unit.batch_size)
    result: str | None = replay.end
    if replay.why == Why.CHALLENGE:
        lease = leases.get(tx, replay.lease_id)
        result = None if lease is None else lease.result
    elif replay.to_step != end:
        return False  # a state on the way: the unit has gone on without it
    if unit.result is not None or unit.start is None or result is None:
        return False
    if replay.released_at is not None or not stands(tx, unit, replay.lease_id):
        return False  # its bytes may be gone, or what it went on from does not count
    values = {
        "lease_id": None,
        "result": result,
        "result_bytes": size_of(site, result),
        "result_lease": replay.lease_id,
        "diverged": replay.diverged,
    }
    if not units.change(tx, unit.id, UnitEvent.RETURN, **values):
        return False
    reason = "an earlier result counts again"
    leases.end_all_of_unit(tx, unit.id, LeaseState.SUPERSEDED, now=site.now(), reason=reason)
    return True
