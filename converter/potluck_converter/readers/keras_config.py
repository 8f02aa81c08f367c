"""Architecture JSON of Keras 2, Keras 3 and TF.js, to layers with references."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from potluck_converter.assemble import RawLayer, assemble, check_layer, known_class
from potluck_converter.errors import ConversionError
from potluck_converter.graph import Graph, Kind, TensorRef
from potluck_converter.layers import TABLE
from potluck_converter.layers.base import unknown_options
from potluck_converter.limits import DEFAULT_LIMITS, Limits
from potluck_converter.origin import is_custom
from potluck_converter.readers.arithmetic import arithmetic, check_made
from potluck_converter.readers.blocks import UNMASK, Block, Entry, Flattener, Origin
from potluck_converter.readers.calls import Beside, broken, call, ends
from potluck_converter.readers.channels import Pick, pick, stack
from potluck_converter.readers.layer_scale import LAYER_SCALE, NOTE, replaced
from potluck_converter.readers.masks import OPERATIONS
from potluck_converter.readers.operations import is_operation, mask_operation, refused
from potluck_converter.readers.scaled_sum import is_scaled_sum, scaled_sum
from potluck_converter.refused_classes import CONTAINERS, custom_class
from potluck_converter.writers.order import in_keras_order


@dataclass(frozen=True)
class Architecture:
    """A graph, what was changed on the way to it, and where its weights lie in the file."""

    graph: Graph
    warnings: list[str]
    origin: Origin


def read_architecture(
    model_config: Mapping[str, Any], limits: Limits, *, keras3: bool
) -> Architecture:
    """Read `{"class_name", "config"}` of a model; raises ConversionError."""
    if not keras3:
        model_config = _modern(model_config)
    block = _model(model_config, limits, depth=0)
    flat = Flattener(limits)
    raws, inputs, outputs, origin = flat.flatten(block)
    plain = block.class_name == "Sequential" and all(e.block is None for e in block.entries)
    graph, said = assemble(
        block.name, "sequential" if plain else "functional", raws, inputs, outputs, limits
    )
    flat.masks.check(graph)
    check_made(graph, flat.made)
    if any(entry.block is not None for entry in block.entries):
        graph = in_keras_order(graph)  # what was laid flat came in an order of ours
    return Architecture(graph, [*flat.warnings, *said], origin)


def read_inner(model_config: Mapping[str, Any], limits: Limits = DEFAULT_LIMITS) -> Graph:
    """Read a model that stands in a layer's place, of layers alone; raises ConversionError."""
    block = _model(model_config, limits, depth=1)
    nested = next((entry.name for entry in block.entries if entry.block is not None), None)
    if nested is not None:
        raise ConversionError(
            "model.unsupported_option",
            f'The model "{block.name}" inside a layer holds another model, "{nested}".',
            expected="a model of layers alone",
            got=nested,
            hint="Build the model inside from the layers themselves.",
            where=nested,
        )
    flat = Flattener(limits)
    raws, inputs, outputs, _ = flat.flatten(block)
    kind: Kind = "sequential" if block.class_name == "Sequential" else "functional"
    graph = assemble(block.name, kind, raws, inputs, outputs, limits)[0]
    flat.masks.check(graph)
    check_made(graph, flat.made)
    return in_keras_order(graph)


def _modern(value: Any) -> Any:
    """Say in Keras 3's words what Keras 2 and TF.js mean by the same ones."""
    if isinstance(value, list):
        return [_modern(item) for item in value]
    if not isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for key, item in value.items():
        if key.endswith("activation") and item in ("hard_sigmoid", "hardSigmoid"):
            found[key] = "hard_sigmoid_keras2"
        else:
            found[key] = _modern(item)
    config = found.get("config")
    if isinstance(config, dict) and found.get("class_name") in ("GRU", "GRUCell"):
        found["config"] = {**config, "reset_after": config.get("reset_after") or False}
    return found


def _model(entry: Mapping[str, Any], limits: Limits, depth: int) -> Block:
    class_name, config = entry.get("class_name"), entry.get("config")
    if class_name == "Sequential" and isinstance(config, list):
        config = {"name": "sequential", "layers": config}  # as Keras 2.1 and TF.js wrote it
    if not isinstance(class_name, str) or class_name not in CONTAINERS or is_custom(entry):
        raise ConversionError(
            "model.unsupported_layer",
            f"The model is of class {class_name}, not Keras's own Sequential or Functional.",
            expected="a Sequential or Functional model",
            got=str(class_name),
            hint="Models made by subclassing hold program code; build it with keras.Sequential "
            "or keras.Model(inputs, outputs).",
            where="model_config",
        )
    if not isinstance(config, dict) or not isinstance(config.get("layers"), list):
        raise broken("The architecture has no list of layers.", got=str(class_name))
    if len(config["layers"]) > limits.layers or depth > 16:
        raise ConversionError(
            "model.too_large",
            "The model has too many layers, or models in models in models.",
            expected=f"at most {limits.layers} layers",
            got=str(len(config["layers"])),
        )
    if class_name == "Sequential":
        return _sequential(config, limits, depth)
    return _functional(str(class_name), config, limits, depth)


def _parts(entry: Any) -> tuple[str, str, dict[str, Any]]:
    """Split one layer's entry into name, class and config."""
    config = entry.get("config") if isinstance(entry, dict) else None
    if not isinstance(config, dict) or not isinstance(entry.get("class_name"), str):
        raise broken("A layer is not a class name with a config.", got=repr(entry)[:80])
    class_name = entry["class_name"]
    name = config.get("name", entry.get("name"))
    if is_custom(entry):
        raise custom_class(str(name or class_name), str(entry.get("registered_name") or class_name))
    if not isinstance(name, str):
        known = known_class("", class_name)
        if unknown_options(TABLE[known], config):
            # Keras names its own, and not those whose config it makes up from their arguments.
            raise custom_class(class_name, class_name)
        raise broken("A layer has no name.", got=class_name)
    return str(name), class_name, config


def _known(name: str, class_name: str) -> None:
    if class_name != UNMASK:
        known_class(name, class_name)


def _inside(class_name: str, entry: Mapping[str, Any], limits: Limits, depth: int) -> Block | None:
    """Read a layer that is a model; give None for any other."""
    return _model(entry, limits, depth + 1) if class_name in CONTAINERS else None


def _sequential(config: Mapping[str, Any], limits: Limits, depth: int) -> Block:
    found: list[Entry] = []
    listed = config["layers"]
    if not listed:
        raise broken("The model has no layers.")
    name, class_name, first = _parts(listed[0])
    block = _inside(class_name, listed[0], limits, depth)
    if class_name != "InputLayer":
        given = _first_input(name, class_name, first, config, block)
        found.append(Entry(f"{name}_input", "InputLayer", given, ((),)))
    for entry in listed:
        name, class_name, layer = _parts(entry)
        scale = replaced(entry, layer)
        if scale is not None:
            class_name, layer = "DepthwiseConv2D", scale
        block = _inside(class_name, entry, limits, depth)
        if block is None:
            _known(name, class_name)
        before = (TensorRef(found[-1].name),) if found else ()
        filed = LAYER_SCALE if scale is not None else ""
        said = _said(name, scale)
        found.append(Entry(name, class_name, layer, (before,), block, notes=said, filed=filed))
    return Block(
        str(config.get("name", "sequential")),
        "Sequential",
        tuple(found),
        (TensorRef(found[0].name),),
        (TensorRef(found[-1].name),),
        config.get("trainable") is not False,
    )


def _first_input(
    name: str,
    class_name: str,
    first: Mapping[str, Any],
    config: Mapping[str, Any],
    block: Block | None,
) -> dict[str, Any]:
    """Give the config of the InputLayer that a Sequential leaves out."""
    if block is not None:
        for entry in block.entries:
            if entry.name == block.inputs[0].layer and entry.class_name == "InputLayer":
                return {"batch_shape": None, "batch_input_shape": None, **entry.config}
    else:
        known_class(name, class_name)
    shape = first.get("batch_input_shape") or config.get("build_input_shape")
    if shape is None:
        raise ConversionError(
            "model.no_input_shape",
            "The model does not say what shape its input has.",
            expected="an input shape",
            got=f'first layer "{name}" ({class_name}) without one',
            hint="Add keras.Input(shape=...) as the first layer and save again.",
            where=name,
        )
    dtype = first.get("dtype") if isinstance(first.get("dtype"), str) else "float32"
    if class_name == "Embedding":
        dtype = "int32"
    return {"batch_shape": shape, "dtype": dtype}


def _functional(class_name: str, config: Mapping[str, Any], limits: Limits, depth: int) -> Block:
    found: list[Entry] = []
    operations: dict[str, Any] = {}
    picks: dict[str, Pick] = {}
    for entry in config["layers"]:
        name, inner_class, layer = _parts(entry)
        scale = replaced(entry, layer)
        if scale is not None:
            inner_class, layer = "DepthwiseConv2D", scale
        nodes = entry.get("inbound_nodes", [])
        if not isinstance(nodes, list) or len(nodes) > 4 * limits.layers:
            raise broken("A layer's connections are not a list.", where=name)
        if is_operation(inner_class, layer, nodes):
            computed = arithmetic(name, inner_class, layer, nodes)
            if computed is not None:
                found.extend(computed)
                continue
            picked = pick(name, inner_class, layer, nodes)
            if isinstance(picked, Pick):
                picks[name] = picked
                operations[name] = (inner_class, layer, nodes)
                continue
            computed = picked or stack(name, inner_class, layer, nodes, picks)
            if computed is not None:
                found.extend(computed)
                continue
            if inner_class in OPERATIONS:
                operations[name] = (inner_class, layer, nodes)
                found.append(mask_operation(name, inner_class, layer, nodes))
                continue
            # An option that made Keras add the operation is the better thing to name.
            _check_first(found)
            raise refused(name, inner_class, layer, nodes)
        block = _inside(inner_class, entry, limits, depth)
        summed = is_scaled_sum(entry, layer)
        if block is None and not summed:
            _known(name, inner_class)
        beside = Beside()
        calls = tuple(call(name, inner_class, node, beside) for node in nodes)
        if inner_class == "InputLayer":
            calls = ((),)
        if summed:
            found.extend(scaled_sum(name, layer, calls))
            continue
        found.append(
            Entry(
                name,
                inner_class,
                {**layer, **beside.options},
                calls,
                block,
                tuple(beside.stated),
                (*beside.notes, *_said(name, scale)),
                quiet=_quiet(name, inner_class, beside),
                filed=LAYER_SCALE if scale is not None else "",
            )
        )
    outputs = tuple(ends(config.get("output_layers"), "output_layers"))
    taken = (r for one in found if not one.operation for node in one.nodes for r in node)
    for ref in (*outputs, *taken):
        if ref.layer in operations:
            raise refused(ref.layer, *operations[ref.layer])
        if ref.output > 0:
            _check_first(found, ref.layer)
    return Block(
        str(config.get("name", "model")),
        class_name,
        tuple(found),
        tuple(ends(config.get("input_layers"), "input_layers")),
        outputs,
        config.get("trainable") is not False,
    )


def _said(name: str, scale: Any) -> tuple[str, ...]:
    return (f'Layer "{name}" {NOTE}',) if scale is not None else ()


def _quiet(name: str, class_name: str, beside: Beside) -> bool:
    """Say whether a layer is called with training=False; raises where only some calls are."""
    kind = TABLE.get(class_name)
    if len(set(beside.quiet)) > 1 and (kind is None or kind.uses_training):
        raise ConversionError(
            "model.unsupported_option",
            f'Layer "{name}" ({class_name}) is called with training=False at some places only.',
            expected="training=False at each of its calls, or at none",
            got=f"{sum(beside.quiet)} of {len(beside.quiet)} calls",
            hint="Call it the same way everywhere and save again.",
            where=f"{name}.training",
        )
    return any(beside.quiet)


def _check_first(entries: list[Entry], name: str = "") -> None:
    """Refuse a layer's options before what follows from them, such as a second output."""
    for entry in entries:
        if entry.block is None and not entry.operation and name in ("", entry.name):
            check_layer(RawLayer(entry.name, entry.class_name, entry.config, ()))
