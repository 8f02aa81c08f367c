"""Which units can train together as one batched graph: those that differ in numbers only."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import rfc8785

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | float | int | bool | None"

MAY_DIFFER = {"rate", "l1", "l2"}
"""Numbers of a topology that each unit of a stack has for itself: dropout, penalties."""

LAYERS = {
    "Activation",
    "AveragePooling1D",
    "AveragePooling2D",
    "BatchNormalization",
    "Conv1D",
    "Conv2D",
    "Dense",
    "Dropout",
    "ELU",
    "Flatten",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "InputLayer",
    "LeakyReLU",
    "MaxPooling1D",
    "MaxPooling2D",
    "ReLU",
    "Rescaling",
    "Reshape",
    "Softmax",
}
"""Layers that donors' engines stack (`client_web/src/engine/stacked/plan.ts` has the same).

Units of others would only be held back by one another.
"""


def _without_numbers(value: Json) -> Json:
    """Blank what units of one stack may differ in."""
    if isinstance(value, Mapping):
        return {
            key: None
            if key in MAY_DIFFER and isinstance(inner, int | float)
            else _without_numbers(inner)
            for key, inner in value.items()
        }
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_without_numbers(inner) for inner in value]
    return value


def _kind(value: Json) -> Json:
    """Keep what decides how an optimizer computes: its flags, and which numbers it has at all."""
    if isinstance(value, Mapping):
        return {key: _kind(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_kind(inner) for inner in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "0" if value == 0 else "number"
    return value


def _listed(topology: Json) -> Sequence[Json]:
    config = topology.get("config") if isinstance(topology, Mapping) else None
    found = config.get("layers") if isinstance(config, Mapping) else None
    return found if isinstance(found, Sequence) and not isinstance(found, str) else []


def skeleton(topology: Json) -> Json:
    """Give a TF.js topology without its free numbers; None where a stack cannot train it."""
    layers = _listed(topology)
    names = [layer.get("class_name") for layer in layers if isinstance(layer, Mapping)]
    if not names or not set(names) <= LAYERS:
        return None
    return _without_numbers(topology)


def stack_value(
    bones: Json, training: Mapping[str, Json], batches: Mapping[str, Json]
) -> str | None:
    """Name the stack that a unit belongs to; None: it trains alone.

    `bones` is the topology's skeleton, `training` the optimizer, the loss and its options,
    `batches` everything else that must be equal: tensors, rows, batch size, epochs.
    """
    if bones is None:
        return None
    same = {**training, "optimizer": _kind(training.get("optimizer"))}
    hashed = rfc8785.dumps({"topology": bones, "training": same, "batches": dict(batches)})
    return hashlib.sha256(hashed).hexdigest()[:32]


def stack_from(stack: str | None, step: int, first: int) -> str | None:
    """Name the stack of a unit that goes on from a step: only those at one step train together."""
    return stack if stack is None or step == first else f"{stack}@{step}"
