"""Of long units one interval is trained again, drawn after the result is in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import httpx2
import pytest
from safetensors.numpy import load

import potluck
from potluck.protocol import donor as wire
from tests.faults.attacks.checked import submit
from tests.support.coordinator import Coordinator
from tests.support.honest_donor import trained
from tests.support.scripted_donor import ScriptedDonor, end_step, random_result, state
from tests.support.waiting import PATIENCE_S, until

STUDIES, API = "/studies/", "/api/v1/studies/"


@pytest.fixture(scope="module")
def challenging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coordinator]:
    """Give a coordinator for which every unit is too long to be trained again as a whole."""
    data = tmp_path_factory.mktemp("data")
    found = Coordinator(data, workers=1, own_donor=1, own_donor_whole_seconds=0)
    try:
        yield found.start()
    finally:
        found.stop()


@pytest.fixture(scope="module")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coordinator]:
    """Give such a coordinator that waits for states no longer than it takes to bring them."""
    data = tmp_path_factory.mktemp("data")
    found = Coordinator(
        data, workers=1, own_donor=1, own_donor_whole_seconds=0, challenge_seconds=5
    )
    try:
        yield found.start()
    finally:
        found.stop()


def challenged(study: potluck.Study) -> list[str]:
    """Give what came of a study's challenges, oldest first."""
    found = httpx2.get(f"{study.url.replace(STUDIES, API)}/replays").json()
    return [one["state"] for one in reversed(found) if one["why"] == "challenge"]


def hand_in(
    donor: ScriptedDonor, lease: wire.Lease, states: dict[int, bytes]
) -> tuple[wire.Settlement, dict[str, bytes]]:
    """Hand in the last of these states, and commit to all; give the states by their hash."""
    told = {step: hashlib.sha256(data).hexdigest() for step, data in states.items()}
    settled = donor.complete(lease, states[end_step(lease.unit)], commitments=told)
    assert settled.outcome == "accepted"
    return settled, {hashlib.sha256(data).hexdigest(): data for data in states.values()}


def answer(
    donor: ScriptedDonor, lease: wire.Lease, settled: wire.Settlement, states: dict[str, bytes]
) -> None:
    """Bring the states that a settlement asks for."""
    if settled.challenge is None:  # between the start and the end, which are both there
        return
    for sha in settled.challenge.states:
        _, response = donor.put(states[sha], lease.token)
        assert response.status_code == 204, response.text


def honest(donor: ScriptedDonor, lease: wire.Lease) -> dict[int, bytes]:
    """Train a unit as it was asked for, and keep the committed states."""
    return {step: trained(donor, lease, step) for step in lease.unit.commit_steps}


def units_of(donor: ScriptedDonor) -> int:
    """Give how many units a donor has credit for."""
    with ScriptedDonor(donor.url, key=donor.key) as again:
        return again.welcome.record.units


def test_an_honest_donor_brings_two_states_and_earns_its_credit(challenging: Coordinator) -> None:
    study = submit(challenging, folds=2)
    with ScriptedDonor(challenging.url) as donor:
        lease = donor.await_lease()
        settled, states = hand_in(donor, lease, honest(donor, lease))
        until(lambda: study.refresh().record.counts.scored == 1, what="the score")
        if settled.challenge is not None:
            assert units_of(donor) == 0
        answer(donor, lease, settled, states)
        until(lambda: challenged(study) == ["agreed"], what="the verdict")
        assert units_of(donor) == 1
    study.delete()


def test_a_lie_that_was_committed_to_is_refuted(challenging: Coordinator) -> None:
    study = submit(challenging, folds=2)
    with ScriptedDonor(challenging.url) as liar:
        lease = liar.await_lease()
        start = liar.start_weights(lease)
        end = load(random_result(liar, lease))
        steps = lease.unit.commit_steps
        states = {
            step: state(
                {name: start[name] + (end[name] - start[name]) * place for name in start},
                lease.unit,
                step,
            )
            for step in steps
            for place in [(step - steps[0]) / (steps[-1] - steps[0]) + 0.1]
        }
        settled, brought = hand_in(liar, lease, states)
        answer(liar, lease, settled, brought)
        until(lambda: challenged(study) == ["refuted"], what="the verdict")
        until(lambda: study.refresh().record.counts.ready == 2, what="the unit back in the queue")
        assert units_of(liar) == 0
    study.delete()


def test_a_commitment_to_bytes_that_are_no_state_is_refuted(challenging: Coordinator) -> None:
    study = submit(challenging, folds=2)
    with ScriptedDonor(challenging.url) as liar:
        lease = liar.await_lease()
        states = {step: f"nothing {step}".encode() for step in lease.unit.commit_steps}
        states[end_step(lease.unit)] = random_result(liar, lease)
        settled, brought = hand_in(liar, lease, states)
        assert settled.challenge is not None
        answer(liar, lease, settled, brought)
        until(lambda: challenged(study) == ["refuted"], what="the verdict")
    study.delete()


def test_garbage_that_lies_here_before_it_is_asked_for_is_refuted(
    challenging: Coordinator,
) -> None:
    study = submit(challenging, folds=2)
    with ScriptedDonor(challenging.url) as liar:
        lease = liar.await_lease()
        states = {step: f"nothing {step}".encode() for step in lease.unit.commit_steps}
        for data in states.values():
            assert liar.put(data, lease.token)[1].status_code == 204
        states[end_step(lease.unit)] = random_result(liar, lease)
        settled, _ = hand_in(liar, lease, states)
        assert settled.challenge is None
        until(lambda: challenged(study) == ["refuted"], what="the verdict")
        assert units_of(liar) == 0
    study.delete()


def test_a_stranger_that_commits_to_nothing_is_not_believed(challenging: Coordinator) -> None:
    study = submit(challenging, folds=2)
    with ScriptedDonor(challenging.url) as liar:
        lease = liar.await_lease()
        settled = liar.complete(lease, random_result(liar, lease))
        assert settled.challenge is None
        assert challenged(study) == ["unanswered"]
        assert study.refresh().record.counts.ready == 2
        assert units_of(liar) == 0
    study.delete()


def test_a_stranger_that_brings_nothing_is_not_believed(hurried: Coordinator) -> None:
    study = submit(hurried, folds=2)
    with ScriptedDonor(hurried.url) as liar:
        lease = liar.await_lease()
        states = {step: f"nothing {step}".encode() for step in lease.unit.commit_steps}
        states[end_step(lease.unit)] = random_result(liar, lease)
        settled, _ = hand_in(liar, lease, states)
        assert settled.challenge is not None
        until(lambda: challenged(study) == ["unanswered"], what="the end of its time")
        until(lambda: study.refresh().record.counts.ready == 2, what="the unit in the queue")
        assert units_of(liar) == 0
    study.delete()


def test_an_ended_lease_uploads_nothing_but_what_it_is_asked_for(challenging: Coordinator) -> None:
    study = submit(challenging, folds=2)
    with ScriptedDonor(challenging.url) as donor:
        lease = donor.await_lease()
        settled, states = hand_in(donor, lease, honest(donor, lease))
        asked = settled.challenge.states if settled.challenge is not None else []
        for data in [b"something else", *states.values()]:
            sha, response = donor.put(data, lease.token)
            assert response.status_code == (204 if sha in asked else 404)
    study.delete()


def test_a_settlement_that_was_lost_is_told_again(challenging: Coordinator) -> None:
    study = submit(challenging, folds=2)
    with ScriptedDonor(challenging.url) as donor:
        lease = donor.await_lease()
        states = honest(donor, lease)
        settled, brought = hand_in(donor, lease, states)
        again = donor.complete(lease, states[end_step(lease.unit)])
        assert again.outcome == "duplicate"
        if settled.challenge is not None:
            assert again.challenge == settled.challenge
        answer(donor, lease, again, brought)
        until(lambda: challenged(study) == ["agreed"], what="the verdict")
    study.delete()


def test_finalists_are_trained_again_as_a_whole_all_the_same(challenging: Coordinator) -> None:
    study = submit(challenging)
    with ScriptedDonor(challenging.url) as donor:
        lease = donor.await_lease()
        hand_in(donor, lease, honest(donor, lease))
        study.wait(timeout=PATIENCE_S, progress=False)
        assert study.trials()[0].check == "confirmed"
        assert units_of(donor) == 1  # what nobody asks about any more
        assert challenged(study) == ["dropped"]
    study.delete()
