"""Keras 3's ReduceLROnPlateau of the training loss, and its state in checkpoints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from potluck.protocol.schedules import Plateau


@dataclass(frozen=True)
class PlateauState:
    """What the schedule knows after an epoch. Numbers are float32, so that they come back exact."""

    rate: float
    best: float
    wait: int
    cooldown: int

    def numbers(self) -> NDArray[np.float32]:
        """Give the state as a checkpoint has it, [4]."""
        return np.array([self.rate, self.best, self.wait, self.cooldown], np.float32)

    @classmethod
    def read(cls, numbers: NDArray[np.float32]) -> PlateauState:
        """Read what `numbers` gave."""
        rate, best, wait, cooldown = (float(number) for number in numbers)
        return cls(rate, best, int(wait), int(cooldown))


def after_epoch(
    schedule: Plateau, learning_rate: float, state: PlateauState | None, loss: float
) -> PlateauState:
    """Give the state after an epoch with this mean training loss; None: the first epoch."""
    current = np.float32(loss)
    if state is None:
        return PlateauState(float(np.float32(learning_rate)), float(current), 0, 0)
    rate, best, wait, cooldown = state.rate, state.best, state.wait, state.cooldown
    if cooldown > 0:
        cooldown, wait = cooldown - 1, 0
    if np.float32(float(current) + schedule.min_delta) < np.float32(best):
        return PlateauState(rate, float(current), 0, cooldown)
    if cooldown > 0:
        return PlateauState(rate, best, wait, cooldown)
    wait += 1
    if wait >= schedule.patience and rate > np.float32(schedule.min_lr):
        rate = float(np.float32(max(rate * schedule.factor, schedule.min_lr)))
        return PlateauState(rate, best, 0, schedule.cooldown)
    return PlateauState(rate, best, wait, cooldown)
