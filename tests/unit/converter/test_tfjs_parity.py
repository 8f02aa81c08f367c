from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from potluck_converter import (
    DEFAULT_LIMITS,
    Layer,
    Shape,
    infer_shapes,
    read_model,
    weight_shapes,
    write_tfjs,
)
from potluck_converter.readers.keras_config import read_architecture
from tests.support.waiting import PATIENCE_S
from tests.unit.converter import oracles
from tests.unit.converter.oracles import CASES, KERAS2, Oracle, difference

TOLERANCE = 1e-4
NODE_MODULES = Path(__file__).parents[3] / "client_web" / "node_modules"
TRAINED = [name for name in CASES if name not in ("dropout", "branches")]
STEP_TOLERANCE = 1e-2
NAMES = [*CASES, *(f"keras2_{name}" for name in KERAS2)]

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not (NODE_MODULES / "@tensorflow" / "tfjs-layers").is_dir(),
    reason="needs node and client_web's packages (npm ci)",
)


def find(name: str) -> Oracle:
    return (
        oracles.keras2(name.removeprefix("keras2_"))
        if name.startswith("keras2_")
        else oracles.oracle(name)
    )


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Run all models in one process: as they are, and (`~name`) with one weight changed."""
    jobs = {}
    for name in NAMES:
        oracle = find(name)
        model = read_model({"m.h5": oracle.content})
        weight = next(iter(model.weights))
        value = model.weights[weight]
        # By amounts of their own: softmax does not see what all have in common.
        value = value + np.linspace(0.1, 0.4, value.size, dtype="float32").reshape(value.shape)
        changed = {**model.weights, weight: value}
        variants = {name: model, "~" + name: replace(model, weights=changed)}
        for key, variant in variants.items():
            folder = tmp_path_factory.mktemp("tfjs")
            for file, content in write_tfjs(variant, shard_bytes=100).items():
                (folder / file).write_bytes(content)
            inputs = [
                {"shape": x.shape, "dtype": str(x.dtype), "values": x.ravel().tolist()}
                for x in oracle.inputs
            ]
            jobs[key] = {"folder": str(folder), "inputs": inputs, "train": True}
    done = subprocess.run(
        ["node", str(Path(__file__).with_name("predict.mjs")), str(NODE_MODULES)],
        input=json.dumps(list(jobs.values())),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    return dict(zip(jobs, json.loads(done.stdout), strict=True))


def outputs(result: dict[str, Any]) -> list[oracles.Floats]:
    assert "error" not in result, result["error"]
    return [np.array(y["values"], "float32").reshape(y["shape"]) for y in result["outputs"]]


@pytest.mark.parametrize("name", NAMES)
def test_stock_tfjs_opens_it_and_predicts_as_keras(
    results: dict[str, dict[str, Any]], name: str
) -> None:
    assert difference(outputs(results[name]), find(name).outputs) <= TOLERANCE


@pytest.mark.parametrize("name", NAMES)
def test_a_changed_weight_is_seen(results: dict[str, dict[str, Any]], name: str) -> None:
    assert difference(outputs(results["~" + name]), find(name).outputs) > TOLERANCE


@pytest.mark.parametrize("name", NAMES)
def test_what_tfjs_saves_is_read_as_the_same_graph(
    results: dict[str, dict[str, Any]], name: str
) -> None:
    graph = read_architecture(results[name]["topology"], DEFAULT_LIMITS, keras3=False).graph
    written = read_model(write_tfjs(read_model({"m.h5": find(name).content})))
    lengths = infer_shapes(graph)
    expected = [plain(with_lengths(x, lengths)) for x in written.graph.layers]
    assert [plain(layer) for layer in graph.layers] == expected
    assert (graph.inputs, graph.outputs) == (written.graph.inputs, written.graph.outputs)
    assert weight_shapes(graph) == weight_shapes(written.graph)


def with_lengths(layer: Layer, lengths: dict[str, Shape]) -> Layer:
    """Write out an open length of Reshape, which TF.js forgets."""
    if layer.class_name != "Reshape":
        return layer
    return replace(layer, config={**layer.config, "target_shape": list(lengths[layer.name])})


def plain(layer: Layer) -> Layer:
    """Leave out what TF.js writes in other words: initializers by their scale, rates as float32."""
    config = {k: v for k, v in layer.config.items() if not k.endswith("izer")}
    return replace(layer, config=config)


def stepped(name: str) -> dict[str, oracles.Floats]:
    """Take the same step in Keras: plain gradient descent on the mean squared outputs."""
    oracle = find(name)
    model = oracles.load_h5(oracle.content)
    model.compile(keras.optimizers.SGD(0.01), loss="mse")
    targets = [np.zeros_like(y) for y in oracle.outputs]
    single = len(targets) == 1
    inputs = oracle.inputs if len(oracle.inputs) > 1 else oracle.inputs[0]
    model.train_on_batch(inputs, targets[0] if single else targets)
    return oracles.weights_of(model)


def step_error(result: dict[str, Any], name: str) -> float:
    """Compare weights after the step, relative to how far the step went."""
    found, before = result["weights"], find(name).weights
    worst = 0.0
    for weight, after in stepped(name).items():
        mine = np.array(found[weight], "float32").reshape(after.shape)
        far = max(1e-3, float(np.abs(after - before[weight]).max()))
        worst = max(worst, float(np.abs(mine - after).max()) / far)
    return worst


@pytest.mark.parametrize("name", TRAINED)
def test_stock_tfjs_takes_the_step_that_keras_takes(
    results: dict[str, dict[str, Any]], name: str
) -> None:
    assert step_error(results[name], name) <= STEP_TOLERANCE


@pytest.mark.parametrize("name", ["dense", "conv2d"])
def test_a_step_from_other_weights_is_seen(results: dict[str, dict[str, Any]], name: str) -> None:
    assert step_error(results["~" + name], name) > STEP_TOLERANCE
