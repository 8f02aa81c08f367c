"""Cheap checks of uploaded states, before anybody goes on from them or scores them."""

from __future__ import annotations

import asyncio
import json
from functools import lru_cache

from potluck_converter import graph_from_json, trainable_weights, weight_shapes
from potluck_coordinator.core.errors import BadResult
from potluck_coordinator.core.records import Trial, Unit
from potluck_coordinator.core.units import steps_per_epoch
from potluck_coordinator.scoring import check_weights
from potluck_coordinator.services.site import Site


async def check_state(
    site: Site,
    trial: Trial,
    unit: Unit,
    artifact: str,
    step: int,
    *,
    largest: float | None = None,
) -> None:
    """Check a state's names, shapes, types, numbers and step. Raises BadResult `result.*`.

    `largest`: no number may be larger than this, where it is given.
    """
    data = await site.artifacts.get(artifact)
    graph = await site.artifacts.get(trial.graph)
    averaged = _trainable(graph) if unit.training["optimizer"].get("use_ema") else frozenset()
    await asyncio.to_thread(
        check_weights,
        data,
        _shapes(graph),
        unit.upload_bytes,
        step=step,
        epoch=step // steps_per_epoch(unit.rows, unit.batch_size),
        averaged=averaged,
        largest=largest,
    )


@lru_cache(maxsize=64)
def _shapes(graph: bytes) -> dict[str, tuple[int, ...]]:
    return dict(weight_shapes(graph_from_json(json.loads(graph))))


@lru_cache(maxsize=64)
def _trainable(graph: bytes) -> frozenset[str]:
    return frozenset(trainable_weights(graph_from_json(json.loads(graph))))


def not_uploaded(artifact: str) -> BadResult:
    """Refuse a name without bytes."""
    return BadResult(
        "result.not_uploaded",
        "The message names bytes that this lease did not upload.",
        expected="an artifact uploaded with this lease's token",
        got=artifact,
    )
