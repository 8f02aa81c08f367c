"""What an honest donor does with a lease, for tests that speak the protocol word by word."""

from __future__ import annotations

import hashlib

from potluck.protocol import donor as wire
from potluck_coordinator.training.checkpoint import write_checkpoint
from potluck_coordinator.training.unit_training import Training
from tests.support.scripted_donor import ScriptedDonor, end_step


def trained(donor: ScriptedDonor, lease: wire.Lease, to_step: int | None = None) -> bytes:
    """Train a lease's unit as it was asked for, up to a step (the end); give the state."""
    unit = lease.unit
    found = []
    for sha in (unit.topology, unit.start, unit.tensors):
        response = donor.get(sha, lease.token)
        assert response.status_code == 200, response.text
        assert hashlib.sha256(response.content).hexdigest() == sha
        found.append(response.content)
    training = Training(unit, *found)
    until = end_step(unit) if to_step is None else to_step
    while training.step < until:
        training.advance()
    return write_checkpoint(training.state())


def work(donor: ScriptedDonor, units: int) -> list[wire.Lease]:
    """Train so many units honestly, one after another, and hand them in."""
    done = []
    for _ in range(units):
        lease = donor.await_lease()
        settlement = donor.complete(lease, trained(donor, lease))
        assert settlement.outcome == "accepted", settlement
        done.append(lease)
    return done
