"""There and back: each case through each format, with names, weights and predictions kept."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from potluck_converter import (
    ConversionError,
    Model,
    read_model,
    write_keras_h5,
    write_keras_zip,
    write_tfjs,
)
from tests.parity.answers import model_of, oracle_of
from tests.parity.cases import CASES, FAMILIES
from tests.parity.oracle import difference, predict

pytestmark = [
    # Some cases are about exactly that.
    pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask"),
    # LeakyReLU's slope is written under the word that Keras 2 and Keras 3 both know.
    pytest.mark.filterwarnings("ignore:Argument `alpha` is deprecated"),
]

TOLERANCE = 1e-5
# Keras takes its time to open files: `make test` opens some, `make test-oracle` all.
SOME = {case.name for case in FAMILIES["structures"]} | set(list(CASES)[::12])
# What Keras 3 itself reads wrongly from a `.h5`: lists of axes, fitted statistics.
REFUSED = {
    *("softmax_axes", "unit_norm_axes", "layer_norm_axes", "layer_norm_last_axes"),
    *("normalization_scalar", "normalization_fitted", "normalization_fitted_axes"),
}
OPENED = [pytest.param(name, marks=() if name in SOME else pytest.mark.oracle) for name in CASES]


def assert_same(found: Model, expected: Model) -> None:
    """Insist on the same graph and the same weights, to the bit."""
    assert found.graph == expected.graph
    assert list(found.weights) == list(expected.weights)
    for name, value in expected.weights.items():
        assert np.array_equal(found.weights[name], value), name


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].h5])
def test_h5_and_keras_are_read_as_one_model(name: str) -> None:
    assert_same(read_model({"m.keras": oracle_of(name).keras}), model_of(name))


@pytest.mark.parametrize("name", list(CASES))
def test_what_is_written_for_tfjs_is_read_as_it_was(name: str) -> None:
    assert_same(read_model(write_tfjs(model_of(name), shard_bytes=64)), model_of(name))


@pytest.mark.parametrize("name", list(CASES))
def test_what_is_written_as_keras_is_read_as_it_was(name: str) -> None:
    assert_same(read_model({"m.keras": write_keras_zip(model_of(name))}), model_of(name))


@pytest.mark.parametrize("name", [name for name in CASES if name not in REFUSED])
def test_what_is_written_as_h5_is_read_as_it_was(name: str) -> None:
    assert_same(read_model({"m.h5": write_keras_h5(model_of(name))}), model_of(name))


def opened(content: bytes, ending: str) -> Any:
    """Load with Keras's own reader."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model.{ending}"
        path.write_bytes(content)
        return keras.models.load_model(path)


def leaves(model: Any) -> list[str]:
    """Name the layers that compute something, those of nested models among them."""
    found = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found += leaves(layer)
        elif not isinstance(layer, keras.layers.InputLayer):
            found.append(layer.name)
    return found


def assert_kept(found: Any, original: Any, name: str) -> None:
    """Insist that Keras sees the names that it saved, and predicts what it predicted.

    Nested models are laid flat; names that would then be equal get numbers.
    """
    oracle = oracle_of(name)
    kept, before = leaves(found), leaves(original)
    assert len(kept) == len(before)
    assert {name for name in before if before.count(name) == 1} <= set(kept)
    assert difference(predict(found, oracle.inputs), oracle.outputs) <= TOLERANCE


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_keras_would_read_wrongly_is_not_written(name: str) -> None:
    with pytest.raises(ConversionError) as refused:
        write_keras_h5(model_of(name))
    assert refused.value.code == "model.unsupported_option"
    assert ".keras" in refused.value.hint


@pytest.mark.parametrize("name", [case for case in OPENED if case.values[0] not in REFUSED])
def test_h5_to_tfjs_to_h5_is_the_model_that_keras_saved(name: str) -> None:
    oracle = oracle_of(name)
    returned = write_keras_h5(read_model(write_tfjs(model_of(name))))
    original = opened(oracle.keras, "keras")
    assert_kept(opened(returned, "h5"), original, name)


@pytest.mark.parametrize("name", OPENED)
def test_keras_to_tfjs_to_keras_is_the_model_that_keras_saved(name: str) -> None:
    oracle = oracle_of(name)
    returned = write_keras_zip(read_model(write_tfjs(read_model({"m.keras": oracle.keras}))))
    original = opened(oracle.keras, "keras")
    assert_kept(opened(returned, "keras"), original, name)


def test_another_weight_would_be_seen() -> None:
    model = model_of("dense")
    weights = {k: v + 0.01 if k.endswith("kernel") else v for k, v in model.weights.items()}
    changed = opened(write_keras_h5(Model(model.graph, weights, "", None)), "h5")
    oracle = oracle_of("dense")
    assert difference(predict(changed, oracle.inputs), oracle.outputs) > TOLERANCE
