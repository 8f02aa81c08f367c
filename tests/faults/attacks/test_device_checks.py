"""A newcomer's first training is a known one, which the coordinator checks itself."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load, save

from potluck.protocol import donor as wire
from tests.faults.attacks.checked import submit
from tests.support.coordinator import Coordinator
from tests.support.honest_donor import trained
from tests.support.scripted_donor import ScriptedDonor, random_result
from tests.support.waiting import until


@pytest.fixture(scope="module", autouse=True)
def asking(checking: Coordinator) -> None:
    """Let newcomers come until there is something to ask them."""
    study = submit(checking)

    def asks() -> bool:
        with ScriptedDonor(checking.url) as newcomer:
            found = newcomer.ask()
            for lease in found:
                newcomer.hand_back(lease)
            return bool(found) and found[0].unit.kind == "check"

    until(asks, what="a check")
    study.delete()


def first(donor: ScriptedDonor) -> wire.Lease:
    """Give a newcomer's first lease."""
    [lease] = donor.ask()
    assert lease.unit.kind == "check"
    return lease


def test_a_newcomer_that_trains_rightly_gets_work(checking: Coordinator) -> None:
    study = submit(checking)
    with ScriptedDonor(checking.url) as newcomer:
        lease = first(newcomer)
        assert newcomer.heartbeat(lease, step=3).held == [lease.id]
        told = newcomer.complete(lease, trained(newcomer, lease))
        assert told.outcome == "accepted"
        assert told.challenge is None
        work = newcomer.await_lease()
        assert work.unit.study_id == study.id
        newcomer.hand_back(work)
    with ScriptedDonor(checking.url, key=newcomer.key) as again:
        assert [lease.unit.kind for lease in again.ask()] == ["trial"]
    study.delete()


def test_a_wrong_answer_is_told_and_asked_for_again(checking: Coordinator) -> None:
    study = submit(checking)
    with ScriptedDonor(checking.url) as broken:
        lease = first(broken)
        told = broken.complete(lease, random_result(broken, lease))
        assert told.error is not None
        assert told.error.code == "donor.wrong_answer"
        lease = first(broken)
        slightly = {
            name: np.asarray(value * np.float32(1.05)) if name.startswith("weights/") else value
            for name, value in load(trained(broken, lease)).items()
        }
        step = {"format": "potluck.checkpoint.v1", "epoch": "2", "step": "6"}
        told = broken.complete(lease, save(slightly, metadata=step))
        assert told.outcome == "refused"
        assert study.refresh().record.counts.leased == 0
    study.delete()


def test_an_answer_is_good_for_its_own_question_only(checking: Coordinator) -> None:
    with ScriptedDonor(checking.url) as one, ScriptedDonor(checking.url) as other:
        asked, also_asked = first(one), first(other)
        while asked.unit.start == also_asked.unit.start:
            other.hand_back(also_asked)
            also_asked = first(other)
        found = trained(one, asked)
        assert other.complete(also_asked, found).outcome == "refused"
        assert one.complete(asked, found).outcome == "accepted"


def test_a_check_opens_nothing_else(checking: Coordinator) -> None:
    study = submit(checking)
    with ScriptedDonor(checking.url) as worker, ScriptedDonor(checking.url) as newcomer:
        unit = worker.await_lease().unit
        lease = first(newcomer)
        for sha in (unit.topology, unit.start, unit.tensors):
            assert newcomer.get(sha, lease.token).status_code == 404
        _, answer = newcomer.put(b"x" * 20_000, lease.token)
        assert answer.status_code == 413
        assert newcomer.complete(lease, b"nothing").outcome == "refused"
        again = first(newcomer)
        assert newcomer.hand_back(again).outcome == "handed_back"
        assert newcomer.hand_back(again).outcome == "refused"
    study.delete()


def test_who_asks_for_more_meanwhile_is_told_as_soon_as_there_is_work(
    checking: Coordinator,
) -> None:
    study = submit(checking)
    with ScriptedDonor(checking.url) as newcomer:
        lease = first(newcomer)
        assert newcomer.ask() == []
        assert newcomer.complete(lease, trained(newcomer, lease)).outcome == "accepted"
        newcomer.await_work()
        assert newcomer.ask()[0].unit.study_id == study.id
    study.delete()


def test_who_went_away_without_an_answer_is_asked_again(checking: Coordinator) -> None:
    with ScriptedDonor(checking.url) as newcomer:
        first(newcomer)
    until(lambda: asked_again(checking, newcomer.key), what="another check")


def asked_again(checking: Coordinator, key: str) -> bool:
    """Come back with a key and ask."""
    with ScriptedDonor(checking.url, key=key) as newcomer:
        return [lease.unit.kind for lease in newcomer.ask()] == ["check"]
