"""Verdicts, requests for work and the home page: what they do does not grow with a study."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from potluck.protocol import donor as wire
from potluck.protocol.optimizers import Sgd
from potluck_coordinator.core.leases import LeaseState
from potluck_coordinator.core.records import Donor
from potluck_coordinator.core.trust import ReplayState
from potluck_coordinator.core.units import UnitState
from potluck_coordinator.services.endings import finish_if_done
from potluck_coordinator.services.granting import MOST_HELD, grant
from potluck_coordinator.services.leases import DonorSession
from potluck_coordinator.services.site import Site
from potluck_coordinator.services.totals import TOTALS_SECONDS, Totals
from potluck_coordinator.storage import datasets, donors, leases, models, replays, studies
from potluck_coordinator.storage import trials as stored_trials
from potluck_coordinator.storage import units as stored_units
from tests.support.bare_site import bare_site
from tests.support.rows import SHA, dataset, lease, model, study, trial, unit
from tests.support.work import Work, counted

FEW, MANY = 20, 600


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Site, Engine]]:
    """Give a site with a running study of two repeats, and its engine."""
    with bare_site(tmp_path) as (found, engine):

        def begin(tx: Session) -> None:
            models.add(tx, model())
            datasets.add(tx, dataset())
            donors.meet(tx, Donor(id="d1", name="d1", created_at=1.0, seen_at=1.0))

        found.writer.submit(begin).result()
        yield found, engine


def add_study(site: Site, name: str, many: int) -> None:
    """Keep a study whose trials are all completed; the last of them are the best."""

    def add(tx: Session) -> None:
        studies.add(tx, replace(study(name), trials=many), [])
        for number in range(many):
            done: dict[str, Any] = {"state": "completed", "value": float(number)}
            stored_trials.add(tx, replace(trial(name, number), **done))
        made = [
            replace(
                unit(f"u{repeat}", UnitState.SCORED),
                id=f"{name}.{number}.{repeat}",
                study_id=name,
                trial=number,
                repeat=repeat,
                result=SHA,
                result_lease=f"l{name}.{number}.{repeat}",
            )
            for number in range(many)
            for repeat in range(2)
        ]
        stored_units.add(tx, made)
        for one in made:
            ended: dict[str, Any] = {
                "study_id": name,
                "state": LeaseState.COMPLETED.value,
                "result": SHA,
            }
            leases.add(tx, replace(lease(f"l{one.id}", one.id), **ended))

    site.writer.submit(add).result()


def did(engine: Engine, act: Callable[[], Any]) -> Work:
    with counted(engine) as work:
        act()
    return work


def test_a_study_that_waits_for_its_finalists_is_looked_at_by_the_same_few_statements(
    site: tuple[Site, Engine],
) -> None:
    here, engine = site
    works = []
    for name, many in (("few", FEW), ("many", MANY)):
        add_study(here, name, many)

        def look(name: str = name) -> None:
            here.writer.submit(lambda tx: finish_if_done(here, tx, name)).result()

        look()
        asked = here.writer.read_sync(partial(replays.of_study, study_id=name, limit=100))
        assert sorted(one.trial for one in asked) == sorted([*range(many - 3, many)] * 2)
        assert {one.state for one in asked} == {ReplayState.OPEN}
        works.append(did(engine, look))
        again = here.writer.read_sync(partial(replays.of_study, study_id=name, limit=100))
        assert len(again) == len(asked)

        def decide(tx: Session, asked: list[Any] = asked) -> None:
            for one in asked:
                assert replays.decide(tx, one.id, ReplayState.AGREED, decided_at=2.0)

        here.writer.submit(decide).result()
        look()
        ended = here.writer.read_sync(partial(studies.get, study_id=name))
        assert (ended.state, ended.best_trial) == ("completed", many - 1)
    few, many_of = works
    assert len(few.statements) == len(many_of.statements) <= 16
    # Only counting the trials, in an index, takes longer where there are more of them.
    assert many_of.steps <= 1.5 * few.steps + 10 * MANY


def test_a_donor_that_may_hold_no_more_is_answered_before_units_are_listed(
    site: tuple[Site, Engine],
) -> None:
    here, engine = site

    def add(tx: Session) -> None:
        studies.add(tx, study("st"), [])
        stored_trials.add(tx, trial("st", 0))
        told: dict[str, Any] = {
            "optimizer": Sgd(learning_rate=0.1).model_dump(),
            "loss": "mean_squared_error",
        }
        told |= {"loss_options": {}, "from_logits": False}
        stored_units.add(tx, [replace(unit(f"u{n}"), training=told) for n in range(MOST_HELD + 4)])
        for n in range(MOST_HELD):
            leases.add(tx, lease(f"l{n}", f"u{n}"))

    here.writer.submit(add).result()
    full = DonorSession("d1", "d1", "cpu", "test", delivered=1)
    asked = wire.Request(most=4, cached=[])
    work = did(engine, lambda: asyncio.run(_granted(here, full, asked, nothing_ready=False)))
    assert not any("row_number" in said for said in work.statements)
    here.writer.submit(lambda tx: leases.end(tx, "l0", LeaseState.COMPLETED, now=2.0)).result()
    with counted(engine) as listed:
        [lent] = asyncio.run(grant(here, full, asked)).leases
    assert lent.unit.study_name == "s"
    assert any("row_number" in said for said in listed.statements)


async def _granted(
    site: Site, donor: DonorSession, asked: wire.Request, *, nothing_ready: bool
) -> None:
    found = await grant(site, donor, asked)
    assert (found.leases, found.nothing_ready) == ([], nothing_ready)


def test_the_home_pages_sums_are_read_once_in_a_while_however_many_ask(
    site: tuple[Site, Engine],
) -> None:
    here, engine = site
    now = [0.0]
    totals = Totals(lambda: now[0])

    async def ask() -> set[int]:
        found = await asyncio.gather(*(totals.of(here.writer) for _ in range(20)))
        return {one.flops for one in found}

    async def some_ask() -> None:
        with counted(engine) as work:
            assert await ask() == {0}
        assert len([said for said in work.statements if "donor" in said]) == 1
        await here.writer.run(lambda tx: donors.reward(tx, "d1", flops=7))
        assert await ask() == {0}
        now[0] = TOTALS_SECONDS
        assert await ask() == {7}

    asyncio.run(some_ask())
