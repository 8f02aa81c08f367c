"""Each layer and option, saved by real Keras 3 in both its forms, there and back again."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from potluck_converter import (
    ConversionError,
    Model,
    graph_from_json,
    graph_to_json,
    infer_shapes,
    initial_weights,
    read_model,
    report,
    tfjs_topology,
    write_keras_h5,
    write_keras_zip,
    write_tfjs,
)
from potluck_converter.layers import TABLE
from potluck_converter.writers.order import in_keras_order
from potluck_coordinator.scoring.network import build_network, weight_variables
from tests.unit.converter.oracles import CASES as PLAIN
from tests.unit.converter.oracles import Oracle, difference, predict, saved
from tests.unit.converter.wide_cases import CASES

pytestmark = pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask")
TOLERANCE = 1e-5
NOT_IN_H5 = {"layer norm axes", "unit norm", "softmax axes", "fitted", "fitted whole"}


@cache
def case(name: str) -> tuple[Oracle, bytes, Model]:
    """Build and save a case in both forms, and read the `.h5`."""
    model = CASES[name]()
    oracle = saved(model)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.keras"
        model.save(path)
        zipped = path.read_bytes()
    return oracle, zipped, read_model({"m.h5": oracle.content})


def opened(content: bytes, ending: str) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"m.{ending}"
        path.write_bytes(content)
        return keras.models.load_model(path)


def same_weights(a: Model, b: Model) -> bool:
    return a.weights.keys() == b.weights.keys() and all(
        np.array_equal(a.weights[name], b.weights[name]) for name in a.weights
    )


@pytest.mark.parametrize("name", CASES)
def test_both_files_of_a_model_are_read_as_the_same(name: str) -> None:
    _, zipped, model = case(name)
    other = read_model({"m.keras": zipped})
    assert other.graph == model.graph
    assert same_weights(other, model)
    assert graph_from_json(graph_to_json(model.graph)) == model.graph


# LeakyReLU's slope is written under the word that Keras 2 and Keras 3 both know.
@pytest.mark.filterwarnings("ignore:Argument `alpha` is deprecated")
@pytest.mark.parametrize("name", CASES)
def test_keras_opens_what_is_written_and_predicts_as_before(name: str) -> None:
    oracle, _, model = case(name)
    writers = {"keras": write_keras_zip, "h5": write_keras_h5}
    if name in NOT_IN_H5:
        with pytest.raises(ConversionError):
            write_keras_h5(model)
        del writers["h5"]
    for ending, write in writers.items():
        content = write(model)
        network = opened(content, ending)
        assert difference(predict(network, oracle.inputs), oracle.outputs) < TOLERANCE
        again = read_model({"m": content})
        assert again.graph == in_keras_order(model.graph)
        assert same_weights(again, model)
        for weight in network.weights:
            if "kernel" in weight.path:
                weight.assign(weight + 0.5)
                wrong = predict(network, oracle.inputs)
                assert difference(wrong, oracle.outputs) > TOLERANCE
                break


@pytest.mark.parametrize("name", CASES)
def test_scoring_builds_it_and_predicts_as_keras(name: str) -> None:
    oracle, _, model = case(name)
    network = build_network(model.graph)
    for full, variable in weight_variables(network, model.graph).items():
        variable.assign(model.weights[full])
    assert difference(predict(network, oracle.inputs), oracle.outputs) < TOLERANCE


@pytest.mark.parametrize("name", CASES)
def test_what_is_written_for_tfjs_is_read_as_it_was(name: str) -> None:
    _, _, model = case(name)
    again = read_model(write_tfjs(model))
    assert same_weights(again, model)
    assert (again.graph.inputs, again.graph.outputs) == (model.graph.inputs, model.graph.outputs)
    for layer, before in zip(again.graph.layers, model.graph.layers, strict=True):
        assert (layer.name, layer.class_name, layer.calls) == (
            before.name,
            before.class_name,
            before.calls,
        )
        assert layer.config.get("activity_regularizer") == before.config.get("activity_regularizer")
    assert infer_shapes(again.graph) == infer_shapes(model.graph)


@pytest.mark.parametrize("name", CASES)
def test_it_is_described_and_drawn_afresh(name: str) -> None:
    _, _, model = case(name)
    found = report(model)
    assert int(found["training_flops"]) >= int(found["forward_flops"])
    assert int(found["activation_bytes"]) > 0
    own = {entry["class_name"] for entry in tfjs_topology(model.graph)["config"]["layers"]}
    needs = any(layer["own_class"] for layer in found["layers"])
    assert needs or not any(class_name.startswith("Potluck") for class_name in own)
    drawn = initial_weights(model.graph, 3)
    assert {k: v.shape for k, v in drawn.items()} == {k: v.shape for k, v in model.weights.items()}


# Keras 3 cannot save these as .h5 itself, or only with what it draws at random.
ELSEWHERE = {name for name in TABLE if name.startswith("Random")}


def test_every_layer_of_the_table_is_tried() -> None:
    graphs = [case(name)[2].graph for name in CASES]
    graphs += [read_model({"m.h5": saved(build()).content}).graph for build in PLAIN.values()]
    tried = {layer.class_name for graph in graphs for layer in graph.layers}
    assert tried | ELSEWHERE >= TABLE.keys()
