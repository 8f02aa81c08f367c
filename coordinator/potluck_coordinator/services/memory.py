"""What a unit takes of a donor's memory: told before it is offered, never found out by a crash."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from potluck_converter import TrainingMemory, graph_from_json, training_memory, with_overrides
from potluck_coordinator.core.records import Unit
from potluck_coordinator.core.turns import WORKER_LEAST
from potluck_coordinator.scoring.predictor import BATCH, PREDICTED_AT_ONCE
from potluck_coordinator.services.training import batch_size, optimizer_name, overrides

SLOTS = {
    "sgd": 1,
    "lion": 1,
    "adagrad": 1,
    "adadelta": 2,
    "adam": 3,
    "adamw": 3,
    "adamax": 2,
    "nadam": 2,
    "ftrl": 2,
    "rmsprop": 3,
}
"""States that an optimizer may keep of each weight, with every option that adds one."""
MOST_SLOTS = 3
BYTES_PER_NUMBER = 4
TIMES_ENCODED = 4
"""Rows in float64 and as they are handed over, and a copy of either."""
TIMES_WEIGHTS = 3
"""A state as it lies in the store, its weights, and the network's own."""
BYTES_PER_OUTPUT = 32
"""A network's output, decoded, and what metrics make of it."""


def encoded_bytes(plan: Mapping[str, Any], rows: int) -> int:
    """Estimate what encoding so many rows takes."""
    width: int = prod(plan["input_shape"]) + 1
    return TIMES_ENCODED * BYTES_PER_NUMBER * width * rows


def stored_bytes(plan: Mapping[str, Any], rows: int) -> int:
    """Estimate what so many encoded rows take in the artifact store."""
    width: int = prod(plan["input_shape"]) + 1
    return BYTES_PER_NUMBER * width * rows


def scoring_memory(unit: Unit, weights: int, held: int, outputs: int) -> int:
    """Estimate what a worker takes to score a unit.

    Args:
        unit: Its memory is that of a batch in training; a pass forward takes less.
        weights: Bytes of its result.
        held: Bytes of the rows that score it.
        outputs: Numbers that the network gives for them.
    """
    sample = unit.memory_bytes // max(1, unit.batch_size)
    batch = sample + min(PREDICTED_AT_ONCE, BATCH * sample)
    return WORKER_LEAST + TIMES_WEIGHTS * weights + 2 * held + batch + BYTES_PER_OUTPUT * outputs


def replay_memory(unit: Unit, states: int) -> int:
    """Estimate what training a unit again takes; `states`: bytes of the two ends together."""
    return WORKER_LEAST + 2 * unit.memory_bytes + TIMES_WEIGHTS * states


def unit_memory(memory: TrainingMemory, parameters: Mapping[str, Any], rows_bytes: int) -> int:
    """Estimate bytes. `rows_bytes`: the tensors, held twice: as they came and on the device."""
    slots = SLOTS.get(optimizer_name(parameters), MOST_SLOTS)
    if parameters.get("use_ema") is True:
        slots += 1
    return memory.of(batch_size(parameters), slots) + 2 * rows_bytes


def largest_memory(graph: bytes, points: Sequence[Mapping[str, Any]], rows_bytes: int) -> int:
    """Estimate what the most demanding of these points takes, for a worker process."""
    base = graph_from_json(json.loads(graph))
    return max(
        unit_memory(training_memory(with_overrides(base, overrides(p))), p, rows_bytes)
        for p in points
    )


def too_large_for_all(needed: int, roomiest: int) -> list[str]:
    """Say that no connected donor can take a unit; nothing where one can."""
    if needed <= roomiest:
        return []
    return [
        f"A unit of this study takes about {in_words(needed)} of memory; the donors now connected "
        f"allow {in_words(roomiest)} at most. It waits for a donor that allows more; smaller "
        "batches or layers need less."
    ]


def in_words(size: int) -> str:
    """Write a size as people say it."""
    for unit, name in ((10**9, "GB"), (10**6, "MB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{max(1, size // 1000)} kB"
