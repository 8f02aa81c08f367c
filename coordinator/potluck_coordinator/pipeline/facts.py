"""What the pipeline has to know about a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class LayerFacts:
    """One layer: does it hold weights, are they frozen, do they carry fitted state."""

    name: str
    class_name: str
    weighted: bool
    trainable: bool
    fitted: bool = False


@dataclass(frozen=True)
class ModelFacts:
    """A model from outside. Shapes leave out the batch axis; `None` is any length.

    `final_activation` is what the outputs went through last (a Softmax or Activation layer
    counts), in Keras's words, `linear` for nothing. `vocabulary` is the Embedding's `input_dim`
    where the first layer is one: such a model takes whole numbers. `compiled` is what the
    converter's `compiled` gives, None where nothing was; `warnings` are repeated by plans.
    `scaled_by` names the layer that scales the inputs before anything else, empty for none.
    `reach`: between what numbers the outputs lie, None for no end.
    """

    input_shapes: Mapping[str, Shape]
    output_shapes: Mapping[str, Shape]
    final_activation: str
    layers: tuple[LayerFacts, ...] = ()
    vocabulary: int | None = None
    compiled: Mapping[str, Any] | None = None
    warnings: tuple[str, ...] = ()
    scaled_by: str = ""
    reach: tuple[float | None, float | None] = (None, None)
