"""The loops that keep a coordinator going: ask for trials, score results, sweep silent leases."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator

from potluck_coordinator.core.ranking import TrialState
from potluck_coordinator.core.records import Replay, Study, Unit
from potluck_coordinator.core.trust import ReplayState
from potluck_coordinator.services.collection import collect
from potluck_coordinator.services.endings import finish_if_done
from potluck_coordinator.services.events import CONDUCTOR
from potluck_coordinator.services.leftovers import forget_superseded
from potluck_coordinator.services.own_donor import leave_undecided, next_replay, perform
from potluck_coordinator.services.replays import checks
from potluck_coordinator.services.results import expire, renew_all
from potluck_coordinator.services.scoring import returned_units, score_unit, set_aside
from potluck_coordinator.services.search import SearchDesk
from potluck_coordinator.services.site import Site
from potluck_coordinator.services.trials import launch_trial
from potluck_coordinator.storage import studies, trials

ASKED_AHEAD = 4
"""Trials kept running beyond what the donors online can take."""
IDLE_SECONDS = 5.0
SCORING_TRIES = 3
SLEPT_SECONDS = 10.0

_log = logging.getLogger(__name__)


class Conductor:
    """Runs the loops. Everything it knows is in the database; a new one goes on from there."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._desk = SearchDesk(site)
        self._tasks: list[asyncio.Task[None]] = []
        self._scoring: set[str] = set()
        self._failures: dict[str, int] = {}

    def start(self) -> None:
        """Start the loops in the running event loop."""
        loops = [
            self._launch_forever,
            self._score_forever,
            self._sweep_forever,
            self._clean_forever,
            self._collect_forever,
        ]
        if checks(self._site):
            loops.append(self._replay_forever)
        self._tasks = [asyncio.create_task(loop()) for loop in loops]

    async def stop(self) -> None:
        """Stop the loops; what was under way is done again after a restart."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with _survive("superseded states could not be deleted"):
            await forget_superseded(self._site)
        self._desk.close()

    async def _launch_forever(self) -> None:
        with self._site.hub.listen(CONDUCTOR) as woken:
            while True:
                woken.clear()
                with _survive("trials could not be made"):
                    await self._launch_all()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(woken.wait(), IDLE_SECONDS)

    async def _launch_all(self) -> None:
        running = await self._site.writer.read(lambda tx: studies.in_state(tx, "running"))
        for study in running:
            with _survive(f"trials of study {study.id} could not be made"):
                await self._launch(study)
        self._desk.forget_all_but({study.id for study in running})

    async def _launch(self, study: Study) -> None:
        known = await self._site.writer.read(lambda tx: trials.of_study(tx, study.id))
        open_trials = sum(t.state == TrialState.RUNNING for t in known)
        wanted = ASKED_AHEAD + 2 * self._site.presence.expected() - open_trials
        count = min(wanted, study.trials - len(known))
        if count > 0:
            points = await self._desk.ask(study, known, count)
            try:
                for number, parameters in points:
                    with self._site.artifacts.naming():
                        made = await launch_trial(self._site, study, number, parameters)
                    if not made:
                        self._desk.forget(study.id)
                        return
            except Exception:
                self._desk.forget(study.id)  # or its next number would leave a gap
                raise
        elif study.trials <= len(known) and not open_trials:
            await self._site.writer.run(lambda tx: finish_if_done(self._site, tx, study))

    async def _score_forever(self) -> None:
        slots = asyncio.Semaphore(max(1, self._site.settings.workers))
        async with asyncio.TaskGroup() as group:
            with self._site.hub.listen(CONDUCTOR) as woken:
                while True:
                    woken.clear()
                    with _survive("returned units could not be read"):
                        for unit in await returned_units(self._site):
                            if unit.id not in self._scoring:
                                self._scoring.add(unit.id)
                                await slots.acquire()
                                group.create_task(self._score(unit, slots))
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(woken.wait(), IDLE_SECONDS)

    async def _score(self, unit: Unit, slots: asyncio.Semaphore) -> None:
        try:
            with self._site.artifacts.naming():
                await score_unit(self._site, unit)
            self._failures.pop(unit.id, None)
        except Exception as error:
            # The fault may be ours and pass: a donor's good result is not thrown away for it.
            _log.exception("unit %s could not be scored", unit.id)
            self._failures[unit.id] = self._failures.get(unit.id, 0) + 1
            if self._failures[unit.id] >= SCORING_TRIES:
                with _survive(f"unit {unit.id} could not be set aside"):
                    await set_aside(self._site, unit, f"{type(error).__name__}: {error}")
                    del self._failures[unit.id]
        finally:
            self._scoring.discard(unit.id)
            slots.release()

    async def _replay_forever(self) -> None:
        """Train again what is to be checked, one after another: most urgent first."""
        with self._site.hub.listen(CONDUCTOR) as woken:
            while True:
                woken.clear()
                with _survive("a replay could not be done"):
                    while due := await next_replay(self._site):
                        await self._replay(due)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(woken.wait(), IDLE_SECONDS)

    async def _replay(self, due: Replay) -> None:
        try:
            if await perform(self._site, due) is ReplayState.REFUTED:
                self._desk.forget(due.study_id)  # it was told what is not true
        except Exception as error:
            # The fault is ours: what cannot be judged must not keep all others waiting.
            _log.exception("replay %s could not be done", due.id)
            await leave_undecided(self._site, due, f"{type(error).__name__}: {error}")

    async def _sweep_forever(self) -> None:
        """End silent leases. Time that this coordinator itself slept is not held against donors."""
        pause = self._site.settings.sweep_seconds
        last = None
        while True:
            now = self._site.now()
            with _survive("expired leases could not be swept"):
                if last is None or now - last > pause + SLEPT_SECONDS:
                    await renew_all(self._site)
                last = now
                await expire(self._site)
            await asyncio.sleep(pause)

    async def _clean_forever(self) -> None:
        """Delete what newer states took the place of."""
        while True:
            await asyncio.sleep(self._site.settings.clean_seconds)
            with _survive("superseded states could not be deleted"):
                await forget_superseded(self._site)

    async def _collect_forever(self) -> None:
        """Delete what nothing names any more, and give the disk its room back."""
        pause = self._site.settings.collect_seconds
        while pause:
            await asyncio.sleep(pause)
            with _survive("what nothing names could not be collected"):
                await collect(self._site)


@contextlib.contextmanager
def _survive(what: str) -> Iterator[None]:
    """Log what goes wrong in one round; the next one tries again."""
    try:
        yield
    except Exception:
        _log.exception(what)
