"""Means, spreads and ranks."""

from __future__ import annotations

import itertools
from statistics import mean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck_coordinator.core.ranking import (
    Direction,
    Standing,
    Summary,
    TrialState,
    median_repeat,
    rank,
    summarize,
)

VALUES = st.floats(-1e6, 1e6)
SUMMARIES = st.builds(Summary, VALUES, st.none(), st.just(1))
STANDINGS = st.lists(
    st.tuples(st.sampled_from(TrialState), st.integers(0, 3), SUMMARIES), max_size=20
).map(lambda rows: [Standing(i, s, r, m) for i, (s, r, m) in enumerate(rows)])


def test_repeats_are_averaged_before_folds() -> None:
    found = summarize([(0, 0, 1.0), (0, 1, 3.0), (1, 0, 6.0), (1, 1, 8.0)])
    assert found == Summary(4.5, stdev([2.0, 7.0]), 4)


def test_without_folds_the_spread_is_over_repeats() -> None:
    found = summarize([(None, 0, 1.0), (None, 1, 2.0), (None, 2, 6.0)])
    assert found == Summary(3.0, stdev([1.0, 2.0, 6.0]), 3)


def test_one_network_has_no_spread() -> None:
    assert summarize([(None, 0, 0.5)]) == Summary(0.5, None, 1)
    assert summarize([]) is None


@given(st.lists(VALUES, min_size=2, max_size=9))
def test_mean_and_spread_are_the_sample_statistics(values: list[float]) -> None:
    found = summarize([(i, 0, v) for i, v in enumerate(values)])
    assert found is not None
    assert found.mean == pytest.approx(mean(values))
    assert found.spread == pytest.approx(stdev(values), abs=1e-6)


@given(STANDINGS, st.sampled_from(["maximize", "minimize"]))
def test_completed_trials_come_before_stopped_ones_and_better_ones_first(
    standings: list[Standing], direction: Direction
) -> None:
    places = rank(standings, direction)
    by_number = {s.number: s for s in standings}
    order = [by_number[n] for n in sorted(places, key=places.__getitem__)]
    assert sorted(places.values()) == list(range(1, len(places) + 1))
    for first, second in itertools.pairwise(order):
        assert first.summary is not None
        assert second.summary is not None
        if first.state is second.state is TrialState.COMPLETED:
            better = first.summary.mean - second.summary.mean
            assert better >= 0 if direction == "maximize" else better <= 0
        assert not (first.state is TrialState.STOPPED and second.state is TrialState.COMPLETED)


@given(STANDINGS)
def test_running_failed_and_incomplete_trials_have_no_rank(standings: list[Standing]) -> None:
    places = rank(standings, "maximize")
    ranked = {TrialState.COMPLETED, TrialState.STOPPED}
    assert all((s.number in places) == (s.state in ranked) for s in standings)


def test_the_best_model_without_folds_is_the_median_repeat() -> None:
    assert median_repeat([(0, 0.9), (1, 0.5), (2, 0.7)]) == 2
    assert median_repeat([(0, 0.9), (1, 0.5)]) == 1
