"""Architecture JSON of Keras 2, Keras 3 and TF.js, to layers with references."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from potluck_converter.assemble import RawLayer, assemble, check_layer, known_class
from potluck_converter.errors import ConversionError
from potluck_converter.graph import Call, Graph, TensorRef
from potluck_converter.layers import TABLE
from potluck_converter.limits import Limits


def read_architecture(model_config: Mapping[str, Any], limits: Limits) -> tuple[Graph, list[str]]:
    """Read `{"class_name", "config"}` of a model; give the graph and warnings."""
    class_name, config = model_config.get("class_name"), model_config.get("config")
    if class_name == "Sequential" and isinstance(config, list):
        config = {"name": "sequential", "layers": config}  # as Keras 2.1 and TF.js wrote it
    if not isinstance(config, dict) or not isinstance(config.get("layers"), list):
        raise broken("The architecture has no list of layers.", got=str(class_name))
    if class_name == "Sequential":
        return _sequential(config, limits)
    if class_name in ("Functional", "Model"):
        return _functional(config, limits)
    raise ConversionError(
        "model.unsupported_layer",
        f"The model is of class {class_name}, not Sequential or Functional.",
        expected="a Sequential or Functional model",
        got=str(class_name),
        hint="Models made by subclassing hold program code; build it with keras.Sequential or "
        "keras.Model(inputs, outputs).",
        where="model_config",
    )


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


def _sequential(config: Mapping[str, Any], limits: Limits) -> tuple[Graph, list[str]]:
    entries = [_parts(entry) for entry in config["layers"]]
    if not entries:
        raise broken("The model has no layers.")
    if entries[0][1] != "InputLayer":
        name, class_name, first = entries[0]
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
        given = {"batch_shape": shape, "dtype": dtype}
        entries.insert(0, (f"{name}_input", "InputLayer", given))
    raws = []
    for index, (name, class_name, layer) in enumerate(entries):
        before = (TensorRef(entries[index - 1][0]),) if index else ()
        raws.append(RawLayer(name, class_name, layer, (Call(before),)))
    return assemble(
        str(config.get("name", "sequential")),
        "sequential",
        raws,
        [TensorRef(raws[0].name)],
        [TensorRef(raws[-1].name)],
        limits,
    )


def _functional(config: Mapping[str, Any], limits: Limits) -> tuple[Graph, list[str]]:
    raws: list[RawLayer] = []
    for entry in config["layers"]:
        name, class_name, layer = _parts(entry)
        nodes = entry.get("inbound_nodes", [])
        if not isinstance(nodes, list):
            raise broken("A layer's connections are not a list.", where=name)
        if _is_operation(class_name, layer, nodes):
            for raw in raws:
                # An option that made Keras add the operation, such as mask_zero, is the better
                # thing to name.
                check_layer(raw)
            raise _operation(name, class_name, layer)
        known_class(name, class_name)
        calls = tuple(_call(name, class_name, node) for node in nodes)
        if class_name == "InputLayer":
            calls = (Call(()),)
        raws.append(RawLayer(name, class_name, layer, calls))
    return assemble(
        str(config.get("name", "model")),
        "functional",
        raws,
        _ends(config.get("input_layers"), "input_layers"),
        _ends(config.get("output_layers"), "output_layers"),
        limits,
    )


def _is_operation(class_name: str, config: Mapping[str, Any], nodes: list[Any]) -> bool:
    """Tell `x * 2` and `keras.ops` nodes from layers, whose class names they share.

    Keras 3 drops their module in `.h5`; what is left to tell them by is that a layer's config
    always says whether it is trainable, an operation's never does.
    """
    keras3 = any(isinstance(node, dict) for node in nodes)
    keras2 = class_name in ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer")
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


def _call(name: str, class_name: str, node: Any) -> Call:
    if isinstance(node, dict):
        return _keras3_call(name, class_name, node)
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
        _check_extra(name, class_name, extra, false_is_default=False)
        refs.append(_ref(entry[:3], name))
    return Call(tuple(refs))


def _keras3_call(name: str, class_name: str, node: Mapping[str, Any]) -> Call:
    args, extra = node.get("args"), node.get("kwargs", {})
    if not isinstance(args, list) or len(args) != 1 or not isinstance(extra, dict):
        raise ConversionError(
            "model.unsupported_option",
            f'Layer "{name}" ({class_name}) is called with more than its input.',
            expected="one tensor, or one list of tensors",
            got=f"{len(args) if isinstance(args, list) else 0} arguments",
            hint="States and masks cannot be passed as extra inputs.",
            where=name,
        )
    # Keras 3 writes training: false even where nobody asked for it.
    _check_extra(name, class_name, extra, false_is_default=True)
    tensors = args[0] if isinstance(args[0], list) else [args[0]]
    refs = []
    for tensor in tensors:
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
        refs.append(_ref(history, name))
    return Call(tuple(refs))


def _check_extra(
    name: str, class_name: str, extra: Mapping[str, Any], *, false_is_default: bool
) -> None:
    for key, value in extra.items():
        if value is None or (key == "training" and value is False and false_is_default):
            continue
        kind = TABLE.get(class_name)
        if key == "training" and kind is not None and not kind.uses_training:
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
