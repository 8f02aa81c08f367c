"""Leases run out, are resumed, superseded, set aside: nothing is lost or counted twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import potluck
from potluck.verification import verify_ledger
from tests.conftest import Start
from tests.support.coordinator import Coordinator, offers
from tests.support.keras_files import dense_h5
from tests.support.scripted_donor import ScriptedDonor, random_result, state
from tests.support.waiting import PATIENCE_S, until

RATES = {"learning_rate": [0.01, 0.1]}
SOON_MISSED = {"lease_seconds": 3600.0, "unheard_seconds": 0.2, "sweep_seconds": 0.1, "workers": 1}
IMPATIENT = {"lease_seconds": 10.0, "sweep_seconds": 0.1, "workers": 1}


def one_unit(coordinator: Coordinator, epochs: int = 4) -> potluck.Study:
    """Make a study of one unit."""
    return coordinator.client().submit(
        model=dense_h5(), data="iris", search={}, trials=1, epochs=epochs, name="One"
    )


def two_units(coordinator: Coordinator) -> potluck.Study:
    """Make a study of two units."""
    return coordinator.client().submit(
        model=dense_h5(), data="iris", search=RATES, trials=2, epochs=4, name="Two"
    )


@contextmanager
def frozen(coordinator: Coordinator) -> Iterator[None]:
    """Let it answer nothing as long as the context lasts."""
    coordinator.freeze()
    try:
        yield
    finally:
        coordinator.thaw()


def test_a_silent_donors_unit_is_free_again_and_its_late_result_still_counts(
    start_coordinator: Start,
) -> None:
    coordinator = start_coordinator(**IMPATIENT)
    study = one_unit(coordinator)
    with ScriptedDonor(coordinator.url) as slow:
        lease = slow.await_lease()
        result = random_result(slow, lease)
        until(lambda: offers(study), what="the lease's end")
        assert slow.heartbeat(lease).stop == {lease.id: "expired"}
        assert slow.get(lease.unit.tensors, lease.token).status_code == 404
        assert slow.complete(lease, result).outcome == "accepted"
    study.wait(timeout=PATIENCE_S, progress=False)
    assert study.refresh().record.counts.scored == 1
    assert verify_ledger(study.ledger()).holds


def test_a_grant_to_a_donor_that_went_before_it_said_a_word_is_soon_free_again(
    start_coordinator: Start,
) -> None:
    coordinator = start_coordinator(**SOON_MISSED)
    study = one_unit(coordinator)
    with ScriptedDonor(coordinator.url) as closing:
        lease = closing.await_lease()
    until(lambda: offers(study), what="the lease's end")
    with ScriptedDonor(coordinator.url, key=closing.key, held=[lease.token]) as again:
        assert again.welcome.resumed == []
        again.begin()
    with ScriptedDonor(coordinator.url) as other:
        # It may have lost the network only, and trains on: its lease has its full time.
        assert other.request() == []
        assert [lease.state for lease in study.refresh().trial(0).units[0].leases] == [
            "expired",
            "held",
        ]


def test_a_grant_that_died_with_the_coordinator_is_soon_free_again(
    start_coordinator: Start,
) -> None:
    coordinator = start_coordinator(**SOON_MISSED)
    study = two_units(coordinator)
    with ScriptedDonor(coordinator.url) as donor:
        spoken_of = donor.begin()
        donor.await_lease()
        coordinator.kill()
    coordinator.start()
    with ScriptedDonor(coordinator.url, key=donor.key) as again:
        until(lambda: offers(study), what="the end of the lease that nobody spoke of")
        assert again.heartbeat(spoken_of).held == [spoken_of.id]


def test_what_a_closed_page_left_behind_is_soon_free_again(start_coordinator: Start) -> None:
    coordinator = start_coordinator(**SOON_MISSED)
    study = one_unit(coordinator)
    with ScriptedDonor(coordinator.url) as closed:
        closed.begin()
        closed.go_away()
        until(lambda: offers(study), what="the lease's end")


def test_a_page_that_closed_before_its_answer_came_went_away_all_the_same(
    start_coordinator: Start,
) -> None:
    coordinator = start_coordinator(**SOON_MISSED)
    study = one_unit(coordinator)
    with ScriptedDonor(coordinator.url) as closed:
        lease = closed.begin()
        with frozen(coordinator):
            closed.say_heartbeat(lease)
            closed.go_away()
    until(lambda: offers(study), what="the lease's end")


def test_a_page_that_came_back_before_its_old_connection_ended_keeps_its_lease(
    start_coordinator: Start,
) -> None:
    coordinator = start_coordinator(**SOON_MISSED)
    study = two_units(coordinator)
    with (
        ScriptedDonor(coordinator.url) as old,
        ScriptedDonor(coordinator.url) as closed,
    ):
        kept = old.begin()
        closed.begin()
        with ScriptedDonor(coordinator.url, key=old.key, held=[kept.token]) as again:
            assert [lease.id for lease in again.welcome.resumed] == [kept.id]
            old.go_away()
            closed.go_away()
            until(lambda: offers(study), what="the end of the lease of a page that stays away")
            assert again.heartbeat(kept).held == [kept.id]


def test_what_a_page_left_behind_that_had_only_just_come_back_is_soon_free_again(
    start_coordinator: Start,
) -> None:
    coordinator = start_coordinator(**SOON_MISSED)
    study = one_unit(coordinator)
    with ScriptedDonor(coordinator.url) as donor:
        lease = donor.begin()
    with ScriptedDonor(coordinator.url, key=donor.key, held=[lease.token]) as again:
        assert [held.id for held in again.welcome.resumed] == [lease.id]
        again.go_away()
    until(lambda: offers(study), what="the lease's end")


@pytest.mark.parametrize("code", [1000, 1001])
def test_the_last_words_of_a_donor_that_is_gone_are_heard(
    coordinator: Coordinator, code: int
) -> None:
    study = one_unit(coordinator)
    with ScriptedDonor(coordinator.url) as gone:
        lease = gone.await_lease()
        with frozen(coordinator):
            gone.say_heartbeat(lease)
            gone.say({"type": "request", "most": 1, "cached": []})
            gone.say_handback(lease, "stopped")
            gone.say({"type": "request", "most": 1, "cached": []})
            gone.go_away(code)
    until(lambda: offers(study), what="the unit that was handed back")
    assert [lease.state for lease in study.trial(0).units[0].leases] == ["handed_back"]
    study.delete()


def test_a_late_result_is_refused_once_somebody_else_has_gone_further(
    start_coordinator: Start,
) -> None:
    coordinator = start_coordinator(**IMPATIENT)
    study = one_unit(coordinator)
    with ScriptedDonor(coordinator.url) as slow, ScriptedDonor(coordinator.url) as quick:
        late = slow.await_lease()
        result = random_result(slow, late)
        until(lambda: offers(study), what="the lease's end")
        lease = quick.await_lease()
        saved = state(quick.start_weights(lease), lease.unit, 2)
        quick.checkpoint(lease, saved, 2)
        settled = slow.complete(late, result)
        assert settled.error is not None
        assert settled.error.code == "lease.superseded"
        assert quick.complete(lease, random_result(quick, lease)).outcome == "accepted"
    study.wait(timeout=PATIENCE_S, progress=False)
    kinds = Counter(e.kind for e in study.ledger().entries)
    assert (kinds["result"], kinds["score"]) == (1, 1)


def test_the_first_result_wins_and_the_other_holder_is_told_to_stop(
    start_coordinator: Start,
) -> None:
    coordinator = start_coordinator(**IMPATIENT)
    study = one_unit(coordinator)
    with ScriptedDonor(coordinator.url) as slow, ScriptedDonor(coordinator.url) as quick:
        late = slow.await_lease()
        result = random_result(slow, late)
        until(lambda: offers(study), what="the lease's end")
        lease = quick.await_lease()
        assert slow.complete(late, result).outcome == "accepted"
        assert quick.heartbeat(lease).stop == {lease.id: "superseded"}
    study.wait(timeout=PATIENCE_S, progress=False)
    assert [lease.state for lease in study.trial(0).units[0].leases] == [
        "completed",
        "superseded",
    ]


def test_the_next_donor_starts_from_the_newest_checkpoint(coordinator: Coordinator) -> None:
    study = one_unit(coordinator)
    with ScriptedDonor(coordinator.url) as first:
        lease = first.await_lease()
        saved = state(first.start_weights(lease), lease.unit, 5)
        first.checkpoint(lease, saved, 5)
        unnamed = {"lease_id": lease.id, "artifact": "f" * 64, "epoch": 1, "step": 7}
        first.say({"type": "checkpoint", "leases": [unnamed]})
        first.hear()
        first.hand_back(lease)
    with ScriptedDonor(coordinator.url) as second:
        again = second.await_lease()
        assert second.get(again.unit.start, again.token).content == saved
        assert again.unit.start != lease.unit.start
        assert second.complete(again, random_result(second, again)).outcome == "accepted"
        records = study.trial(0).units[0].leases
        assert [(r.from_step, r.state) for r in records] == [(0, "handed_back"), (5, "completed")]
    study.delete()


def test_a_donor_that_reconnects_holds_what_it_held(coordinator: Coordinator) -> None:
    study = one_unit(coordinator)
    with ScriptedDonor(coordinator.url) as donor:
        lease = donor.await_lease()
        key = donor.key
    with ScriptedDonor(coordinator.url, key, held=[lease.token, "nonsense"]) as again:
        assert [held.id for held in again.welcome.resumed] == [lease.id]
        assert again.welcome.record.name
        assert again.complete(lease, random_result(again, lease)).outcome == "accepted"
    with ScriptedDonor(coordinator.url, "somebody else entirely", held=[lease.token]) as other:
        assert other.welcome.resumed == []
    study.delete()


def test_three_failures_set_a_unit_aside_and_resuming_opens_it_again(
    coordinator: Coordinator,
) -> None:
    study = one_unit(coordinator)
    with ScriptedDonor(coordinator.url) as donor:
        for _ in range(3):
            donor.hand_back(donor.await_lease(), reason="error")
        assert study.refresh().record.counts.set_aside == 1
        assert study.trials()[0].state == "incomplete"
        assert study.trials()[0].rank is None
        unit = study.trial(0).units[0]
        assert len(unit.reasons) == 3
        until(lambda: study.refresh().state == "failed", what="the study's end")
        assert donor.why_wait() == "paused"  # who fails again and again waits
        study.resume()
    with ScriptedDonor(coordinator.url) as donor:
        lease = donor.await_lease()
        assert donor.complete(lease, random_result(donor, lease)).outcome == "accepted"
    study.wait(timeout=PATIENCE_S, progress=False)
    assert study.trials()[0].rank == 1


def test_closing_a_tab_is_nobodys_fault(coordinator: Coordinator) -> None:
    study = one_unit(coordinator)
    with ScriptedDonor(coordinator.url) as donor:
        for _ in range(5):
            donor.hand_back(donor.await_lease(), reason="closing")
        assert offers(study)
    study.delete()


def test_a_stopped_study_is_resumed_where_it_stood(coordinator: Coordinator) -> None:
    study = coordinator.client().submit(
        model=dense_h5(), data="iris", search={}, trials=1, epochs=4, rungs=[2, 4], name="Rungs"
    )
    with ScriptedDonor(coordinator.url) as donor:
        lease = donor.await_lease()
        result = random_result(donor, lease)
        study.stop()
        assert donor.heartbeat(lease).stop == {lease.id: "cancelled"}
        settled = donor.complete(lease, result)
        assert settled.error is not None
        assert settled.error.code in ("lease.cancelled", "lease.superseded")
        assert donor.request() == []
        study.resume()
        for rung in range(2):
            lease = donor.await_lease()
            assert lease.unit.rung == rung
            assert donor.complete(lease, random_result(donor, lease)).outcome == "accepted"
    study.wait(timeout=PATIENCE_S, progress=False)
    assert study.refresh().state == "completed"
    study.delete()


def test_a_completed_study_can_be_extended(coordinator: Coordinator) -> None:
    study = coordinator.client().submit(
        model=dense_h5(),
        data="iris",
        search={"learning_rate": [0.001, 0.01, 0.1]},
        trials=1,
        epochs=1,
        name="More",
    )
    with ScriptedDonor(coordinator.url) as donor:
        for made, wanted in ((0, 1), (1, 3)):
            if made:
                study.extend(wanted - made)
            for _ in range(wanted - made):
                lease = donor.await_lease()
                assert donor.complete(lease, random_result(donor, lease)).outcome == "accepted"
            study.wait(timeout=PATIENCE_S, progress=False)
            assert study.refresh().state == "completed"
            assert [row.rank for row in study.trials()] == list(range(1, wanted + 1))
    study.delete()
