"""A whole step of an optimizer: clipping, weight decay, the update, moving averages.

In Keras 3's order; constraints come last and are the network's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from potluck.protocol.optimizers import AnyOptimizer, Ftrl, RmsProp, Sgd
from potluck_coordinator.training.optimizers.rules import Array, Rule, rule_of

AVERAGE = "average"


@dataclass(frozen=True)
class Step:
    """One kind of step; all numbers are arguments (`factors`)."""

    rule: Rule
    clipping: str | None
    decays: bool
    averages: bool

    @property
    def slots(self) -> tuple[str, ...]:
        """Name the slots of a weight under Keras's names."""
        return self.rule.slots + (AVERAGE,) * self.averages

    def factors(self, optimizer: AnyOptimizer, iteration: int, rate: float) -> dict[str, Any]:
        """Give the numbers of one step, counted from 1, at a learning rate."""
        frequency = optimizer.ema_overwrite_frequency
        return {
            "own": self.rule.factors(optimizer, iteration, rate),
            "limit": getattr(optimizer, self.clipping) if self.clipping else 0.0,
            "decay": (optimizer.weight_decay or 0.0) * rate,
            "ema": optimizer.ema_momentum if iteration > 1 else 0.0,
            "overwrite": float(frequency is not None and iteration % frequency == 0),
        }

    def apply(
        self,
        jnp: Any,
        weights: Sequence[Array],
        gradients: Sequence[Array],
        slots: Sequence[Sequence[Array]],
        factors: dict[str, Any],
    ) -> tuple[list[Array], list[list[Array]]]:
        """Give the new weights and each one's new slots."""
        gradients = self._clipped(jnp, gradients, factors["limit"])
        made, kept = [], []
        for weight, gradient, own in zip(weights, gradients, slots, strict=True):
            before = weight - weight * factors["decay"] if self.decays else weight
            own_slots = own[:-1] if self.averages else own
            after, new = self.rule.apply(jnp, before, gradient, own_slots, factors["own"])
            if self.averages:
                ema, overwrite = factors["ema"], factors["overwrite"]
                average = own[-1] * ema + after * (1 - ema)
                after = average * overwrite + after * (1 - overwrite)
                new = [*new, average]
            made.append(after)
            kept.append(new)
        return made, kept

    def _clipped(self, jnp: Any, gradients: Sequence[Array], limit: Array) -> Sequence[Array]:
        match self.clipping:
            case "clipvalue":
                return [jnp.clip(gradient, -limit, limit) for gradient in gradients]
            case "clipnorm":
                norms = [jnp.sqrt(jnp.sum(gradient * gradient)) for gradient in gradients]
                pairs = zip(gradients, norms, strict=True)
                return [gradient * (limit / jnp.maximum(norm, limit)) for gradient, norm in pairs]
            case "global_clipnorm":
                norm = jnp.sqrt(sum(jnp.sum(gradient * gradient) for gradient in gradients))
                scale = limit / jnp.maximum(norm, limit)
                return [gradient * scale for gradient in gradients]
        return gradients


def kind_of(optimizer: AnyOptimizer) -> tuple[object, ...]:
    """Give what decides an optimizer's compiled step; all its other numbers are arguments."""
    options: tuple[object, ...] = (getattr(optimizer, "amsgrad", False),)
    if isinstance(optimizer, Sgd):
        options = (optimizer.momentum != 0.0, optimizer.nesterov)
    elif isinstance(optimizer, RmsProp):
        options = (optimizer.momentum != 0.0, optimizer.centered)
    elif isinstance(optimizer, Ftrl):
        options = (optimizer.learning_rate_power == -0.5,)
    return (
        optimizer.name,
        *options,
        _clipping(optimizer),
        optimizer.weight_decay is not None,
        optimizer.use_ema,
    )


def step_of(optimizer: AnyOptimizer) -> Step:
    """Give the step of an optimizer as the wire describes it."""
    decays = optimizer.weight_decay is not None
    return Step(rule_of(optimizer), _clipping(optimizer), decays, optimizer.use_ema)


def initial_of(optimizer: AnyOptimizer, slot: str) -> float:
    """Give what a slot holds before the first step."""
    return getattr(optimizer, "initial_accumulator_value", 0.0) if slot == "accumulator" else 0.0


def _clipping(optimizer: AnyOptimizer) -> str | None:
    for name in ("clipnorm", "global_clipnorm", "clipvalue"):
        if getattr(optimizer, name) is not None:
            return name
    return None
