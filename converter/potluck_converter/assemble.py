"""From layers as a file states them to the canonical graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from potluck_converter.errors import ConversionError, Unfit, shorten
from potluck_converter.graph import Call, Graph, Kind, Layer, TensorRef
from potluck_converter.layers import RENAMED, TABLE
from potluck_converter.layers.base import normalise
from potluck_converter.limits import DEFAULT_LIMITS, MAX_NAME, Limits
from potluck_converter.refused_classes import OWN, PREPARING, refused_class
from potluck_converter.shapes import check_size, ordered_calls, steps, unfit

MOST_WRAPPED = 8
_STATEFUL = " was stateful; here each batch starts from zero."


@dataclass(frozen=True)
class RawLayer:
    """One layer as a file states it, its calls already as references; the name is final."""

    name: str
    class_name: str
    config: Mapping[str, Any]
    calls: tuple[Call, ...]


def known_class(name: str, class_name: str) -> str:
    """Look a class up in the table; raises `model.unsupported_layer`."""
    found = class_name.removeprefix(OWN)
    found = RENAMED.get(found, found)
    if found in TABLE:
        return found
    raise refused_class(name, class_name)


def assemble(
    name: str,
    kind: Kind,
    raws: Sequence[RawLayer],
    inputs: Sequence[TensorRef],
    outputs: Sequence[TensorRef],
    limits: Limits = DEFAULT_LIMITS,
) -> tuple[Graph, list[str]]:
    """Build and check the graph; give it with warnings. Raises ConversionError."""
    if not 0 < len(raws) <= limits.layers:
        raise ConversionError(
            "model.too_large" if raws else "model.bad_config",
            "The model has no layers, or too many.",
            expected=f"1 to {limits.layers} layers",
            got=str(len(raws)),
        )
    for raw in raws:
        if raw.class_name in PREPARING:
            known_class(raw.name, raw.class_name)  # the reason for the strings that it takes, too
    warnings: list[str] = []
    layers = []
    for raw in raws:
        layer, said = check_layer(raw)
        layers.append(replace(layer, calls=raw.calls))
        warnings += said
    graph = Graph(
        shorten(name, MAX_NAME) or "model", kind, tuple(layers), tuple(inputs), tuple(outputs)
    )
    graph = settle(graph)
    check_graph(graph, limits)
    return graph, warnings


def check_layer(raw: RawLayer) -> tuple[Layer, list[str]]:
    """Bring one layer to its canonical form, without calls; give it with warnings."""
    name = raw.name
    class_name = known_class(raw.name, raw.class_name)
    kind = TABLE[class_name]
    trainable = raw.config.get("trainable", True)
    layer = Layer(name, class_name, {}, True, ())
    try:
        if not isinstance(trainable, bool):
            raise Unfit("true or false", got=trainable, field="trainable")
        precision = _precision(raw.config.get("dtype"))
        config = normalise(kind, raw.config)
    except Unfit as error:
        raise unfit(layer, error, "model.unsupported_option") from error
    said = []
    if class_name != "InputLayer" and precision != "float32":
        said.append(f'Layer "{name}" was {precision}; Potluck trains in float32.')
    if _stateful(raw.config):
        said.append(f'Layer "{name}"{_STATEFUL}')
    if class_name == "InputLayer":
        shape = raw.config.get("batch_shape") or raw.config.get("batch_input_shape")
        if shape and shape[0] is not None:
            said.append(f'The fixed batch size of input "{name}" is left out.')
    return replace(layer, config=config, trainable=trainable), said


def stateful_layers(warnings: Sequence[str]) -> list[str]:
    """Give those of a model's warnings that say of a layer that its state is not kept."""
    return [said for said in warnings if said.endswith(_STATEFUL)]


def _stateful(config: Mapping[str, Any], depth: int = 0) -> bool:
    """Tell whether a layer, or one that it wraps, carries its state from batch to batch."""
    if config.get("stateful") is True:
        return True
    inner = [config.get(key) for key in ("layer", "forward_layer", "backward_layer")]
    configs = [one["config"] for one in inner if isinstance(one, dict) and "config" in one]
    return depth < MOST_WRAPPED and any(
        _stateful(one, depth + 1) for one in configs if isinstance(one, dict)
    )


def _precision(dtype: Any) -> str:
    """Name a layer's precision policy; raises Unfit for quantized ones."""
    if isinstance(dtype, dict):
        inner = dtype.get("config")
        dtype = inner.get("name") if isinstance(inner, dict) else None
    if dtype is None:
        return "float32"
    floats = ("float16", "bfloat16", "float64", "mixed_float16", "mixed_bfloat16", "float32")
    ints = ("int8", "uint8", "int16", "uint16", "int32", "int64")
    if not isinstance(dtype, str) or dtype not in (*floats, *ints):
        raise Unfit("a floating-point precision", got=dtype, field="dtype")
    return dtype


def settle(graph: Graph) -> Graph:
    """Write configs that depend on ranks in their canonical way; raises ConversionError."""
    settled: dict[str, Layer] = {layer.name: layer for layer in graph.layers}
    shapes: dict[TensorRef, tuple[int | None, ...]] = {}
    for layer, index in ordered_calls(graph):
        kind = TABLE[layer.class_name]
        refs = layer.calls[index].inputs
        if any(ref not in shapes for ref in refs) or len(refs) < kind.fewest_inputs:
            break  # `steps` says what is wrong, in its own words
        inputs = [shapes[ref] for ref in refs]
        current = settled[layer.name]
        try:
            current = replace(current, config=kind.settle(current.config, inputs))
            settled[layer.name] = current
            shapes[TensorRef(layer.name, index)] = kind.output_shape(current.config, inputs)
        except Unfit as error:
            raise unfit(layer, error, "model.unsupported_option") from error
    return replace(graph, layers=tuple(settled[layer.name] for layer in graph.layers))


def check_graph(
    graph: Graph, limits: Limits = DEFAULT_LIMITS, code: str = "model.unsupported_option"
) -> None:
    """Insist that Potluck can train this graph; raises ConversionError."""
    for layer in graph.layers:
        if not layer.calls:
            raise ConversionError(
                "model.unsupported_option",
                f'Layer "{layer.name}" ({layer.class_name}) is never called.',
                expected="each layer called at least once",
                hint="Save the model again.",
                where=layer.name,
            )
    if not graph.inputs or not graph.outputs:
        raise ConversionError("model.broken_graph", "The model has no input or no output.")
    for ref in graph.inputs:
        if graph.layer(ref.layer).class_name != "InputLayer":
            raise ConversionError(
                "model.broken_graph", "An input is not an InputLayer.", where=ref.layer
            )
    steps(graph, code)
    check_size(graph, limits.parameters, code)
