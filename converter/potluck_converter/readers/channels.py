"""Channels of images in another order (`x[..., ::-1]`, RGB to BGR), read as layers that do it.

No layer of Keras reorders an axis. A Permute brings the channels to the front, Cropping2D takes
each, Concatenate joins them again: exact, and without weights that the file does not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from potluck_converter.graph import TensorRef
from potluck_converter.readers.blocks import Entry
from potluck_converter.readers.calls import reference, tensor

MOST_CHANNELS = 16
_KERAS2_CHANNELS = 3
"""Keras 2 does not write shapes beside a slice: three are assumed, and held against the graph."""


@dataclass(frozen=True)
class Pick:
    """One channel of images, `x[..., 2]`, whose axis is gone."""

    source: TensorRef
    channel: int
    channels: int


def pick(name: str, class_name: str, config: Mapping[str, Any], nodes: list[Any]) -> Any:
    """Read a slice: entries where channels are taken as a range, a Pick of one, else None."""
    if len(nodes) != 1 or not _is_slice(class_name, config):
        return None
    read = _slice(name, class_name, nodes[0])
    if read is None:
        return None
    source, channels, spec = read
    if not isinstance(spec, list) or not spec or not 1 <= channels <= MOST_CHANNELS:
        return None
    *before, last = spec
    plain = [one == slice(None) or one is Ellipsis for one in before]
    if not all(plain) or (before.count(Ellipsis) != 1 and len(spec) != 4):
        return None
    if isinstance(last, int) and -channels <= last < channels:
        return Pick(source, last % channels, channels)
    if not isinstance(last, slice) or last.step == 0:
        return None
    order = range(channels)[last]
    return in_order(name, source, list(order), channels) if order else None


def stack(
    name: str,
    class_name: str,
    config: Mapping[str, Any],
    nodes: list[Any],
    picks: Mapping[str, Pick],
) -> list[Entry] | None:
    """Read channels that were picked one by one and stacked; None where it is anything else."""
    if class_name == "TFOpLambda" and config.get("function") in ("stack", "tf.stack"):
        return None  # Keras 2 itself reverses channels with one slice
    if class_name != "Stack" or len(nodes) != 1 or config.get("axis") not in (-1, 3):
        return None
    args = nodes[0].get("args") if isinstance(nodes[0], dict) else None
    if not isinstance(args, list) or len(args) != 1 or not isinstance(args[0], list):
        return None
    found = [picks.get(tensor(one, name, class_name).layer) for one in args[0]]
    parts = [one for one in found if one is not None]
    if not parts or len(parts) != len(found) or len({one.source for one in parts}) != 1:
        return None
    order = [one.channel for one in parts]
    return in_order(name, parts[0].source, order, parts[0].channels)


def in_order(name: str, source: TensorRef, order: list[int], channels: int) -> list[Entry] | None:
    """Give the layers that put channels of images in an order."""
    if len(order) > MOST_CHANNELS:
        return None

    def made(part: str, class_name: str, config: dict[str, Any], *taken: TensorRef) -> Entry:
        own = f"{name}_{part}" if part else name
        count = channels if part == "front" else 0
        return Entry(own, class_name, {**config, "name": own}, (taken,), made=True, channels=count)

    front = made("front", "Permute", {"dims": [3, 1, 2]}, source)
    crops = [
        made(
            f"channel_{at}",
            "Cropping2D",
            {"cropping": [[channel, channels - 1 - channel], [0, 0]]},
            TensorRef(front.name),
        )
        for at, channel in enumerate(order)
    ]
    last = [TensorRef(crop.name) for crop in crops]
    joined = [made("joined", "Concatenate", {"axis": 1}, *last)] if len(last) > 1 else []
    back = made("", "Permute", {"dims": [2, 3, 1]}, TensorRef((joined or crops)[-1].name))
    return [front, *crops, *joined, back]


def _is_slice(class_name: str, config: Mapping[str, Any]) -> bool:
    return class_name == "GetItem" or (
        class_name == "SlicingOpLambda" and config.get("function") == "__operators__.getitem"
    )


def _slice(name: str, class_name: str, node: Any) -> tuple[TensorRef, int, Any] | None:
    """Read the tensor, its channels, and what is taken of it."""
    if isinstance(node, dict):
        args, extra = node.get("args"), node.get("kwargs")
        if not isinstance(args, list) or not isinstance(extra, dict) or not args:
            return None
        spec = args[1] if len(args) == 2 else extra.get("key")
        source = tensor(args[0], name, class_name)
        shape = args[0]["config"].get("shape")
        if not isinstance(shape, list) or len(shape) != 4 or type(shape[-1]) is not int:
            return None
        return source, shape[-1], _spec(spec)
    if isinstance(node, list) and len(node) == 1:
        [node] = node
    if not isinstance(node, list) or len(node) != 4 or not isinstance(node[3], dict):
        return None
    if any(value is not None for key, value in node[3].items() if key != "slice_spec"):
        return None
    return reference(node[:3], name), _KERAS2_CHANNELS, _spec(node[3].get("slice_spec"))


def _spec(value: Any) -> Any:
    """Read a slice as Keras 2 and Keras 3 write it; give None for what is anything else."""
    if isinstance(value, list):
        return [_spec(one) for one in value]
    if type(value) is int:
        return value
    if not isinstance(value, dict):
        return None
    if value.get("class_name") == "__ellipsis__":
        return Ellipsis
    inner = value.get("config") if value.get("class_name") == "__slice__" else value
    if not isinstance(inner, dict) or not {"start", "stop", "step"} <= inner.keys():
        return None
    bounds = [inner[key] for key in ("start", "stop", "step")]
    if any(one is not None and type(one) is not int for one in bounds):
        return None
    return slice(*bounds)
