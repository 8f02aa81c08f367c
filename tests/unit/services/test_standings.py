"""Standings from columns agree with their definition, one trial and rung at a time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from potluck_coordinator.core.ranking import Standing, TrialState, summarize
from potluck_coordinator.services.standings import by_rung, standings
from potluck_coordinator.storage.summaries import TrialSummary, UnitSummary

VALUES = st.one_of(st.none(), st.floats(-10, 10))
UNITS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(-1, 2), st.integers(0, 2), st.integers(0, 2), VALUES),
    unique_by=lambda u: u[:4],
    max_size=40,
).map(lambda found: [UnitSummary(str(i), *u) for i, u in enumerate(found)])


def defined(trial: int, units: list[UnitSummary]) -> Standing:
    """Say it as the words do: the last rung with every score in."""
    best = Standing(trial, TrialState.COMPLETED, None, None)
    for rung in range(3):
        mine = [u for u in units if u.trial == trial and u.rung == rung]
        values = [u.value for u in mine if u.value is not None]
        if mine and len(values) == len(mine):
            places = [(None if u.fold < 0 else u.fold, u.repeat) for u in mine]
            summary = summarize(
                [(fold, repeat, v) for (fold, repeat), v in zip(places, values, strict=True)]
            )
            best = Standing(trial, TrialState.COMPLETED, rung, summary)
    return best


@given(UNITS)
def test_standings_are_the_last_rung_with_every_score_in(units: list[UnitSummary]) -> None:
    trials = [TrialSummary(number, "completed") for number in range(4)]
    expected = [defined(number, units) for number in range(4)]
    assert standings(trials, by_rung(units)) == expected


def test_a_missing_score_of_one_network_keeps_the_rung_out() -> None:
    units = [UnitSummary("a", 0, 0, 0, 0, 0.5), UnitSummary("b", 0, 1, 0, 0, None)]
    assert by_rung(units) == {}
    assert by_rung([units[0], units[1]._replace(value=0.7)])[0][0].n == 2
