"""The loops that keep a coordinator going: ask for trials, score results, sweep silent leases."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator

from potluck_coordinator.core import reasons
from potluck_coordinator.core.errors import NotFound, TooLarge
from potluck_coordinator.core.records import Replay, RunningStudy, Study, Unit
from potluck_coordinator.core.trust import ReplayState
from potluck_coordinator.core.units import UnitState
from potluck_coordinator.logs import about
from potluck_coordinator.scoring import JobTooLarge
from potluck_coordinator.services.challenges import renew_challenges, sweep_challenges
from potluck_coordinator.services.collection import collect
from potluck_coordinator.services.endings import finish_if_done, stop_study
from potluck_coordinator.services.events import CONDUCTOR
from potluck_coordinator.services.leftovers import forget_superseded, forget_uploads
from potluck_coordinator.services.own_donor import (
    leave_undecided,
    next_replay,
    perform,
    prepare_checks,
)
from potluck_coordinator.services.parts import drop_unneeded, provide
from potluck_coordinator.services.replays import checks
from potluck_coordinator.services.results import expire, renew_all
from potluck_coordinator.services.scoring import returned_units, score_unit, set_aside
from potluck_coordinator.services.search import SearchDesk
from potluck_coordinator.services.site import Site
from potluck_coordinator.services.state_quotas import Room, room_for_states
from potluck_coordinator.services.trials import launch_trial
from potluck_coordinator.storage import studies, trials, units

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
        self._scoring: dict[str, str] = {}
        """Accounts of the units that are being scored."""
        self._launching: set[str] = set()
        self._launch_again: set[str] = set()
        """Studies whose trials are being made, that should be looked at again."""
        self._more_to_score = False
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
        async with asyncio.TaskGroup() as group:
            with self._site.hub.listen(CONDUCTOR) as woken:
                while True:
                    woken.clear()
                    with _survive("trials could not be made"):
                        await self._launch_all(group)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(woken.wait(), IDLE_SECONDS)

    async def _launch_all(self, group: asyncio.TaskGroup) -> None:
        """Start what makes each study's trials: none waits for another's."""
        running = await self._site.writer.read(lambda tx: studies.running(tx))
        self._launch_again |= self._launching
        for found in running:
            if found.id not in self._launching:
                self._launching.add(found.id)
                group.create_task(self._launch_known(found))
        self._desk.forget_all_but({found.id for found in running} | self._launching)

    async def _launch_known(self, found: RunningStudy) -> None:
        try:
            with about(study=found.id), _survive("trials could not be made"):
                await self._launch(found)
        finally:
            self._launching.discard(found.id)
            if found.id in self._launch_again:
                self._launch_again.discard(found.id)
                self._site.poke()

    async def _launch(self, found: RunningStudy) -> None:
        """Make what a study needs now. Its plan, which may be large, is read where it is used."""
        if not found.encoded:
            study = await self._site.writer.read(lambda tx: studies.find(tx, found.id))
            with self._making(found.id), self._site.artifacts.naming():
                if study is None or not await provide(self._site, study):
                    return
        running, made = await self._site.writer.read(lambda tx: trials.count(tx, found.id))
        wanted = ASKED_AHEAD + 2 * self._site.presence.expected(found.circle) - running
        if min(wanted, found.trials - made) > 0:
            study = await self._site.writer.read(lambda tx: studies.find(tx, found.id))
            if study is None:
                return
            known = await self._site.writer.read(lambda tx: trials.of_study(tx, study.id))
            count = min(wanted, study.trials - len(known))
            points = await self._desk.ask(study, known, count)
            try:
                for number, parameters in points:
                    if not await self._has_room(study):
                        self._desk.forget(study.id)
                        return
                    with self._making(study.id), self._site.artifacts.naming():
                        made = await launch_trial(self._site, study, number, parameters)
                    if not made:
                        self._desk.forget(study.id)
                        return
            except Exception:
                self._desk.forget(study.id)  # or its next number would leave a gap
                raise
        elif found.trials <= made and not running:
            await self._site.writer.run(lambda tx: finish_if_done(self._site, tx, found.id))

    @contextlib.contextmanager
    def _making(self, study_id: str) -> Iterator[None]:
        """Let donors hear that more of this study may follow soon."""
        self._site.making.add(study_id)
        try:
            yield
        finally:
            self._site.making.discard(study_id)

    async def _has_room(self, study: Study) -> bool:
        """Say whether another trial may be made now; a study that may make none stops."""
        site = self._site
        room = await site.writer.read(lambda tx: room_for_states(site, tx, study))
        if room is Room.NO:
            await site.writer.run(
                lambda tx: stop_study(site, tx, study.id, reasons.NO_ROOM, by="the coordinator")
            )
        return room is Room.YES

    async def _score_forever(self) -> None:
        async with asyncio.TaskGroup() as group:
            with self._site.hub.listen(CONDUCTOR) as woken:
                while True:
                    woken.clear()
                    self._more_to_score = False
                    with _survive("returned units could not be read"):
                        for unit_id, account in await returned_units(self._site):
                            if self._may_score(unit_id, account):
                                self._scoring[unit_id] = account
                                group.create_task(self._score(unit_id))
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(woken.wait(), IDLE_SECONDS)

    def _may_score(self, unit_id: str, account: str) -> bool:
        """Say whether to begin with a unit: a few of each account, so that all get their turns."""
        if unit_id in self._scoring:
            return False
        begun = sum(one == account for one in self._scoring.values())
        may = begun < 2 * self._site.settings.workers
        self._more_to_score |= not may
        return may

    async def _score(self, unit_id: str) -> None:
        try:
            with contextlib.suppress(NotFound):  # deleted with its study
                unit = await self._site.writer.read(lambda tx: units.get(tx, unit_id))
                if unit.state == UnitState.RETURNED:  # not voided meanwhile
                    with about(study=unit.study_id, trial=unit.trial, unit=unit.id):
                        await self._score_known(unit)
        finally:
            del self._scoring[unit_id]
            if self._more_to_score:
                self._site.poke()

    async def _score_known(self, unit: Unit) -> None:
        try:
            with self._site.artifacts.naming():
                await score_unit(self._site, unit)
            self._failures.pop(unit.id, None)
        except Exception as error:
            # The fault may be ours and pass: a donor's good result is not thrown away for it.
            _log.exception("a unit could not be scored")
            too_large = isinstance(error, TooLarge | JobTooLarge)  # and will be the next time
            tries = SCORING_TRIES if too_large else self._failures.get(unit.id, 0) + 1
            self._failures[unit.id] = tries
            if tries >= SCORING_TRIES:
                with _survive("a unit could not be set aside"):
                    await set_aside(self._site, unit, f"{type(error).__name__}: {error}")
                    del self._failures[unit.id]

    async def _replay_forever(self) -> None:
        """Train again what is to be checked, one after another: owners take turns."""
        served: dict[str, float] = {}
        with self._site.hub.listen(CONDUCTOR) as woken:
            while True:
                woken.clear()
                with _survive("known answers could not be prepared"):
                    await prepare_checks(self._site)
                with _survive("a replay could not be done"):
                    while due := await next_replay(self._site, served):
                        await self._replay(due)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(woken.wait(), IDLE_SECONDS)

    async def _replay(self, due: Replay) -> None:
        with about(study=due.study_id, unit=due.unit_id, lease=due.lease_id, replay=due.id):
            await self._replay_known(due)

    async def _replay_known(self, due: Replay) -> None:
        try:
            with self._site.artifacts.naming():
                verdict = await perform(self._site, due)
            if verdict is ReplayState.REFUTED:
                self._desk.forget(due.study_id)  # it was told what is not true
        except Exception as error:
            # The fault is ours: what cannot be judged must not keep all others waiting.
            _log.exception("a replay could not be done")
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
                    await renew_challenges(self._site)
                last = now
                await expire(self._site)
                await sweep_challenges(self._site)
            await asyncio.sleep(pause)

    async def _clean_forever(self) -> None:
        """Delete what newer states took the place of, and the rows of studies that have ended."""
        while True:
            await asyncio.sleep(self._site.settings.clean_seconds)
            with _survive("superseded states could not be deleted"):
                await forget_superseded(self._site)
            with _survive("uploads of ended leases could not be deleted"):
                await forget_uploads(self._site)
            with _survive("encoded rows of ended studies could not be deleted"):
                await drop_unneeded(self._site)

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
