"""How the learning rate changes while a unit trains: one typed union.

Schedules count in epochs, so that one means the same in every fold, with every batch size and in
the refit: donors multiply by the unit's `steps_per_epoch` and round half up, to 1 step at least.
Formulas are in docs/protocol.md. `step` below counts the optimizer's finished steps, from 0, less
those of the warm-up.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from potluck.protocol.base import Wire

ScheduleName = Literal[
    "constant", "step", "piecewise", "exponential", "cosine", "one_cycle", "plateau"
]
Epochs = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]


class Warming(Wire):
    """Linear warm-up before the schedule: from `warmup_from` × learning rate to all of it."""

    warmup_epochs: float = Field(0.0, ge=0, le=1e6)
    warmup_from: Share = 0.0


class Constant(Warming):
    """The learning rate as it is."""

    name: Literal["constant"] = "constant"


class Step(Warming):
    """Keras 3's `ExponentialDecay(staircase=True)`: times `factor` every so many epochs."""

    name: Literal["step"] = "step"
    every_epochs: Epochs
    factor: float = Field(0.1, gt=0, le=1)


class Piecewise(Warming):
    """Keras 3's `PiecewiseConstantDecay`: the rate times `factors[i]` up to `boundaries[i]`."""

    name: Literal["piecewise"] = "piecewise"
    boundaries: list[Epochs] = Field(min_length=1, max_length=64)
    factors: list[Annotated[float, Field(ge=0, le=1e6)]] = Field(min_length=2, max_length=65)

    @model_validator(mode="after")
    def _one_more_factor(self) -> Self:
        ascending = all(a < b for a, b in zip(self.boundaries, self.boundaries[1:], strict=False))
        if not ascending or len(self.factors) != len(self.boundaries) + 1:
            raise ValueError("boundaries ascend, and there is one factor more than boundaries")
        return self


class Exponential(Warming):
    """Keras 3's `ExponentialDecay`: rate × decay_rate ** (step / decay steps)."""

    name: Literal["exponential"] = "exponential"
    decay_epochs: Epochs
    decay_rate: float = Field(0.1, gt=0, le=1)


class Cosine(Warming):
    """Keras 3's `CosineDecay`, its warm-up included: down to `alpha` × rate in `decay_epochs`."""

    name: Literal["cosine"] = "cosine"
    decay_epochs: Epochs
    alpha: Share = 0.0


class OneCycle(Warming):
    """Up to the rate and down far below it, both by half a cosine. Keras 3 has none."""

    name: Literal["one_cycle"] = "one_cycle"
    decay_epochs: Epochs
    rise_share: Annotated[float, Field(gt=0, lt=1)] = 0.3
    start_divisor: float = Field(25.0, ge=1)
    end_divisor: float = Field(1e4, ge=1)


class Plateau(Warming):
    """Keras 3's `ReduceLROnPlateau` of the training loss, decided at each epoch's end.

    Its state is part of a checkpoint (`optimizer/plateau`).
    """

    name: Literal["plateau"] = "plateau"
    factor: float = Field(0.1, gt=0, lt=1)
    patience: int = Field(10, ge=0, le=1_000_000)
    min_delta: float = Field(1e-4, ge=0)
    cooldown: int = Field(0, ge=0, le=1_000_000)
    min_lr: float = Field(0.0, ge=0)


Schedule = Annotated[
    Constant | Step | Piecewise | Exponential | Cosine | OneCycle | Plateau,
    Field(discriminator="name"),
]
