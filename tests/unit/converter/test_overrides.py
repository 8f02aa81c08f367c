from __future__ import annotations

from typing import Any

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
from tests.unit.converter import oracles
from tests.unit.converter.architectures import graphs


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


@settings(max_examples=60, deadline=None)
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
