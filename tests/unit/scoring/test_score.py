from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from potluck_converter import graph_to_json, initial_weights, read_model
from potluck_coordinator.pipeline import (
    bundled_file,
    decode,
    encode,
    from_safetensors,
    plan_study,
    read_dataset,
    split_rows,
    to_safetensors,
)
from potluck_coordinator.scoring import ScoreJob, Workers, build_network, score_weights
from potluck_coordinator.scoring.network import weight_variables
from potluck_coordinator.scoring.predictor import predictor_for
from tests.unit.converter import oracles
from tests.unit.pipeline.cases import model as facts
from tests.unit.pipeline.cases import spec

TOLERANCE = 1e-5


@pytest.mark.parametrize("name", oracles.CASES)
def test_a_rebuilt_network_predicts_as_keras_did(name: str) -> None:
    oracle = oracles.oracle(name)
    model = read_model({"m.h5": oracle.content})
    network = build_network(model.graph)
    variables = weight_variables(network, model.graph)
    assert set(variables) == set(model.weights)
    for weight, variable in variables.items():
        variable.assign(model.weights[weight])
    found = oracles.predict(network, oracle.inputs)
    assert oracles.difference(found, oracle.outputs) < TOLERANCE
    wrong = oracles.predict(network, [1 - given for given in oracle.inputs])
    assert oracles.difference(wrong, oracle.outputs) > TOLERANCE


@pytest.mark.parametrize("name", ["conv2d", "batch_norm_flat", "lstm", "embedding", "dropout"])
def test_compiled_batches_predict_as_keras_did(name: str) -> None:
    oracle = oracles.oracle(name)
    model = read_model({"m.h5": oracle.content})
    predictor = predictor_for(graph_to_json(model.graph))
    many = np.concatenate([oracle.inputs[0]] * 400)
    found = predictor.predict(model.weights, many)
    expected = np.concatenate([oracle.outputs[0]] * 400)
    assert found.shape == expected.shape
    assert oracles.difference([found], [expected]) < TOLERANCE


def digits_job() -> ScoreJob:
    """Make a job of real digits, and weights that nobody trained."""
    layers = oracles.L
    model = oracles.chain(
        (8, 8, 1),
        layers.Conv2D(4, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.Flatten(),
        layers.Dropout(0.2),
        layers.Dense(10, activation="softmax"),
    )()
    graph = read_model({"m.h5": oracles.save_h5(model)}).graph
    name, content = bundled_file("digits")
    dataset = read_dataset(content, name)
    plan = plan_study(dataset, spec(), facts((8, 8, 1), 10, "softmax"))
    splits = split_rows(dataset, plan)
    assert splits.validation is not None
    found = encode(dataset, plan, splits.train, splits.validation)
    return ScoreJob(
        graph=graph_to_json(graph),
        weights=initial_weights(graph, 7),
        held=to_safetensors(found.held),
        encoder=found.encoder,
        decode=decode,
    )


def test_a_score_is_of_the_predictions_that_are_kept() -> None:
    job = digits_job()
    score = score_weights(job)
    assert score.predictions is not None
    held = from_safetensors(job.held)
    raw = from_safetensors(score.predictions)["raw"]
    assert raw.shape == (score.rows, 10) == (len(held["y"]), 10)
    assert score.metrics["accuracy"] == pytest.approx((raw.argmax(axis=1) == held["y"]).mean())
    assert not score.diverged


def checkpoint(job: ScoreJob) -> bytes:
    assert not isinstance(job.weights, bytes)
    tensors = {f"weights/{name}": values for name, values in job.weights.items()}
    slot = {"optimizer/iteration": np.array([3], dtype=np.int32)}
    return safetensors.numpy.save(tensors | slot)


def test_a_checkpoint_scores_like_its_weights() -> None:
    job = digits_job()
    assert score_weights(replace(job, weights=checkpoint(job))) == score_weights(job)


def changed(job: ScoreJob, factor: float) -> dict[str, Any]:
    assert not isinstance(job.weights, bytes)
    return {name: values * np.float32(factor) for name, values in job.weights.items()}


def test_other_weights_of_a_known_topology_give_another_score() -> None:
    job = digits_job()
    other = replace(job, weights=changed(job, -1.0))
    assert score_weights(other).predictions != score_weights(job).predictions


@pytest.mark.parametrize("factor", [float("nan"), 1e38])
def test_a_network_of_nonsense_has_diverged(factor: float) -> None:
    job = digits_job()
    with np.errstate(over="ignore", invalid="ignore"):
        score = score_weights(replace(job, weights=changed(job, factor)))
    assert score.diverged
    assert score.metrics == {}
    assert score.predictions is None


def test_weights_of_another_topology_are_an_error() -> None:
    job = digits_job()
    kept = dict(list(changed(job, 1.0).items())[1:])
    with pytest.raises(ValueError, match="not those of the topology"):
        score_weights(replace(job, weights=kept))


def test_regression_is_scored_in_the_targets_units() -> None:
    layers = oracles.L
    built = oracles.chain((10,), layers.Dense(1, kernel_initializer="zeros"))()
    graph = read_model({"m.h5": oracles.save_h5(built)}).graph
    name, content = bundled_file("diabetes")
    dataset = read_dataset(content, name)
    plan = plan_study(dataset, spec(), facts((10,), 1, "linear"))
    splits = split_rows(dataset, plan)
    assert splits.validation is not None
    found = encode(dataset, plan, splits.train, splits.validation)
    weights = {name: np.zeros_like(w) for name, w in initial_weights(graph, 0).items()}
    job = ScoreJob(graph_to_json(graph), weights, to_safetensors(found.held), found.encoder, decode)
    metrics = score_weights(job).metrics
    # A network that says 0 says the mean of the training rows, in scaled units.
    truth = found.held["truth"]
    mean = found.encoder["target"]["offset"]
    assert 100 < mean < 200
    assert metrics["mae"] == pytest.approx(np.abs(truth - mean).mean())
    assert abs(metrics["r2"]) < 0.1


def programs_compiled(graph: dict[str, Any]) -> int:
    """Count, in a worker, the programs that it has compiled and kept for a graph."""
    return int(predictor_for(graph).forward._cache_size())  # type: ignore[attr-defined]  # jax's


def test_a_worker_scores_the_same_and_compiles_a_topology_once() -> None:
    job = digits_job()

    async def scenario() -> None:
        assert await workers.run(score_weights, job) == score_weights(job)
        assert await workers.run(programs_compiled, job.graph) == 1
        for factor in range(1, 4):
            await workers.run(score_weights, replace(job, weights=changed(job, factor)))
        assert await workers.run(programs_compiled, job.graph) == 1

    workers = Workers(1)
    try:
        asyncio.run(scenario())
    finally:
        workers.close()
