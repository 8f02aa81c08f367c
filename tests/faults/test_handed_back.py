"""Units that are taken and handed back all day: it costs whoever does it, and no study much."""

from __future__ import annotations

from tests.faults.test_leases import one_unit
from tests.support.coordinator import Coordinator, offers
from tests.support.scripted_donor import ScriptedDonor, random_result
from tests.support.waiting import PATIENCE_S


def test_who_takes_and_hands_back_again_and_again_waits(coordinator: Coordinator) -> None:
    study = one_unit(coordinator)
    with ScriptedDonor(coordinator.url) as donor:
        for number in range(10):
            lease = donor.await_lease()
            reason = ("stopped", "closing", "paused")[number % 3]
            assert donor.hand_back(lease, reason).outcome == "handed_back"
        assert donor.why_wait() == "paused"
    assert offers(study)
    unit = study.trial(0).units[0]
    assert (len(unit.leases), unit.earlier_leases, unit.tries) == (10, 0, 0)
    with ScriptedDonor(coordinator.url, key=donor.key) as again:
        assert again.why_wait() == "paused"
    with ScriptedDonor(coordinator.url) as other:
        for _ in range(9):
            other.hand_back(other.await_lease(), "closing")
        lease = other.await_lease()
        assert other.complete(lease, random_result(other, lease)).outcome == "accepted"
    study.wait(timeout=PATIENCE_S, progress=False)
    told = study.trial(0)
    assert not told.ledger_more
    assert [e.kind for e in told.ledger].count("lease") == 20
    assert {e.body["trial"] for e in told.ledger} == {0}
    study.delete()


def test_many_tabs_that_are_closed_and_opened_wait_for_nothing(coordinator: Coordinator) -> None:
    study = one_unit(coordinator)
    for _ in range(12):
        with ScriptedDonor(coordinator.url) as donor:
            for _ in range(2):
                donor.hand_back(donor.await_lease(), "closing")
    study.delete()
