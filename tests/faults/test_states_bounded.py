"""What one lease uploads is bounded: a flood is refused, a long course keeps its last states."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import potluck
from tests.conftest import Start
from tests.support.coordinator import Coordinator
from tests.support.keras_files import dense_h5
from tests.support.scripted_donor import ScriptedDonor, random_result, state
from tests.support.waiting import until

MOST = 24


@pytest.fixture
def cleaning(start_coordinator: Start) -> Coordinator:
    """Give a coordinator that looks for superseded states all the time."""
    return start_coordinator(clean_seconds=0.2, rate_lease_states=0, workers=1)


def submit(coordinator: Coordinator, epochs: int = 40) -> potluck.Study:
    return coordinator.client().submit(
        model=dense_h5(), data="iris", trials=1, epochs=epochs, search={}, name="Irises"
    )


def stored(coordinator: Coordinator) -> set[str]:
    files = (coordinator.data / "artifacts").rglob("*")
    return {path.name for path in files if path.is_file() and len(path.name) == 64}


def states_of(donor: ScriptedDonor, lease: Any, count: int) -> Iterator[tuple[int, bytes]]:
    """Give states at the first so many steps."""
    rng = np.random.default_rng(0)
    start = donor.start_weights(lease)
    for step in range(1, count + 1):
        weights = {k: rng.normal(size=v.shape).astype(np.float32) for k, v in start.items()}
        yield step, state(weights, lease.unit, step)


def test_a_lease_that_uploads_and_never_says_what_for_is_refused(cleaning: Coordinator) -> None:
    submit(cleaning)
    with ScriptedDonor(cleaning.url) as donor:
        lease = donor.begin()
        content = [f"state {n}".encode() for n in range(MOST + 1)]
        answers = [donor.put(data, lease.token)[1].status_code for data in content[:MOST]]
        assert answers == [204] * MOST
        refused = donor.put(content[MOST], lease.token)[1]
        assert refused.status_code == 400
        assert refused.json()["error"]["code"] == "result.too_many_uploads"
        assert donor.put(content[0], lease.token)[1].status_code == 204  # it is here already


def test_a_long_course_keeps_no_more_than_its_last_states(cleaning: Coordinator) -> None:
    submit(cleaning)
    with ScriptedDonor(cleaning.url) as donor:
        lease = donor.begin()
        before = stored(cleaning)
        last = ""
        for step, data in states_of(donor, lease, 3 * MOST):
            assert donor.checkpoint(lease, data, step).held == [lease.id]
            last = hashlib.sha256(data).hexdigest()
        until(lambda: stored(cleaning) - before == {last}, "superseded states to go")
        assert donor.complete(lease, random_result(donor, lease)).outcome == "accepted"


def test_who_goes_on_from_a_state_keeps_it_though_its_donor_uploads_newer_ones(
    start_coordinator: Start,
) -> None:
    coordinator = start_coordinator(clean_seconds=0.2, lease_seconds=2, sweep_seconds=0.1)
    submit(coordinator)
    with ScriptedDonor(coordinator.url) as first, ScriptedDonor(coordinator.url) as second:
        lease = first.begin()
        states = states_of(first, lease, 4)
        step, begun = next(states)
        first.checkpoint(lease, begun, step)
        heir = second.await_lease()  # once the first has been silent for too long
        assert heir.unit.start == hashlib.sha256(begun).hexdigest()
        second.heartbeat(heir)
        for step, data in states:
            second.checkpoint(heir, data, step)
        assert second.get(heir.unit.start, heir.token).status_code == 200
        assert second.complete(heir, random_result(second, heir)).outcome == "accepted"


def test_states_that_come_too_fast_are_to_wait(start_coordinator: Start) -> None:
    coordinator = start_coordinator(rate_lease_states=2)
    submit(coordinator)
    with ScriptedDonor(coordinator.url) as donor:
        lease = donor.begin()
        answers = [donor.put(f"state {n}".encode(), lease.token)[1] for n in range(3)]
        assert [answer.status_code for answer in answers] == [204, 204, 429]
        assert answers[-1].json()["error"]["code"] == "rate.lease_states"
        assert int(answers[-1].headers["retry-after"]) >= 1


def test_states_end_before_the_disk_is_full(start_coordinator: Start) -> None:
    full = start_coordinator(disk_floor=2**62)
    with ScriptedDonor(full.url) as donor:
        answer = donor.put(b"state", "any token")[1]
        assert answer.status_code == 404  # who holds no lease hears nothing of the disk
    roomy = start_coordinator("other")
    submit(roomy)
    with ScriptedDonor(roomy.url) as donor:
        token = donor.begin().token
        roomy.stop()
        again = start_coordinator("other", disk_floor=2**62)
        donor.http.base_url = again.url
        answer = donor.put(b"state", token)[1]
        assert answer.status_code == 507
        assert answer.json()["error"]["code"] == "disk.full"
