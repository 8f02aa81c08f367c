"""The hard_sigmoid of Keras 2 and TF.js in Keras 3's words: clip(0.2x + 0.5, 0, 1), exactly.

It is relu6(1.2x + 3) / 6. After most layers that is written as three layers more. Inside a
recurrent layer it cannot be: there the kernels and the bias of a gate are multiplied by 1.2, for
Keras 3's own hard_sigmoid is relu6(x + 3) / 6.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potluck_converter.errors import ConversionError
from potluck_converter.graph import Call, Graph, Layer, Model, TensorRef, Weights
from potluck_converter.layers.inner_model import MODELS, graph_of

NAME = "hard_sigmoid_keras2"
SLOPE = 1.2
_GATES = {
    # By class, without "Cell": which gates each activation shapes, and how many gates there are.
    "SimpleRNN": ({"activation": (0,)}, 1),
    "GRU": ({"recurrent_activation": (0, 1), "activation": (2,)}, 3),
    "LSTM": ({"recurrent_activation": (0, 1, 3)}, 4),
    "ConvLSTM2D": ({"recurrent_activation": (0, 1, 3)}, 4),
}
_SCALED = ("kernel", "recurrent_kernel", "bias")
Factors = dict[str, NDArray[np.float32]]
Config = Mapping[str, Any]


def for_keras(model: Model) -> Model:
    """Give a model that predicts the same in Keras 3. Raises ConversionError.

    Where weights had to be changed, the optimizer's memory of them is left out.
    """
    graph, factors = graph_for_keras(model.graph)
    if graph is model.graph:
        return model
    if not factors:
        return replace(model, graph=graph)
    return replace(
        model, graph=graph, weights=_Scaled(model.weights, factors), optimizer_state=None
    )


def graph_for_keras(graph: Graph) -> tuple[Graph, Factors]:
    """Give the graph, and by what weights are to be multiplied along their last axis.

    The graph itself comes back where nothing is to be done. Raises ConversionError naming a layer
    that Keras 3 cannot compute.
    """
    taken = {layer.name for layer in graph.layers}
    factors: Factors = {}
    found: list[Layer] = []
    ends: dict[str, str] = {}
    for layer in graph.layers:
        config, own, follows = _rewritten(layer.class_name, layer.config, layer.name)
        factors |= {f"{layer.name}/{name}": values for name, values in own.items()}
        if not follows:
            found.append(replace(layer, config=config))
            continue
        penalty = config.get("activity_regularizer")
        config = {**config, "activity_regularizer": None} if penalty is not None else config
        found.append(replace(layer, config=config))
        for made in _chain(layer, penalty, taken):
            taken.add(made.name)
            found.append(made)
        ends[layer.name] = found[-1].name
    if not factors and tuple(found) == graph.layers:
        return graph, {}
    return _rewired(graph, found, ends), factors


def _rewired(graph: Graph, layers: list[Layer], ends: Mapping[str, str]) -> Graph:
    """Let the graph's own layers read a chain's end where they read what it begins with."""
    known = {layer.name for layer in graph.layers}

    def after(ref: TensorRef) -> TensorRef:
        return ref._replace(layer=ends.get(ref.layer, ref.layer))

    def rewired(layer: Layer) -> Layer:
        calls = tuple(Call(tuple(map(after, call.inputs))) for call in layer.calls)
        return replace(layer, calls=calls) if layer.name in known else layer

    made = tuple(map(rewired, layers))
    return replace(graph, layers=made, outputs=tuple(map(after, graph.outputs)))


def _chain(layer: Layer, penalty: Any, taken: set[str]) -> Iterator[Layer]:
    """Make relu6(1.2x + 3) / 6 of a layer's outputs."""
    none = {"activity_regularizer": None}
    cut = {"max_value": 6.0, "negative_slope": 0.0, "threshold": 0.0}
    before = layer.name
    for ending, class_name, config in (
        ("scaled", "Rescaling", {"scale": SLOPE, "offset": 3.0, **none}),
        ("cut", "ReLU", {**cut, **none}),
        (
            "hard_sigmoid",
            "Rescaling",
            {"scale": 1 / 6, "offset": 0.0, "activity_regularizer": penalty},
        ),
    ):
        name = f"{layer.name}__{ending}"
        while name in taken:
            name += "_"
        calls = tuple(Call((TensorRef(before, n),)) for n in range(len(layer.calls)))
        yield Layer(name, class_name, config, True, calls)
        before = name


def _rewritten(class_name: str, config: Config, where: str) -> tuple[Config, Factors, bool]:
    """Give a layer's config, its weights' factors, and whether a chain is to follow it."""
    if class_name == "Bidirectional":
        return *_both_ways(config, where), False
    if class_name == "TimeDistributed":
        return _each_step(config, where)
    if class_name == "RNN":
        return *_cells(config, where), False
    if class_name.removesuffix("Cell") in _GATES:
        return *_gated(class_name, config, where), False
    if config.get("activation") != NAME:
        return config, {}, False
    return {**config, "activation": "linear"}, {}, True


def _gated(class_name: str, config: Config, where: str) -> tuple[Config, Factors]:
    parts, gates = _GATES[class_name.removesuffix("Cell")]
    asked = [key for key in ("activation", "recurrent_activation") if config.get(key) == NAME]
    if not asked:
        return config, {}
    for key in asked:
        if key not in parts:
            raise ConversionError(
                "model.unsupported_option",
                f'Layer "{where}" ({class_name}) has the hard_sigmoid of Keras 2 as {key}, which '
                "Keras 3 cannot compute.",
                expected="an activation that Keras 3 has",
                got="hard_sigmoid of Keras 2",
                hint="Take the TF.js files, or build the model with tanh.",
                where=f"{where}.{key}",
            )
    factor = np.ones((gates, config.get("units") or config["filters"]), np.float32)
    for key in asked:
        factor[list(parts[key])] = SLOPE
    flat = factor.reshape(-1)
    return {**config, **dict.fromkeys(asked, "hard_sigmoid")}, dict.fromkeys(_SCALED, flat)


def _cells(config: Config, where: str) -> tuple[Config, Factors]:
    cell = config["cell"]
    if cell["class_name"] != "StackedRNNCells":
        inner, factors = _gated(cell["class_name"], cell["config"], where)
        return {**config, "cell": {**cell, "config": inner}}, factors
    stack, found = [], {}
    for index, one in enumerate(cell["config"]["cells"]):
        inner, own, _ = _rewritten(one["class_name"], one["config"], where)
        stack.append({**one, "config": inner})
        found |= {f"RNNCell_{index}/{name}": values for name, values in own.items()}
    return {**config, "cell": {**cell, "config": {"cells": stack}}}, found


def _both_ways(config: Config, where: str) -> tuple[Config, Factors]:
    found: dict[str, Any] = dict(config)
    factors: Factors = {}
    for way, key in (("forward", "layer"), ("backward", "backward_layer")):
        # Without a backward layer, the other way is the forward layer's mirror image.
        inner = config[key] or config["layer"]
        made, own, _ = _rewritten(inner["class_name"], inner["config"], where)
        name = inner["config"]["name"]
        factors |= {f"{way}_{name}/{weight}": values for weight, values in own.items()}
        if config[key] is not None:
            found[key] = {**inner, "config": made}
    return found, factors


def _each_step(config: Config, where: str) -> tuple[Config, Factors, bool]:
    from potluck_converter.graph_json import graph_to_json

    inner = config["layer"]
    if inner["class_name"] not in MODELS:
        made, own, follows = _rewritten(inner["class_name"], inner["config"], where)
        return {**config, "layer": {**inner, "config": made}}, own, follows
    graph, own = graph_for_keras(graph_of(inner["config"]))
    made = {**inner["config"], "graph": graph_to_json(graph)}
    return {**config, "layer": {**inner, "config": made}}, own, False


class _Scaled(Mapping[str, NDArray[np.float32]]):
    """Weights, some of them multiplied along their last axis when they are asked for."""

    def __init__(self, weights: Weights, factors: Factors) -> None:
        self._weights = weights
        self._factors = factors

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        value = self._weights[name]
        factor = self._factors.get(name)
        return value if factor is None else value * factor

    def __iter__(self) -> Iterator[str]:
        return iter(self._weights)

    def __len__(self) -> int:
        return len(self._weights)
