"""Keras 3's optimizers with Keras 3's fields and defaults: one typed union."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from potluck.protocol.base import Wire
from potluck.protocol.schedules import Constant, Schedule

OptimizerName = Literal[
    "sgd",
    "adam",
    "adamw",
    "adamax",
    "nadam",
    "rmsprop",
    "adagrad",
    "adadelta",
    "lion",
    "ftrl",
]
Limit = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Strength = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Common(Wire):
    """What all of Keras 3's optimizers take. At most one of the three clippings."""

    learning_rate: float
    weight_decay: Strength | None = None
    clipnorm: Limit | None = None
    clipvalue: Limit | None = None
    global_clipnorm: Limit | None = None
    use_ema: bool = Field(
        False, description="What is scored, and the model, are the moving averages of the weights."
    )
    ema_momentum: float = Field(0.99, ge=0, le=1)
    ema_overwrite_frequency: int | None = Field(None, ge=1, le=2**31 - 1, description="In steps.")
    schedule: Schedule = Constant()

    @model_validator(mode="after")
    def _clip_once(self) -> Self:
        if sum(x is not None for x in (self.clipnorm, self.clipvalue, self.global_clipnorm)) > 1:
            raise ValueError("only one of clipnorm, clipvalue and global_clipnorm can be set")
        return self


class Sgd(Common):
    """Keras 3's SGD."""

    name: Literal["sgd"] = "sgd"
    momentum: float = 0.0
    nesterov: bool = False


class Adam(Common):
    """Keras 3's Adam."""

    name: Literal["adam"] = "adam"
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    amsgrad: bool = False


class AdamW(Common):
    """Keras 3's AdamW: Adam whose weight decay is on by default."""

    name: Literal["adamw"] = "adamw"
    weight_decay: Strength | None = 0.004
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    amsgrad: bool = False


class Adamax(Common):
    """Keras 3's Adamax."""

    name: Literal["adamax"] = "adamax"
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7


class Nadam(Common):
    """Keras 3's Nadam."""

    name: Literal["nadam"] = "nadam"
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7


class RmsProp(Common):
    """Keras 3's RMSprop."""

    name: Literal["rmsprop"] = "rmsprop"
    rho: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-7
    centered: bool = False


class Adagrad(Common):
    """Keras 3's Adagrad."""

    name: Literal["adagrad"] = "adagrad"
    initial_accumulator_value: Strength = 0.1
    epsilon: float = 1e-7


class Adadelta(Common):
    """Keras 3's Adadelta."""

    name: Literal["adadelta"] = "adadelta"
    rho: float = 0.95
    epsilon: float = 1e-7


class Lion(Common):
    """Keras 3's Lion."""

    name: Literal["lion"] = "lion"
    beta_1: float = Field(0.9, gt=0, le=1)
    beta_2: float = 0.99


class Ftrl(Common):
    """Keras 3's Ftrl. It divides by the rate: one of 0 makes NaN, in Keras too."""

    name: Literal["ftrl"] = "ftrl"
    learning_rate_power: float = Field(-0.5, le=0)
    initial_accumulator_value: Strength = 0.1
    l1_regularization_strength: Strength = 0.0
    l2_regularization_strength: Strength = 0.0
    l2_shrinkage_regularization_strength: Strength = 0.0
    beta: Strength = 0.0


AnyOptimizer = Sgd | Adam | AdamW | Adamax | Nadam | RmsProp | Adagrad | Adadelta | Lion | Ftrl
Optimizer = Annotated[AnyOptimizer, Field(discriminator="name")]
