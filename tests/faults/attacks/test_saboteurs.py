"""Donors that hand back, hold on, or hand on rubbish: they cost others little, and fail nothing."""

from __future__ import annotations

from contextlib import ExitStack

import httpx2
import numpy as np
import pytest

import potluck
from potluck.protocol import donor as wire
from tests.faults.attacks.checked import finish_honestly, submit, verdicts
from tests.support.coordinator import Coordinator
from tests.support.honest_donor import trained, work
from tests.support.scripted_donor import ScriptedDonor, random_result, state
from tests.support.waiting import PATIENCE_S, until


def test_donors_that_hand_everything_back_fail_no_study(checking: Coordinator) -> None:
    study = submit(checking)
    handed_back = 0
    for _ in range(6):
        with ScriptedDonor(checking.url) as saboteur:
            for lease in saboteur.request():
                saboteur.hand_back(lease, reason="error")
                handed_back += 1
    assert handed_back == 6
    told = "the coordinator itself could train its first steps"
    until(lambda: told in study.trial(0).units[0].reasons, what="the coordinator's own try")
    assert study.refresh().record.state == "running"
    finish_honestly(checking, study)
    study.delete()


def test_donors_that_hand_everything_back_undo_no_progress(checking: Coordinator) -> None:
    study = submit(checking, epochs=6)
    with ScriptedDonor(checking.url) as honest:
        lease = honest.await_lease()
        step = 2 * lease.unit.steps_per_epoch
        honest.checkpoint(lease, trained(honest, lease, step), step)
        honest.hand_back(lease)
    starts = set()
    for number in range(6):
        with ScriptedDonor(checking.url, address=f"127.0.7.{number + 1}") as saboteur:
            for lease in saboteur.request():
                starts.add(lease.unit.start)
                saboteur.hand_back(lease, reason="error")
    told = "the coordinator itself could train its next steps"
    until(lambda: told in study.trial(0).units[0].reasons, what="the coordinator's own try")
    [done] = finish_honestly(checking, study)
    assert {done.unit.start} == starts  # the honest donor's state, all the time
    study.delete()


def test_who_hands_back_again_and_again_has_to_wait(checking: Coordinator) -> None:
    study = submit(checking)
    with ScriptedDonor(checking.url) as saboteur:
        for _ in range(3):
            saboteur.hand_back(saboteur.await_lease(), reason="error")
        assert saboteur.why_wait() == "paused"
        key = saboteur.key
    with ScriptedDonor(checking.url, key) as again:
        assert again.why_wait() == "paused"
    study.delete()


def test_a_state_that_nobody_trained_is_found_out_by_the_next_commit(
    checking: Coordinator,
) -> None:
    study = submit(checking, epochs=6)
    with ScriptedDonor(checking.url) as liar:
        lease = liar.await_lease()
        step = 2 * lease.unit.steps_per_epoch
        rng = np.random.default_rng(0)
        made_up = {k: rng.normal(size=v.shape) for k, v in liar.start_weights(lease).items()}
        floats = {name: value.astype(np.float32) for name, value in made_up.items()}
        liar.checkpoint(lease, state(floats, lease.unit, step), step)
        liar.hand_back(lease)
    with ScriptedDonor(checking.url) as heir:
        lease = heir.await_lease()
        until(lambda: "refuted" in verdicts(study), what="the verdict")
        assert heir.heartbeat(lease).held == []  # what it goes on from is worth nothing
        fresh = heir.await_lease()
        original = fresh.unit.start
        assert original != lease.unit.start
        assert heir.complete(fresh, trained(heir, fresh)).outcome == "accepted"
        study.wait(timeout=PATIENCE_S, progress=False)
    study.delete()


def test_a_state_of_enormous_numbers_is_no_state_to_go_on_from(checking: Coordinator) -> None:
    study = submit(checking, epochs=6)
    with ScriptedDonor(checking.url) as liar:
        lease = liar.await_lease()
        start = liar.start_weights(lease)
        huge = {name: np.full_like(value, 1e30) for name, value in start.items()}
        sha, _ = liar.put(state(huge, lease.unit, 2), lease.token)
        told = {"lease_id": lease.id, "artifact": sha, "epoch": 0, "step": 2}
        liar.say({"type": "checkpoint", "leases": [told]})
        answer = liar.hear()
        assert isinstance(answer, wire.Problem)
        assert answer.error.code == "result.out_of_range"
        liar.hand_back(lease)
    with ScriptedDonor(checking.url) as donor:
        assert work(donor, 1)[0].unit.start == lease.unit.start
        study.wait(timeout=PATIENCE_S, progress=False)
    study.delete()


def test_new_keys_hold_one_lease_while_others_wait(checking: Coordinator) -> None:
    with ExitStack() as stack:
        waiting = stack.enter_context(ScriptedDonor(checking.url))
        greedy = stack.enter_context(ScriptedDonor(checking.url))
        assert waiting.request() == []
        study = submit(checking, trials=8, search={"learning_rate": potluck.Float(1e-4, 1e-2)})
        until(lambda: study.refresh().record.counts.ready >= 4, what="units")
        assert len(greedy.request(most=8)) == 1
        assert greedy.request(most=8) == []
        assert len(waiting.request(most=8)) > 1  # now nobody waits who has nothing
    study.delete()


def test_a_donor_alone_holds_as_many_as_it_asks_for(checking: Coordinator) -> None:
    study = submit(checking, trials=8, search={"learning_rate": potluck.Float(1e-4, 1e-2)})
    with ScriptedDonor(checking.url) as donor:
        until(lambda: study.refresh().record.counts.ready >= 4, what="units")
        assert len(donor.request(most=4)) == 4
    study.delete()


def test_an_admin_takes_a_wrong_verdict_back(checking: Coordinator) -> None:
    study = submit(checking)
    with ScriptedDonor(checking.url) as donor:
        lease = donor.await_lease()
        assert donor.complete(lease, random_result(donor, lease)).outcome == "accepted"
        until(lambda: verdicts(study) == ["refuted"], what="the verdict")
    path = f"{checking.url}/api/v1/studies/{study.id}/replays"
    [replay] = httpx2.get(path).json()
    assert replay["state"] == "refuted"
    assert replay["distance"] > replay["tolerance"]
    undo = f"{path}/{replay['id']}/undo"
    assert httpx2.post(undo, json={"note": "mine"}).status_code in (401, 403)
    headers = {"Authorization": f"Bearer {checking.operator_token()}"}
    told = httpx2.post(undo, json={"note": "The card was fine."}, headers=headers)
    assert told.status_code == 200, told.text
    assert told.json()["state"] == "undone"
    study.wait(timeout=PATIENCE_S, progress=False)
    assert study.refresh().record.state == "completed"
    assert httpx2.post(undo, json={"note": ""}, headers=headers).status_code == 409
    study.delete()


@pytest.mark.parametrize("claims", [1, 2])
def test_one_donors_word_fails_no_trial_where_nothing_is_trained_again(
    coordinator: Coordinator, claims: int
) -> None:
    study = submit(coordinator)
    with ExitStack() as stack:
        donors = [stack.enter_context(ScriptedDonor(coordinator.url)) for _ in range(2)]
        for donor in donors[:claims]:
            lease = donor.await_lease()
            broken = {k: np.full_like(v, np.nan) for k, v in donor.start_weights(lease).items()}
            told = donor.complete(lease, state(broken, lease.unit, 1), step=1, diverged=True)
            assert told.outcome == "accepted"
            until(lambda: study.refresh().record.counts.returned == 0, what="the scorer")
        assert study.refresh().record.state == ("running" if claims == 1 else "failed")
    study.delete()
