from __future__ import annotations

import json
import math
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from potluck_converter import read_model, write_tfjs

from tests.unit.converter import oracles
from tests.unit.converter.oracles import CASES, KERAS2, Oracle, difference

TOLERANCE = 1e-4
NODE_MODULES = Path(__file__).parents[3] / "client_web" / "node_modules"
WEIGHTLESS = {name for name in CASES if name.startswith(("max_", "average_", "global_", "softmax"))}
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
        variants = {name: model}
        if model.weights:
            weight = next(iter(model.weights))
            changed = {**model.weights, weight: model.weights[weight] + np.float32(0.05)}
            variants["~" + name] = replace(model, weights=changed)
        for key, variant in variants.items():
            folder = tmp_path_factory.mktemp("tfjs")
            for file, content in write_tfjs(variant, shard_bytes=100).items():
                (folder / file).write_bytes(content)
            inputs = [
                {"shape": x.shape, "dtype": str(x.dtype), "values": x.ravel().tolist()}
                for x in oracle.inputs
            ]
            jobs[key] = {"folder": str(folder), "inputs": inputs, "train": bool(model.weights)}
    done = subprocess.run(
        ["node", str(Path(__file__).with_name("predict.mjs")), str(NODE_MODULES)],
        input=json.dumps(list(jobs.values())),
        capture_output=True,
        text=True,
        timeout=120,
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


@pytest.mark.parametrize("name", [name for name in NAMES if name not in WEIGHTLESS])
def test_a_changed_weight_is_seen(results: dict[str, dict[str, Any]], name: str) -> None:
    assert difference(outputs(results["~" + name]), find(name).outputs) > TOLERANCE


@pytest.mark.parametrize("name", [name for name in NAMES if name not in WEIGHTLESS])
def test_stock_tfjs_takes_a_training_step(results: dict[str, dict[str, Any]], name: str) -> None:
    assert math.isfinite(results[name]["loss"])
