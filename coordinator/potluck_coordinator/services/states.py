"""Cheap checks of uploaded states, before anybody goes on from them or scores them.

A state is read from the store piece by piece and never held, a few of them at a time: donors name
states as they like, and as large as their units allow. These reads do not wait for the jobs of the
one budget, which take minutes, but for each other alone; networks take turns.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from potluck_converter import graph_from_json, trainable_weights, weight_shapes
from potluck_coordinator.core.errors import BadResult
from potluck_coordinator.core.records import Trial, Unit
from potluck_coordinator.core.turns import Kind
from potluck_coordinator.core.units import steps_per_epoch
from potluck_coordinator.scoring import check_memory, check_weights, least_numbers
from potluck_coordinator.services.courses import slots_of
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage.artifacts import Kept

Shapes = dict[str, tuple[int, ...]]
VARIANCES = ("moving_variance", "variance")
"""Of BatchNormalization and Normalization: their square roots are taken, so that a network with one
below zero predicts nothing that is a number."""


async def check_state(
    site: Site,
    trial: Trial,
    unit: Unit,
    artifact: str,
    step: int,
    *,
    turn: str,
    largest: float | None = None,
) -> None:
    """Check a state's names, shapes, types, numbers and step.

    Args:
        site: The coordinator.
        trial: Whose graph says what the state holds.
        unit: Which it is of.
        artifact: The state.
        step: Its step, as the donor tells it.
        turn: Whose turns among others this takes: a donor's network, or the donor.
        largest: No number may be larger, where it is given.

    Raises:
        BadResult: `result.*`.
        NotFound: `artifact.not_found`.
    """
    graph = site.artifacts.kept(trial.graph)
    shapes = await asyncio.to_thread(_shapes, graph)
    with_averages = unit.training["optimizer"].get("use_ema")
    averaged = await asyncio.to_thread(_trainable, graph) if with_averages else frozenset()
    variances = await asyncio.to_thread(_variances, graph)
    slots = slots_of(unit)
    epoch = step // steps_per_epoch(unit.rows, unit.batch_size)

    def check() -> None:
        least = None
        if variances and unit.start:
            least = _least(site.artifacts.kept(unit.start), variances)
        with site.artifacts.reading(artifact) as (content, size):
            check_weights(
                content,
                size,
                shapes,
                unit.upload_bytes,
                step=step,
                epoch=epoch,
                averaged=averaged,
                largest=largest,
                least=least,
                slots=slots,
            )

    await _in_turn(site, check, check_memory(shapes), turn)


async def _in_turn(site: Site, check: Callable[[], None], need: int, turn: str) -> None:
    """Check in a thread when it is this one's turn.

    A thread goes on when nobody waits for it any more, so that its room is given back at its end.
    """
    checks = site.state_checks
    room = await checks.take(min(need, checks.budget), "A state", kind=Kind.SERVE, account=turn)
    work = asyncio.ensure_future(asyncio.to_thread(check))

    def ended(work: asyncio.Future[None]) -> None:
        checks.give(room)
        if not work.cancelled():
            work.exception()  # asked for, so that nobody misses it who did not wait

    work.add_done_callback(ended)
    await asyncio.shield(work)


@lru_cache(maxsize=64)
def _shapes(graph: Kept) -> Shapes:
    return dict(weight_shapes(graph_from_json(json.loads(graph.read()))))


@lru_cache(maxsize=64)
def _trainable(graph: Kept) -> frozenset[str]:
    return frozenset(trainable_weights(graph_from_json(json.loads(graph.read()))))


@lru_cache(maxsize=64)
def _variances(graph: Kept) -> frozenset[str]:
    """Name the weights that training makes no smaller than 0, whatever the rows hold.

    None where a momentum beyond 1 might.
    """
    read = graph_from_json(json.loads(graph.read()))
    if any(_overshoots(layer.config) for layer in read.layers):
        return frozenset()
    return frozenset(n for n in weight_shapes(read) if n.rpartition("/")[2] in VARIANCES)


def _overshoots(config: Any) -> bool:
    """Say whether a config, or one inside it, has a momentum beyond 1."""
    if isinstance(config, Mapping):
        momentum = config.get("momentum")
        beyond = isinstance(momentum, int | float) and momentum > 1
        return beyond or any(_overshoots(inner) for inner in config.values())
    return isinstance(config, list | tuple) and any(map(_overshoots, config))


@lru_cache(maxsize=256)
def _least(start: Kept, variances: frozenset[str]) -> dict[str, float]:
    """Give below what no variance of a unit's states lies: 0, or what it began with."""
    with start.reading() as (content, size):
        return least_numbers(content, size, variances)


def not_uploaded(artifact: str) -> BadResult:
    """Refuse a name without bytes."""
    return BadResult(
        "result.not_uploaded",
        "The message names bytes that this lease did not upload.",
        expected="an artifact uploaded with this lease's token",
        got=artifact,
    )
