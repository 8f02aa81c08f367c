"""One donor of a crowd: a thread of its own, an address of its own, honest or not."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from websockets.exceptions import ConnectionClosed

from potluck.protocol import donor as wire
from potluck_coordinator.training.checkpoint import read_checkpoint, write_checkpoint
from potluck_coordinator.training.unit_training import Training
from tests.support.scripted_donor import ScriptedDonor, end_step

LISTEN_S = 1.0
_ONE_TRAINS = threading.Lock()
"""Keras keeps global state: the crowd's threads train one after another."""


class Over(Exception):
    """The crowd is to end."""


class Truth:
    """What of everything that was handed in was trained as it was asked for."""

    def __init__(self) -> None:
        self._honest: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def add(self, donor: ScriptedDonor, lease: wire.Lease, result: bytes) -> None:
        """Remember a result that was trained honestly, unless from a state that another left."""
        unit = lease.unit
        begun = read_checkpoint(donor.fetched[unit.start]).step
        if begun == unit.from_epoch * unit.steps_per_epoch:
            with self._lock:
                self._honest.add((unit.id, hashlib.sha256(result).hexdigest()))

    def knows(self, unit_id: str, sha: str) -> bool:
        """Say whether a unit's result is what it is said to be."""
        return (unit_id, sha) in self._honest


class Member:
    """A donor and what it does until the crowd ends. `told` counts the coordinator's answers."""

    def __init__(
        self, name: str, url: str, address: str, truth: Truth, act: Callable[[Member], None]
    ) -> None:
        self.name = name
        self.url = url
        self.address = address
        self.truth = truth
        self.told: Counter[str] = Counter()
        self.leases: dict[str, str] = {}
        """Every lease that it got, with the key that got it: two donors may have one name."""
        self.failure: BaseException | None = None
        self.over = threading.Event()
        self._act = act
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)

    def connect(self) -> ScriptedDonor:
        """Come with a fresh key, from this member's address."""
        return ScriptedDonor(self.url, address=self.address)

    def _run(self) -> None:
        while not self.over.is_set():
            try:
                self._act(self)
            except (Over, ConnectionClosed):
                continue
            except Exception as error:
                if not self.over.is_set():
                    self.failure = error
                return

    def lease(self, donor: ScriptedDonor) -> wire.Lease:
        """Ask until there is work. Raises Over when the crowd ends."""
        while not self.over.is_set():
            leases = self.leases_of(donor)
            if leases:
                self.told["granted"] += 1
                return leases[0]
            self.told["waited"] += 1
            donor.listen(LISTEN_S)
        raise Over

    def leases_of(self, donor: ScriptedDonor, most: int = 1) -> list[wire.Lease]:
        """Ask for work once, and remember what came."""
        leases = donor.request(most)
        self.leases |= {lease.id: donor.key for lease in leases}
        return leases

    def hand_in(
        self, donor: ScriptedDonor, lease: wire.Lease, data: bytes, **changes: Any
    ) -> wire.Settlement:
        """Hand a result in, and count what became of it."""
        told = donor.complete(lease, data, **changes)
        self.told[told.outcome] += 1
        return told


def train(donor: ScriptedDonor, lease: wire.Lease, to_step: int | None = None) -> bytes:
    """Train a unit as it was asked for, up to a step (the end); give the state.

    What the donor fetched before is not fetched again.
    """
    unit = lease.unit
    for sha in (unit.topology, unit.start, unit.tensors):
        if sha not in donor.fetched:
            response = donor.get(sha, lease.token)
            if response.status_code != 200:
                raise Over
    blobs = [donor.fetched[sha] for sha in (unit.topology, unit.start, unit.tensors)]
    with _ONE_TRAINS:
        training = Training(unit, *blobs)
        until = end_step(unit) if to_step is None else to_step
        while training.step < until:
            training.advance()
        return write_checkpoint(training.state())
