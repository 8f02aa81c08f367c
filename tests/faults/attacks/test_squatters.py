"""Who holds units and trains nothing keeps nobody from finishing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from potluck.protocol import donor as wire
from tests.faults.attacks.checked import submit
from tests.support.coordinator import Coordinator
from tests.support.honest_donor import trained, work
from tests.support.scripted_donor import ScriptedDonor
from tests.support.waiting import PATIENCE_S, until

ANY_RATE = {"learning_rate": {"low": 1e-4, "high": 1e-1}}


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coordinator]:
    """Give a coordinator that soon calls a unit stalled."""
    data = tmp_path_factory.mktemp("data")
    found = Coordinator(data, workers=1, own_donor=1, stalled_seconds=1, lease_seconds=600)
    try:
        yield found.start()
    finally:
        found.stop()


def given_or_other(donor: ScriptedDonor, unit_id: str) -> wire.Lease | None:
    """Ask once: give the lease of this unit, or train what came instead."""
    lease = donor.await_lease()
    if lease.unit.id == unit_id:
        return lease
    assert donor.complete(lease, trained(donor, lease)).outcome == "accepted"
    return None


def test_a_unit_that_stalls_goes_to_a_second_donor_and_the_first_result_counts(
    impatient: Coordinator,
) -> None:
    study = submit(impatient, trials=2, search={"learning_rate": [1e-3, 1e-2]})
    with ScriptedDonor(impatient.url) as squatter, ScriptedDonor(impatient.url) as honest:
        held = squatter.await_lease()
        squatter.heartbeat(held)
        work(honest, 1)
        copy = until(lambda: honest.request(), what="the squatter's unit")[0]
        assert copy.unit.id == held.unit.id
        squatter.heartbeat(held)  # it may go on, and say so
        assert honest.complete(copy, trained(honest, copy)).outcome == "accepted"
        assert squatter.heartbeat(held).stop == {held.id: "superseded"}
        assert squatter.complete(held, b"too late").outcome == "refused"
        study.wait(timeout=PATIENCE_S, progress=False)
    study.delete()


def test_a_squatter_beside_a_queue_that_never_runs_dry_holds_nobodys_study_up(
    impatient: Coordinator,
) -> None:
    with ScriptedDonor(impatient.url) as squatter, ScriptedDonor(impatient.url) as honest:
        squatted = submit(impatient)
        held = squatter.await_lease()
        squatter.heartbeat(held)
        endless = submit(impatient, trials=300, epochs=1, search=ANY_RATE)
        work(honest, 1)
        until(lambda: endless.refresh().record.counts.scored == 1, what="what it delivered")

        def copied() -> wire.Lease | None:
            """Train what else is ready, until the squatter's unit comes."""
            squatter.heartbeat(held)
            return given_or_other(honest, held.unit.id)

        copy = until(copied, what="the squatter's unit")
        assert squatter.heartbeat(held).held == [held.id]  # it was not taken away
        assert endless.refresh().record.counts.ready > 0  # and something else was ready
        assert honest.complete(copy, trained(honest, copy)).outcome == "accepted"
        assert squatter.heartbeat(held).stop == {held.id: "superseded"}
        squatted.wait(timeout=PATIENCE_S, progress=False)
        endless.stop()
    squatted.delete()
    endless.delete()


def test_who_delivered_nothing_takes_no_copy_while_other_units_are_ready(
    impatient: Coordinator,
) -> None:
    with ExitStack() as stack:
        one, other, fresh, honest = (
            stack.enter_context(ScriptedDonor(impatient.url)) for _ in range(4)
        )
        study = submit(impatient, trials=300, epochs=1, search=ANY_RATE)
        squatted = {donor: donor.await_lease() for donor in (one, other)}
        work(honest, 1)
        until(lambda: study.refresh().record.counts.scored == 1, what="what it delivered")

        def copied() -> wire.Lease | None:
            for donor, lease in squatted.items():
                donor.heartbeat(lease)
            return given_or_other(honest, squatted[one].unit.id)

        copy = until(copied, what="the unit that is overdue")
        honest.complete(copy, trained(honest, copy))
        for _ in range(4):  # the other one is overdue as well
            lease = fresh.await_lease()
            assert lease.unit.id != squatted[other].unit.id
            fresh.hand_back(lease)
        assert other.heartbeat(squatted[other]).held == [squatted[other].id]
        assert honest.await_lease().unit.id == squatted[other].unit.id
        study.stop()
    study.delete()


def test_a_first_holder_that_finishes_counts_whatever_a_second_names_meanwhile(
    impatient: Coordinator,
) -> None:
    study = submit(impatient)
    with ScriptedDonor(impatient.url) as slow, ScriptedDonor(impatient.url) as squatter:
        held = slow.await_lease()
        slow.heartbeat(held)
        result = trained(slow, held)
        copy = until(lambda: squatter.request(), what="a copy")[0]
        step = copy.unit.from_epoch * copy.unit.steps_per_epoch + 1
        squatter.checkpoint(copy, trained(squatter, copy, step), step)
        assert slow.complete(held, result).outcome == "accepted"
        study.wait(timeout=PATIENCE_S, progress=False)
    study.delete()


def test_squatters_that_hold_all_there_is_and_every_copy_are_passed_by(
    impatient: Coordinator,
) -> None:
    study = submit(impatient)
    with ExitStack() as stack:
        first, second, honest = (
            stack.enter_context(ScriptedDonor(impatient.url)) for _ in range(3)
        )
        held = first.await_lease()
        first.heartbeat(held)
        copy = until(lambda: second.request(), what="a copy though nothing was finished yet")[0]
        second.heartbeat(copy)
        again = until(lambda: honest.request(), what="a copy of what two hold")[0]
        assert again.unit.id == copy.unit.id == held.unit.id
        assert honest.complete(again, trained(honest, again)).outcome == "accepted"
        study.wait(timeout=PATIENCE_S, progress=False)
    study.delete()


def test_one_address_takes_no_more_than_its_share_while_another_waits(
    checking: Coordinator,
) -> None:
    study = submit(checking, trials=4, search={"learning_rate": [1e-4, 1e-3, 1e-2, 1e-1]})
    with ExitStack() as stack:
        crowd = [
            stack.enter_context(ScriptedDonor(checking.url, address="127.0.0.2")) for _ in range(5)
        ]
        outside = stack.enter_context(ScriptedDonor(checking.url, address="127.0.0.3"))
        until(lambda: study.refresh().record.counts.ready == 4, what="units")
        held = [donor.request()[0] for donor in crowd[:4]]  # nobody waits: all that there is
        for donor, lease in zip(crowd, held, strict=False):
            donor.heartbeat(lease)
        assert crowd[4].request() == []
        assert outside.request() == []
        assert crowd[0].hand_back(held[0]).outcome == "handed_back"
        assert crowd[4].ask() == []
        assert outside.await_lease().unit.id == held[0].unit.id
    study.delete()


def test_who_waits_and_never_answers_holds_no_other_network_to_one_lease(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    found = Coordinator(tmp_path_factory.mktemp("data"), workers=1)
    try:
        found.start()
        with ScriptedDonor(found.url, address="127.0.0.2") as silent, ExitStack() as stack:
            assert silent.request() == []  # and it says nothing any more
            study = submit(found, trials=6, search={"learning_rate": [1e-4, 1e-3, 1e-2]}, folds=2)
            tabs = [stack.enter_context(ScriptedDonor(found.url)) for _ in range(3)]

            def leases() -> int:
                for tab in tabs:
                    tab.request()
                return study.refresh().record.counts.leased

            until(lambda: leases() >= 5, what="leases of a network whose tabs ask")
    finally:
        found.stop()


def test_a_second_holder_takes_no_states_of_the_first_away(impatient: Coordinator) -> None:
    study = submit(impatient)
    with ScriptedDonor(impatient.url) as slow, ScriptedDonor(impatient.url) as harmful:
        held = slow.await_lease()
        slow.heartbeat(held)
        first = held.unit.from_epoch * held.unit.steps_per_epoch + 1
        slow.checkpoint(held, trained(slow, held, first), first)
        copy = until(lambda: harmful.request(), what="a copy")[0]
        far = first + 2
        harmful.checkpoint(copy, trained(harmful, copy, far), far)
        harmful.hand_back(copy, "error")
        newer = trained(slow, held, first + 1)
        slow.checkpoint(held, newer, first + 1)
        slow.hand_back(held, "closing")
    with ScriptedDonor(impatient.url) as next_one:
        lease = next_one.await_lease()
        assert lease.unit.start == hashlib.sha256(newer).hexdigest()
        next_one.hand_back(lease)
    study.delete()
