"""Scores of trials, their spread, and who leads. Claims are not an input here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite, sqrt
from typing import Literal

Direction = Literal["maximize", "minimize"]


class TrialState(StrEnum):
    """Where a trial is."""

    RUNNING = "running"
    COMPLETED = "completed"
    STOPPED = "stopped"
    FAILED = "failed"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True)
class Summary:
    """A trial's score at a rung."""

    mean: float
    spread: float | None
    n: int


def summarize(scores: Iterable[tuple[int | None, int, float]]) -> Summary | None:
    """Average (fold, repeat, value) scores: repeats first, then folds.

    Spread is the sample standard deviation over folds, or over repeats where there are no folds.
    """
    by_fold: dict[int | None, list[float]] = {}
    for fold, _repeat, value in scores:
        by_fold.setdefault(fold, []).append(value)
    if not by_fold:
        return None
    n = sum(map(len, by_fold.values()))
    means = [sum(values) / len(values) for values in by_fold.values()]
    spread_over = means if len(means) > 1 else next(iter(by_fold.values()))
    return Summary(sum(means) / len(means), _deviation(spread_over), n)


def _deviation(values: Sequence[float]) -> float | None:
    if len(values) < 2:
        return None
    mean = sum(values) / len(values)
    return sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))


@dataclass(frozen=True)
class Standing:
    """What ranks a trial."""

    number: int
    state: TrialState
    rung: int | None
    summary: Summary | None


def rank(trials: Iterable[Standing], direction: Direction) -> Mapping[int, int]:
    """Rank trials from 1: completed ones by objective, then stopped ones by rung and objective.

    Running, failed and incomplete trials have no rank.
    """
    eligible = [
        t
        for t in trials
        if t.state in (TrialState.COMPLETED, TrialState.STOPPED)
        and t.summary is not None
        and isfinite(t.summary.mean)
    ]
    eligible.sort(key=lambda t: _rank_key(t, direction))
    return {t.number: place for place, t in enumerate(eligible, start=1)}


def _rank_key(trial: Standing, direction: Direction) -> tuple[object, ...]:
    assert trial.summary is not None
    better_first = -trial.summary.mean if direction == "maximize" else trial.summary.mean
    stopped = trial.state is TrialState.STOPPED
    return (stopped, -(trial.rung or 0) if stopped else 0, better_first, trial.number)


def median_repeat(scores: Sequence[tuple[int, float]]) -> int:
    """Choose the repeat with the median score (the lower of two): the best without folds."""
    ordered = sorted(scores, key=lambda pair: (pair[1], pair[0]))
    return ordered[(len(ordered) - 1) // 2][0]
