"""Challenges: of a unit that is too long to be trained again, one interval is, drawn afterwards.

While it trained, the donor told the hash of its state at every commit step. Which interval is
trained again is drawn when the result is in, so that nothing can be made up for it; the donor then
brings the two states that it committed to.
"""

from __future__ import annotations

import secrets

from potluck.protocol import donor as wire
from potluck_coordinator.core.errors import BadResult, NotFound
from potluck_coordinator.core.ids import donor_name
from potluck_coordinator.core.records import Replay, Trial, Unit
from potluck_coordinator.core.trust import KNOWN_AFTER, Comparison, ReplayState, Why, intervals
from potluck_coordinator.core.units import commit_steps, steps_per_epoch
from potluck_coordinator.services.chains import Segment
from potluck_coordinator.services.replays import open_replay
from potluck_coordinator.services.site import Site
from potluck_coordinator.services.states import check_state
from potluck_coordinator.services.verdicts import conclude
from potluck_coordinator.services.voiding import void
from potluck_coordinator.storage import donor_standings, leases, replays, trials, units, uploads
from potluck_coordinator.storage.ledger import record
from potluck_coordinator.storage.transaction import Transaction, after_commit

NO_COMMITMENT = "The donor had told no hash of a state at this interval's ends."
NOT_BROUGHT = "The donor did not bring the two states."


def challenge(site: Site, tx: Transaction, unit: Unit, segment: Segment) -> None:
    """Draw one interval of what a lease trained, and ask its donor for the two states."""
    lease = segment.lease
    spe = steps_per_epoch(unit.rows, unit.batch_size)
    drawn = secrets.choice(
        intervals(
            (lease.from_step, lease.start),
            (segment.to_step, segment.end),
            {int(step): sha for step, sha in lease.commitments.items()},
            commit_steps(unit.from_epoch * spe, unit.to_epoch * spe),
        )
    )
    replay = open_replay(
        site, tx, unit, segment, Why.CHALLENGE, interval=drawn, state=ReplayState.ASKED
    )
    if drawn.start is None or drawn.end is None:
        _give_up(site, tx, replay, NO_COMMITMENT)
    elif (drawn.start, drawn.end) == (lease.start, segment.end):
        _open(site, tx, replay)  # both were looked at before


def asked_of(site: Site, tx: Transaction, lease_id: str, start: str) -> wire.Challenge | None:
    """Give what the wire tells a lease's donor to bring; None where it has nothing to bring.

    `start`: the state that the lease began with; the coordinator has it.
    """
    asked = replays.challenge_of(tx, lease_id)
    if asked is None or asked.state != ReplayState.ASKED:
        return None
    missing = _missing(tx, asked, start)
    return (
        wire.Challenge(states=missing, within_s=site.settings.challenge_seconds)
        if missing
        else None
    )


def allows_upload(tx: Transaction, lease_id: str, sha: str) -> bool:
    """Say whether a lease that has ended may upload this state: its donor was asked for it."""
    asked = replays.challenge_of(tx, lease_id)
    return (
        asked is not None and asked.state == ReplayState.ASKED and sha in (asked.start, asked.end)
    )


async def brought(site: Site, lease_id: str) -> None:
    """See whether a challenged donor has brought both states; then the replay opens.

    A state that is none refutes the work: its donor committed to it.
    """

    def look(tx: Transaction) -> tuple[Replay, Unit, Trial, list[tuple[str, int]]] | None:
        lease = leases.get(tx, lease_id)
        asked = replays.challenge_of(tx, lease_id)
        if lease is None or asked is None or asked.state != ReplayState.ASKED:
            return None
        if _missing(tx, asked, lease.start):
            return None
        unit = units.get(tx, asked.unit_id)
        trial = trials.get(tx, unit.study_id, unit.trial)
        assert trial is not None
        ends = [(asked.start, asked.from_step), (asked.end, asked.to_step)]
        return asked, unit, trial, [end for end in ends if end[0] != lease.start]

    found = await site.writer.read(look)
    if found is None:
        return
    asked, unit, trial, states = found
    turn = site.presence.network_of(asked.donor_id) or asked.donor_id
    problem = ""
    try:
        for artifact, step in states:
            await check_state(site, trial, unit, artifact, step, turn=turn)
    except (BadResult, NotFound) as error:
        problem = f"A state that the donor committed to is none: {error}"

    def act(tx: Transaction) -> None:
        if _open(site, tx, asked) and problem:
            conclude(site, tx, asked, Comparison(float("inf")), problem)

    await site.writer.run(act)


async def sweep_challenges(site: Site) -> None:
    """Open challenges whose states lie here already; end those whose did not come in time."""
    asked = await site.writer.read(lambda tx: replays.asked_before(tx, site.now()))
    for one in asked:
        await brought(site, one.lease_id)
    moment = site.now() - site.settings.challenge_seconds
    if not any(one.asked_at < moment for one in asked):
        return

    def act(tx: Transaction) -> None:
        for late in replays.asked_before(tx, moment):
            _give_up(site, tx, late, NOT_BROUGHT)

    await site.writer.run(act)


async def renew_challenges(site: Site) -> None:
    """Give challenged donors their full time again: while nobody listened, silence says nothing."""
    now = site.now()
    await site.writer.run(lambda tx: replays.ask_anew(tx, now))


def _missing(tx: Transaction, asked: Replay, start: str) -> list[str]:
    """Name the states that the coordinator does not have from this lease yet."""
    ends = dict.fromkeys((asked.start, asked.end))
    return [sha for sha in ends if sha != start and not uploads.has(tx, asked.lease_id, sha)]


def _open(site: Site, tx: Transaction, asked: Replay) -> bool:
    after_commit(tx, site.poke)
    return replays.move_challenge(tx, asked.id, ReplayState.OPEN)


def _give_up(site: Site, tx: Transaction, asked: Replay, note: str) -> None:
    """Leave work unproven: it earns nothing, and of a donor that is not known it does not count.

    Whoever is here and does not answer gets a pause. A known donor may have had to leave; but what
    it commits to it tells while it trains.
    """
    now = site.now()
    if not replays.move_challenge(
        tx, asked.id, ReplayState.UNANSWERED, note=note, decided_at=now, released_at=now
    ):
        return
    network = site.presence.network_of(asked.donor_id)
    if note == NO_COMMITMENT or site.presence.is_online(asked.donor_id):
        after_commit(tx, lambda: site.manners.failed(asked.donor_id, network, now))
    body = {
        "replay": asked.id,
        "unit": asked.unit_id,
        "trial": asked.trial,
        "lease": asked.lease_id,
        "donor": donor_name(asked.donor_id),
        "from_step": asked.from_step,
        "to_step": asked.to_step,
        "note": note,
    }
    record(tx, asked.study_id, "unanswered", body, now)
    unit = units.get(tx, asked.unit_id)
    agreements = donor_standings.of(tx, asked.donor_id, asked.backend).agreements
    excused = note == NOT_BROUGHT and agreements >= KNOWN_AFTER
    if unit.result_lease == asked.lease_id and not excused:
        void(site, tx, unit, f"{asked.lease_id}: {note}", asked)
