from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck_converter import (
    ConversionError,
    Graph,
    Model,
    graph_from_json,
    graph_to_json,
    infer_shapes,
    initial_weights,
    read_model,
    report,
    weight_shapes,
    with_overrides,
)
from potluck_converter.graph import OptimizerState
from tests.unit.converter import oracles
from tests.unit.converter.architectures import graphs
from tests.unit.converter.oracles import L, chain, save_h5


def graph_of(name: str) -> Graph:
    return read_model({"m.h5": oracles.oracle(name).content}).graph


def names(graph: Graph, class_name: str) -> list[str]:
    return [layer.name for layer in graph.layers if layer.class_name == class_name]


def refusal(graph: Graph, overrides: dict[str, Any]) -> ConversionError:
    with pytest.raises(ConversionError) as caught:
        with_overrides(graph, overrides)
    return caught.value


def test_wider_layers_change_the_shapes_behind_them() -> None:
    graph = graph_of("dense")
    first, second = names(graph, "Dense")
    wide = with_overrides(graph, {f"layers.{first}.units": 64})
    assert infer_shapes(wide)[first] == (64,)
    assert weight_shapes(wide)[f"{second}/kernel"] == (64, 2)
    assert infer_shapes(graph)[first] == (4,)


def test_one_number_sets_every_side_of_a_kernel() -> None:
    graph = graph_of("conv2d")
    [conv] = names(graph, "Conv2D")
    changed = with_overrides(graph, {f"layers.{conv}.kernel_size": 5})
    assert weight_shapes(changed)[f"{conv}/kernel"] == (5, 5, 3, 4)


def test_the_layer_where_shapes_first_disagree_is_named() -> None:
    graph = graph_of("branches")
    [lstm] = names(graph, "LSTM")
    [add] = names(graph, "Add")
    error = refusal(graph, {f"layers.{lstm}.units": 6})
    assert error.code == "model.override_impossible"
    assert error.where == add
    assert "(6)" in error.got


def test_a_kernel_larger_than_the_image_is_impossible() -> None:
    graph = graph_of("conv2d")
    [conv] = names(graph, "Conv2D")
    error = refusal(graph, {f"layers.{conv}.kernel_size": 10})
    assert (error.code, error.where) == ("model.override_impossible", conv)


def test_unknown_layers_and_fields_are_refused_with_the_nearest_name() -> None:
    graph = graph_of("dense")
    first = names(graph, "Dense")[0]
    error = refusal(graph, {f"layers.{first}x.units": 6})
    assert error.code == "model.override_unknown_layer"
    assert first in error.hint
    assert refusal(graph, {"learning_rate": 1}).code == "model.override_unknown_layer"
    error = refusal(graph, {f"layers.{first}.unit": 6})
    assert error.code == "model.override_unknown_field"
    assert "units" in error.hint
    unsearchable = refusal(graph, {f"layers.{first}.kernel_initializer": "zeros"})
    assert unsearchable.code == "model.override_unknown_field"


@pytest.mark.parametrize("value", [0, -3, 2.5, "many", True, None, 2**40])
def test_values_that_a_field_cannot_have_are_impossible(value: Any) -> None:
    graph = graph_of("dense")
    first = names(graph, "Dense")[0]
    error = refusal(graph, {f"layers.{first}.units": value})
    assert (error.code, error.where) == ("model.override_impossible", f"{first}.units")


def test_parameters_are_bounded_after_overriding() -> None:
    graph = graph_of("dense")
    first = names(graph, "Dense")[0]
    assert refusal(graph, {f"layers.{first}.units": 2**31 - 1}).code == "model.too_large"


@settings(max_examples=60)
@given(graphs(), st.data())
def test_overriding_gives_a_sound_graph_or_a_plain_refusal(
    graph: Graph, data: st.DataObject
) -> None:
    found = report(Model(graph, initial_weights(graph, 0)))
    paths = {
        f"layers.{layer['name']}.{field}": value
        for layer in found["layers"]
        for field, value in layer["searchable"].items()
    }
    assert with_overrides(graph, paths) == graph  # present values change nothing
    wanted = {path: data.draw(st.integers(1, 5)) for path, v in paths.items() if type(v) is int}
    outcome: Graph | ConversionError
    try:
        outcome = with_overrides(graph, wanted)
    except ConversionError as error:
        outcome = error
    if isinstance(outcome, ConversionError):
        assert outcome.code == "model.override_impossible"
        return
    changed = outcome
    assert graph_from_json(graph_to_json(changed)) == changed
    assert {n: w.shape for n, w in initial_weights(changed, 1).items()} == weight_shapes(changed)


def model_of(shape: tuple[int | None, ...], *layers: Any) -> Model:
    return read_model({"m.h5": save_h5(chain(shape, *layers)())})


def same(one: Model, other: Model) -> set[str]:
    return {n for n, w in one.weights.items() if np.array_equal(w, other.weights.get(n, w + 1))}


def dense_pair() -> Model:
    return model_of(
        (5,),
        L.Dense(4, name="first"),
        L.Dense(4, name="second", bias_initializer="he_normal"),
        L.Dense(4, name="still", trainable=False),
        L.Dense(2, name="last"),
    )


def test_a_model_keeps_the_weights_of_layers_whose_shapes_stay() -> None:
    model = dense_pair()
    wide = with_overrides(model, {"layers.first.units": 6}, seed=3)
    assert {n: w.shape for n, w in wide.weights.items()} == weight_shapes(wide.graph)
    assert same(model, wide) == {"still/kernel", "still/bias", "last/kernel", "last/bias"}
    again = with_overrides(model, {"layers.first.units": 6}, seed=3)
    assert same(wide, again) == set(wide.weights)
    other = with_overrides(model, {"layers.first.units": 6}, seed=4)
    assert "first/kernel" not in same(wide, other)
    unchanged = with_overrides(model, {"layers.first.activation": "relu"})
    assert same(model, unchanged) == set(model.weights)
    assert unchanged.graph.layer("first").config["activation"] == "relu"


def test_fresh_weights_are_those_of_the_seed_but_for_frozen_and_fitted_layers() -> None:
    fitted = L.Normalization(mean=None, name="fitted")
    fitted.adapt(np.arange(40, dtype="float32").reshape(8, 5))
    layers = (
        L.Dense(3, name="free"),
        L.Dense(3, name="still", trainable=False, bias_initializer="he_normal"),
    )
    built = keras.Sequential([keras.Input((5,)), fitted, *layers])
    content = save_h5(built)
    model = read_model({"m.h5": content})
    fresh = with_overrides(model, {}, weights="fresh", seed=8)
    drawn = initial_weights(model.graph, 8)
    assert np.array_equal(fresh.weights["free/kernel"], drawn["free/kernel"])
    assert "free/kernel" not in same(model, fresh)
    assert {n for n in model.weights if not n.startswith("free/")} <= same(model, fresh)


def test_a_changed_model_forgets_what_the_optimizer_gathered() -> None:
    model = dense_pair()
    state = OptimizerState(("iteration",), (np.ones((), "float32"),))
    trained = replace(model, optimizer_state=state)
    assert with_overrides(trained, {"layers.first.units": 6}).optimizer_state is None
    assert with_overrides(trained, {"layers.first.units": 4}).optimizer_state is state


def test_weights_are_kept_or_fresh_and_nothing_else() -> None:
    way: Any = "some"
    with pytest.raises(ConversionError, match="kept or made afresh"):
        with_overrides(dense_pair(), {}, weights=way)


TWO_WAYS = L.Bidirectional(L.LSTM(3), backward_layer=L.LSTM(3, go_backwards=True), name="it")


@pytest.mark.parametrize(
    ("layer", "field", "value", "shape"),
    [
        (L.Bidirectional(L.LSTM(3), name="it"), "units", 7, (14,)),
        (TWO_WAYS, "units", 7, (14,)),
        (L.RNN(L.GRUCell(3), name="it"), "units", 7, (7,)),
        (L.RNN([L.LSTMCell(3), L.GRUCell(3)], name="it"), "units", 7, (7,)),
        (L.TimeDistributed(L.Dense(3), name="it"), "units", 7, (6, 7)),
    ],
)  # fmt: skip
def test_a_field_inside_a_layer_is_set_by_the_outer_name(
    layer: Any, field: str, value: int, shape: tuple[int, ...]
) -> None:
    model = model_of((6, 2), layer, L.Flatten(), L.Dense(2, name="end"))
    assert report(model)["layers"][1]["searchable"][field] == 3
    changed = with_overrides(model, {f"layers.it.{field}": value}, seed=1)
    assert infer_shapes(changed.graph)["it"] == shape
    assert {n: w.shape for n, w in changed.weights.items()} == weight_shapes(changed.graph)
    assert infer_shapes(model.graph)["it"] != shape  # the given model is left as it was
    error = refusal(model.graph, {f"layers.it.{field}": 0})
    assert (error.code, error.where) == ("model.override_impossible", f"it.{field}")
    error = refusal(model.graph, {"layers.it.unit": 1})
    assert "units" in error.hint


def test_cells_that_differ_are_not_said_to_have_one_value() -> None:
    model = model_of((6, 2), L.RNN([L.LSTMCell(3), L.GRUCell(4)], name="it"))
    found = report(model)["layers"][1]["searchable"]
    assert "units" not in found
    assert found["dropout"] == 0.0


def test_an_override_inside_that_does_not_fit_names_the_layer_behind() -> None:
    words = keras.Input((6, 2))
    both = L.Bidirectional(L.LSTM(3), name="both")(words)
    joined = L.Add(name="joined")([both, L.Dense(6)(L.Flatten()(words))])
    graph = read_model({"m.h5": save_h5(keras.Model(words, joined))}).graph
    error = refusal(graph, {"layers.both.units": 4})
    assert (error.code, error.where) == ("model.override_impossible", "joined")


def test_a_key_that_is_no_text_is_refused() -> None:
    wrong: Any = {5: 1}
    assert refusal(graph_of("dense"), wrong).code == "model.override_unknown_layer"
