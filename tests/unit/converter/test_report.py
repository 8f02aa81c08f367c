from __future__ import annotations

from dataclasses import replace

import pytest

from potluck.protocol.records import ModelReport
from potluck_converter import as_text, forward_flops, read_model, report, training_flops
from potluck_converter.shapes import layer_flops, layer_training_flops
from tests.unit.converter import oracles
from tests.unit.converter.oracles import CASES, L, chain, save_h5


@pytest.mark.parametrize("name", CASES)
def test_a_report_is_what_the_protocol_says_and_counts_as_keras(name: str) -> None:
    oracle = oracles.oracle(name)
    found = ModelReport.model_validate(report(read_model({"m.h5": oracle.content})))
    assert found.parameters == sum(w.size for w in oracle.weights.values())
    assert found.parameters == sum(layer.parameters for layer in found.layers)
    trained = sum(w.size for n, w in oracle.weights.items() if n in oracle.trainable)
    assert found.trainable_parameters == trained
    assert int(found.training_flops) >= int(found.forward_flops)


def test_flops_are_counted_by_hand() -> None:
    layers = (
        L.Conv2D(4, 3, activation="relu", name="conv"),
        L.Flatten(name="flat"),
        L.Dense(10, use_bias=False, name="dense"),
    )
    graph = read_model({"m.h5": save_h5(chain((8, 8, 2), *layers)())}).graph
    flops = layer_flops(graph)
    conv = 6 * 6 * 4 * (2 * 3 * 3 * 2) + 2 * 6 * 6 * 4
    dense = 2 * (6 * 6 * 4) * 10
    assert (flops["conv"], flops["flat"], flops["dense"]) == (conv, 0, dense)
    assert forward_flops(graph) == conv + dense
    # The first layer has no inputs to send a gradient to.
    assert training_flops(graph) == 2 * conv + 3 * dense


def test_gradients_stop_at_frozen_layers() -> None:
    frozen = L.Dense(10, use_bias=False, trainable=False)
    graph = read_model({"m.h5": save_h5(chain((5,), frozen, L.Dense(2, use_bias=False))())}).graph
    assert training_flops(graph) == 2 * 5 * 10 + 2 * (2 * 10 * 2)


def test_the_table_names_every_layer() -> None:
    model = read_model({"m.h5": oracles.oracle("branches").content})
    text = as_text(report(model))
    assert all(layer.name in text for layer in model.graph.layers)


def test_a_model_without_anything_to_train_is_noted() -> None:
    model = read_model({"m.h5": save_h5(chain((3,), L.ReLU())())})
    assert any("Nothing" in note for note in report(model)["warnings"])


def test_open_lengths_are_none_and_noted() -> None:
    found = report(read_model({"m.h5": oracles.oracle("lstm_sequences").content}))
    assert next(iter(found["input_shapes"].values())) == [None, 4]
    assert any("open" in note for note in found["warnings"])


def warnings_of(*layers: object, shape: tuple[int, ...] = (6, 2)) -> str:
    return "\n".join(report(read_model({"m.h5": save_h5(chain(shape, *layers)())}))["warnings"])


def test_what_tfjs_alone_does_not_train_is_said_once_with_the_reasons() -> None:
    told = warnings_of(L.Conv1D(2, 2, name="wave"), L.MaxPooling1D(name="top"), L.Dense(2))
    missing = "the gradient of a convolution's filters is missing"
    assert f"does not train wave on wasm ({missing}); top on wasm (" in told
    assert told.count("every backend") == 1
    assert "webgpu" not in told
    assert "alone" not in warnings_of(L.Dense(2))


def test_a_class_of_ours_is_not_said_to_be_untrained() -> None:
    assert "alone" not in warnings_of(L.Conv1D(2, 2, padding="causal"))


def test_each_layer_says_where_tfjs_alone_trains_it() -> None:
    layers = (
        L.TimeDistributed(L.Conv1D(2, 2), name="inside"),
        L.TimeDistributed(L.MaxPooling1D(2), name="largest"),
        L.Reshape((-1, 2), name="flat"),
        L.Conv1D(2, 2, name="wave"),
        L.Conv1D(2, 2, padding="causal", name="ours"),
        L.Dense(2, name="dense"),
    )
    found = report(read_model({"m.h5": save_h5(chain((3, 6, 2), *layers)())}))
    by_name = {layer["name"]: layer for layer in found["layers"]}
    assert list(by_name["wave"]["untrained_on"]) == ["wasm"]
    assert list(by_name["inside"]["untrained_on"]) == ["wasm"]
    assert by_name["dense"]["untrained_on"] == by_name["ours"]["untrained_on"] == {}
    assert by_name["ours"]["own_class"]
    assert not by_name["wave"]["own_class"]
    lines = {line.split()[0]: line for line in as_text(found).splitlines()}
    assert lines["wave"].endswith("not on wasm")
    assert lines["ours"].endswith("no")
    assert lines["dense"].endswith("trains")
    assert "every layer on every backend" in as_text(found)


@pytest.mark.parametrize("wrap", [False, True])
def test_gradients_go_back_in_time_through_the_state_alone(wrap: bool) -> None:
    first: object = L.LSTM(4, return_sequences=True, name="first")
    if wrap:
        first = L.Bidirectional(L.LSTM(4, return_sequences=True), name="first")
    graph = read_model({"m.h5": save_h5(chain((10, 3), first, L.LSTM(5, name="second"))())}).graph
    training, ways = layer_training_flops(graph), 2 if wrap else 1
    by_input = ways * 10 * 2 * 4 * 4 * 3
    assert training["first"] == 3 * layer_flops(graph)["first"] - by_input
    assert training["second"] == 3 * layer_flops(graph)["second"]


def test_a_frozen_first_recurrent_layer_is_only_run_forwards() -> None:
    layers = (L.GRU(4, trainable=False, name="first"), L.Dense(2))
    graph = read_model({"m.h5": save_h5(chain((10, 3), *layers)())}).graph
    assert layer_training_flops(graph)["first"] == layer_flops(graph)["first"]


def test_a_mask_that_meets_the_loss_is_noted() -> None:
    assert "carries a mask" in warnings_of(L.Masking(), L.LSTM(2, return_sequences=True))
    assert "carries a mask" not in warnings_of(L.Masking(), L.LSTM(2))
    assert "carries a mask" not in warnings_of(L.LSTM(2, return_sequences=True))


def test_masks_that_keras_2_joins_otherwise_are_noted_for_its_files_alone() -> None:
    import keras

    words = keras.Input((6,))
    left = L.Embedding(9, 4, mask_zero=True)(words)
    right = L.LSTM(4, return_sequences=True)(L.Embedding(9, 4, mask_zero=True)(words))
    joined = L.LSTM(3)(L.Add(name="together")([left, right]))
    model = read_model({"m.h5": save_h5(keras.Model(words, joined))})
    of_keras2 = replace(model, source="Keras 2 .h5")
    noted = [line for line in report(of_keras2)["warnings"] if "joins masks" in line]
    assert len(noted) == 1
    assert noted[0].startswith('"together"')
    assert not any("joins masks" in line for line in report(model)["warnings"])
