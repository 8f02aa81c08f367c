"""Donors that did not train what they were asked to train: nothing of theirs is confirmed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from safetensors.numpy import load

from potluck.protocol import donor as wire
from tests.faults.attacks.checked import finish_honestly, submit, verdicts
from tests.support.coordinator import Coordinator
from tests.support.honest_donor import trained, work
from tests.support.scripted_donor import ScriptedDonor, end_step, random_result, state
from tests.support.waiting import PATIENCE_S, until


def test_honest_work_is_confirmed(checking: Coordinator) -> None:
    study = submit(checking, folds=2)
    with ScriptedDonor(checking.url) as donor:
        work(donor, 3)
        study.wait(timeout=PATIENCE_S, progress=False)
    assert verdicts(study) == ["agreed"] * 3
    best = study.best
    assert best.record.check == "confirmed"
    assert best.record.own is not None
    assert best.record.own.on == "training"
    assert best.record.own.loss is not None
    assert study.trials()[0].check == "confirmed"
    study.delete()


def start_again(donor: ScriptedDonor, lease: wire.Lease) -> bytes:
    """Return the start state as the result."""
    return state(donor.start_weights(lease), lease.unit, end_step(lease.unit))


def fewer_epochs(donor: ScriptedDonor, lease: wire.Lease) -> bytes:
    """Train one epoch, and say it was all of them."""
    weights = load(trained(donor, lease, lease.unit.steps_per_epoch))
    unit = lease.unit
    weights["optimizer/iteration"] = np.array([end_step(unit)], np.int32)
    return state(weights, unit, end_step(unit))


def another_rate(donor: ScriptedDonor, lease: wire.Lease) -> bytes:
    """Train at ten times the rate."""
    optimizer = lease.unit.optimizer
    faster = optimizer.model_copy(update={"learning_rate": optimizer.learning_rate * 10})
    unit = lease.unit.model_copy(update={"optimizer": faster})
    return trained(donor, lease.model_copy(update={"unit": unit}))


def huge(donor: ScriptedDonor, lease: wire.Lease) -> bytes:
    """Return finite weights at which every prediction overflows."""
    start = donor.start_weights(lease)
    weights = {name: np.full_like(value, 3e38) for name, value in start.items()}
    return state(weights, lease.unit, end_step(lease.unit))


LIES: dict[str, Callable[[ScriptedDonor, wire.Lease], bytes]] = {
    "random weights": random_result,
    "the start state": start_again,
    "fewer epochs": fewer_epochs,
    "another rate": another_rate,
    "huge weights": huge,
}


@pytest.mark.parametrize("lie", list(LIES))
def test_a_lie_is_refuted_and_the_unit_is_trained_by_somebody_else(
    checking: Coordinator, lie: str
) -> None:
    study = submit(checking)
    with ScriptedDonor(checking.url) as liar:
        lease = liar.await_lease()
        assert liar.complete(lease, LIES[lie](liar, lease)).outcome == "accepted"
        until(lambda: verdicts(study) == ["refuted"], what="the verdict")
        until(lambda: study.refresh().record.counts.ready == 1, what="the unit back in the queue")
        assert study.record.state == "running"
        assert study.trial(0).row.rank is None
    [again] = finish_honestly(checking, study)
    assert again.unit.id == lease.unit.id
    assert verdicts(study) == ["refuted", "agreed"]
    study.delete()


def test_a_refit_that_nobody_trained_goes_back_to_the_queue(checking: Coordinator) -> None:
    study = submit(checking, folds=2)
    with ScriptedDonor(checking.url) as donor:
        work(donor, 2)
    with ScriptedDonor(checking.url) as liar:
        lease = liar.await_lease()
        assert lease.unit.kind == "refit"
        assert liar.complete(lease, random_result(liar, lease)).outcome == "accepted"
        until(lambda: "refuted" in verdicts(study), what="the verdict")
        assert study.refresh().record.state == "running"
    finish_honestly(checking, study)
    study.delete()


def test_a_made_up_divergence_fails_no_trial(checking: Coordinator) -> None:
    study = submit(checking)
    with ScriptedDonor(checking.url) as liar:
        lease = liar.await_lease()
        start = liar.start_weights(lease)
        broken = {name: np.full_like(value, np.nan) for name, value in start.items()}
        told = liar.complete(lease, state(broken, lease.unit, 1), step=1, diverged=True)
        assert told.outcome == "accepted"
        until(lambda: verdicts(study) == ["refuted"], what="the verdict")
        until(lambda: study.refresh().record.counts.ready == 1, what="the unit back in the queue")
    finish_honestly(checking, study)
    study.delete()


def test_a_true_divergence_fails_its_trial(checking: Coordinator) -> None:
    study = submit(checking, search={"learning_rate": [1e30]})
    with ScriptedDonor(checking.url) as donor:
        lease = donor.await_lease()
        result = trained(donor, lease)
        assert donor.complete(lease, result, diverged=True).outcome == "accepted"
        until(lambda: study.refresh().record.state == "failed", what="the end")
    assert verdicts(study) == ["agreed"]
    study.delete()
