"""What becomes of results and of attempts without one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck_coordinator.core.leases import (
    LEAST_SHARE,
    MAX_TRIES,
    MOST_SHORT,
    LeaseState,
    LeaseView,
    UnitView,
    Verdict,
    count_try,
    judge_result,
    worth_going_on,
)
from potluck_coordinator.core.units import UnitState

HELD = LeaseView("mine", LeaseState.HELD, 100, None)
EXPIRED = LeaseView("mine", LeaseState.EXPIRED, 100, None)
DONE = LeaseView("mine", LeaseState.COMPLETED, 100, "abc")
BACK = LeaseView("mine", LeaseState.HANDED_BACK, 100, None)

LEASED = UnitView(UnitState.LEASED, "mine", None, 0)
READY = UnitView(UnitState.READY, None, None, 0)
OTHERS = UnitView(UnitState.LEASED, "other", None, 0)
OTHERS_MOVED = UnitView(UnitState.LEASED, "other", "other", 150)
MY_CHECKPOINT = UnitView(UnitState.LEASED, "other", "mine", 150)
RETURNED = UnitView(UnitState.RETURNED, None, None, 0)
CANCELLED = UnitView(UnitState.CANCELLED, None, None, 0)


@pytest.mark.parametrize(
    ("lease", "unit", "verdict"),
    [
        (HELD, LEASED, Verdict.ACCEPT),  # the ordinary case
        (EXPIRED, READY, Verdict.ACCEPT),  # late, and nobody else has begun
        (EXPIRED, OTHERS, Verdict.ACCEPT),  # late, the other one has saved nothing yet
        (EXPIRED, MY_CHECKPOINT, Verdict.ACCEPT),  # the newest checkpoint is its own
        (EXPIRED, OTHERS_MOVED, Verdict.SUPERSEDED),  # a newer checkpoint exists
        (EXPIRED, RETURNED, Verdict.SUPERSEDED),  # somebody else was first
        (HELD, CANCELLED, Verdict.CANCELLED),  # the study no longer needs it
        (DONE, RETURNED, Verdict.DUPLICATE),  # the same result twice
        (BACK, LEASED, Verdict.SPENT),  # it was handed back
    ],
)
def test_a_result_is_judged(lease: LeaseView, unit: UnitView, verdict: Verdict) -> None:
    assert judge_result(lease, unit, "abc") is verdict


def test_another_result_on_a_spent_token_is_refused() -> None:
    assert judge_result(DONE, RETURNED, "def") is Verdict.SPENT


@given(
    st.sampled_from(LeaseState),
    st.sampled_from(UnitState),
    st.sampled_from([None, "mine", "other"]),
    st.sampled_from([None, "mine", "other"]),
    st.integers(0, 300),
)
def test_nothing_is_accepted_for_a_unit_that_is_settled(
    lease: LeaseState, unit: UnitState, holder: str | None, saver: str | None, step: int
) -> None:
    view = UnitView(unit, holder if unit is UnitState.LEASED else None, saver, step)
    verdict = judge_result(LeaseView("mine", lease, 100, None), view, "abc")
    if unit not in (UnitState.READY, UnitState.LEASED):
        assert verdict is not Verdict.ACCEPT


def test_progress_forgives_earlier_tries() -> None:
    after = count_try(2, progressed=True, donors_tried=3, donors_online=3)
    assert (after.tries, after.set_aside) == (0, False)


def test_three_different_donors_without_progress_set_a_unit_aside() -> None:
    assert count_try(2, progressed=False, donors_tried=3, donors_online=9).set_aside


def test_one_donor_alone_exhausts_the_tries_only_when_there_is_no_other() -> None:
    assert count_try(2, progressed=False, donors_tried=1, donors_online=1).set_aside
    assert not count_try(2, progressed=False, donors_tried=1, donors_online=2).set_aside


@given(st.integers(0, MAX_TRIES - 2), st.integers(1, 9), st.integers(0, 9))
def test_no_unit_is_set_aside_before_its_third_try(tries: int, tried: int, online: int) -> None:
    after = count_try(tries, progressed=False, donors_tried=tried, donors_online=online)
    assert not after.set_aside


@given(st.integers(1, 10_000), st.data())
def test_a_unit_stands_on_few_leases_however_it_is_relayed(steps: int, data: st.DataObject) -> None:
    at, led = 0, 0
    while at < steps:
        trained = data.draw(st.integers(1, max(1, (steps - at) // 2)))
        if not worth_going_on(led, trained, steps):
            trained = -(-steps // LEAST_SHARE)  # the least that is enough
            if at + trained >= steps:
                break
        at, led = at + trained, led + 1
    assert led <= MOST_SHORT + LEAST_SHARE


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_where_few_leases_came_before_every_step_counts(steps: int, trained: int) -> None:
    assert all(worth_going_on(led, trained, steps) for led in range(MOST_SHORT))
