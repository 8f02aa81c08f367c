"""Keras's layers that draw by chance, drawing by the protocol's generator instead.

A draw is a function of (seed, layer, step), which a compiled step takes as arguments. Words and
what compares them are computed inside it, exactly. Normal numbers need double precision: they are
drawn outside, and come in as arrays whose shapes a first, abstract pass finds out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from math import prod
from typing import Any

from potluck_coordinator.training import randomness

Shape = tuple[int, ...]


@dataclass
class Draws:
    """What the layers of one step draw from. `seed` and `step` are traced uint32 scalars."""

    seed: Any
    step: Any
    given: Mapping[str, Any] | None = None
    """Normal numbers by purpose; None while their shapes are being found out."""
    wanted: dict[str, Shape] = field(default_factory=dict)

    def kept(self, layer: str, rate: float, shape: Shape) -> Any:
        """Give 0 for what is dropped, else 1 / (1 - rate)."""
        jnp = _jnp()
        drawn = randomness.words(jnp, self.seed, f"dropout/{layer}", self.step, prod(shape))
        return randomness.kept(jnp, drawn, rate).reshape(shape)

    def at_least(self, purpose: str, rate: float, shape: Shape) -> Any:
        """Give 1 where an even draw from [0, 1) is at least `rate`, else 0."""
        jnp = _jnp()
        drawn = randomness.words(jnp, self.seed, purpose, self.step, prod(shape))
        return randomness.at_least(jnp, drawn, rate).reshape(shape)

    def normal(self, purpose: str, shape: Shape) -> Any:
        """Give normal numbers of mean 0 and deviation 1."""
        self.wanted[purpose] = shape
        return _jnp().zeros(shape) if self.given is None else self.given[purpose]


_present: ContextVar[Draws] = ContextVar("draws")


@contextmanager
def drawing(draws: Draws) -> Iterator[Draws]:
    """Let all layers that are traced meanwhile draw from `draws`."""
    before = _present.set(draws)
    try:
        yield draws
    finally:
        _present.reset(before)


def _jnp() -> Any:
    import jax.numpy

    return jax.numpy


def drawing_layers(keras: Any) -> dict[str, Any]:
    """Give, by Keras's class name, the classes that stand in for those that draw."""
    layers = keras.layers
    found = {"Dropout": _dropout(layers.Dropout)}
    for rank in (1, 2, 3):
        name = f"SpatialDropout{rank}D"
        found[name] = _dropout(getattr(layers, name), spatial=True)
    found |= _noises(layers)
    for name in ("Attention", "AdditiveAttention"):
        found[name] = _attention(getattr(layers, name))
    found["MultiHeadAttention"] = _multi_head(layers.MultiHeadAttention, found["Dropout"])
    return found


def _noise_shape(x: Any, asked: Any) -> Shape:
    if asked is None:
        return tuple(x.shape)
    return tuple(n if want is None else want for n, want in zip(x.shape, asked, strict=True))


def _dropout(base: Any, *, spatial: bool = False) -> Any:
    class Drawn(base):  # type: ignore[misc]
        def call(self, inputs: Any, training: bool = False) -> Any:
            if not training or self.rate == 0:
                return inputs
            asked = getattr(self, "noise_shape", None)
            if spatial:  # one draw for a whole channel
                asked = [None, *[1] * (len(inputs.shape) - 2), None]
            shape = _noise_shape(inputs, asked)
            return inputs * _present.get().kept(self.name, self.rate, shape)

    return Drawn


def _noises(layers: Any) -> dict[str, Any]:
    class GaussianNoise(layers.GaussianNoise):  # type: ignore[misc]
        def call(self, inputs: Any, training: bool = False) -> Any:
            if not training or self.stddev == 0:
                return inputs
            purpose = f"gaussian_noise/{self.name}"
            return inputs + self.stddev * _present.get().normal(purpose, tuple(inputs.shape))

    class GaussianDropout(layers.GaussianDropout):  # type: ignore[misc]
        def call(self, inputs: Any, training: bool = False) -> Any:
            if not training or self.rate == 0:
                return inputs
            deviation = math.sqrt(self.rate / (1.0 - self.rate))
            purpose = f"gaussian_dropout/{self.name}"
            noise = _present.get().normal(purpose, tuple(inputs.shape))
            return inputs * (1.0 + deviation * noise)

    class AlphaDropout(layers.AlphaDropout):  # type: ignore[misc]
        def call(self, inputs: Any, training: bool = False) -> Any:
            if not training or self.rate == 0:
                return inputs
            shape = _noise_shape(inputs, self.noise_shape)
            held = _present.get().at_least(f"alpha_dropout/{self.name}", self.rate, shape)
            floor = -1.6732632423543772 * 1.0507009873554805  # where selu ends
            a = ((1.0 - self.rate) * (1.0 + self.rate * floor**2)) ** -0.5
            return a * (inputs * held + floor * (1.0 - held)) - a * floor * self.rate

    made = (GaussianNoise, GaussianDropout, AlphaDropout)
    return {one.__name__: one for one in made}


def _attention(base: Any) -> Any:
    class Drawn(base):  # type: ignore[misc]
        def _apply_scores(
            self, scores: Any, value: Any, scores_mask: Any = None, training: bool = False
        ) -> Any:
            looked, weights = super()._apply_scores(scores, value, scores_mask, training=False)
            if not training or self.dropout == 0:
                return looked, weights
            shape = tuple(weights.shape)
            weights = weights * _present.get().kept(self.name, self.dropout, shape)
            return weights @ value, weights

    return Drawn


def _multi_head(base: Any, dropout: Any) -> Any:
    class Drawn(base):  # type: ignore[misc]
        def _build_attention(self, rank: int) -> None:
            super()._build_attention(rank)
            self._dropout_layer = dropout(self._dropout, name=self.name, dtype=self.dtype_policy)

    return Drawn


def draw_in_cells(network: Any, names: Mapping[int, str]) -> None:
    """Let recurrent cells draw their masks; `names`: id of a kernel's variable -> its name."""
    for layer in network.layers:
        for cell in _cells(layer):
            if cell.dropout > 0 or cell.recurrent_dropout > 0:
                _draw_in_cell(cell, names[id(cell.kernel)].removesuffix("/kernel"))


def _cells(layer: Any) -> Iterator[Any]:
    if hasattr(layer, "get_dropout_mask") and hasattr(layer, "kernel"):
        yield layer
        return
    inner = [getattr(layer, name, None) for name in ("cell", "forward_layer", "backward_layer")]
    for one in [*inner, *getattr(layer, "cells", ())]:
        if one is not None:
            yield from _cells(one)


def _draw_in_cell(cell: Any, name: str) -> None:
    def masks(what: str, rate: float, step_input: Any) -> Any:
        count = getattr(cell, "dropout_mask_count", None)
        shape = tuple(step_input.shape)
        if count is None:
            return _present.get().kept(f"{name}/{what}", rate, shape)
        return list(_present.get().kept(f"{name}/{what}", rate, (count, *shape)))

    # Kept for all steps of a sequence, as Keras keeps its own, which it resets after each.
    def of_input(step_input: Any) -> Any:
        if getattr(cell, "_dropout_mask", None) is None and cell.dropout > 0:
            cell._dropout_mask = masks("input", cell.dropout, step_input)
        return cell._dropout_mask if cell.dropout > 0 else None

    def of_state(state: Any) -> Any:
        if getattr(cell, "_recurrent_dropout_mask", None) is None and cell.recurrent_dropout > 0:
            cell._recurrent_dropout_mask = masks("recurrent", cell.recurrent_dropout, state)
        return cell._recurrent_dropout_mask if cell.recurrent_dropout > 0 else None

    cell.get_dropout_mask = of_input
    cell.get_recurrent_dropout_mask = of_state
