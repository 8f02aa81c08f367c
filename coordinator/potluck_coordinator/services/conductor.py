"""The loops that keep a coordinator going: ask for trials, score results, sweep silent leases."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from potluck_coordinator.core.ranking import TrialState
from potluck_coordinator.core.records import Study, Unit
from potluck_coordinator.services.events import CONDUCTOR
from potluck_coordinator.services.results import expire
from potluck_coordinator.services.scoring import returned_units, score_unit
from potluck_coordinator.services.search import SearchDesk
from potluck_coordinator.services.site import Site
from potluck_coordinator.services.trials import finish_if_done, launch_trial
from potluck_coordinator.storage import studies, trials

ASKED_AHEAD = 4
"""Trials kept running beyond what the donors online can take."""
IDLE_SECONDS = 5.0

_log = logging.getLogger(__name__)


class Conductor:
    """Runs the loops. Everything it knows is in the database; a new one goes on from there."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._desk = SearchDesk(site)
        self._tasks: list[asyncio.Task[None]] = []
        self._scoring: set[str] = set()

    def start(self) -> None:
        """Start the loops in the running event loop."""
        loops = (self._launch_forever, self._score_forever, self._sweep_forever)
        self._tasks = [asyncio.create_task(loop()) for loop in loops]

    async def stop(self) -> None:
        """Stop the loops; what was under way is done again after a restart."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._desk.close()

    async def _launch_forever(self) -> None:
        with self._site.hub.listen(CONDUCTOR) as woken:
            while True:
                woken.clear()
                running = await self._site.writer.read(lambda tx: studies.in_state(tx, "running"))
                for study in running:
                    try:
                        await self._launch(study)
                    except Exception:
                        _log.exception("trials of study %s could not be made", study.id)
                self._desk.forget_all_but({study.id for study in running})
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(woken.wait(), IDLE_SECONDS)

    async def _launch(self, study: Study) -> None:
        known = await self._site.writer.read(lambda tx: trials.of_study(tx, study.id))
        open_trials = sum(t.state == TrialState.RUNNING for t in known)
        wanted = ASKED_AHEAD + 2 * self._site.presence.online() - open_trials
        count = min(wanted, study.trials - len(known))
        if count > 0:
            points = await self._desk.ask(study, known, count)
            try:
                for number, parameters in points:
                    await launch_trial(self._site, study, number, parameters)
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
                    for unit in await returned_units(self._site):
                        if unit.id in self._scoring:
                            continue
                        self._scoring.add(unit.id)
                        await slots.acquire()
                        group.create_task(self._score(unit, slots))
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(woken.wait(), IDLE_SECONDS)

    async def _score(self, unit: Unit, slots: asyncio.Semaphore) -> None:
        try:
            await score_unit(self._site, unit)
        except Exception:
            _log.exception("the score of unit %s could not be kept", unit.id)
        finally:
            self._scoring.discard(unit.id)
            slots.release()

    async def _sweep_forever(self) -> None:
        while True:
            try:
                await expire(self._site)
            except Exception:
                _log.exception("expired leases could not be swept")
            await asyncio.sleep(self._site.settings.sweep_seconds)
