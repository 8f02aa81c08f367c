"""Which unit a donor gets: each rule one predicate or one part of a key."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from potluck_coordinator.core.groups import EVERYONE, Circle

OTHER_FOLD_AFTER_SECONDS = 10.0
"""A unit of another fold than the donor's goes to it only after others had this long to take it."""


@dataclass(frozen=True)
class Candidate:
    """One ready unit."""

    id: str
    study_id: str
    owner: str
    trial: int
    fold: int | None
    rung: int
    kind: str
    tensors: str
    ready_since: float
    stack: str | None = None
    """Units of the same value can train together as one batched graph."""
    memory_bytes: int = 0
    """What training it takes, estimated; 0: not known."""
    circle: Circle = EVERYONE
    """The donors who may get it."""


@dataclass(frozen=True)
class Asker:
    """The donor that asks."""

    id: str
    folds: Mapping[str, int]
    """Study -> the fold that this donor has kept to."""
    tried: Collection[str]
    """Units that this donor gave up on before."""
    cached: Collection[str]
    others_online: bool
    memory_bytes: int | None = None
    """What a unit may take there; None: no limit is known."""


def choose(
    candidates: Sequence[Candidate],
    asker: Asker,
    busy: Mapping[str, int],
    now: float,
    most: int,
    *,
    together: bool = False,
) -> list[Candidate]:
    """Choose up to `most` units: fair share, then rungs that decide, then cached, then oldest.

    The first choice brings its stack-mates with it: one study's units that can train together, as
    many as the donor's memory takes at once. `together`: these only; a tab hands back others.
    `busy` counts the units now leased, by submitter.
    """
    load, folds = dict(busy), dict(asker.folds)
    asker = replace(asker, folds=folds)
    left = list(candidates)
    chosen: list[Candidate] = []
    while len(chosen) < most:
        # Asked anew each time: the first unit chosen settles which fold this donor keeps to.
        left = [c for c in left if _eligible(c, asker, now)]
        if not left:
            break
        first = chosen[0] if chosen else None
        best = min(left, key=lambda c: (not _mates(c, first), *_key(c, asker, load)))
        if together and first is not None and not _mates(best, first):
            break
        left.remove(best)
        chosen.append(best)
        if asker.memory_bytes is not None:
            asker = replace(asker, memory_bytes=asker.memory_bytes - best.memory_bytes)
        load[best.owner] = load.get(best.owner, 0) + 1
        if best.fold is not None:
            folds.setdefault(best.study_id, best.fold)
    return chosen


def _mates(unit: Candidate, first: Candidate | None) -> bool:
    if first is None or first.stack is None:
        return False
    return unit.stack == first.stack and unit.study_id == first.study_id


def fits(unit: Candidate, asker: Asker) -> bool:
    """Say whether a donor allows the memory that a unit takes."""
    return asker.memory_bytes is None or unit.memory_bytes <= asker.memory_bytes


def _eligible(unit: Candidate, asker: Asker, now: float) -> bool:
    if not fits(unit, asker):
        return False
    if not asker.others_online:
        return True
    waited = now - unit.ready_since >= OTHER_FOLD_AFTER_SECONDS
    if unit.id in asker.tried and not waited:
        return False
    kept = asker.folds.get(unit.study_id)
    other_fold = unit.fold is not None and kept is not None and kept != unit.fold
    return waited or not other_fold


def _key(unit: Candidate, asker: Asker, load: Mapping[str, int]) -> tuple[object, ...]:
    kept = asker.folds.get(unit.study_id)
    return (
        load.get(unit.owner, 0),
        unit.id in asker.tried,
        unit.fold is not None and kept is not None and kept != unit.fold,
        unit.kind != "refit",
        -unit.rung,
        unit.tensors not in asker.cached,
        unit.ready_since,
        unit.trial,
        unit.id,
    )
