"""Take results and hand-backs: checked cheaply, accepted once, durable before the answer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from potluck.protocol import donor as wire
from potluck.protocol.base import ErrorDetail, one_line
from potluck_coordinator.core import reasons
from potluck_coordinator.core.errors import BadResult, PotluckError
from potluck_coordinator.core.leases import (
    BLAMELESS,
    LeaseState,
    LeaseView,
    UnitView,
    Verdict,
    count_try,
    judge_result,
)
from potluck_coordinator.core.records import Lease, Trial, Unit
from potluck_coordinator.core.units import UnitEvent, UnitState, steps_per_epoch
from potluck_coordinator.services import dead_ends
from potluck_coordinator.services.chains import stands
from potluck_coordinator.services.challenges import asked_of
from potluck_coordinator.services.events import WORK
from potluck_coordinator.services.lease_uploads import leave_few, newest
from potluck_coordinator.services.leases import (
    LARGEST_CLAIM,
    DonorSession,
    commitments,
    hash_token,
    holder_of_checkpoint,
    keep_claim,
    turn_of,
)
from potluck_coordinator.services.replays import checks
from potluck_coordinator.services.rungs import set_unit_aside
from potluck_coordinator.services.sampling import draw
from potluck_coordinator.services.site import Site
from potluck_coordinator.services.states import check_state, not_uploaded
from potluck_coordinator.services.stuck import ask_whether_stuck, begin_anew
from potluck_coordinator.storage import donors, leases, studies, trials, units, uploads
from potluck_coordinator.storage.ledger import record
from potluck_coordinator.storage.transaction import Transaction, after_commit

REASON_CHARACTERS = 500
"""What a refusal's words may take up among a unit's reasons."""
REFUSALS: dict[Verdict, tuple[str, str]] = {
    Verdict.SPENT: ("lease.spent", "This lease was settled before; a token counts once."),
    Verdict.SUPERSEDED: ("lease.superseded", "Another donor has gone on with this unit."),
    Verdict.CANCELLED: ("lease.cancelled", "The study no longer needs this unit."),
}


async def complete(
    site: Site, donor: DonorSession, results: Sequence[wire.Completed]
) -> list[wire.Settlement]:
    """Settle finished units, each on its own."""
    return [await _complete_one(site, donor, result) for result in results]


async def _complete_one(site: Site, donor: DonorSession, result: wire.Completed) -> wire.Settlement:
    checked = site.device_checks.settle(result, donor.id)
    if checked is not None:
        if checked.outcome == "refused":
            site.manners.failed(donor.id, donor.network, site.now())
        return checked
    settled: wire.Settlement | None = None
    while settled is None:  # again where it counts after all, against what it looked like
        found = await site.writer.read(lambda tx: _find(tx, donor, result))
        if isinstance(found, wire.Settlement):
            return found
        lease, unit, trial, verdict = found
        counts = verdict is Verdict.ACCEPT  # else nobody needs to read what it names
        problem = await _problem_with(site, donor, result, lease, unit, trial) if counts else None
        settled = await site.writer.run(partial(_settle, site, result, problem, counts))
    return settled


def _find(
    tx: Transaction, donor: DonorSession, result: wire.Completed
) -> wire.Settlement | tuple[Lease, Unit, Trial, Verdict]:
    lease = leases.get(tx, result.lease_id)
    wrong = lease is None or lease.token_hash != hash_token(result.token)
    if lease is None or wrong or lease.donor_id != donor.id:
        return refused(result.lease_id, "lease.unknown", "This is not your lease, or none at all.")
    unit = units.get(tx, lease.unit_id)
    trial = trials.get(tx, unit.study_id, unit.trial)
    assert trial is not None
    return lease, unit, trial, _judge(tx, lease, unit, result)


def _judge(tx: Transaction, lease: Lease, unit: Unit, result: wire.Completed) -> Verdict:
    """Say what becomes of a result, whatever its state holds."""
    verdict = judge_result(
        LeaseView(lease.id, LeaseState(lease.state), lease.from_step, lease.result),
        UnitView(UnitState(unit.state), unit.lease_id, unit.checkpoint_lease, unit.checkpoint_step),
        result.artifact,
    )
    if verdict is Verdict.ACCEPT and not stands(tx, unit, lease.id):
        return Verdict.SUPERSEDED
    return verdict


async def _problem_with(
    site: Site,
    donor: DonorSession,
    result: wire.Completed,
    lease: Lease,
    unit: Unit,
    trial: Trial,
) -> PotluckError | None:
    """Check what can be checked cheaply: uploaded, the end of the unit, names, shapes, finite."""
    if not await site.writer.read(lambda tx: uploads.has(tx, lease.id, result.artifact)):
        return not_uploaded(result.artifact)
    end = unit.to_epoch * steps_per_epoch(unit.rows, unit.batch_size)
    if result.step != end and not result.diverged:
        return BadResult(
            "result.incomplete",
            "The result stops short of the unit's end.",
            expected=f"step {end}",
            got=f"step {result.step}",
            hint="Upload it as a checkpoint and go on.",
        )
    try:
        await check_state(site, trial, unit, result.artifact, result.step, turn=turn_of(donor))
    except BadResult as error:
        if result.diverged and error.code == "result.not_finite":
            return None
        return error
    if result.diverged:
        return BadResult(
            "result.not_diverged",
            "The result says that training diverged, but its weights are finite.",
            expected="NaN or infinite weights",
            got="finite weights",
        )
    return None


def _settle(
    site: Site, result: wire.Completed, problem: PotluckError | None, read: bool, tx: Transaction
) -> wire.Settlement | None:
    """Settle a result; None where it would count, and nobody has `read` it."""
    lease = leases.get(tx, result.lease_id)
    if lease is None:  # its study was deleted meanwhile
        return refused(result.lease_id, *REFUSALS[Verdict.CANCELLED])
    unit = units.get(tx, lease.unit_id)
    verdict = _judge(tx, lease, unit, result)
    if verdict is Verdict.DUPLICATE:
        challenge = asked_of(site, tx, lease.id, lease.start)
        return wire.Settlement(lease_id=lease.id, outcome="duplicate", challenge=challenge)
    if verdict is not Verdict.ACCEPT:
        return refused(lease.id, *REFUSALS[verdict])
    if not read:
        return None
    if problem is None and not uploads.has(tx, lease.id, result.artifact):
        problem = not_uploaded(result.artifact)  # it went as its lease expired
    if problem is not None:
        reason = one_line(reasons.of_refusal(problem), REASON_CHARACTERS)
        if leases.end(tx, lease.id, LeaseState.REFUSED, now=site.now(), reason=reason, late=True):
            give_up(site, tx, lease, unit, reason=reason, progressed=False)
            _let_go(site, tx, lease, unit)
        return wire.Settlement(lease_id=lease.id, outcome="refused", error=_detail(problem))
    return _accept(site, tx, lease, unit, result)


def _accept(
    site: Site, tx: Transaction, lease: Lease, unit: Unit, result: wire.Completed
) -> wire.Settlement:
    now = site.now()
    backend = result.backend or lease.backend
    claims = {k: v for k, v in result.claims.items() if abs(v) <= LARGEST_CLAIM}
    committed = commitments(lease, unit, result.commitments)
    values: dict[str, Any] = {
        "lease_id": None,
        "result": result.artifact,
        "result_bytes": uploads.size(tx, lease.id, result.artifact),
        "result_lease": lease.id,
        "diverged": result.diverged,
        "claims": claims,
    }
    if not units.change(tx, unit.id, UnitEvent.RETURN, **values):
        return refused(lease.id, *REFUSALS[Verdict.SUPERSEDED])
    leases.end(
        tx,
        lease.id,
        LeaseState.COMPLETED,
        now=now,
        result=result.artifact,
        late=True,
        backend=backend,
        step=result.step,
        epoch=result.step // steps_per_epoch(unit.rows, unit.batch_size),
        stacked=result.stacked,
        commitments=committed,
        released_at=None,
    )
    leases.end_all_of_unit(
        tx, unit.id, LeaseState.SUPERSEDED, now=now, reason="an earlier holder finished"
    )
    dead_ends.settled(site, tx, [unit.id])
    if "loss" in claims:
        keep_claim(tx, unit, unit.to_epoch, claims["loss"])
    donors.reward(tx, lease.donor_id, seconds=min(now, lease.expires_at) - lease.started_at)
    body = {
        "lease": lease.id,
        "unit": unit.id,
        "trial": unit.trial,
        "weights": result.artifact,
        "start": lease.start,
        "from_step": lease.from_step,
        "to_step": result.step,
        "claims": claims,
        "commitments": committed,
        "diverged": result.diverged,
        "stacked": result.stacked,
        "backend": backend,
    }
    record(tx, unit.study_id, "result", body, now)
    challenged = draw(site, tx, units.get(tx, unit.id))
    after_commit(tx, lambda: site.manners.delivered(lease.donor_id))
    after_commit(tx, lambda: site.hub.publish(unit.study_id))
    after_commit(tx, site.poke)
    challenge = asked_of(site, tx, lease.id, lease.start) if challenged else None
    return wire.Settlement(lease_id=lease.id, outcome="accepted", challenge=challenge)


async def hand_back(
    site: Site,
    returns: Sequence[wire.Handback],
    donor: DonorSession | None = None,
    *,
    network: str | None = None,
) -> list[wire.Settlement]:
    """Take units back at once, so that somebody else can go on. The token is proof enough.

    Args:
        site: The coordinator.
        returns: The leases that are given up.
        donor: Whose socket it came on; None: it came without one.
        network: Where it came from, where there is no socket.
    """
    near = network if donor is None else donor.network

    def act(tx: Transaction) -> list[wire.Settlement]:
        untouched: set[str] = set()
        settled = [
            _hand_back_one(site, tx, back, donor, untouched)
            for back in returns
            if back not in dropped
        ]
        for donor_id in untouched:  # once for all of a message: a tab closes with all its units
            _count_return(site, tx, donor_id, near)
        return settled

    dropped = [one for one in returns if site.device_checks.drop(one.lease_id, one.token)]
    settled = [wire.Settlement(lease_id=one.lease_id, outcome="handed_back") for one in dropped]
    if donor is not None and any(one.reason not in BLAMELESS for one in dropped):
        site.manners.failed(donor.id, donor.network, site.now())
    return settled + await site.writer.run(act)


def _count_return(site: Site, tx: Transaction, donor_id: str, network: str | None) -> None:
    delivered = donors.finished(tx, donor_id) > 0
    near = network or site.presence.network_of(donor_id)
    now = site.now()
    after_commit(tx, lambda: site.manners.returned(donor_id, near, now, delivered=delivered))


def _hand_back_one(
    site: Site,
    tx: Transaction,
    back: wire.Handback,
    donor: DonorSession | None,
    untouched: set[str],
) -> wire.Settlement:
    """Take one unit back; note in `untouched` who brought it no step further, blamelessly."""
    lease = leases.by_token(tx, hash_token(back.token))
    strange = donor is not None and lease is not None and lease.donor_id != donor.id
    if lease is None or lease.id != back.lease_id or strange:
        return refused(back.lease_id, "lease.unknown", "This is not your lease, or none at all.")
    reason = back.reason + (f": {back.detail}" if back.detail else "")
    if not leases.end(tx, lease.id, LeaseState.HANDED_BACK, now=site.now(), reason=reason):
        return refused(lease.id, *REFUSALS[Verdict.SPENT])
    unit = units.get(tx, lease.unit_id)
    # A person may close a tab at any time: only an error says something about the unit.
    blameless = back.reason in BLAMELESS
    if blameless and not _moved_on(lease, unit):
        untouched.add(lease.donor_id)
    give_up(site, tx, lease, unit, reason=reason, progressed=blameless)
    _let_go(site, tx, lease, unit)
    return wire.Settlement(lease_id=lease.id, outcome="handed_back")


async def expire(site: Site) -> int:
    """End leases whose donors fell silent; their units are ready again."""

    def act(tx: Transaction) -> int:
        late = leases.expired(tx, site.now())
        for lease in late:
            if leases.end(tx, lease.id, LeaseState.EXPIRED, now=site.now(), reason="fell silent"):
                unit = units.get(tx, lease.unit_id)
                leave_few(site, tx, lease, unit, last)
                give_up(site, tx, lease, unit, reason="fell silent", progressed=False)
        return len(late)

    silent = await site.writer.read(lambda tx: leases.expired(tx, site.now()))
    if not silent:
        return 0
    last = await newest(site, silent)
    return await site.writer.run(act)


async def renew_all(site: Site) -> None:
    """Give every held lease its full time again: while nobody listened, silence means nothing."""
    until = site.now() + site.settings.lease_seconds
    await site.writer.run(lambda tx: leases.renew_held(tx, until))


def give_up(
    site: Site, tx: Transaction, lease: Lease, unit: Unit, *, reason: str, progressed: bool
) -> None:
    """Release a unit after an attempt without a result.

    After too many the coordinator's own donor tries its next steps. Where it has none, a state to
    go on from may be the reason, and the unit begins anew; without one it is set aside.
    """
    moved_on = _moved_on(lease, unit)
    after = count_try(
        unit.tries,
        progressed=progressed or moved_on,
        donors_tried=len(leases.failed_at(tx, unit.id)),
        donors_online=site.presence.online(studies.circle(tx, unit.study_id)),
    )
    now = site.now()
    tries = unit.tries if progressed and not moved_on else after.tries
    told = [*unit.reasons, f"{lease.id}: {reason}"][-20:]
    if not progressed and not moved_on:
        network = site.presence.network_of(lease.donor_id)
        site.manners.failed(lease.donor_id, network, now)
    if after.set_aside and not checks(site) and unit.checkpoint is None:
        set_unit_aside(site, tx, unit, told, expect_lease=lease.id, lease_id=None, tries=tries)
    else:
        units.change(
            tx,
            unit.id,
            UnitEvent.RELEASE,
            expect_lease=lease.id,
            lease_id=None,
            tries=tries,
            reasons=told,
            ready_since=unit.ready_since,
        )
        if after.set_aside and checks(site):
            ask_whether_stuck(site, tx, unit, lease)
        elif after.set_aside and holder_of_checkpoint(tx, unit, lease) is None:
            begin_anew(site, tx, unit, told)
        after_commit(tx, lambda: site.hub.publish(WORK))
    after_commit(tx, lambda: site.hub.publish(unit.study_id))


def _let_go(site: Site, tx: Transaction, lease: Lease, unit: Unit) -> None:
    """Keep no state for a lease that has ended for good, unless others may go on from its own."""
    if unit.checkpoint_lease != lease.id:
        dead_ends.came_to_nothing(site, tx, lease)


def _moved_on(lease: Lease, unit: Unit) -> bool:
    """Say whether a lease left a state behind that is further than where it began."""
    return unit.checkpoint_lease == lease.id and unit.checkpoint_step > lease.from_step


def refused(lease_id: str, code: str, message: str) -> wire.Settlement:
    """Answer calmly that a result or hand-back is not taken."""
    error = ErrorDetail.model_validate({"code": code, "message": message})
    return wire.Settlement(lease_id=lease_id, outcome="refused", error=error)


def _detail(error: PotluckError) -> ErrorDetail:
    return ErrorDetail.model_validate(
        {"code": error.code, "message": error.message, **error.details()}
    )
