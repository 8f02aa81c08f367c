"""Keras's own optimizer, with its schedule, for an optimizer as the wire describes it.

Kept apart from what is tested: schedules here are Keras's own classes, except where Keras has none.
"""

from __future__ import annotations

import math
from typing import Any

import keras

from potluck.protocol.optimizers import AnyOptimizer
from potluck.protocol.schedules import (
    Cosine,
    Exponential,
    OneCycle,
    Piecewise,
    Plateau,
    Step,
)

CLASSES = {
    "sgd": "SGD",
    "adam": "Adam",
    "adamw": "AdamW",
    "adamax": "Adamax",
    "nadam": "Nadam",
    "rmsprop": "RMSprop",
    "adagrad": "Adagrad",
    "adadelta": "Adadelta",
    "lion": "Lion",
    "ftrl": "Ftrl",
}
schedules: Any = keras.optimizers.schedules
Schedule: Any = schedules.LearningRateSchedule


class Delayed(Schedule):  # type: ignore[misc]
    """Keras's warm-up (CosineDecay's words), before any schedule."""

    def __init__(self, low: float, high: float, steps: int, then: Any) -> None:
        self.low, self.high, self.steps, self.then = low, high, steps, then

    def __call__(self, step: Any) -> Any:
        """Give the rate of a step."""
        share = keras.ops.cast(step, "float32") / self.steps
        later = self.then(step - self.steps) if callable(self.then) else self.then
        return keras.ops.where(step < self.steps, (self.high - self.low) * share + self.low, later)


class Cycle(Schedule):  # type: ignore[misc]
    """One cycle as PyTorch's OneCycleLR has it: the peak at pct_start × total - 1 steps."""

    def __init__(self, peak: float, total: int, rise: float, start: float, end: float) -> None:
        first, last = peak / start, peak / start / end
        top = rise * total - 1
        rates = []
        for step in range(total):
            if step <= top:
                pair, share = (first, peak), step / top
            else:
                pair, share = (peak, last), (step - top) / (total - 1 - top)
            a, b = pair
            rates.append((a + b) / 2 + (a - b) / 2 * math.cos(math.pi * share))
        self.rates = keras.ops.array(rates, "float32")

    def __call__(self, step: Any) -> Any:
        """Give the rate of a step."""
        return keras.ops.take(self.rates, keras.ops.minimum(step, len(self.rates) - 1))


def keras_rate(optimizer: AnyOptimizer, steps_per_epoch: int) -> Any:
    """Give Keras's learning rate: a number, or a schedule of its own."""
    rate, schedule = optimizer.learning_rate, optimizer.schedule

    def steps(epochs: float) -> int:
        return max(1, math.floor(epochs * steps_per_epoch + 0.5))

    found: Any = rate
    match schedule:
        case Step():
            decay, factor = steps(schedule.every_epochs), schedule.factor
            found = schedules.ExponentialDecay(rate, decay, factor, staircase=True)
        case Piecewise():
            ends = [steps(epochs) for epochs in schedule.boundaries]
            values = [rate * factor for factor in schedule.factors]
            found = schedules.PiecewiseConstantDecay(ends, values)
        case Exponential():
            decay = steps(schedule.decay_epochs)
            found = schedules.ExponentialDecay(rate, decay, schedule.decay_rate)
        case Cosine() if schedule.warmup_epochs:
            return schedules.CosineDecay(
                rate * schedule.warmup_from,
                steps(schedule.decay_epochs),
                schedule.alpha,
                warmup_target=rate,
                warmup_steps=steps(schedule.warmup_epochs),
            )
        case Cosine():
            found = schedules.CosineDecay(rate, steps(schedule.decay_epochs), schedule.alpha)
        case OneCycle():
            total, rise = steps(schedule.decay_epochs), schedule.rise_share
            found = Cycle(rate, total, rise, schedule.start_divisor, schedule.end_divisor)
    if schedule.warmup_epochs:
        low = rate * schedule.warmup_from
        found = Delayed(low, rate, steps(schedule.warmup_epochs), found)
    return found


def keras_optimizer(optimizer: AnyOptimizer, steps_per_epoch: int) -> Any:
    """Give Keras's optimizer; a plateau schedule is a callback's (`keras_plateau`)."""
    options = optimizer.model_dump(exclude={"name", "learning_rate", "schedule"})
    make = getattr(keras.optimizers, CLASSES[optimizer.name])
    return make(learning_rate=keras_rate(optimizer, steps_per_epoch), **options)


def keras_plateau(schedule: Plateau, own: Any) -> Any:
    """Give Keras's callback, at work on an optimizer: call `on_epoch_end(epoch, {"loss": ...})`."""
    callback = keras.callbacks.ReduceLROnPlateau(
        monitor="loss",
        factor=schedule.factor,
        patience=schedule.patience,
        min_delta=schedule.min_delta,
        cooldown=schedule.cooldown,
        min_lr=schedule.min_lr,
        mode="min",
    )
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(own, "mse")
    callback.set_model(model)
    callback.on_train_begin()
    return callback
