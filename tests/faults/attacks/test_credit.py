"""Who loses credit by a refutation: whose lease it is, and who went on from its state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import httpx2

import potluck
from potluck.protocol import donor as wire
from tests.conftest import Start
from tests.faults.attacks.checked import submit
from tests.support.coordinator import Coordinator
from tests.support.honest_donor import trained, work
from tests.support.scripted_donor import ScriptedDonor, end_step, random_result, random_state
from tests.support.visiting import bearer
from tests.support.waiting import PATIENCE_S, until

Record = tuple[int, int]
"""Finished units, and credit."""
State = Callable[[ScriptedDonor, wire.Lease, int], bytes]


@dataclass(frozen=True)
class Shared:
    """A study whose one unit two donors trained one after the other, unchecked so far."""

    coordinator: Coordinator
    study: potluck.Study
    first: str
    last: str
    """The donors' keys."""
    earned: tuple[Record, Record]
    token: str
    """The operator's."""

    def records(self) -> tuple[Record, Record]:
        """Give what the two have now."""
        return record(self.coordinator, self.first), record(self.coordinator, self.last)

    def verdicts(self) -> list[str]:
        """Give what replays said, oldest first."""
        return [e.body["verdict"] for e in self.study.ledger().entries if e.kind == "replay"]


def record(coordinator: Coordinator, key: str) -> Record:
    """Give what a donor has."""
    with ScriptedDonor(coordinator.url, key=key) as donor:
        found = donor.welcome.record
        return found.units, int(found.credit_flops)


def honest(donor: ScriptedDonor, lease: wire.Lease, step: int) -> bytes:
    """Train as it was asked for."""
    return trained(donor, lease, step)


def false_end(donor: ScriptedDonor, lease: wire.Lease, step: int) -> bytes:
    """Give an end that no training came to."""
    assert step == end_step(lease.unit)
    return random_result(donor, lease)


def shared(start: Start, first_state: State, last_state: State) -> Shared:
    """Let two donors train a unit where nothing is checked, then let all of it be checked."""
    trusting = start(own_donor=0, workers=1)
    study = submit(trusting, search={"learning_rate": [0.01, 0.02]})
    with ScriptedDonor(trusting.url) as first, ScriptedDonor(trusting.url) as last:
        lease = first.await_lease()
        middle = end_step(lease.unit) // 3
        first.checkpoint(lease, first_state(first, lease, middle), middle)
        first.hand_back(lease, "closing")
        rest = last.await_lease()
        assert rest.unit.start != lease.unit.start
        result = last_state(last, rest, end_step(rest.unit))
        assert last.complete(rest, result).outcome == "accepted"
        study.wait(timeout=PATIENCE_S, progress=False)
        keys = first.key, last.key
    earned = record(trusting, keys[0]), record(trusting, keys[1])
    assert [units for units, _ in earned] == [0, 1]
    assert 0 < earned[0][1] < earned[1][1]
    token = trusting.operator_token()
    trusting.stop()
    doubting = start(own_donor=1, workers=1)
    again = doubting.client(token).study(study.id)
    again.extend(1)
    with ScriptedDonor(doubting.url) as other:
        work(other, 1)  # and what leads is trained again before the study ends
    found = Shared(doubting, again, *keys, earned, token)
    until(lambda: "refuted" in found.verdicts(), what="the verdict")
    return found


def undo(found: Shared) -> bool:
    """Take the refutation back; say whether the result counts again."""
    told = [e.body for e in found.study.ledger().entries if e.kind == "replay"]
    [replay] = [body for body in told if body["verdict"] == "refuted"]
    place = f"{found.coordinator.url}/api/v1/studies/{found.study.id}/replays/{replay['replay']}"
    answer = httpx2.post(
        f"{place}/undo", json={"note": "It was right."}, headers=bearer(found.token)
    )
    assert answer.status_code == 200, answer.text
    [undone] = [e.body for e in found.study.ledger().entries if e.kind == "replay_undone"]
    return bool(undone["restored"])


def test_who_went_on_from_a_false_state_loses_its_credit_too(start_coordinator: Start) -> None:
    found = shared(start_coordinator, random_state, honest)
    assert found.records() == ((0, 0), (0, 0))


def test_who_trained_before_a_false_end_keeps_its_credit_and_undoing_pays_once(
    start_coordinator: Start,
) -> None:
    found = shared(start_coordinator, honest, false_end)
    first, last = found.earned
    assert found.records() == (first, (0, 0))
    assert undo(found)
    until(lambda: found.study.refresh().record.counts.scored == 2, what="the score again")
    assert found.records() == (first, last)


def test_undoing_gives_credit_again_where_another_result_has_come(
    start_coordinator: Start,
) -> None:
    found = shared(start_coordinator, honest, false_end)
    with ScriptedDonor(found.coordinator.url) as other:
        work(other, 1)
        found.study.wait(timeout=PATIENCE_S, progress=False)
    assert found.records()[1] == (0, 0)
    assert not undo(found)
    assert found.records() == found.earned
