"""The coordinator's own donor: trains again what others trained, one replay after another."""

from __future__ import annotations

import secrets
from functools import partial

from potluck.protocol.base import one_line
from potluck_coordinator.core.errors import Conflict, NotFound, TooLarge
from potluck_coordinator.core.records import Replay, Study, Unit
from potluck_coordinator.core.trust import ReplayState, Why, diverges_by
from potluck_coordinator.core.turns import WORKER_LEAST, Kind
from potluck_coordinator.core.units import steps_per_epoch
from potluck_coordinator.scoring import JobTooLarge, WorkerLost
from potluck_coordinator.services.courses import course_of
from potluck_coordinator.services.memory import replay_memory
from potluck_coordinator.services.parts import provided
from potluck_coordinator.services.score_jobs import KeptReplay, replay_kept
from potluck_coordinator.services.site import Site
from potluck_coordinator.services.stuck import conclude_stuck
from potluck_coordinator.services.verdicts import OWN, conclude
from potluck_coordinator.storage import leases, replays, studies, units
from potluck_coordinator.storage.transaction import Transaction
from potluck_coordinator.training.fresh_answers import fresh_answers
from potluck_coordinator.training.replay import IN_DOUBT, Replayed, ReplayJob

NOTE_CHARACTERS = 300
MOST_REMEMBERED = 10_000
"""Owners whose turns are remembered."""
PREPARED_WITHIN_S = 300.0
SLACK = 2.0
"""A process that hangs is killed after so many times the time that its job may take."""
LEAST_S = 120.0
"""No process is killed sooner: it imports Keras first."""
TRAININGS = 1.0 + IN_DOUBT
"""A replay that finds a difference trains twice, and the second time may take longer."""


async def next_replay(site: Site, served: dict[str, float]) -> Replay | None:
    """Give the replay whose turn it is, or None.

    Args:
        site: The coordinator.
        served: When owners were served last, which this goes on. Those who wait and have been
            forgotten count from when they began to wait.
    """
    found = await site.writer.read(lambda tx: replays.next_open(tx, served))
    if found is None:
        return None
    due, owner = found
    served.pop(owner, None)
    served[owner] = site.now()
    while len(served) > MOST_REMEMBERED:
        del served[next(iter(served))]
    return due


async def prepare_checks(site: Site) -> None:
    """Train the known answers by which new donors' devices are checked, if they are wanted."""
    if site.device_checks.wanted:
        seed = secrets.randbits(64)
        async with site.memory.room(WORKER_LEAST, "A device check", kind=Kind.REPLAY):
            answers = await site.own_donor.run(
                fresh_answers, seed, timeout_s=PREPARED_WITHIN_S, need=WORKER_LEAST
            )
        site.device_checks.prepare(answers)


async def perform(site: Site, due: Replay) -> ReplayState | None:
    """Train a lease's work again and keep the verdict. Raises what the store raises."""

    def look(tx: Transaction) -> tuple[Unit, Study, int]:
        lease = leases.get(tx, due.lease_id)
        claimed = due.to_step if lease is None else lease.step
        return units.get(tx, due.unit_id), studies.get(tx, due.study_id), claimed

    unit, study, claimed = await site.writer.read(look)
    promoted = unit.kind == "trial" and unit.rung < len(study.spec["rungs"]) - 1
    last = unit.to_epoch * steps_per_epoch(unit.rows, unit.batch_size)
    to_step = diverges_by(due.from_step, claimed, last) if due.diverged else due.to_step
    goes_on = promoted or due.to_step < last
    done = await _train(site, due, unit, study.owner, to_step, goes_on)
    site.own_pace.note(unit, done.step_s)
    note = one_line(done.unable, NOTE_CHARACTERS)
    if due.why == Why.STUCK:
        await site.writer.run(lambda tx: conclude_stuck(site, tx, due, done, note, OWN))
        return None
    late = done.too_long
    return await site.writer.run(
        lambda tx: conclude(site, tx, due, done.comparison, note, too_long=late)
    )


async def leave_undecided(site: Site, due: Replay, why: str) -> None:
    """End a replay that could not be done here; its unit stays as it is."""
    note = one_line(why, NOTE_CHARACTERS)

    def act(tx: Transaction) -> None:
        if replays.is_open(tx, due.id):
            conclude(site, tx, due, None, note)

    await site.writer.run(act)


async def _train(
    site: Site, due: Replay, unit: Unit, owner: str, to_step: int, goes_on: bool
) -> Replayed:
    settings = site.settings
    build = partial(
        ReplayJob,
        course_of(unit),
        to_step=to_step,
        diverged=due.diverged,
        goes_on=goes_on,
        share=settings.own_donor,
        seconds=settings.own_donor_seconds,
    )
    topology, tensors, start = map(site.artifacts.kept, (unit.topology, unit.tensors, due.start))
    end = site.artifacts.kept(due.end) if due.end else None
    kept = KeptReplay(topology, tensors, start, end, build)
    most = max(LEAST_S, SLACK * TRAININGS * settings.own_donor_seconds / settings.own_donor)
    try:
        await provided(site, unit.study_id, unit.part)
        ends = [sha for sha in (due.start, due.end) if sha]
        need = replay_memory(unit, sum([await site.artifacts.size(sha) for sha in ends]))
        async with site.memory.room(need, "Training it again", kind=Kind.REPLAY, account=owner):
            return await site.own_donor.run(replay_kept, kept, timeout_s=most, need=need)
    except (Conflict, NotFound) as error:
        return Replayed(None, f"What it needs is gone: {error}")
    except TooLarge as error:
        return Replayed(None, f"{error} It has {error.expected}; this takes {error.got}.")
    except JobTooLarge as error:
        return Replayed(None, f"It takes more memory here than was expected. {error}")
    except WorkerLost as error:
        return Replayed(None, str(error), failed=True)
    except TimeoutError:
        told = f"Training it again took longer than {most:,.0f} s."
        step_s = most * settings.own_donor / max(1, to_step - due.from_step)
        return Replayed(None, told, failed=True, too_long=True, step_s=step_s)
