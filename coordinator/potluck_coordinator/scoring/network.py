"""From the canonical graph to a Keras network, layer by layer; Keras's loaders are not asked."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from potluck_converter import Graph, Layer, TensorRef
from potluck_converter.layers import TABLE
from potluck_converter.shapes import ordered_calls, weight_specs
from potluck_converter.writers.architecture import with_modules
from potluck_coordinator.scoring.backend import load_keras

CLASSES = frozenset(TABLE)
"""Everything that the converter reads is built by the Keras layer of the same name."""


def build_network(graph: Graph, *, training: Mapping[str, Any] | None = None) -> Any:
    """Build a `keras.Model`. Its weights are not loaded yet: see `weight_variables`.

    With `training`, penalties and constraints are kept, and the layer classes that it names stand
    in the place of Keras's own.
    """
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
            built[layer.name] = _layer(keras, layer, training)
        inputs = [tensors[ref] for ref in layer.calls[index].inputs]
        kind = TABLE[layer.class_name]
        options = kind.call_options(layer.config)
        if kind.arguments:
            named = dict(zip(("key",), inputs[2:], strict=False))
            given = built[layer.name](*inputs[:2], **named, **options)
        else:
            merges = kind.most_inputs != 1
            given = built[layer.name](inputs if merges else inputs[0], **options)
        tensors[TensorRef(layer.name, index)] = given
    inputs = [tensors[ref] for ref in graph.inputs]
    outputs = [tensors[ref] for ref in graph.outputs]
    return keras.Model(
        inputs=inputs if len(inputs) > 1 else inputs[0],
        outputs=outputs if len(outputs) > 1 else outputs[0],
    )


def weight_variables(network: Any, graph: Graph) -> dict[str, Any]:
    """Give the network's variables by `<layer>/<weight>`. Raises ValueError."""
    names: dict[str, list[tuple[str, tuple[int, ...]]]] = {}
    for layer, full, spec in weight_specs(graph):
        names.setdefault(layer.name, []).append((full, spec.shape))
    found: dict[str, Any] = {}
    for layer_name, expected in names.items():
        variables = [v for v in network.get_layer(layer_name).weights if "seed" not in v.name]
        shapes = [tuple(variable.shape) for variable in variables]
        if shapes != [shape for _, shape in expected]:
            raise ValueError(f"Keras builds {layer_name} with other weights: {shapes}")
        found.update(zip((full for full, _ in expected), variables, strict=True))
    return found


def _layer(keras: Any, layer: Layer, training: Mapping[str, Any] | None) -> Any:
    if layer.class_name not in CLASSES:
        raise ValueError(f"no layer class {layer.class_name!r}")
    kind = TABLE[layer.class_name]
    config = with_modules(_loaded(kind.keras(layer.config), keras, whole=training is not None))
    make = (training or {}).get(layer.class_name) or getattr(keras.layers, layer.class_name)
    own = {"name": layer.name} | ({"trainable": layer.trainable} if kind.freezable else {})
    made = make.from_config({**own, **config})
    _compute_from_weights(made, keras)
    return made


def _loaded(config: Mapping[str, Any], keras: Any, *, whole: bool) -> dict[str, Any]:
    """Leave out of a config, and of those inside it, what scoring does not need."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        # Weights are loaded, never drawn.
        if key.endswith("_initializer"):
            value = "zeros"
        elif key.endswith(("_regularizer", "_constraint")) and not whole:
            value = None
            if key == "activity_regularizer":
                continue
        elif value == "hard_sigmoid_keras2":
            value = _hard_sigmoid_keras2(keras)
        elif isinstance(value, dict):
            value = _loaded(value, keras, whole=whole)
        elif key in ("cells", "layers"):
            value = [_loaded(inner, keras, whole=whole) for inner in value]
        found[key] = value
    return found


@cache
def _hard_sigmoid_keras2(keras: Any) -> Any:
    """Make the function once, under a name of its own.

    Bidirectional copies its layers by their configs, which name functions: an unknown one named
    hard_sigmoid would come back as Keras 3's.
    """

    def hard_sigmoid_keras2(x: Any) -> Any:
        return keras.ops.clip(0.2 * x + 0.5, 0.0, 1.0)

    return keras.saving.register_keras_serializable(package="potluck")(hard_sigmoid_keras2)


def _compute_from_weights(layer: Any, keras: Any) -> None:
    """Let each Normalization of a layer compute from its weights, also inside a wrapper or a model.

    Keras's own computes from a copy made when a file is loaded, which new weights do not reach.
    """
    for inner in [getattr(layer, "layer", None), *getattr(layer, "layers", ())]:
        if inner is not None:
            _compute_from_weights(inner, keras)
    if not isinstance(layer, keras.layers.Normalization) or layer.input_mean is not None:
        return

    def call(inputs: Any) -> Any:
        shape = layer._broadcast_shape
        mean = keras.ops.reshape(layer.adapt_mean, shape)
        deviation = keras.ops.sqrt(keras.ops.reshape(layer.adapt_variance, shape))
        deviation = keras.ops.maximum(deviation, keras.backend.epsilon())
        return mean + inputs * deviation if layer.invert else (inputs - mean) / deviation

    layer.call = call
