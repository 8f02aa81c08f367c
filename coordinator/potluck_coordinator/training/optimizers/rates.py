"""The learning rate of a step, by Keras 3's schedules, in double precision."""

from __future__ import annotations

import math

from potluck.protocol.optimizers import AnyOptimizer
from potluck.protocol.schedules import (
    Cosine,
    Exponential,
    OneCycle,
    Piecewise,
    Schedule,
    Step,
)
from potluck_coordinator.training.optimizers.plateau import PlateauState


def steps_of(epochs: float, steps_per_epoch: int) -> int:
    """Give the whole steps of so many epochs: rounded half up, 1 at least."""
    return max(1, math.floor(epochs * steps_per_epoch + 0.5))


def rate_at(
    optimizer: AnyOptimizer, steps_per_epoch: int, step: int, plateau: PlateauState | None
) -> float:
    """Give the learning rate of the step after `step` steps; `plateau` where that is the schedule.

    As in Keras, warm-up goes from the low rate to the full one, and the schedule starts after it.
    """
    full = optimizer.learning_rate if plateau is None else plateau.rate
    schedule = optimizer.schedule
    warmup = 0
    if schedule.warmup_epochs > 0:
        warmup = steps_of(schedule.warmup_epochs, steps_per_epoch)
    if step < warmup:
        low = full * schedule.warmup_from
        return (full - low) * (step / warmup) + low
    return full * _share(schedule, steps_per_epoch, step - warmup)


def _share(schedule: Schedule, steps_per_epoch: int, step: int) -> float:
    match schedule:
        case Step():
            return float(
                schedule.factor ** (step // steps_of(schedule.every_epochs, steps_per_epoch))
            )
        case Piecewise():
            ends = [steps_of(epochs, steps_per_epoch) for epochs in schedule.boundaries]
            return schedule.factors[sum(step > end for end in ends)]
        case Exponential():
            decay = steps_of(schedule.decay_epochs, steps_per_epoch)
            return float(schedule.decay_rate ** (step / decay))
        case Cosine():
            decay = steps_of(schedule.decay_epochs, steps_per_epoch)
            cosine = 0.5 * (1 + math.cos(math.pi * (min(step, decay) / decay)))
            return (1 - schedule.alpha) * cosine + schedule.alpha
        case OneCycle():
            return _one_cycle(schedule, steps_of(schedule.decay_epochs, steps_per_epoch), step)
    return 1.0


def _one_cycle(schedule: OneCycle, total: int, step: int) -> float:
    start = 1 / schedule.start_divisor
    end = start / schedule.end_divisor
    top, last = schedule.rise_share * total - 1, total - 1
    if step < top:
        return _between(start, 1.0, step / top)
    begun = max(top, 0.0)
    return _between(1.0, end, 1.0 if step >= last else (step - begun) / (last - begun))


def _between(a: float, b: float, share: float) -> float:
    """Go from a to b by half a cosine."""
    return b + (a - b) / 2 * (1 + math.cos(math.pi * share))
