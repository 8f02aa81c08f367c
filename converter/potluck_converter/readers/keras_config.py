"""Architecture JSON of Keras 2, Keras 3 and TF.js, to layers with references."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from potluck_converter.assemble import (
    CONTAINERS,
    OWN,
    RawLayer,
    assemble,
    check_layer,
    known_class,
)
from potluck_converter.errors import ConversionError
from potluck_converter.graph import Graph, Kind, TensorRef
from potluck_converter.layers import TABLE
from potluck_converter.limits import DEFAULT_LIMITS, Limits
from potluck_converter.readers.blocks import UNMASK, Block, Entry, Flattener, Origin
from potluck_converter.readers.masks import OPERATIONS, Stated, passed
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
    if found.get("class_name") in ("GRU", "GRUCell") and isinstance(found.get("config"), dict):
        found["config"].setdefault("reset_after", False)
    return found


def _model(entry: Mapping[str, Any], limits: Limits, depth: int) -> Block:
    class_name, config = entry.get("class_name"), entry.get("config")
    if class_name == "Sequential" and isinstance(config, list):
        config = {"name": "sequential", "layers": config}  # as Keras 2.1 and TF.js wrote it
    if not isinstance(class_name, str) or class_name not in CONTAINERS:
        raise ConversionError(
            "model.unsupported_layer",
            f"The model is of class {class_name}, not Sequential or Functional.",
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


def broken(message: str, *, got: str = "", where: str = "model_config") -> ConversionError:
    """Say that the architecture does not hold together."""
    return ConversionError(
        "model.bad_config",
        message,
        expected="an architecture as Keras or TF.js writes it",
        got=got,
        hint="Save the model again.",
        where=where,
    )


def _parts(entry: Any) -> tuple[str, str, dict[str, Any]]:
    """Split one layer's entry into name, class and config."""
    config = entry.get("config") if isinstance(entry, dict) else None
    if not isinstance(config, dict) or not isinstance(entry.get("class_name"), str):
        raise broken("A layer is not a class name with a config.", got=repr(entry)[:80])
    class_name = entry["class_name"]
    name = config.get("name", entry.get("name"))
    if not isinstance(name, str):
        if class_name in TABLE:
            raise broken("A layer has no name.", got=class_name)
        known_class("", class_name)
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
        block = _inside(class_name, entry, limits, depth)
        if block is None:
            _known(name, class_name)
        before = (TensorRef(found[-1].name),) if found else ()
        found.append(Entry(name, class_name, layer, (before,), block))
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
    for entry in config["layers"]:
        name, inner_class, layer = _parts(entry)
        nodes = entry.get("inbound_nodes", [])
        if not isinstance(nodes, list) or len(nodes) > 4 * limits.layers:
            raise broken("A layer's connections are not a list.", where=name)
        if _is_operation(inner_class, layer, nodes):
            if inner_class in OPERATIONS:
                operations[name] = (inner_class, layer)
                found.append(_mask_operation(name, inner_class, layer, nodes))
                continue
            # An option that made Keras add the operation is the better thing to name.
            _check_first(found)
            raise _operation(name, inner_class, layer)
        block = _inside(inner_class, entry, limits, depth)
        if block is None:
            _known(name, inner_class)
        beside = Beside()
        calls = tuple(_call(name, inner_class, node, beside) for node in nodes)
        if inner_class == "InputLayer":
            calls = ((),)
        found.append(
            Entry(
                name,
                inner_class,
                {**layer, **beside.options},
                calls,
                block,
                tuple(beside.stated),
                tuple(beside.notes),
            )
        )
    outputs = tuple(_ends(config.get("output_layers"), "output_layers"))
    taken = (r for one in found if not one.operation for node in one.nodes for r in node)
    for ref in (*outputs, *taken):
        if ref.layer in operations:
            raise _operation(ref.layer, *operations[ref.layer])
        if ref.output > 0:
            _check_first(found, ref.layer)
    return Block(
        str(config.get("name", "model")),
        class_name,
        tuple(found),
        tuple(_ends(config.get("input_layers"), "input_layers")),
        outputs,
        config.get("trainable") is not False,
    )


def _check_first(entries: list[Entry], name: str = "") -> None:
    """Refuse a layer's options before what follows from them, such as a second output."""
    for entry in entries:
        if entry.block is None and not entry.operation and name in ("", entry.name):
            check_layer(RawLayer(entry.name, entry.class_name, entry.config, ()))


@dataclass
class Beside:
    """What a layer's calls take beside tensors."""

    options: dict[str, Any] = field(default_factory=dict)
    stated: list[tuple[Stated, ...]] = field(default_factory=list)
    """The masks that each call states."""
    notes: list[str] = field(default_factory=list)


def _mask_operation(name: str, class_name: str, config: Any, nodes: list[Any]) -> Entry:
    """Read a step in working out a mask, of which nothing but a mask may take the result."""
    calls, constants, rank = [], [], 0
    for node in nodes:
        given = [*node.get("args", ()), *node.get("kwargs", {}).values()]
        refs = []
        for value in given:
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, int | float):
                    constants.append(float(item))
                elif item is not None:
                    refs.append(_tensor(item, name, class_name))
                    shape = item["config"].get("shape")
                    rank = rank or (len(shape) if isinstance(shape, list) else 0)
        calls.append(tuple(refs))
    return Entry(
        name,
        class_name,
        config,
        tuple(calls),
        operation=True,
        constants=tuple(constants),
        rank=rank,
    )


def _is_operation(class_name: str, config: Mapping[str, Any], nodes: list[Any]) -> bool:
    """Tell `x * 2` and `keras.ops` nodes from layers, whose class names they share.

    Keras 3 drops their module in `.h5`; what is left to tell them by is that a layer's config
    always says whether it is trainable, an operation's never does.
    """
    keras3 = any(isinstance(node, dict) for node in nodes)
    keras2 = class_name in ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer")
    kind = TABLE.get(class_name)
    if kind is not None and not kind.freezable:
        return False
    return keras2 or (keras3 and "trainable" not in config)


def _operation(name: str, class_name: str, config: Mapping[str, Any]) -> ConversionError:
    what = str(config.get("function", class_name))
    return ConversionError(
        "model.unsupported_layer",
        f'Potluck cannot use "{name}": it is a bare operation ({what[:60]}), not a layer.',
        expected="layers only",
        got=class_name,
        hint="Use layers such as Add, Concatenate, Activation or Softmax in its place.",
        where=name,
    )


def _call(name: str, class_name: str, node: Any, beside: Beside) -> tuple[TensorRef, ...]:
    """Read what one call takes; what it takes beside tensors goes into `beside`."""
    if isinstance(node, dict):
        return _keras3_call(name, class_name, node, beside)
    if isinstance(node, list) and node and isinstance(node[0], str):
        node = [node]  # Keras 2 drops one level where a layer takes one tensor by keyword
    if not isinstance(node, list):
        raise broken("A connection is not in Keras's form.", got=repr(node)[:80], where=name)
    refs = []
    for entry in node:
        if not isinstance(entry, list) or not 3 <= len(entry) <= 4:
            raise broken("A connection is not in Keras's form.", got=repr(entry)[:80], where=name)
        extra = entry[3] if len(entry) == 4 else {}
        if not isinstance(extra, dict):
            raise broken("A connection is not in Keras's form.", got=repr(entry)[:80], where=name)
        refs.append(_ref(entry[:3], name))
        left = dict(extra)
        for key in _tensor_arguments(class_name):
            # Keras 2 keeps a second tensor as [layer, call, output] among the other arguments.
            if isinstance(left.get(key), list):
                refs.append(_ref(left.pop(key), name))
        _check_extra(name, class_name, left, beside, keras3=False)
    beside.stated.append(())
    return tuple(refs)


def _tensor_arguments(class_name: str) -> tuple[str, ...]:
    kind = TABLE.get(class_name.removeprefix(OWN))
    return ("value", "key") if kind is not None and kind.arguments else ()


def _keras3_call(
    name: str, class_name: str, node: Mapping[str, Any], beside: Beside
) -> tuple[TensorRef, ...]:
    args, extra = node.get("args"), node.get("kwargs", {})
    named = _tensor_arguments(class_name)
    if (
        not isinstance(args, list)
        or not isinstance(extra, dict)
        or not 1 <= len(args) <= 1 + len(named)
    ):
        raise ConversionError(
            "model.unsupported_option",
            f'Layer "{name}" ({class_name}) is called with more than its input.',
            expected="one tensor, or one list of tensors",
            got=f"{len(args) if isinstance(args, list) else 0} arguments",
            hint="States and masks cannot be passed as extra inputs.",
            where=name,
        )
    left = dict(extra)
    tensors = list(args) if named else (args[0] if isinstance(args[0], list) else [args[0]])
    for key in named[len(args) - 1 :]:
        if left.get(key) is not None:
            tensors.append(left.pop(key))
    beside.stated.append(_stated(name, class_name, left))
    _check_extra(name, class_name, left, beside, keras3=True)
    return tuple(_tensor(tensor, name, class_name) for tensor in tensors)


def _tensor(tensor: Any, name: str, class_name: str) -> TensorRef:
    history = None
    if isinstance(tensor, dict) and tensor.get("class_name") == "__keras_tensor__":
        inner = tensor.get("config")
        history = inner.get("keras_history") if isinstance(inner, dict) else None
    if history is None:
        raise ConversionError(
            "model.unsupported_option",
            f'Layer "{name}" ({class_name}) takes a constant where a tensor is expected.',
            expected="a layer's output",
            got=repr(tensor)[:80],
            where=name,
        )
    return _ref(history, name)


_PLACES = {"mask": 0, "query_mask": 0, "value_mask": 1, "key_mask": 2}


def _stated(name: str, class_name: str, left: dict[str, Any]) -> tuple[Stated, ...]:
    """Take the masks out of a call's options: Keras 3 records those that it found itself."""
    found = []
    for key in [key for key, value in left.items() if key.endswith("mask") and value is not None]:
        value = left[key]
        if key not in _PLACES and value is not False and value is not True:
            raise passed(name, key)
        if key not in _PLACES:
            continue  # use_causal_mask
        del left[key]
        several = value if isinstance(value, list) else [value]
        for place, one in enumerate(several, _PLACES[key]):
            if one is not None:
                found.append(Stated(key, place, _tensor(one, name, class_name)))
            elif class_name not in CONTAINERS:
                found.append(Stated(key, place, None))
    return tuple(found)


def _check_extra(
    name: str, class_name: str, extra: Mapping[str, Any], beside: Beside, *, keras3: bool
) -> None:
    kind = TABLE.get(class_name.removeprefix(OWN))
    for key, value in extra.items():
        if value is None:
            continue
        if key == "training" and kind is not None and not kind.uses_training:
            continue
        if key == "training" and keras3 and isinstance(value, bool):
            # Keras 3 writes it where nobody asked for it, and `fit` and `predict` say it anew.
            if value and not class_name.startswith("Random"):
                beside.notes.append(
                    f'Layer "{name}" is called with training=True, which is left out: '
                    "it is random while training, and not in predictions, as with Keras's predict."
                )
            continue
        if key == "return_attention_scores" and value is False:
            continue
        at_call = kind is not None and key in kind.call_fields and isinstance(value, bool)
        if at_call and beside.options.setdefault(key, value) is value:
            continue
        raise ConversionError(
            "model.unsupported_option",
            f'Layer "{name}" ({class_name}) is called with {key}, which TF.js would lose.',
            expected=f"a call without {key}",
            got=repr(value)[:80],
            hint=f"Call the layer without {key} and save again.",
            where=f"{name}.{key}",
        )


def _ref(value: Any, where: str) -> TensorRef:
    if (
        isinstance(value, list)
        and len(value) == 3
        and isinstance(value[0], str)
        and all(type(n) is int and n >= 0 for n in value[1:])
    ):
        return TensorRef(*value)
    raise broken("A connection does not name layer, call and output.", got=repr(value), where=where)


def _ends(value: Any, what: str) -> list[TensorRef]:
    """Read inputs or outputs: `[name, 0, 0]`, a list of these, or a dict of these."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list) and len(value) == 3 and isinstance(value[0], str):
        value = [value]
    if not isinstance(value, list) or not value:
        raise broken("The model does not say where tensors enter and leave.", where=what)
    return [_ref(entry, what) for entry in value]
