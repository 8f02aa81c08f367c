"""Initial weights from a seed, as Keras's initializers define them.

Each weight has a stream of its own, keyed by the seed and its name, so that adding or resizing a
layer leaves the others' values as they were.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from math import prod, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potluck_converter.errors import ConversionError
from potluck_converter.graph import Graph
from potluck_converter.layers.base import WeightSpec
from potluck_converter.layers.initializers import scaling
from potluck_converter.limits import DEFAULT_LIMITS, Limits
from potluck_converter.shapes import check_size, weight_specs

Array = NDArray[np.float64]
# The standard deviation of a standard normal cut at two; Keras divides by it in VarianceScaling.
_CUT_STDDEV = 0.87962566103423978


def initial_weights(
    graph: Graph, seed: int, limits: Limits = DEFAULT_LIMITS
) -> dict[str, NDArray[np.float32]]:
    """Draw every weight from a uint32 seed.

    Raises ConversionError: `model.bad_seed`, or `model.too_large` before allocating.
    """
    if type(seed) is not int or not 0 <= seed < 2**32:
        raise ConversionError(
            "model.bad_seed",
            "Weights cannot be drawn from this seed.",
            expected="a whole number from 0 to 4294967295",
            got=repr(seed),
            hint="Give another seed.",
            where="seed",
        )
    check_size(graph, limits.parameters)
    return {name: draw(spec, seed, name) for _, name, spec in weight_specs(graph)}


def draw(spec: WeightSpec, seed: int, name: str) -> NDArray[np.float32]:
    """Draw one weight, float32."""
    key = hashlib.sha256(f"{seed}/{name}".encode()).digest()[:16]
    random = np.random.Generator(np.random.Philox(key=int.from_bytes(key, "big")))
    values = _values(spec.initializer, spec.shape, random)
    if spec.ones is not None:
        values[spec.ones[0] : spec.ones[1]] = 1.0
    return np.asarray(values, dtype=np.float32, order="C")


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """Give fan-in and fan-out as Keras counts them."""
    if len(shape) < 2:
        alone = shape[0] if shape else 1
        return alone, alone
    field = prod(shape[:-2])
    return field * shape[-2], field * shape[-1]


def _values(
    initializer: Mapping[str, Any], shape: tuple[int, ...], random: np.random.Generator
) -> Array:
    name, config = str(initializer["class_name"]), initializer["config"]
    scaled = scaling(dict(initializer))
    if scaled is not None:
        return _scaled(*scaled, shape, random)
    match name:
        case "Zeros":
            return np.zeros(shape)
        case "Ones":
            return np.ones(shape)
        case "Constant":
            return np.full(shape, config["value"], dtype=np.float64)
        case "RandomNormal":
            return float(config["mean"]) + float(config["stddev"]) * random.standard_normal(shape)
        case "TruncatedNormal":
            return float(config["mean"]) + float(config["stddev"]) * _cut_normal(shape, random)
        case "RandomUniform":
            return _uniform(config["minval"], config["maxval"], shape, random)
        case "Orthogonal":
            return float(config["gain"]) * _orthogonal(shape, random)
        case "Identity" if len(shape) == 2:
            return float(config["gain"]) * np.eye(*shape)
    raise ValueError(f"{name} cannot fill the shape {shape}")


def _scaled(
    scale: float,
    mode: str,
    distribution: str,
    shape: tuple[int, ...],
    random: np.random.Generator,
) -> Array:
    fan_in, fan_out = fans(shape)
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode]
    variance = scale / max(1.0, fan)
    if distribution == "uniform":
        limit = sqrt(3.0 * variance)
        return _uniform(-limit, limit, shape, random)
    if distribution == "truncated_normal":
        return sqrt(variance) / _CUT_STDDEV * _cut_normal(shape, random)
    return sqrt(variance) * random.standard_normal(shape)


def _uniform(low: float, high: float, shape: tuple[int, ...], random: np.random.Generator) -> Array:
    return low + (high - low) * random.random(shape)


def _cut_normal(shape: tuple[int, ...], random: np.random.Generator) -> Array:
    """Draw standard normals, and again those beyond two."""
    values = random.standard_normal(prod(shape))
    while (outside := np.flatnonzero(np.abs(values) > 2.0)).size:
        values[outside] = random.standard_normal(outside.size)
    return values.reshape(shape)


def _orthogonal(shape: tuple[int, ...], random: np.random.Generator) -> Array:
    rows, columns = prod(shape[:-1]), shape[-1]
    drawn = random.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(drawn)
    q = q * np.sign(np.diag(r))  # makes the draw uniform over orthogonal matrices
    return np.asarray(q.T if rows < columns else q).reshape(shape)
