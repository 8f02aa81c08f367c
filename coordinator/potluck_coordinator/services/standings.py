"""What ranks a study's trials: means of the coordinator's own scores, and places by them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from potluck_coordinator.core.ranking import (
    Direction,
    Standing,
    Summary,
    TrialState,
    rank,
    summarize,
)
from potluck_coordinator.core.records import (
    NO_FOLD,
    RankedStudy,
    Study,
)
from potluck_coordinator.storage import summaries, trials
from potluck_coordinator.storage.summaries import TrialLine, TrialSummary, UnitSummary
from potluck_coordinator.storage.transaction import Transaction

RUNNING_SECONDS = 5.0
ENDED_SECONDS = 60.0
MOST_STUDIES = 4096

ByRung = Mapping[int, Mapping[int, Summary]]
"""Trial -> rung -> the trial's score there."""


def by_rung(all_units: Iterable[UnitSummary]) -> ByRung:
    """Average every trial's scores at each rung at which every network of it has one.

    A part on which the objective is not defined counts for no trial: none has a value there.
    """
    values: dict[tuple[int, int], list[tuple[int | None, int, float]] | None] = {}
    for unit in all_units:
        place = (unit.trial, unit.rung)
        known = values.setdefault(place, [])
        if unit.value is None and not unit.scored:
            values[place] = None
        elif known is not None and unit.value is not None:
            fold = None if unit.fold == NO_FOLD else unit.fold
            known.append((fold, unit.repeat, unit.value))
    found: dict[int, dict[int, Summary]] = {}
    for (trial, rung), scored in sorted(values.items()):
        summary = summarize(scored or ())
        if summary is not None:
            found.setdefault(trial, {})[rung] = summary
    return found


def standings(all_trials: Iterable[TrialSummary | TrialLine], scored: ByRung) -> list[Standing]:
    """Give what ranks each trial: its last rung with every score in."""
    found = []
    for trial in all_trials:
        rungs = scored.get(trial.number, {})
        last = max(rungs, default=None)
        summary = None if last is None else rungs[last]
        found.append(Standing(trial.number, TrialState(trial.state), last, summary))
    return found


def direction_of(study: Study | RankedStudy) -> Direction:
    """Say which way is better."""
    return "maximize" if study.direction == "maximize" else "minimize"


def places(tx: Transaction, study: Study | RankedStudy) -> Mapping[int, int]:
    """Rank a study's trials by the coordinator's own scores: trial -> place from 1."""
    scored = by_rung(summaries.units_of(tx, study.id))
    return rank(standings(summaries.trials_of(tx, study.id), scored), direction_of(study))


def leading(tx: Transaction, study: Study | RankedStudy, most: int) -> list[int]:
    """Give the trials in a study's first places, as `places` ranks them, the first one first.

    Completed trials keep the value that ranks them: no other trial's units are read, unless one
    of them has none.

    Args:
        tx: A transaction.
        study: The study.
        most: How many places.
    """
    if trials.any_without_value(tx, study.id):
        return [number for number, place in places(tx, study).items() if place <= most]
    maximize = direction_of(study) == "maximize"
    return trials.best(tx, study.id, maximize=maximize, most=most)


class TopTrials:
    """Who holds a study's first places, found again only after a while. For any thread."""

    def __init__(self, most: int = 10, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._found: dict[str, tuple[float, str, frozenset[int]]] = {}

    def of(self, tx: Transaction, study: Study | RankedStudy) -> frozenset[int]:
        """Give the trials in the first places, as they were at most some seconds ago."""
        now = self._clock()
        until, state, numbers = self._found.get(study.id, (0.0, "", frozenset()))
        if now < until and state == study.state:
            return numbers
        numbers = frozenset(n for n, place in places(tx, study).items() if place <= self._most)
        lasting = RUNNING_SECONDS if study.state == "running" else ENDED_SECONDS
        if len(self._found) >= MOST_STUDIES:
            self._found.clear()
        self._found[study.id] = (now + lasting, study.state, numbers)
        return numbers
