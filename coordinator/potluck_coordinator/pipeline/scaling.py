"""How numbers are scaled on their way to a model: not at all where it expects them as they are."""

from __future__ import annotations

import math
from dataclasses import dataclass

from potluck.protocol.study import Scaling
from potluck_coordinator.pipeline.dataset import Categorical, Numeric
from potluck_coordinator.pipeline.facts import ModelFacts


@dataclass(frozen=True)
class Settled:
    """A scaling, and what is said of it."""

    scaling: Scaling
    warnings: tuple[str, ...] = ()


def feature_scaling(asked: Scaling | None, model: ModelFacts) -> Settled:
    """Take what was asked for; else standardize, but for a model that expects numbers as they are.

    `asked`: the specification's, None where it leaves scaling open.
    """
    if model.vocabulary is not None:  # whole numbers, never scaled
        return Settled(asked or "standard")
    why = _expects_raw(model)
    if asked is None and why:
        said = f'{why}: features go in as they are. Scaling "standard" would scale them first.'
        return Settled("none", (said,))
    if asked in (None, "none") or not why:
        return Settled(asked or "standard")
    said = f'{why}, and "{asked}" scales features before that. Leave scaling out to change it.'
    return Settled(asked, (said,))


def _expects_raw(model: ModelFacts) -> str:
    """Say why a model expects numbers as they are; empty where it does not."""
    if model.scaled_by:
        return f'The layer "{model.scaled_by}" scales what the model gets'
    learned = [layer for layer in model.layers if layer.weighted and not layer.fitted]
    if learned and not learned[0].trainable:
        return f'The first layer, "{learned[0].name}", is frozen and knows numbers as it saw them'
    return ""


def target_scaling(
    asked: Scaling | None, model: ModelFacts, target: Numeric | Categorical, *, own_units: bool
) -> Settled:
    """Take what was asked for; else a scale on which the model's outputs reach all of the target.

    `asked`: the specification's, None where it leaves scaling open. `target`: numbers to predict.
    `own_units`: the loss needs them unscaled. Warns of a target that the outputs cannot reach.
    """
    if model.reach == (None, None) or isinstance(target, Categorical) or not len(target.values):
        return Settled(asked or "standard")
    ends = {
        "none": (float(target.values.min()), float(target.values.max())),
        "minmax": (0.0, 1.0),
        "standard": (-math.inf, math.inf),
    }
    within = [scaling for scaling, (low, high) in ends.items() if _reaches(model, low, high)]
    lies = f"The model's outputs lie {_between(model)}"
    if own_units or asked is not None:
        scaling = "none" if own_units else asked or "standard"
        if scaling in within:
            return Settled(scaling)
        others = [other for other in within if not own_units]
        better = f' Scaling "{others[0]}" changes that.' if others else ""
        said = f'{lies} and cannot reach all of the target ("{scaling}" scaling).{better}'
        return Settled(scaling, (said,))
    if "none" in within:
        return Settled("none", (f"{lies}: the target is not scaled.",))
    if "minmax" in within:
        return Settled("minmax", (f"{lies}: the target is scaled to 0 to 1.",))
    return Settled("standard", (f"{lies} and cannot reach all of the target, scaled or not.",))


def _reaches(model: ModelFacts, low: float, high: float) -> bool:
    least, most = model.reach
    return (least is None or least <= low) and (most is None or high <= most)


def _between(model: ModelFacts) -> str:
    least, most = model.reach
    if most is None:
        return f"above {least:g}"
    return f"below {most:g}" if least is None else f"between {least:g} and {most:g}"
