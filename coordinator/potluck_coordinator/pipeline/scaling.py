"""How numbers are scaled on their way to a model: not at all where it expects them as they are."""

from __future__ import annotations

from dataclasses import dataclass

from potluck.protocol.study import Scaling
from potluck_coordinator.pipeline.facts import ModelFacts


@dataclass(frozen=True)
class Scalings:
    """How features and a numeric target are scaled, and what is said of it."""

    features: Scaling
    target: Scaling
    warnings: tuple[str, ...] = ()


def settle_scaling(asked: Scaling | None, model: ModelFacts) -> Scalings:
    """Take what was asked for; else standardize, but for a model that expects numbers as they are.

    What was asked for counts for the target too; what the model expects does not.
    """
    if model.vocabulary is not None:  # whole numbers, never scaled
        return Scalings(asked or "standard", asked or "standard")
    why = _expects_raw(model)
    if asked is None and why:
        said = f'{why}: features go in as they are. Scaling "standard" would scale them first.'
        return Scalings("none", "standard", (said,))
    if asked in (None, "none") or not why:
        return Scalings(asked or "standard", asked or "standard")
    said = f'{why}, and "{asked}" scales features before that. Leave scaling out to change it.'
    return Scalings(asked, asked, (said,))


def _expects_raw(model: ModelFacts) -> str:
    """Say why a model expects numbers as they are; empty where it does not."""
    if model.scaled_by:
        return f'The layer "{model.scaled_by}" scales what the model gets'
    learned = [layer for layer in model.layers if layer.weighted and not layer.fitted]
    if learned and not learned[0].trainable:
        return f'The first layer, "{learned[0].name}", is frozen and knows numbers as it saw them'
    return ""
