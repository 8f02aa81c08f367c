"""What ranks a study's trials: means of the coordinator's own scores, and places by them."""

from __future__ import annotations

from collections.abc import Mapping

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
    Score,
    Study,
    Trial,
    Unit,
)
from potluck_coordinator.storage import scores, trials, units
from potluck_coordinator.storage.transaction import Transaction


def rung_summary(mine: list[Unit], by_unit: Mapping[str, Score], rung: int) -> Summary | None:
    """Average a trial's scores at a rung; None unless every network of it has one."""
    values = []
    for unit in mine:
        if unit.rung == rung and unit.kind == "trial":
            score = by_unit.get(unit.id)
            if score is None or score.value is None:
                return None
            fold = None if unit.fold == NO_FOLD else unit.fold
            values.append((fold, unit.repeat, score.value))
    return summarize(values)


def standings(
    all_trials: list[Trial], all_units: list[Unit], by_unit: Mapping[str, Score], rungs: int
) -> list[Standing]:
    """Give what ranks each trial: its last rung with every score in."""
    by_trial: dict[int, list[Unit]] = {}
    for unit in all_units:
        if unit.kind == "trial":
            by_trial.setdefault(unit.trial, []).append(unit)
    found = []
    for trial in all_trials:
        best_rung, summary = None, None
        for rung in range(rungs):
            here = rung_summary(by_trial.get(trial.number, []), by_unit, rung)
            if here is not None:
                best_rung, summary = rung, here
        found.append(Standing(trial.number, TrialState(trial.state), best_rung, summary))
    return found


def direction_of(study: Study) -> Direction:
    """Say which way is better."""
    return "maximize" if study.direction == "maximize" else "minimize"


def places(tx: Transaction, study: Study) -> Mapping[int, int]:
    """Rank a study's trials by the coordinator's own scores: trial -> place from 1."""
    found = standings(
        trials.of_study(tx, study.id),
        units.of_study(tx, study.id),
        scores.of_study(tx, study.id),
        len(study.spec["rungs"]),
    )
    return rank(found, direction_of(study))


def top_trials(tx: Transaction, study: Study, most: int) -> set[int]:
    """Give the trials that now hold the first places."""
    return {number for number, place in places(tx, study).items() if place <= most}
