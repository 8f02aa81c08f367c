"""From layers as a file states them to the canonical graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from potluck_converter.errors import ConversionError, Unfit, shorten
from potluck_converter.graph import Call, Graph, Kind, Layer, TensorRef
from potluck_converter.layers import TABLE
from potluck_converter.layers.base import normalise
from potluck_converter.limits import DEFAULT_LIMITS, MAX_NAME, Limits
from potluck_converter.shapes import check_size, ordered_calls, steps, unfit

CONTAINERS = frozenset({"Sequential", "Functional", "Model"})


@dataclass(frozen=True)
class RawLayer:
    """One layer as a file states it, its calls already as references."""

    name: str
    class_name: str
    config: Mapping[str, Any]
    calls: tuple[Call, ...]


def known_class(name: str, class_name: str) -> str:
    """Look a class up in the table; raises `model.unsupported_layer`."""
    if class_name in TABLE:
        return class_name
    if class_name in CONTAINERS:
        reason, hint = "models inside models are not read yet", "Build it as one flat model."
    elif class_name == "Lambda":
        reason = "a Lambda layer is program code, which Potluck never runs from an upload"
        hint = "Replace it with a built-in layer."
    else:
        reason = "it is custom, or not among the layers that Potluck knows"
        hint = "Known layers: " + ", ".join(sorted(TABLE)) + "."
    shown = shorten(class_name, 80)
    raise ConversionError(
        "model.unsupported_layer",
        f'Potluck cannot use layer "{shorten(name, 80)}" of class {shown}: {reason}.',
        expected="layers that Potluck knows",
        got=shown,
        hint=hint,
        where=name,
    )


def clean_names(names: Sequence[str]) -> dict[str, str]:
    """Rename layers whose names hold a slash, which separates a layer from its weights."""
    renamed: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        if not name or len(name) > MAX_NAME or not name.isprintable():
            raise ConversionError(
                "model.bad_config",
                "A layer's name is empty, too long or not printable.",
                expected=f"1 to {MAX_NAME} printable characters",
                got=name,
                where=name,
            )
        renamed[name] = name.replace("/", "_")
        if renamed[name] in taken:
            raise ConversionError(
                "model.bad_config",
                "Two layers have the same name.",
                expected="a name of its own for each layer",
                got=name,
                where=name,
            )
        taken.add(renamed[name])
    return renamed


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
    renamed = clean_names([raw.name for raw in raws])
    warnings = [f'Layer "{a}" is now called "{b}".' for a, b in renamed.items() if a != b]

    def moved(ref: TensorRef) -> TensorRef:
        if ref.layer not in renamed:
            raise ConversionError(
                "model.broken_graph",
                "A connection names a layer that the model does not have.",
                got=ref.layer,
                where=ref.layer,
            )
        return ref._replace(layer=renamed[ref.layer])

    layers = []
    for raw in raws:
        layer, said = check_layer(raw, renamed[raw.name])
        calls = tuple(Call(tuple(moved(ref) for ref in call.inputs)) for call in raw.calls)
        layers.append(replace(layer, calls=calls))
        warnings += said
    graph = Graph(
        shorten(name, MAX_NAME) or "model",
        kind,
        tuple(layers),
        tuple(moved(ref) for ref in inputs),
        tuple(moved(ref) for ref in outputs),
    )
    graph = settle(graph)
    check_graph(graph, limits)
    return graph, warnings


def check_layer(raw: RawLayer, name: str = "") -> tuple[Layer, list[str]]:
    """Bring one layer to its canonical form, without calls; give it with warnings."""
    name = name or raw.name
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
    if class_name == "InputLayer":
        shape = raw.config.get("batch_shape") or raw.config.get("batch_input_shape")
        if shape and shape[0] is not None:
            said.append(f'The fixed batch size of input "{name}" is left out.')
    return replace(layer, config=config, trainable=trainable), said


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
        reason = "" if layer.trainable else TABLE[layer.class_name].refuse_frozen()
        if reason:
            error = Unfit(
                "a trainable layer",
                got="trainable=False",
                field="trainable",
                reason=reason,
                hint="Set the layer's trainable to True and save again.",
            )
            raise unfit(layer, error, "model.unsupported_option")
        if len(layer.calls) != 1:
            problem = "is shared (called more than once)" if layer.calls else "is never called"
            raise ConversionError(
                "model.unsupported_option",
                f'Layer "{layer.name}" ({layer.class_name}) {problem}; that is not read yet.',
                expected="each layer called once",
                got=f"{len(layer.calls)} calls",
                hint="Give each place a layer of its own.",
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
