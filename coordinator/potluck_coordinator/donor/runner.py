"""Runs one unit: slices of batches, snapshots, commitments. Knows no process and no socket.

It is told the time, asks between two slices whether to go on, and says what happens by `emit`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from potluck.protocol.donor import Unit
from potluck_coordinator.donor.cadence import Cadence
from potluck_coordinator.donor.frames import Frame
from potluck_coordinator.training.checkpoint import read_checkpoint, write_checkpoint
from potluck_coordinator.training.network import Unsupported
from potluck_coordinator.training.unit_training import Training

PROGRESS_EVERY_S = 0.25
SLICE_S = 0.04
MOST_BATCHES = 256

Order = Literal["go_on", "drop", "stop"]
Emit = Callable[[Frame], None]


@dataclass(frozen=True)
class Job:
    """A lease's unit with its bytes. `checkpoint` is the newest state that there is."""

    lease_id: str
    unit: Unit
    topology: bytes
    checkpoint: bytes
    tensors: bytes


@dataclass
class _Course:
    """What is known of the unit in hand beside its weights."""

    job: Job
    training: Training
    cadence: Cadence
    from_step: int
    commitments: dict[int, str] = field(default_factory=dict)
    active_s: float = 0.0
    loss: float | None = None
    said_at: float = float("-inf")
    step_s: float | None = None
    finite: bool = True


class Runner:
    """Trains units one after another; everything that happens is emitted, errors too."""

    def __init__(self, emit: Emit, now: Callable[[], float], order: Callable[[str], Order]) -> None:
        self._emit = emit
        self._now = now
        self._order = order

    def train(self, job: Job) -> None:
        """Train a unit to its end, or until it is to be dropped or stopped."""
        try:
            training = Training(job.unit, job.topology, job.checkpoint, job.tensors)
            self._follow(
                _Course(
                    job,
                    training,
                    Cadence(self._now()),
                    from_step=training.step,
                    loss=_resumed_loss(job),
                )
            )
        except Unsupported as problem:
            self._fail(job, "unsupported", str(problem))
        except Exception as problem:  # whatever it is: the unit may fare better elsewhere
            self._fail(job, "error", f"{type(problem).__name__}: {problem}")

    def _follow(self, course: _Course) -> None:
        job, training = course.job, course.training
        unit = job.unit
        end = unit.to_epoch * unit.steps_per_epoch
        while training.step < end:
            loss = self._slice(course, end)
            order = self._order(job.lease_id)
            if order == "drop":
                return
            if training.step % unit.steps_per_epoch == 0 and math.isfinite(loss):
                course.loss = loss
            over = course.active_s > unit.limits.seconds and training.step < end
            commits = training.step in unit.commit_steps
            due = commits or over or order == "stop" or course.cadence.due(self._now())
            if not math.isfinite(loss) or training.step >= end or due:
                snapshot = self._snapshot(course, commits)
                if not math.isfinite(loss) or not course.finite:
                    return self._say(course, "finished", snapshot, diverged=True)
                if training.step >= end:
                    return self._say(course, "finished", snapshot, diverged=False)
                if order == "stop":
                    return self._say(course, "stopped", snapshot)
                self._say(course, "snapshot", snapshot)
            if over:
                message = f"The unit took longer than its {unit.limits.seconds} seconds."
                return self._fail(job, "over_limit", message)
            self._progress(course)
        self._say(course, "finished", self._snapshot(course, True), diverged=not course.finite)

    def _slice(self, course: _Course, end: int) -> float:
        """Train some batches and wait for them; gives the mean loss of the epoch in hand."""
        training, unit = course.training, course.job.unit
        begun, from_step = self._now(), training.step
        batches = 1
        if course.step_s is not None:
            batches = max(1, min(MOST_BATCHES, int(SLICE_S / max(course.step_s, 1e-5))))
        stops = [end, (training.epoch + 1) * unit.steps_per_epoch]
        stops += [step for step in unit.commit_steps if step > from_step]
        until = min(from_step + batches, *stops)
        while training.step < until:
            training.advance()
        loss = training.loss()
        spent = self._now() - begun
        course.active_s += spent
        # The first step compiles: it says nothing of those that follow.
        if course.step_s is not None or from_step > course.from_step:
            took = spent / (until - from_step)
            course.step_s = took if course.step_s is None else 0.7 * course.step_s + 0.3 * took
        return loss

    def _snapshot(self, course: _Course, commit: bool) -> bytes:
        begun = self._now()
        state = course.training.state()
        content = write_checkpoint(state)
        course.finite = state.finite
        if commit:
            course.commitments[state.step] = hashlib.sha256(content).hexdigest()
        course.cadence.taken(begun, self._now())
        return content

    def _progress(self, course: _Course) -> None:
        now = self._now()
        ended = course.training.step % course.job.unit.steps_per_epoch == 0
        if ended or now - course.said_at >= PROGRESS_EVERY_S:
            course.said_at = now
            self._say(course, "progress")

    def _say(self, course: _Course, what: str, snapshot: bytes | None = None, **more: Any) -> None:
        training, job = course.training, course.job
        samples = (training.step - course.from_step) * job.unit.batch_size
        head = {
            "type": what,
            "lease": job.lease_id,
            "epoch": training.epoch,
            "step": training.step,
            "loss": course.loss,
            "samples_per_second": samples / course.active_s if course.active_s > 0 else None,
            "commitments": course.commitments,
            **more,
        }
        self._emit(Frame(head, {} if snapshot is None else {"state": snapshot}))

    def _fail(self, job: Job, code: str, message: str) -> None:
        head = {"type": "failed", "lease": job.lease_id, "code": code, "message": message}
        self._emit(Frame(head))


def _resumed_loss(job: Job) -> float | None:
    """Give the finished epoch's mean loss that a checkpoint between two epochs carries."""
    state = read_checkpoint(job.checkpoint)
    whole = state.step > 0 and state.step == state.epoch * job.unit.steps_per_epoch
    if not whole or state.loss_rows != job.unit.rows:
        return None
    loss = state.loss_sum / state.loss_rows
    return loss if math.isfinite(loss) else None
