"""Train again what somebody else trained, and measure how far the two ends are apart.

Runs in a worker process. It takes a share of one processor core: between two slices it rests.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from potluck.protocol.optimizers import AnyOptimizer
from potluck.protocol.study import LossName, LossOptions
from potluck_coordinator.core.trust import MOST_TOLERANCE, TOLERANCE, Comparison
from potluck_coordinator.scoring.limits import is_full
from potluck_coordinator.training.checkpoint import (
    BadTensors,
    State,
    read_checkpoint,
    write_checkpoint,
)
from potluck_coordinator.training.distance import FAR, displacement, distance
from potluck_coordinator.training.network import Unsupported
from potluck_coordinator.training.unit_training import Training

NUDGE = 1e-6
"""A second replay begins so far off, relative to each weight: more than rounding is."""
SLICE_STEPS = 32
MEASURED_AFTER_S = 2.0
"""From then on it is worth asking how long the whole will take."""
STEPS_ON = 8
"""So many steps more are trained from both ends where others go on from one of them."""


@dataclass(frozen=True)
class Course:
    """What decides what weights become: see `unit_training.Recipe`."""

    rows: int
    batch_size: int
    steps_per_epoch: int
    optimizer: AnyOptimizer
    loss: LossName
    loss_options: LossOptions
    from_logits: bool
    seed: int


@dataclass(frozen=True)
class ReplayJob:
    """One lease's work, to be done again.

    `topology`, `tensors`, `start`: the unit's bytes; `start` is the state that the lease began
    with. `end`: the state that it came to; None only says whether training works at all.
    `to_step`: the step of `end`; with `diverged` the unit's last step. `goes_on`: others train on
    from `end`, so that all of that state counts, and where it leads. `share`: of one core, 0 to 1.
    `seconds`: what it may take of that core at most.
    """

    course: Course
    topology: bytes
    tensors: bytes
    start: bytes
    end: bytes | None
    to_step: int
    diverged: bool = False
    goes_on: bool = False
    share: float = 1.0
    seconds: float = 600.0


@dataclass(frozen=True)
class Replayed:
    """What came of it. `unable`: why nothing can be said; then there is no comparison.

    `failed`: this process could not train it although it should (an error, too little memory).
    `seconds`: of training. `step_s`: seconds that a step took once the first ones had compiled;
    None where there were too few.
    """

    comparison: Comparison | None
    unable: str = ""
    failed: bool = False
    seconds: float = 0.0
    step_s: float | None = None


class _TooLong(Exception):
    pass


def replay(job: ReplayJob) -> Replayed:
    """Train a lease's work again and compare. What goes wrong is told; raises MemoryError alone."""
    pace = _Pace(job.share, job.seconds)
    found, unable, failed = None, "", False
    try:
        found = _compare(job, pace)
    except (Unsupported, _TooLong) as error:
        unable = str(error)
    except MemoryError:
        raise  # says nothing of the work: others have more memory
    except Exception as error:  # whatever it is: this process cannot train it
        if is_full(error):
            raise MemoryError from error
        unable, failed = f"{type(error).__name__}: {error}", True
    return Replayed(found, unable, failed, pace.spent, pace.step_s)


def _compare(job: ReplayJob, pace: _Pace) -> Comparison:
    start = read_checkpoint(job.start)
    try:
        end = None if job.end is None or job.diverged else read_checkpoint(job.end)
    except BadTensors:
        return Comparison(FAR)  # whoever handed it in said that it was a state
    own = _train(job, job.start, pace)
    if job.end is None:
        return Comparison(0.0, diverged=own is None)
    if job.diverged:
        again = own is not None and _train(job, nudged(start), pace) is None
        return Comparison(FAR, diverged=own is None or again)
    assert end is not None
    if own is None:
        # Where a rounding error decides whether training diverges, nothing can be compared.
        other = _train(job, nudged(start), pace)
        return Comparison(FAR, spread=None if other is None else FAR)
    ends = _Ends(job, start, own, pace)
    found = ends.distance(end)
    if found <= TOLERANCE:
        return Comparison(found)
    other = _train(job, nudged(start), pace)
    return Comparison(found, FAR if other is None else ends.distance(other))


class _Ends:
    """The end that was trained here, to which others are compared."""

    def __init__(self, job: ReplayJob, start: State, own: State, pace: _Pace) -> None:
        self._job = job
        self._start = start
        self._own = own
        self._pace = pace

    @cached_property
    def _later(self) -> State | None:
        return self._go_on(self._own)

    def distance(self, other: State) -> float:
        """Measure how far another end is off, and where others go on, how far off it leads."""
        job = self._job
        found = distance(self._start, self._own, other, job.goes_on)
        if found > MOST_TOLERANCE or not job.goes_on:
            return found
        if self._later is None:
            return found  # it diverges soon: there is nothing to compare
        later = self._go_on(other)
        if later is None:
            return FAR
        return max(found, displacement(self._start, self._own, self._later, other, later))

    def _go_on(self, end: State) -> State | None:
        job = replace(self._job, to_step=self._job.to_step + STEPS_ON)
        return _train(job, write_checkpoint(end), self._pace)


class _Pace:
    """Keeps to a share of one core, and to a limit."""

    def __init__(self, share: float, seconds: float) -> None:
        self._share = share
        self._most = seconds
        self.spent = 0.0
        self._done = 0
        self._steady: tuple[float, int] | None = None

    @property
    def step_s(self) -> float | None:
        """Give the seconds that a step took, but for each training's first slice: it compiles."""
        return None if self._steady is None else self._steady[0] / self._steady[1]

    def took(self, seconds: float, done: int, of: int) -> None:
        """Count a slice, and rest as long as the share asks for. Raises _TooLong."""
        self.spent += seconds
        if done > self._done > 0:
            before, steps = self._steady or (0.0, 0)
            self._steady = (before + seconds, steps + done - self._done)
        self._done = done
        expected = self.spent / max(done, 1) * of if self.spent > MEASURED_AFTER_S else 0.0
        if self.spent > self._most or expected > self._most:
            raise _TooLong(
                f"Training it again would take about {max(expected, self.spent):,.0f} s here; "
                f"at most {self._most:,.0f} s are given to one replay."
            )
        time.sleep(seconds * (1.0 / self._share - 1.0))


def _train(job: ReplayJob, start: bytes, pace: _Pace) -> State | None:
    """Train to the job's last step; None where training diverged."""
    begun = time.perf_counter()
    training = Training(job.course, job.topology, start, job.tensors)
    from_step = training.step
    while training.step < job.to_step:
        spe = job.course.steps_per_epoch
        until = min(training.step + SLICE_STEPS, job.to_step, (training.epoch + 1) * spe)
        while training.step < until:
            training.advance()
        loss = training.loss()
        now = time.perf_counter()
        pace.took(now - begun, training.step - from_step, job.to_step - from_step)
        begun = time.perf_counter()
        if not np.isfinite(loss):
            return None
    state = training.state()
    return state if state.finite else None


def nudged(start: State, seed: int = 1) -> bytes:
    """Move every weight by a rounding error or two, which `seed` decides; give the checkpoint."""
    rng = np.random.default_rng(seed)
    moved = {
        name: (value * (1.0 + NUDGE * rng.standard_normal(value.shape))).astype(np.float32)
        for name, value in start.weights.items()
    }
    return write_checkpoint(replace(start, weights=moved))
