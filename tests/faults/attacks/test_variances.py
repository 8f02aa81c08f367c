"""A file with numbers that no training gives decides nothing about a trial."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from safetensors.numpy import load

from potluck.protocol import donor as wire
from tests.faults.attacks.checked import verdicts
from tests.support.coordinator import Coordinator
from tests.support.honest_donor import trained, work
from tests.support.keras_files import saved
from tests.support.scripted_donor import ScriptedDonor, end_step, state
from tests.support.waiting import PATIENCE_S


def normalizing(variance: float = 1.0, momentum: float = 0.9) -> bytes:
    """Give a network with BatchNormalization, whose moving variances begin at a number."""
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.BatchNormalization(name="norm", momentum=momentum, epsilon=0.1),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    norm = model.get_layer("norm")
    norm.set_weights([*norm.get_weights()[:3], np.full(4, variance, np.float32)])
    return saved(model)


def spoiled(donor: ScriptedDonor, lease: wire.Lease, step: int | None = None) -> bytes:
    """Train honestly, and let one variance be below zero."""
    step = end_step(lease.unit) if step is None else step
    tensors = load(trained(donor, lease, step))
    (name,) = (key for key in tensors if key.endswith("norm/moving_variance"))
    tensors[name] = np.array([-5, 1, 1, 1], np.float32)
    return state(tensors, lease.unit, step)


def test_a_variance_below_zero_is_the_donors_fault_and_no_divergence(
    checking: Coordinator,
) -> None:
    client = checking.client()
    study = client.submit(
        model=normalizing(), data="iris", trials=1, epochs=3, search={}, name="Irises"
    )
    with ScriptedDonor(checking.url) as liar, ScriptedDonor(checking.url) as honest:
        lease = liar.begin()
        half = lease.unit.from_epoch * lease.unit.steps_per_epoch + 1
        sha, _ = liar.put(spoiled(liar, lease, half), lease.token)
        named = {"lease_id": lease.id, "artifact": sha, "epoch": 0, "step": half}
        liar.say({"type": "checkpoint", "leases": [named]})
        problem = liar.hear()
        assert isinstance(problem, wire.Problem)
        assert problem.error.code == "result.out_of_range"
        done = liar.complete(lease, spoiled(liar, lease))
        assert done.outcome == "refused"
        assert done.error is not None
        assert done.error.code == "result.out_of_range"
        assert study.refresh().record.counts.ready == 1
        # Nor is it a divergence that somebody may claim.
        (again,) = (work(honest, 1),)
        assert again[0].unit.id == lease.unit.id
        study.wait(timeout=PATIENCE_S, progress=False)
    assert [trial.state for trial in study.trials()] == ["completed"]
    assert set(verdicts(study)) == {"agreed"}


@pytest.mark.parametrize(("variance", "momentum"), [(-0.05, 0.9), (1.0, 0.0)])
def test_honest_variances_pass_whatever_they_begin_with(
    checking: Coordinator, variance: float, momentum: float
) -> None:
    study = checking.client().submit(
        model=normalizing(variance, momentum),
        data="iris",
        trials=1,
        epochs=2,
        search={},
        name="Irises",
    )
    with ScriptedDonor(checking.url) as honest:
        work(honest, 1)
        study.wait(timeout=PATIENCE_S, progress=False)
    assert [trial.state for trial in study.trials()] == ["completed"]
