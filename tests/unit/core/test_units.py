"""Laws of the unit's life and of splitting a trial."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from potluck_coordinator.core.units import (
    COMMIT_STEPS,
    UnitEvent,
    UnitState,
    after,
    commit_steps,
    split_trial,
    states_before,
    steps_per_epoch,
)

RUNGS = st.lists(st.integers(1, 100), min_size=1, max_size=5, unique=True).map(sorted)


@given(RUNGS, st.integers(0, 5), st.integers(1, 3))
def test_every_epoch_of_every_network_is_trained_exactly_once(
    rungs: list[int], folds: int, repeats: int
) -> None:
    trained: dict[tuple[int | None, int], list[int]] = {}
    for unit in split_trial(rungs, folds, repeats):
        epochs = trained.setdefault((unit.fold, unit.repeat), [])
        epochs.extend(range(unit.from_epoch, unit.to_epoch))
    assert len(trained) == max(1, folds) * repeats
    assert all(epochs == list(range(rungs[-1])) for epochs in trained.values())


@given(RUNGS, st.integers(0, 5), st.integers(1, 3))
def test_only_the_first_rung_is_ready(rungs: list[int], folds: int, repeats: int) -> None:
    for unit in split_trial(rungs, folds, repeats):
        assert (unit.state is UnitState.READY) == (unit.rung == 0)


@given(st.sampled_from(UnitState), st.sampled_from(UnitEvent))
def test_an_event_happens_exactly_in_the_states_it_is_listed_for(
    state: UnitState, event: UnitEvent
) -> None:
    assert (after(state, event) is not None) == (state in states_before(event))


@given(st.sampled_from(UnitEvent))
def test_only_a_refutation_takes_a_score_back(event: UnitEvent) -> None:
    refuted = event in (UnitEvent.VOID, UnitEvent.BLOCK)
    assert (after(UnitState.SCORED, event) is not None) == refuted


@given(st.integers(0, 10_000), st.integers(1, 10_000))
def test_commit_steps_ascend_to_the_units_end(start: int, span: int) -> None:
    steps = commit_steps(start, start + span)
    assert 1 <= len(steps) <= COMMIT_STEPS
    assert steps[-1] == start + span
    assert list(steps) == sorted(set(steps))
    assert steps[0] > start


@given(st.integers(1, 10_000), st.integers(1, 512))
def test_an_epochs_batches_hold_every_row(rows: int, batch: int) -> None:
    steps = steps_per_epoch(rows, batch)
    assert (steps - 1) * batch < rows <= steps * batch
