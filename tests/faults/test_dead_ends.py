"""States that led to nothing are not kept for ever, and no unit is relayed step by step."""

from __future__ import annotations

import hashlib
from functools import partial

import pytest
from sqlalchemy import update
from sqlmodel import col
from starlette.testclient import TestClient

from potluck.protocol import donor as wire
from potluck_coordinator.app import create_app
from potluck_coordinator.core.leases import LEAST_SHARE, MOST_SHORT
from potluck_coordinator.core.trust import Comparison, ReplayState, Why
from potluck_coordinator.services.chains import segments_of
from potluck_coordinator.services.dead_ends import MOST_REFUTED
from potluck_coordinator.services.replays import open_replay
from potluck_coordinator.services.site import Site
from potluck_coordinator.services.verdicts import conclude
from potluck_coordinator.settings import Settings
from potluck_coordinator.storage import artifact_uses, units
from potluck_coordinator.storage.tables import UnitRow
from potluck_coordinator.storage.transaction import Transaction
from tests.conftest import Start
from tests.faults.test_leases import one_unit
from tests.support.coordinator import Coordinator
from tests.support.keras_files import dense_h5
from tests.support.scripted_donor import (
    ScriptedDonor,
    end_step,
    hand_in,
    random_result,
    random_state,
)
from tests.support.visiting import bearer
from tests.support.waiting import PATIENCE_S, until


@pytest.fixture
def collecting(start_coordinator: Start) -> Coordinator:
    """Give a coordinator that collects all the time whatever nothing names at that moment."""
    return start_coordinator(collect_seconds=0.05, collect_after=0, clean_seconds=0.05, workers=1)


def named(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def relay(donor: ScriptedDonor, step: int) -> tuple[wire.Lease, str]:
    """Take the unit, name a state of a step, and hand it back; give the lease and the state."""
    lease = donor.await_lease()
    data = random_state(donor, lease, step)
    assert donor.checkpoint(lease, data, step).held == [lease.id]
    assert donor.hand_back(lease, "closing").outcome == "handed_back"
    return lease, named(data)


def test_a_unit_is_not_relayed_step_by_step(coordinator: Coordinator) -> None:
    study = one_unit(coordinator, epochs=40)
    with ScriptedDonor(coordinator.url) as donor:
        last = None
        for step in range(1, MOST_SHORT + 1):
            lease, left = relay(donor, step)
            assert last in (None, lease.unit.start)
            last = left
        short, _ = relay(donor, MOST_SHORT + 1)
        assert short.unit.start == last
        far = MOST_SHORT + -(-end_step(short.unit) // LEAST_SHARE)
        enough, left = relay(donor, far)
        assert enough.unit.start == last  # one step was not far enough
        final = donor.await_lease()
        assert final.unit.start == left
        assert donor.complete(final, random_result(donor, final)).outcome == "accepted"
    study.wait(timeout=PATIENCE_S, progress=False)
    study.delete()


def test_a_state_from_which_nobody_got_anywhere_goes_with_all_before_it(
    collecting: Coordinator,
) -> None:
    one_unit(collecting, epochs=40)
    with ScriptedDonor(collecting.url) as donor:
        begun, first = relay(donor, 1)
        _, second = relay(donor, 2)
        stuck = donor.await_lease()
        assert stuck.unit.start == second
        assert {first, second} <= collecting.stored()
        donor.hand_back(stuck, "error")
        for _ in range(2):  # one failure, or two, may be the donor's own
            stuck = donor.await_lease()
            assert stuck.unit.start == second
            donor.hand_back(stuck, "error")
        until(lambda: not {first, second} & collecting.stored(), what="the dead end to go")
    with ScriptedDonor(collecting.url) as other:  # the first one has to wait now
        again = other.await_lease()
        assert again.unit.start == begun.unit.start  # the unit begins afresh
        assert other.complete(again, random_result(other, again)).outcome == "accepted"


def test_what_led_to_a_result_is_kept_and_what_did_not_goes(collecting: Coordinator) -> None:
    one_unit(collecting, epochs=40)
    with ScriptedDonor(collecting.url) as donor:
        _, first = relay(donor, 1)
        _, second = relay(donor, 2)
        lease = donor.await_lease()
        donor.put(b"never named", lease.token)
        result = random_result(donor, lease)
        assert donor.complete(lease, result).outcome == "accepted"
        until(lambda: named(b"never named") not in collecting.stored(), what="a collection")
        assert {first, second, named(result)} <= collecting.stored()


def test_of_refuted_results_the_newest_are_kept_and_can_count_again(
    coordinator: Coordinator,
) -> None:
    trials = MOST_REFUTED + 2
    study = coordinator.client().submit(
        model=dense_h5(),
        data="iris",
        trials=trials,
        epochs=1,
        search={"learning_rate": [0.001 * (n + 1) for n in range(trials)]},
        name="Irises",
    )
    hand_in(coordinator.url, trials)
    study.wait(timeout=PATIENCE_S, progress=False)
    coordinator.stop()
    names = ("testserver",)
    app = create_app(
        Settings(data=coordinator.data, allowed_hosts=names, workers=1, clean_seconds=0.1)
    )
    results: list[str] = []
    verdicts: list[str] = []

    def refute(tx: Transaction, number: int) -> None:
        unit = next(one for one in units.of_study(tx, study.id) if one.trial == number)
        [segment] = segments_of(tx, unit)
        replay = open_replay(site, tx, unit, segment, Why.SAMPLED)
        assert conclude(site, tx, replay, Comparison(9.0), "") is ReplayState.REFUTED
        results.append(replay.end)
        verdicts.append(replay.id)

    def counting(tx: Transaction) -> set[str | None]:
        return {one.result for one in units.of_study(tx, study.id)}

    def begin_otherwise(tx: Transaction, result: str) -> None:
        """Let a unit begin with another state, as where its earlier rung was trained anew."""
        unit = next(one for one in units.of_study(tx, study.id) if one.trial == 3)
        tx.execute(update(UnitRow).where(col(UnitRow.id) == unit.id).values(start=result))

    def still_named(tx: Transaction) -> set[str]:
        return artifact_uses.named(tx, results)

    with TestClient(app) as client:
        site: Site = app.state.site
        for number in range(trials):
            site.writer.submit(partial(refute, number=number)).result()
        # Uploads of leases that have ended are forgotten by and by.
        until(
            lambda: site.writer.submit(still_named).result() == set(results[2:]), what="two to go"
        )
        site.writer.submit(partial(begin_otherwise, result=results[3])).result()
        for place, restored in ((0, False), (2, True), (3, False), (trials - 1, True)):
            path = f"/api/v1/studies/{study.id}/replays/{verdicts[place]}/undo"
            told = client.post(
                path, json={"note": "it was wrong"}, headers=bearer(coordinator.operator_token())
            )
            assert told.status_code == 200, told.text
            assert told.json()["state"] == "undone"
            assert (results[place] in site.writer.submit(counting).result()) is restored
