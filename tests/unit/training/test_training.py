"""Training on Keras and JAX: Keras's definitions, repeatable, and honest about what it is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from potluck_coordinator.core.randomness import epoch_order
from potluck_coordinator.training.checkpoint import BadTensors, read_checkpoint, write_checkpoint
from potluck_coordinator.training.known_answer import TOLERANCE as KNOWN_ANSWER_TOLERANCE
from potluck_coordinator.training.known_answer import (
    distance,
    known_answer,
    known_answer_reference,
    trains_rightly,
)
from potluck_coordinator.training.network import Unsupported, open_network
from tests.support.engine_page import distance as moved_distance
from tests.support.keras_files import saved
from tests.support.small_units import BATCH, ROWS, SEED, networks, small_unit, stacked

TOLERANCE = 1e-3
EPOCHS = 3
STEPS = EPOCHS * 3
NETWORKS = networks()
DETERMINISTIC = list(NETWORKS)[:3]
CLIENT_ANSWER = "client_web/src/engine/known_answer.gen.json"


def train_with_keras(network: Any, data: Any) -> dict[str, np.ndarray]:
    network.compile(keras.optimizers.SGD(0.1, momentum=0.5), "sparse_categorical_crossentropy")
    for epoch in range(EPOCHS):
        order = np.array(epoch_order(SEED, epoch, ROWS))
        for start in range(0, ROWS, BATCH):
            batch = order[start : start + BATCH]
            network.train_on_batch(data["x"][batch], data["y"][batch])
    from potluck_converter import read_model

    return dict(read_model({"m.h5": saved(network)}).weights)


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_what_draws_nothing_learns_as_with_keras_itself(name: str) -> None:
    network = NETWORKS[name]()
    unit = small_unit(network)
    right = train_with_keras(network, unit.data)
    start = dict(unit.model.weights)
    assert moved_distance(unit.train(STEPS).weights, right, start) < TOLERANCE
    wrong = unit.with_rate(1.02).train(STEPS)
    assert moved_distance(wrong.weights, right, start) > TOLERANCE


@pytest.mark.parametrize("name", NETWORKS)
def test_a_unit_that_was_interrupted_anywhere_ends_bit_for_bit_as_one_that_was_not(
    name: str,
) -> None:
    unit = small_unit(NETWORKS[name]())
    whole = write_checkpoint(unit.train(STEPS))
    assert write_checkpoint(unit.train(STEPS)) == whole
    for cut in (1, 3, 5):
        training = unit.open(write_checkpoint(unit.train(cut)))
        assert training.step == cut
        while training.step < STEPS:
            training.advance()
        assert write_checkpoint(training.state()) == whole


@pytest.mark.parametrize("name", list(NETWORKS)[3:])
def test_what_is_drawn_depends_on_the_seed(name: str) -> None:
    from dataclasses import replace

    unit = small_unit(NETWORKS[name](), batch_size=ROWS)  # one batch: the order is no matter
    one, other = unit.train(1), replace(unit, seed=SEED + 1).train(1)
    start = dict(unit.model.weights)
    assert moved_distance(other.weights, one.weights, start) > TOLERANCE


def test_the_accumulators_hold_the_epoch_s_sum_of_row_losses_and_start_again() -> None:
    unit = small_unit(NETWORKS[DETERMINISTIC[1]]())
    training = unit.open()
    seen = []
    for _ in range(4):
        training.advance()
        state = training.state()
        seen.append(state.loss_rows)
        assert training.loss() == pytest.approx(state.loss_sum / state.loss_rows)
    assert seen == [8, 16, 20, 8]


def test_the_known_answer_is_a_tab_s_and_a_wrong_training_is_found(
    request: pytest.FixtureRequest,
) -> None:
    client = json.loads((request.config.rootpath / CLIENT_ANSWER).read_text())
    ours = {name: list(values) for name, values in known_answer().items()}
    assert ours == client
    assert trains_rightly()
    training = known_answer_reference().open()
    for _ in range(5):  # a step too few
        training.advance()
    assert distance(training.state().weights, known_answer()) > KNOWN_ANSWER_TOLERANCE


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda k: stacked((6, 6, 1), k.RandomFlip(name="flip")), r"flip \(RandomFlip\)"),
        (
            lambda k: stacked((4, 3), k.TimeDistributed(k.Dropout(0.2, name="inner"))),
            r"inner \(Dropout\).*TimeDistributed",
        ),
    ],
)
def test_what_cannot_be_drawn_exactly_is_refused_with_the_layer_s_name(
    make: Callable[[Any], Any], why: str
) -> None:
    unit = small_unit(make(keras.layers))
    with pytest.raises(Unsupported, match=why):
        unit.open()


def test_a_topology_that_is_none_is_refused() -> None:
    for content in (b"", b"{", b'{"class_name": "Sequential", "config": {"layers": [{}]}}'):
        with pytest.raises(Unsupported):
            open_network(content)


def test_a_weight_of_1_changes_nothing_and_one_of_0_takes_a_row_s_part_away() -> None:
    from dataclasses import replace

    unit = small_unit(NETWORKS[DETERMINISTIC[0]]())
    weights = np.ones(ROWS, np.float32)
    plain = write_checkpoint(unit.train(STEPS))
    alike = replace(unit, data={**unit.data, "w": weights})
    assert write_checkpoint(alike.train(STEPS)) == plain
    weights = weights.copy()
    weights[4] = 0
    assert write_checkpoint(replace(unit, data={**unit.data, "w": weights}).train(STEPS)) != plain
    with pytest.raises(BadTensors, match="20 weights"):
        replace(unit, data={**unit.data, "w": weights[:3]}).open()


def test_a_checkpoint_of_another_network_is_refused() -> None:
    unit = small_unit(NETWORKS[DETERMINISTIC[0]]())
    state = read_checkpoint(write_checkpoint(unit.train(0)))
    fewer = dict(list(state.weights.items())[1:])
    for weights in (fewer, {name: value[:1] for name, value in state.weights.items()}):
        with pytest.raises(BadTensors):
            unit.open(write_checkpoint(type(state)(weights, 0, 0)))
