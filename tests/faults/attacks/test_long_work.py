"""Work that takes too long to be trained again: what strangers say of it decides nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

import potluck
from potluck.protocol import donor as wire
from tests.conftest import Start
from tests.faults.attacks.checked import submit, verdicts
from tests.support.coordinator import Coordinator
from tests.support.honest_donor import work
from tests.support.scripted_donor import ScriptedDonor, end_step, random_state, state
from tests.support.waiting import until

NEVER_S = 1e-9
"""No training takes so little."""
HERE, THERE = "127.0.0.5", "127.0.0.6"


def claim(donor: ScriptedDonor, lease: wire.Lease, step: int) -> None:
    """Say that training diverged at a step."""
    weights = donor.start_weights(lease)
    broken = {name: np.full_like(values, np.nan) for name, values in weights.items()}
    settled = donor.complete(lease, state(broken, lease.unit, step), diverged=True, step=step)
    assert settled.outcome == "accepted", settled


def claims_of(coordinator: Coordinator, address: str, count: int) -> None:
    """Let so many keys of one address claim a divergence each."""
    for _ in range(count):
        with ScriptedDonor(coordinator.url, address=address) as liar:
            lease = liar.await_lease()
            claim(liar, lease, end_step(lease.unit))


def test_keys_of_one_host_fail_no_trial_that_cannot_be_trained_again(
    start_coordinator: Start,
) -> None:
    coordinator = start_coordinator(own_donor=1, own_donor_seconds=NEVER_S, workers=1)
    study = submit(coordinator)
    with ScriptedDonor(coordinator.url, address=THERE):  # an honest machine, which waits
        claims_of(coordinator, HERE, 8)
        until(lambda: verdicts(study).count("undecided") >= 8, what="what the replays say")
        until(lambda: study.refresh().record.counts.ready == 1, what="the unit in the queue")
        assert study.refresh().record.state == "running"


def test_a_machine_that_is_alone_comes_to_an_end(start_coordinator: Start) -> None:
    """Where nobody else is there, and nothing can be trained again, its word is all there is."""
    coordinator = start_coordinator(own_donor=1, own_donor_seconds=NEVER_S, workers=1)
    study = submit(coordinator)
    claims_of(coordinator, HERE, 6)
    until(lambda: study.refresh().record.state == "failed", what="the end of the only trial")


def test_a_divergence_at_the_first_step_is_refuted_however_long_the_unit(
    start_coordinator: Start,
) -> None:
    coordinator = start_coordinator(own_donor=1, own_donor_seconds=60, workers=1)
    study = submit(coordinator, epochs=50_000, search={"batch_size": [1]})
    with ScriptedDonor(coordinator.url) as liar:
        lease = liar.await_lease()
        assert end_step(lease.unit) > 4_000_000
        claim(liar, lease, 1)
        until(lambda: verdicts(study) == ["refuted"], what="the verdict")
    until(lambda: study.refresh().record.counts.ready == 1, what="the unit in the queue")
    study.delete()


def leave(donor: ScriptedDonor, study: potluck.Study, step: int = 2) -> wire.Lease:
    """Leave a state behind that nobody trained, without blame."""
    lease = donor.await_lease()
    at = lease.unit.from_epoch * lease.unit.steps_per_epoch + step
    donor.checkpoint(lease, random_state(donor, lease, at), at)
    donor.hand_back(lease, "closing")
    until(lambda: study.refresh().record.counts.ready == 1, what="the unit in the queue")
    return lease


@contextmanager
def left_to_an_heir(
    coordinator: Coordinator, study: potluck.Study
) -> Iterator[tuple[wire.Lease, ScriptedDonor, wire.Lease]]:
    """Let a stranger leave a state, and another donor get the unit.

    Gives the stranger's lease, the other donor and its lease.
    """
    with (
        ScriptedDonor(coordinator.url, address=HERE) as liar,
        ScriptedDonor(coordinator.url, address=THERE) as heir,
    ):
        left = leave(liar, study)
        yield left, heir, heir.await_lease()


def test_a_strangers_state_that_cannot_be_proven_is_not_gone_on_from(
    start_coordinator: Start,
) -> None:
    coordinator = start_coordinator(own_donor=1, own_donor_seconds=NEVER_S, workers=1)
    study = submit(coordinator)
    with left_to_an_heir(coordinator, study) as (left, _heir, lease):
        assert lease.unit.start == left.unit.start
        assert lease.unit.stack == left.unit.stack, "it begins where the unit begins"


def test_a_strangers_state_that_turns_out_to_take_too_long_is_taken_back(
    start_coordinator: Start,
) -> None:
    """It looked as if it could be proven: compiling alone takes longer than is allowed here."""
    coordinator = start_coordinator(own_donor=1, own_donor_seconds=0.01, workers=1)
    study = submit(coordinator)
    with left_to_an_heir(coordinator, study) as (left, heir, lease):
        until(lambda: verdicts(study) == ["undecided"], what="the end of the replay")
        if lease.unit.start != left.unit.start:
            until(lambda: heir.heartbeat(lease).stop != {}, what="the word to stop")
            assert heir.await_lease().unit.start == left.unit.start


def test_a_known_donors_state_is_gone_on_from(start_coordinator: Start) -> None:
    coordinator = start_coordinator(own_donor=1, workers=1)
    study = submit(
        coordinator, trials=10, search={"learning_rate": [n / 100 for n in range(1, 11)]}
    )
    with ScriptedDonor(coordinator.url) as donor:
        work(donor, 10)
        until(lambda: verdicts(study).count("agreed") >= 10, what="ten agreements")
    token = coordinator.operator_token()
    coordinator.stop()
    strict = start_coordinator(own_donor=1, own_donor_seconds=NEVER_S, workers=1)
    again = submit_as(strict, token)
    with (
        ScriptedDonor(strict.url, key=donor.key) as known,
        ScriptedDonor(strict.url, address=THERE) as heir,
    ):
        left = leave(known, again)
        with ScriptedDonor(strict.url, address=HERE) as liar:
            stranger = leave(liar, again, step=3)
        assert stranger.unit.start != left.unit.start
        assert heir.await_lease().unit.start == stranger.unit.start, "a stranger's goes, not his"


def submit_as(coordinator: Coordinator, token: str) -> potluck.Study:
    """Make a study of one trial as the operator."""
    from tests.support.keras_files import dense_h5

    return coordinator.client(token).submit(
        model=dense_h5(), data="iris", trials=1, epochs=3, search={}, name="Irises"
    )
