from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck_converter import (
    ConversionError,
    Graph,
    initial_weights,
    read_model,
    weight_shapes,
    with_overrides,
)
from potluck_converter.fresh_weights import draw, fans
from potluck_converter.layers.base import WeightSpec
from potluck_converter.layers.initializers import initializer
from tests.unit.converter import oracles
from tests.unit.converter.architectures import graphs

SHAPE = (3, 3, 20, 40)
RANDOM: dict[str, Any] = {
    "glorot_uniform": keras.initializers.GlorotUniform(1),
    "glorot_normal": keras.initializers.GlorotNormal(1),
    "he_uniform": keras.initializers.HeUniform(1),
    "he_normal": keras.initializers.HeNormal(1),
    "lecun_uniform": keras.initializers.LecunUniform(1),
    "lecun_normal": keras.initializers.LecunNormal(1),
    "random_normal": keras.initializers.RandomNormal(0.1, 0.3, seed=1),
    "random_uniform": keras.initializers.RandomUniform(-0.2, 0.7, seed=1),
    "truncated_normal": keras.initializers.TruncatedNormal(0.1, 0.3, seed=1),
    "scaled": keras.initializers.VarianceScaling(3.0, "fan_out", "untruncated_normal", seed=1),
    "scaled_uniform": keras.initializers.VarianceScaling(0.5, "fan_avg", "uniform", seed=1),
}


def ours(made: Any, shape: tuple[int, ...], seed: int = 5) -> np.ndarray[Any, Any]:
    config = initializer(keras.saving.serialize_keras_object(made))
    return draw(WeightSpec("kernel", shape, config), seed, "layer/kernel")


def moments(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Mean, deviation, the ends, and the middle half's width: these tell the kinds apart."""
    low, high = np.quantile(values, [0.25, 0.75])
    return np.array([values.mean(), values.std(), high - low], "float64") / float(values.std())


@pytest.mark.parametrize("name", RANDOM)
def test_random_initializers_draw_from_keras_s_distribution(name: str) -> None:
    theirs = np.asarray(RANDOM[name](SHAPE))
    mine = ours(RANDOM[name], SHAPE)
    # 7,200 values: the statistics of two honest samples differ by about 0.02.
    assert np.abs(moments(mine) - moments(theirs)).max() < 0.08
    assert mine.std() == pytest.approx(theirs.std(), rel=0.05)
    if "uniform" in name or name in ("he_normal", "truncated_normal"):
        assert np.abs(mine).max() == pytest.approx(np.abs(theirs).max(), rel=0.02)


def test_another_distribution_would_be_told_apart() -> None:
    theirs = np.asarray(RANDOM["glorot_uniform"](SHAPE))
    for other in ("glorot_normal", "he_uniform", "random_uniform"):
        mine = ours(RANDOM[other], SHAPE)
        far = np.abs(moments(mine) - moments(theirs)).max() >= 0.08
        assert far or abs(mine.std() / theirs.std() - 1) > 0.05


@pytest.mark.parametrize(
    "made",
    [
        keras.initializers.Zeros(),
        keras.initializers.Ones(),
        keras.initializers.Constant(0.25),
        keras.initializers.Identity(),
    ],
)
def test_fixed_initializers_are_keras_s_exactly(made: Any) -> None:
    assert np.array_equal(ours(made, (3, 4)), np.asarray(made((3, 4))))


@pytest.mark.parametrize("shape", [(6, 24), (24, 6), (3, 3, 4, 8)])
def test_orthogonal_weights_are_orthogonal(shape: tuple[int, ...]) -> None:
    flat = ours(keras.initializers.Orthogonal(2.0), shape).reshape(-1, shape[-1]).astype("float64")
    gram = flat @ flat.T if flat.shape[0] < flat.shape[1] else flat.T @ flat
    assert np.allclose(gram, 4.0 * np.eye(len(gram)), atol=1e-5)


@pytest.mark.parametrize("shape", [(), (3,), (3, 4), (5, 3, 4), (2, 5, 3, 4)])
def test_fans_are_keras_s(shape: tuple[int, ...]) -> None:
    from keras.src.initializers.random_initializers import compute_fans

    assert fans(shape) == compute_fans(shape)


def graph_of(name: str) -> Graph:
    return read_model({"m.h5": oracles.oracle(name).content}).graph


def test_the_forget_gate_starts_open() -> None:
    graph = graph_of("lstm")
    [name] = [name for name in weight_shapes(graph) if name.endswith("/bias")]
    assert initial_weights(graph, 1)[name].tolist() == [0.0] * 5 + [1.0] * 5 + [0.0] * 10


def test_a_resized_layer_leaves_the_others_values_alone() -> None:
    graph = graph_of("branches")
    last = "kind"
    before = initial_weights(graph, 9)
    after = initial_weights(with_overrides(graph, {f"layers.{last}.units": 7}), 9)
    same = {name for name in before if np.array_equal(before[name], after[name])}
    assert set(before) - same == {f"{last}/kernel", f"{last}/bias"}


def test_these_values_stay_what_they_are() -> None:
    spec = WeightSpec("kernel", (2, 2), initializer("glorot_uniform"))
    assert draw(spec, 1, "dense/kernel").tolist() == [
        [-0.19386230409145355, 1.2167291641235352],
        [-0.6464554667472839, 0.10612722486257553],
    ]


@settings(max_examples=40)
@given(graphs(), st.integers(0, 2**32 - 2))
def test_a_seed_gives_the_same_weights_and_another_seed_others(graph: Graph, seed: int) -> None:
    one, again, other = (initial_weights(graph, s) for s in (seed, seed, seed + 1))
    assert all(one[name].tobytes() == again[name].tobytes() for name in one)
    assert {name: w.shape for name, w in one.items()} == weight_shapes(graph)
    assert all(w.dtype == np.float32 and np.isfinite(w).all() for w in one.values())
    random = [n for n, w in one.items() if w.size > 3 and len(np.unique(w)) > 2]
    assert all(not np.array_equal(one[name], other[name]) for name in random)


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "7", None, True])
def test_a_seed_that_is_no_uint32_is_refused(seed: Any) -> None:
    with pytest.raises(ConversionError) as caught:
        initial_weights(graph_of("dense"), seed)
    assert (caught.value.code, caught.value.where) == ("model.bad_seed", "seed")
