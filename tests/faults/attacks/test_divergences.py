"""Divergences that are true of a state that nobody trained: they fail no trial."""

from __future__ import annotations

import numpy as np
from safetensors.numpy import load

from potluck.protocol import donor as wire
from tests.conftest import Start
from tests.faults.attacks.checked import submit, verdicts
from tests.support.honest_donor import trained, work
from tests.support.scripted_donor import ScriptedDonor, end_step, state
from tests.support.waiting import PATIENCE_S, until


def about_to_break(donor: ScriptedDonor, lease: wire.Lease, step: int) -> bytes:
    """Train, and leave slots behind from which the next step leads beyond all numbers."""
    tensors = load(trained(donor, lease, step))
    for name, value in tensors.items():
        if name.startswith("optimizer/momentum/"):
            tensors[name] = np.full_like(value, 3e38)
    return state(tensors, lease.unit, step)


def test_an_honest_divergence_from_an_earlier_rungs_lie_fails_no_trial(
    start_coordinator: Start,
) -> None:
    """The lie was never drawn: then the rung after it is trained by an honest donor."""
    trusting = start_coordinator(own_donor=0, workers=1)
    study = submit(trusting, rungs=[1, 3], epochs=None)
    with ScriptedDonor(trusting.url) as liar:
        lease = liar.await_lease()
        end = about_to_break(liar, lease, end_step(lease.unit))
        assert liar.complete(lease, end).outcome == "accepted"
        until(lambda: study.refresh().record.counts.scored == 1, what="the first rung's score")
    token = trusting.operator_token()
    trusting.stop()
    doubting = start_coordinator(own_donor=1, workers=1)
    again = doubting.client(token).study(study.id)
    with ScriptedDonor(doubting.url) as honest:
        lease = honest.await_lease()
        assert lease.unit.rung == 1
        broken = trained(honest, lease)
        assert honest.complete(lease, broken, diverged=True).outcome == "accepted"
        until(lambda: "refuted" in verdicts(again), what="the verdict on the first rung")
        assert again.refresh().record.state == "running"
        work(honest, 2)
        again.wait(timeout=PATIENCE_S, progress=False)
    assert again.refresh().record.state == "completed"
    assert again.trials()[0].check == "confirmed"
