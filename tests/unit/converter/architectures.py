"""Random small models as hypothesis strategies: chains, and chains with a branch joined again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from potluck_converter import Call, ConversionError, Graph, Layer, Model, TensorRef, initial_weights
from potluck_converter.assemble import check_graph
from potluck_converter.graph_json import graph_from_json, graph_to_json
from potluck_converter.layers import TABLE
from potluck_converter.layers.base import normalise

small = st.integers(1, 4)
activations = st.sampled_from(["linear", "relu", "tanh", "silu", "softmax", "gelu"])
paddings = st.sampled_from(["valid", "same"])
initializers = st.sampled_from(["zeros", "he_normal", "lecun_uniform", "orthogonal", "ones"])
regularizers = st.sampled_from([None, {"class_name": "L1L2", "config": {"l1": 0.1, "l2": 0.0}}])


def option(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Draw a config."""
    return st.fixed_dictionaries(fields)


ANY = {
    "Dense": option(
        units=small,
        activation=activations,
        use_bias=st.booleans(),
        kernel_initializer=initializers,
        kernel_regularizer=regularizers,
    ),
    "Activation": option(activation=activations),
    "ReLU": option(max_value=st.none() | st.floats(0.5, 6.0)),
    "Dropout": option(rate=st.floats(0.0, 0.9)),
    "BatchNormalization": option(momentum=st.floats(0.5, 0.99), epsilon=st.floats(1e-5, 1e-2)),
    "Softmax": option(),
}
BY_RANK: dict[int, dict[str, st.SearchStrategy[dict[str, Any]]]] = {
    1: {"Reshape": option(target_shape=st.sampled_from([[1, -1], [-1, 1], [-1]]))},
    2: {
        "Conv1D": option(filters=small, kernel_size=small, strides=small, padding=paddings),
        "MaxPooling1D": option(pool_size=small, padding=paddings),
        "AveragePooling1D": option(pool_size=small),
        "LSTM": option(units=small, return_sequences=st.booleans(), use_bias=st.booleans()),
        "GlobalAveragePooling1D": option(),
        "GlobalMaxPooling1D": option(),
        "Flatten": option(),
    },
    3: {
        "Conv2D": option(
            filters=small, kernel_size=small, padding=paddings, activation=activations
        ),
        "MaxPooling2D": option(pool_size=small, strides=small, padding=paddings),
        "AveragePooling2D": option(pool_size=small),
        "GlobalAveragePooling2D": option(),
        "Flatten": option(),
    },
}
SHAPES = {1: [6], 2: [6, 3], 3: [6, 5, 2]}


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Draw a graph that Potluck accepts, of up to six layers."""
    rank = draw(st.integers(1, 3))
    joined = draw(st.booleans())
    source = _layer("in put", "InputLayer", {"batch_shape": [None, *SHAPES[rank]]}, ())
    graph = Graph("m", "sequential", (source,), (TensorRef("in put"),), (TensorRef("in put"),))
    for index in range(draw(st.integers(1, 6))):
        choices = ANY | BY_RANK.get(rank, {})
        class_name = draw(st.sampled_from(sorted(choices)))
        frozen = draw(st.booleans()) and class_name == "Dense"
        layer = _layer(f"l{index}", class_name, draw(choices[class_name]), graph.outputs)
        layer = replace(layer, trainable=not frozen)
        grown = replace(graph, layers=(*graph.layers, layer), outputs=(TensorRef(layer.name),))
        try:
            check_graph(grown)
        except ConversionError:
            continue  # a window larger than what is left, say
        graph, rank = grown, _rank(grown)
    if joined and len(graph.layers) > 1:
        last = graph.outputs[0]
        join = _layer("join", draw(st.sampled_from(["Add", "Concatenate"])), {}, (last, last))
        more = _layer("more", "Dense", {"units": 2}, (TensorRef("join"),))
        layers = (*graph.layers, join, more)
        outputs = (TensorRef("more"), last)
        graph = replace(graph, kind="functional", layers=layers, outputs=outputs)
    return graph_from_json(graph_to_json(graph))


@st.composite
def models(draw: st.DrawFn) -> Model:
    """Draw a model with weights from a seed."""
    graph = draw(graphs())
    return Model(graph, initial_weights(graph, draw(st.integers(0, 2**32 - 1))))


def _layer(
    name: str, class_name: str, config: dict[str, Any], inputs: tuple[TensorRef, ...]
) -> Layer:
    full = normalise(TABLE[class_name], config)
    return Layer(name, class_name, full, True, (Call(inputs),))


def _rank(graph: Graph) -> int:
    from potluck_converter import infer_shapes

    return len(infer_shapes(graph)[graph.outputs[0].layer])
