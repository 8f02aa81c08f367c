"""Models that TF.js itself builds and saves, as a browser downloads them, predict the same here."""

from __future__ import annotations

import base64
import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from potluck_converter import ConversionError, read_model
from potluck_coordinator.scoring.network import build_network, weight_variables
from tests.unit.converter.oracles import predict

ROOT = Path(__file__).parents[3]
SCRIPT = Path(__file__).with_name("built_by_tfjs.mjs")
TOLERANCE = 2e-6


@cache
def built() -> dict[str, Any]:
    command = ["node", str(SCRIPT), str(ROOT / "client_web/node_modules")]
    done = subprocess.run(command, capture_output=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def names() -> list[str]:
    lines = SCRIPT.read_text().split("const CASES = {")[1].split("\n};")[0].splitlines()
    keys = [line.strip().split(":")[0].strip(",'") for line in lines if line[:3] != "   "]
    return [key for key in keys if key and key[0] not in "])}"]


def files(name: str) -> dict[str, bytes]:
    assert "error" not in built()[name], built()[name]["error"]
    given = built()[name]["files"].items()
    return {file: base64.b64decode(content) for file, content in given}


def arrays(described: list[dict[str, Any]]) -> list[Any]:
    return [np.array(one["values"], one["dtype"]).reshape(one["shape"]) for one in described]


def test_every_case_is_tried() -> None:
    assert set(names()) == set(built())


@pytest.mark.parametrize("name", names())
def test_what_tfjs_built_predicts_the_same(name: str) -> None:
    model = read_model(files(name))
    network = build_network(model.graph)
    for full, variable in weight_variables(network, model.graph).items():
        variable.assign(model.weights[full])
    inputs, expected = arrays(built()[name]["inputs"]), arrays(built()[name]["outputs"])
    for ours, theirs in zip(predict(network, inputs), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=TOLERANCE * (1 + np.abs(theirs).max()))


def changed(name: str, layer: int, **options: Any) -> dict[str, bytes]:
    """Give a model's files with other options in one layer's config."""
    found = files(name)
    head = json.loads(found["model.json"])
    config = head["modelTopology"]["config"]
    layers = config if isinstance(config, list) else config["layers"]
    layers[layer]["config"].update(options)
    return {**found, "model.json": json.dumps(head).encode()}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("dense", {"activation": None, "kernel_initializer": None, "bias_initializer": None}),
        ("gru", {"reset_after": None, "go_backwards": None}),
        ("lstm", {"dropout": None, "recurrent_dropout": None, "return_sequences": None}),
        ("conv1d", {"padding": None, "data_format": None, "dilation_rate": None}),
        ("normalization", {"momentum": None, "epsilon": None, "axis": None, "center": None}),
    ],
)
def test_null_is_an_option_left_out(name: str, options: dict[str, Any]) -> None:
    read_model(changed(name, 0, **options))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("dense", {"units": None}),
        ("conv1d", {"filters": None}),
        ("bidirectional", {"merge_mode": None}),
        ("embedding", {"output_dim": None}),
    ],
)
def test_null_does_not_stand_for_what_a_layer_needs(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(ConversionError) as refusal:
        read_model(changed(name, 0, **options))
    assert refusal.value.code == "model.unsupported_option"
