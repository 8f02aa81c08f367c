"""What of a study was trained again by the coordinator, and agreed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from potluck.protocol.records import Check
from potluck_coordinator.core.trust import ReplayState
from potluck_coordinator.services.replays import PROVEN
from potluck_coordinator.storage import replays
from potluck_coordinator.storage.transaction import Transaction


def checks_of_trials(tx: Transaction, study_id: str) -> dict[int, Check]:
    """Give the check of each trial that has results: of all networks that its score stands on."""
    return _by_trial(tx, study_id, None, ("trial",))


def check_of_best(tx: Transaction, study_id: str, trial: int) -> Check:
    """Give the check of a best model: of its trial's networks and of the file itself."""
    return _by_trial(tx, study_id, trial, ("trial", "refit")).get(trial, "scored")


def _by_trial(
    tx: Transaction, study_id: str, trial: int | None, kinds: tuple[str, ...]
) -> dict[int, Check]:
    states = replays.states_of_study(tx, study_id)
    before = replays.went_on_from(tx, study_id) if states else {}
    told: dict[int, list[str | None]] = {}
    for number, kind, lease, end in replays.results_of_study(tx, study_id, trial):
        if kind in kinds:
            own = told.setdefault(number, [])
            own += [states.get(one) for one in _chain(lease, end, before)]
    return {number: _check(found) for number, found in told.items()}


def _chain(
    lease: str, end: str, before: Mapping[str, tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    """Give every lease that led to a result, each with the state that it came to."""
    yield lease, end
    while lease in before:
        lease, end = before[lease]
        yield lease, end


def _check(states: Iterable[str | None]) -> Check:
    found = set(states)
    if found <= {state.value for state in PROVEN}:
        return "confirmed"
    return "checking" if ReplayState.OPEN.value in found else "scored"
