"""Layers with options drawn at random: what the table's hand-picked cases may miss."""

from __future__ import annotations

from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from tests.parity.case import Case, chain, layer

Draw = Any
ACTIVATIONS = ("linear", "relu", "tanh", "silu", "gelu", "hard_sigmoid", "leaky_relu", "softplus")


def _drawn(shape: tuple[int, ...], cls: str, *args: Any, **options: Any) -> Case:
    """Name a case by all that was drawn, which is what a failure shows."""
    return Case(f"{cls} {args} {options} on {shape}", chain(shape, layer(cls, *args, **options)))


def _lengths(rank: int, least: int, most: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(least, most), min_size=rank, max_size=rank)


def _reach(options: dict[str, Any]) -> None:
    """Keep padded kernels as wide as the strides: narrower ones are in the table, by name."""
    strides = options.get("strides")
    if strides is not None and options["padding"] == "same":
        assume(all(k >= s for k, s in zip(options["kernel_size"], strides, strict=True)))


def _spread(draw: Draw, rank: int) -> dict[str, Any]:
    """Draw strides or dilation: Keras has no layer with both."""
    if draw(st.booleans()):
        return {"strides": tuple(draw(_lengths(rank, 1, 3)))}
    return {"dilation_rate": tuple(draw(_lengths(rank, 1, 2)))}


def _square(draw: Draw, least: int = 1, most: int = 3) -> tuple[int, int]:
    """Draw the same for both axes: TensorFlow's depthwise kernels know no other."""
    return (draw(st.integers(least, most)),) * 2


@st.composite
def convolutions(draw: Draw) -> Case:
    """Draw a Conv1D, 2D or 3D."""
    rank, groups = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    channels, filters = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 3))
    paddings = ["valid", "same"] + ["causal"] * (rank == 1)
    options = {
        "kernel_size": tuple(draw(_lengths(rank, 1, 3))),
        "padding": draw(st.sampled_from(paddings)),
        "groups": groups,
        "use_bias": draw(st.booleans()),
        "activation": draw(st.sampled_from(ACTIVATIONS)),
        **_spread(draw, rank),
    }
    _reach(options)
    shape = (*draw(_lengths(rank, 5, 8)), channels)
    return _drawn(shape, f"Conv{rank}D", filters, **options)


@st.composite
def transposed(draw: Draw) -> Case:
    """Draw a transposed convolution."""
    rank = draw(st.integers(1, 3))
    options = {
        "kernel_size": tuple(draw(_lengths(rank, 1, 3))),
        "strides": tuple(draw(_lengths(rank, 1, 3))),
        "padding": draw(st.sampled_from(["valid", "same"])),
        "use_bias": draw(st.booleans()),
    }
    _reach(options)
    shape = (*draw(_lengths(rank, 3, 5)), 2)
    return _drawn(shape, f"Conv{rank}DTranspose", 2, **options)


@st.composite
def depthwise(draw: Draw) -> Case:
    """Draw a depthwise or separable convolution of images."""
    strided = draw(st.booleans())
    options: dict[str, Any] = {
        "kernel_size": tuple(draw(_lengths(2, 1, 3))),
        "padding": draw(st.sampled_from(["valid", "same"])),
        "depth_multiplier": draw(st.integers(1, 2)),
        "strides" if strided else "dilation_rate": _square(draw),
        "use_bias": draw(st.booleans()),
    }
    _reach(options)
    if draw(st.booleans()):
        return _drawn((7, 8, 3), "DepthwiseConv2D", **options)
    return _drawn((7, 8, 3), "SeparableConv2D", 4, **options)


@st.composite
def pooling(draw: Draw) -> Case:
    """Draw a pooling layer."""
    rank = draw(st.integers(1, 3))
    name = draw(st.sampled_from(["MaxPooling", "AveragePooling"]))
    options = {
        "pool_size": tuple(draw(_lengths(rank, 1, 3))),
        "strides": tuple(draw(_lengths(rank, 1, 3))),
        "padding": draw(st.sampled_from(["valid", "same"])),
    }
    shape = (*draw(_lengths(rank, 3, 7)), 2)
    return _drawn(shape, f"{name}{rank}D", **options)


@st.composite
def recurrent(draw: Draw) -> Case:
    """Draw a recurrent layer, maybe in both directions."""
    name = draw(st.sampled_from(["SimpleRNN", "LSTM", "GRU"]))
    options = {
        "units": draw(st.integers(1, 4)),
        "activation": draw(st.sampled_from(["tanh", "relu", "softsign"])),
        "use_bias": draw(st.booleans()),
        "return_sequences": draw(st.booleans()),
    }
    if name == "GRU":
        options["reset_after"] = draw(st.booleans())
    if draw(st.booleans()):
        mode = draw(st.sampled_from(["concat", "sum", "mul", "ave"]))
        return Case(
            f"Bidirectional {mode} {name} {options}",
            chain(
                (4, 3),
                lambda L: [L.Bidirectional(getattr(L, name)(**options), merge_mode=mode)],
            ),
        )
    options["go_backwards"] = draw(st.booleans())
    return _drawn((4, 3), name, **options)


@st.composite
def normalizations(draw: Draw) -> Case:
    """Draw a normalization."""
    shape = draw(st.sampled_from([(4,), (5, 4), (3, 5, 4)]))
    name = draw(st.sampled_from(["BatchNormalization", "LayerNormalization", "GroupNormalization"]))
    assume(name != "GroupNormalization" or len(shape) > 1)
    options: dict[str, Any] = {
        "epsilon": draw(st.sampled_from([1e-3, 1e-2, 0.1])),
        "scale": draw(st.booleans()),
        "center": draw(st.booleans()),
        "axis": -draw(st.integers(1, len(shape))),
    }
    if name == "GroupNormalization":
        options |= {"groups": draw(st.sampled_from([1, 2, 4])), "axis": -1}
    return _drawn(shape, name, **options)


KINDS = {
    "convolutions": convolutions(),
    "transposed": transposed(),
    "depthwise": depthwise(),
    "pooling": pooling(),
    "recurrent": recurrent(),
    "normalizations": normalizations(),
}
