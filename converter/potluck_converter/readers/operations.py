"""Bare operations among a model's layers: told from layers, refused, or read as parts of a mask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from potluck_converter.errors import ConversionError
from potluck_converter.layers import TABLE
from potluck_converter.readers.blocks import Entry
from potluck_converter.readers.calls import tensor
from potluck_converter.readers.instead import instead
from potluck_converter.refused_classes import PREPARING


def is_operation(class_name: str, config: Mapping[str, Any], nodes: list[Any]) -> bool:
    """Tell `x * 2` and `keras.ops` nodes from layers, whose class names they share.

    Keras 3 drops their module in `.h5`; what is left to tell them by is that a layer's config
    always says whether it is trainable, an operation's never does.
    """
    keras3 = any(isinstance(node, dict) for node in nodes)
    keras2 = class_name in ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer")
    if class_name in PREPARING:
        return False
    kind = TABLE.get(class_name)
    if kind is not None and not kind.freezable:
        return False
    return keras2 or (keras3 and "trainable" not in config)


def refused(
    name: str, class_name: str, config: Mapping[str, Any], nodes: Any = ()
) -> ConversionError:
    """Say that an operation is not read, and which layer does the same."""
    what = str(config.get("function", class_name))
    return ConversionError(
        "model.unsupported_layer",
        f'Potluck cannot use "{name}": it is a bare operation ({what[:60]}), not a layer.',
        expected="layers only",
        got=class_name,
        hint=instead(class_name, config, nodes),
        where=name,
    )


def mask_operation(name: str, class_name: str, config: Any, nodes: list[Any]) -> Entry:
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
                    refs.append(tensor(item, name, class_name))
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
