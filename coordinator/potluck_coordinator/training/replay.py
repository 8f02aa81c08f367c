"""Train again what somebody else trained, and measure how far the two ends are apart.

Runs in a worker process. It takes a share of one processor core: between two slices it rests.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf
from statistics import median

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
MEASURED_AFTER_SLICES = 3
"""From then on it is worth asking how long the whole will take: the first slices compile."""
MOST_MEASURED = 10_000
"""Slices of which the pace is kept."""
IN_DOUBT = 2.0
"""So many times the limit the second training may take that decides a doubt: it is as long as the
first one, and a slow minute must not leave undecided what the first one has found."""
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
    `to_step`: the step of `end`; with `diverged` the step by which training has to diverge here
    too (`diverges_by`). `goes_on`: others train on from `end`, so that all of that state counts,
    and where it leads. `share`: of one core, 0 to 1. `seconds`: what one training may take of that
    core at most; where the first one finds a difference, a second one takes as long again.
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
    `too_long`: it would take longer than is given to it.
    `seconds`: of training. `step_s`: seconds that a step took once the first ones had compiled;
    None where there were too few.
    """

    comparison: Comparison | None
    unable: str = ""
    failed: bool = False
    too_long: bool = False
    seconds: float = 0.0
    step_s: float | None = None


class TooLong(Exception):
    """A training takes longer than is given to it."""


def replay(job: ReplayJob) -> Replayed:
    """Train a lease's work again and compare. What goes wrong is told; raises MemoryError alone."""
    pace = Pace(job.share, job.seconds)
    found, unable, failed, too_long = None, "", False, False
    try:
        found = _compare(job, pace)
    except (Unsupported, TooLong) as error:
        unable, too_long = str(error), isinstance(error, TooLong)
    except MemoryError:
        raise  # says nothing of the work: others have more memory
    except Exception as error:  # whatever it is: this process cannot train it
        if is_full(error):
            raise MemoryError from error
        unable, failed = f"{type(error).__name__}: {error}", True
    return Replayed(found, unable, failed, too_long, pace.spent, pace.step_s)


def _compare(job: ReplayJob, pace: Pace) -> Comparison:
    start = read_checkpoint(job.start)
    try:
        end = None if job.end is None or job.diverged else read_checkpoint(job.end)
    except BadTensors:
        return Comparison(FAR)  # whoever handed it in said that it was a state
    if end is None:
        return _whether_it_trains(job, start, pace)
    own = _train(job, job.start, pace)
    if own is None:
        # Where a rounding error decides whether training diverges, nothing can be compared.
        other = _train(job, nudged(start), pace, times=IN_DOUBT)
        return Comparison(FAR, spread=None if other is None else FAR)
    ends = _Ends(job, start, own, pace)
    found = ends.distance(end)
    if found <= TOLERANCE:
        return Comparison(found)
    other = _train(job, nudged(start), pace, times=IN_DOUBT)
    return Comparison(found, FAR if other is None else ends.distance(other))


def _whether_it_trains(job: ReplayJob, start: State, pace: Pace) -> Comparison:
    """Say whether training diverges here, or can be done at all."""
    try:
        own = _train(job, job.start, pace)
    except Unsupported as error:
        if job.diverged and _diverges_otherwise(job, pace, error):
            return Comparison(FAR, diverged=True)
        raise
    if not job.diverged:
        return Comparison(0.0, diverged=own is None)
    again = own is not None and _train(job, nudged(start), pace, times=IN_DOUBT) is None
    return Comparison(FAR, diverged=own is None or again)


def _diverges_otherwise(job: ReplayJob, pace: Pace, why: Unsupported) -> bool:
    """Say whether what cannot be repeated exactly diverges with other random numbers as well.

    They change the weights, and hardly ever whether these stay finite: so that proves a divergence.
    That it does not diverge, or cannot be trained like this either, proves no lie.
    """
    try:
        return _train(job, job.start, pace, exact=False) is None
    except (TooLong, MemoryError):
        raise
    except Exception as error:  # whatever a layer does that is not trained like this
        if is_full(error):
            raise MemoryError from error
        raise why from error


class _Ends:
    """The end that was trained here, to which others are compared."""

    def __init__(self, job: ReplayJob, start: State, own: State, pace: Pace) -> None:
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


class Pace:
    """Keeps to a share of one core, and each of several trainings to a limit.

    Args:
        share: Of one core, 0 to 1.
        seconds: What one training may take of that core.
        rest: Waits so many seconds.
    """

    def __init__(
        self, share: float, seconds: float, rest: Callable[[float], None] = time.sleep
    ) -> None:
        self._share = share
        self._limit = seconds
        self._rest = rest
        self.spent = 0.0
        """Seconds of all trainings."""
        self._measured: list[float] = []
        self.begin()

    def begin(self, times: float = 1.0) -> None:
        """Begin a training.

        Args:
            times: It may take so many times the limit.
        """
        self._most = self._limit * times
        self._own = 0.0
        self._slices = 0
        self._fastest = inf

    @property
    def step_s(self) -> float | None:
        """Give the seconds that a step took, but for each training's first slice: it compiles."""
        return median(self._measured) if self._measured else None

    def took(self, seconds: float, steps: int, left: int) -> None:
        """Count a slice of training, and rest as long as the share asks for.

        How long the rest will take is told by the fastest slice: some compile, too.

        Args:
            seconds: What it took.
            steps: Of how many steps it was.
            left: How many are still to come.

        Raises:
            TooLong: The limit is reached, or will be.
        """
        self.spent += seconds
        self._own += seconds
        self._slices += 1
        self._fastest = min(self._fastest, seconds / steps)
        if self._slices > 1 and len(self._measured) < MOST_MEASURED:
            self._measured.append(seconds / steps)
        expected = self._own
        if self._slices >= MEASURED_AFTER_SLICES and self._own > MEASURED_AFTER_S:
            expected += self._fastest * left
        if expected > self._most:
            raise TooLong(
                f"Training it again would take about {expected:,.0f} s here or more; "
                f"at most {self._most:,.0f} s are given to it."
            )
        self._rest(seconds * (1.0 / self._share - 1.0))


def _train(
    job: ReplayJob, start: bytes, pace: Pace, *, times: float = 1.0, exact: bool = True
) -> State | None:
    """Train to the job's last step; None where training diverged."""
    begun = time.perf_counter()
    training = Training(job.course, job.topology, start, job.tensors, exact=exact)
    pace.begin(times)
    while training.step < job.to_step:
        spe, before = job.course.steps_per_epoch, training.step
        until = min(before + SLICE_STEPS, job.to_step, (training.epoch + 1) * spe)
        while training.step < until:
            training.advance()
        loss = training.loss()
        now = time.perf_counter()
        pace.took(now - begun, until - before, job.to_step - until)
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
