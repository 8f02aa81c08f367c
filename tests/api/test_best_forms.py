"""The best model is taken home in every form that can hold it; what cannot is said before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import keras
import numpy as np
import pytest

import potluck
from potluck.commands import app
from potluck_converter import graph_from_json, graph_to_json, read_model, write_tfjs
from tests.support.coordinator import Coordinator
from tests.support.keras_files import saved
from tests.support.scripted_donor import ScriptedDonor, end_step, state
from tests.support.waiting import PATIENCE_S

L: Any = keras.layers


def network(*layers: Any) -> Any:
    """Make a network for the irises."""
    inputs = keras.Input((4,))
    return keras.Sequential([inputs, *layers, L.Dense(3, activation="softmax")])


def adapted() -> bytes:
    return adapted_to(5.0)


def adapted_to(mean: float) -> bytes:
    layer = L.Normalization(name="standard")
    layer.adapt(np.random.default_rng(1).normal(mean, 2.0, (40, 4)).astype(np.float32))
    return saved(network(layer, L.Dense(6, activation="relu")), ".keras")


def recurrent(folder: Path, **options: str) -> Path:
    """Write a network as TF.js does, whose hard_sigmoid is not Keras 3's."""
    model = read_model({"m.h5": saved(network(L.Reshape((4, 1)), L.LSTM(5, name="memory")))})
    graph: Any = graph_to_json(model.graph)
    [layer] = [one for one in graph["layers"] if one["name"] == "memory"]
    layer["config"] |= options
    for name, content in write_tfjs(replace(model, graph=graph_from_json(graph))).items():
        (folder / name).write_bytes(content)
    return folder


def trained(coordinator: Coordinator, model: Any) -> potluck.Study:
    """Submit a study of one trial, and let a donor hand its start back as the result."""
    study = coordinator.client().submit(model=model, data="iris", search={}, trials=1, epochs=1)
    with ScriptedDonor(coordinator.url) as donor:
        lease = donor.await_lease()
        result = state(donor.start_weights(lease), lease.unit, end_step(lease.unit))
        assert donor.complete(lease, result).outcome == "accepted"
    return study.wait(timeout=PATIENCE_S, progress=False)


def assert_keras_predicts_as_scored(best: potluck.Best) -> None:
    raw = np.asarray(best.predictions().raw)
    assert np.abs(np.asarray(best.keras()(best.inputs()["x"])) - raw).max() < 1e-5


def test_a_model_that_h5_cannot_hold_comes_home_as_keras(
    coordinator: Coordinator, tmp_path: Path
) -> None:
    study = trained(coordinator, adapted())
    assert any(".h5" in w and '"standard"' in w for w in study.plan.warnings)
    best = study.best
    assert_keras_predicts_as_scored(best)
    with pytest.raises(potluck.BadArgument, match=r'"standard".*save\("best\.keras"\)') as caught:
        best.save(tmp_path / "best.h5")
    assert len(str(caught.value)) < 300
    assert list(tmp_path.iterdir()) == []
    address = f"{coordinator.url}/api/v1/studies/{study.id}/best/model.h5"
    answer = httpx2.get(address, timeout=PATIENCE_S)
    assert answer.status_code == 400
    assert ".keras" in answer.json()["error"]["hint"]
    for name in ("best.keras", "best.zip"):
        assert best.save(tmp_path / name).stat().st_size > 1000


@pytest.mark.parametrize("name", ["best.h5", "best.onnx", "best"])
def test_a_file_that_cannot_hold_the_best_model_is_refused_before_anything_runs(
    coordinator: Coordinator, tmp_path: Path, name: str
) -> None:
    client = coordinator.client()
    before = [*(s.id for s in client.studies()), *(m.id for m in client.models())]
    (tmp_path / "irises.keras").write_bytes(adapted_to(3.0))
    (tmp_path / "study.yaml").write_text("model: irises.keras\ndata: iris\ntrials: 1\n")
    command = ["submit", str(tmp_path / "study.yaml"), "--url", coordinator.url, "--token", ""]
    with pytest.raises(potluck.BadArgument, match=r"\.keras"):
        app([*command, "--save", str(tmp_path / name)], standalone_mode=False)
    assert [*(s.id for s in client.studies()), *(m.id for m in client.models())] == before


def test_gates_with_the_old_hard_sigmoid_come_home_in_every_form(
    coordinator: Coordinator, tmp_path: Path
) -> None:
    files = recurrent(tmp_path, recurrent_activation="hard_sigmoid_keras2")
    study = trained(coordinator, files)
    assert any("1.2 times" in w and "memory" in w for w in study.plan.warnings)
    assert study.best.record.unwritable == {}
    assert_keras_predicts_as_scored(study.best)
    assert study.best.save(tmp_path / "best.h5").stat().st_size > 1000


def test_what_only_tfjs_can_hold_is_said_before_training(
    coordinator: Coordinator, tmp_path: Path
) -> None:
    files = recurrent(tmp_path, activation="hard_sigmoid_keras2")
    study = trained(coordinator, files)
    assert any("Only TF.js" in w and '"memory"' in w for w in study.plan.warnings)
    for act in (study.best.keras, lambda: study.best.save(tmp_path / "mine.h5")):
        with pytest.raises(potluck.BadArgument, match=r'"memory".*\.zip'):
            act()
    assert study.best.save(tmp_path / "best.zip").stat().st_size > 1000
