"""One lease in this donor's hands: where it stands, and what of it is safe elsewhere."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from potluck.protocol import donor as wire

Stage = Literal["queued", "downloading", "training", "stopped", "handing_in", "handed_in"]
Reason = Literal["closing", "paused", "stopped", "error", "over_limit"]


@dataclass(frozen=True)
class Snapshot:
    """A state in bytes, named by their hash."""

    content: bytes
    sha256: str
    epoch: int
    step: int

    @staticmethod
    def of(content: bytes, head: Mapping[str, Any]) -> Snapshot:
        """Take a state from an engine's message."""
        sha = hashlib.sha256(content).hexdigest()
        return Snapshot(content, sha, int(head["epoch"]), int(head["step"]))


@dataclass
class Holding:
    """The present state of one lease."""

    lease: wire.Lease
    stage: Stage = "queued"
    epoch: int = 0
    step: int = 0
    loss: float | None = None
    samples_per_second: float | None = None
    commitments: dict[int, str] = field(default_factory=dict)
    states: dict[int, Snapshot] = field(default_factory=dict)
    """Committed states by step, kept until the unit is settled."""
    latest: Snapshot | None = None
    saved_step: int = -1
    """Step of the newest state that the coordinator has."""
    diverged: bool | None = None
    """None until there is a result, which then is `latest`."""
    failures: int = 0

    def __post_init__(self) -> None:
        """Stand where the unit begins."""
        self.epoch, self.step = self.lease.unit.from_epoch, self.first_step

    @property
    def id(self) -> str:
        """Name the lease."""
        return self.lease.id

    @property
    def first_step(self) -> int:
        """Give the unit's first step, counted over the whole trial."""
        return self.lease.unit.from_epoch * self.lease.unit.steps_per_epoch

    @property
    def last_step(self) -> int:
        """Give the step at which the unit ends."""
        return self.lease.unit.to_epoch * self.lease.unit.steps_per_epoch

    def advance(self, head: Mapping[str, Any]) -> None:
        """Take in what an engine says; commitments from before a restart of it stay."""
        self.epoch, self.step = int(head["epoch"]), int(head["step"])
        self.loss = head["loss"] if head["loss"] is not None else self.loss
        self.samples_per_second = head["samples_per_second"]
        self.commitments |= {int(step): sha for step, sha in head["commitments"].items()}

    def keep(self, snapshot: Snapshot) -> None:
        """Take in a state."""
        self.latest = snapshot
        if self.commitments.get(snapshot.step) == snapshot.sha256:
            self.states[snapshot.step] = snapshot

    def progress(self) -> wire.Progress:
        """Say how far it is."""
        return wire.Progress(
            lease_id=self.id,
            epoch=self.epoch,
            step=self.step,
            loss=_finite(self.loss),
            samples_per_second=_finite(self.samples_per_second),
            commitments=self.commitments,
        )

    def completed(self) -> wire.Completed:
        """Name the result."""
        assert self.latest is not None
        loss = _finite(self.loss)
        return wire.Completed(
            lease_id=self.id,
            token=self.lease.token,
            artifact=self.latest.sha256,
            step=self.latest.step,
            claims={} if loss is None else {"loss": loss},
            commitments=self.commitments,
            diverged=bool(self.diverged),
        )

    def handback(self, reason: Reason, detail: str = "") -> wire.Handback:
        """Give the lease back."""
        return wire.Handback(
            lease_id=self.id, token=self.lease.token, reason=reason, detail=detail[:500]
        )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
