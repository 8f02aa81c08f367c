"""From the canonical graph to a Keras network, layer by layer; Keras's loaders are not asked."""

from __future__ import annotations

from typing import Any

from potluck_converter import Graph, Layer, TensorRef
from potluck_converter.layers import TABLE
from potluck_converter.shapes import ordered_calls
from potluck_coordinator.scoring.backend import load_keras

CLASSES = frozenset(TABLE)
"""Everything that the converter reads is built by the Keras layer of the same name."""


def build_network(graph: Graph) -> Any:
    """Build a `keras.Model`. Its weights are not loaded yet: see `weight_variables`."""
    keras = load_keras()
    tensors: dict[TensorRef, Any] = {}
    built: dict[str, Any] = {}
    for layer, index in ordered_calls(graph):
        if layer.class_name == "InputLayer":
            config = layer.config
            tensors[TensorRef(layer.name, index)] = keras.Input(
                batch_shape=tuple(config["batch_shape"]),
                dtype=config["dtype"],
                name=layer.name,
            )
            continue
        if layer.name not in built:
            built[layer.name] = _layer(keras, layer)
        inputs = [tensors[ref] for ref in layer.calls[index].inputs]
        merges = TABLE[layer.class_name].most_inputs != 1
        given = inputs if merges else inputs[0]
        tensors[TensorRef(layer.name, index)] = built[layer.name](given)
    inputs = [tensors[ref] for ref in graph.inputs]
    outputs = [tensors[ref] for ref in graph.outputs]
    return keras.Model(
        inputs=inputs if len(inputs) > 1 else inputs[0],
        outputs=outputs if len(outputs) > 1 else outputs[0],
    )


def weight_variables(network: Any) -> dict[str, Any]:
    """Give the network's variables by `<layer>/<weight>`."""
    return {
        f"{layer.name}/{variable.name}": variable
        for layer in network.layers
        for variable in layer.weights
    }


def _layer(keras: Any, layer: Layer) -> Any:
    if layer.class_name not in CLASSES:
        raise ValueError(f"no layer class {layer.class_name!r}")
    config = TABLE[layer.class_name].keras(layer.config)
    for key in config:
        # Weights are loaded, never drawn, and nothing is trained here.
        if key.endswith("_initializer"):
            config[key] = "zeros"
        elif key.endswith("_regularizer"):
            config[key] = None
    make = getattr(keras.layers, layer.class_name)
    return make(name=layer.name, trainable=layer.trainable, **config)
