"""What a replay may take: each of its trainings by itself, told by steps that do not compile."""

from __future__ import annotations

import pytest

from potluck_coordinator.training.replay import IN_DOUBT, Pace, TooLong

STEPS, STEP_S = 2400, 0.02


def train(pace: Pace, *, step_s: float = STEP_S, compiling: float = 0.0, times: float = 1.0) -> int:
    """Train in slices of 32 steps, of which the first two compile; give how many there were."""
    pace.begin(times)
    done = 0
    while done < STEPS:
        extra = compiling if done <= 32 else 0.0
        done += 32
        pace.took(32 * step_s + extra, 32, STEPS - done)
    return done


def pace_of(seconds: float, share: float = 1.0) -> tuple[Pace, list[float]]:
    """Give a pace that does not rest, and the rests that it would have taken."""
    rests: list[float] = []
    return Pace(share, seconds, rests.append), rests


def test_a_second_training_is_not_charged_with_the_first() -> None:
    pace, _ = pace_of(60.0)  # 48 s are needed, twice
    assert train(pace) == train(pace) == STEPS
    assert pace.spent == pytest.approx(2 * STEPS * STEP_S)


def test_the_training_that_decides_a_doubt_may_be_slower() -> None:
    pace, _ = pace_of(50.0)
    train(pace)
    assert train(pace, step_s=1.5 * STEP_S, times=IN_DOUBT) == STEPS


def test_what_compiles_says_nothing_of_the_steps_to_come() -> None:
    pace, _ = pace_of(60.0)
    assert train(pace, compiling=5.0) == STEPS
    assert pace.step_s == pytest.approx(STEP_S)


def test_what_will_take_too_long_ends_at_once() -> None:
    pace, _ = pace_of(40.0)
    with pytest.raises(TooLong, match="at most 40 s"):
        train(pace)
    assert pace.spent < 4.0
    assert pace.step_s == pytest.approx(STEP_S)


def test_what_took_too_long_ends_too() -> None:
    pace, _ = pace_of(1.0)
    with pytest.raises(TooLong):
        pace.took(1.5, 1, 0)


def test_it_rests_for_the_share_that_others_have() -> None:
    pace, rests = pace_of(100.0, share=0.25)
    pace.took(2.0, 32, 0)
    assert rests == [pytest.approx(6.0)]
