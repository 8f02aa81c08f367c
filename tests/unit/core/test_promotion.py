"""What follows when a rung's scores are in."""

from __future__ import annotations

import pytest

from potluck_coordinator.core.promotion import Next, RungUnit, decide
from potluck_coordinator.core.units import UnitState as S


def rung(*states: S, number: int = 0, diverged: bool = False) -> list[RungUnit]:
    """Make a rung's units."""
    return [RungUnit(number, state, diverged) for state in states]


@pytest.mark.parametrize(
    ("units", "last", "step"),
    [
        (rung(S.SCORED, S.LEASED), 1, Next.WAIT),  # a fold is still out
        (rung(S.SCORED, S.RETURNED), 1, Next.WAIT),  # a score is still to come
        (rung(S.SCORED, S.SCORED), 1, Next.PROMOTE),
        (rung(S.SCORED, S.SCORED), 0, Next.COMPLETE),
        (rung(S.SCORED, S.SET_ASIDE), 1, Next.INCOMPLETE),
        (rung(S.READY, S.SET_ASIDE), 1, Next.WAIT),  # the others may still finish
        (rung(S.SCORED, S.CANCELLED), 1, Next.WAIT),  # the study was stopped: it may go on
        (rung(S.LEASED, S.SCORED, diverged=True), 1, Next.FAIL),  # NaN is a result
    ],
)
def test_a_rung_decides(units: list[RungUnit], last: int, step: Next) -> None:
    later = rung(S.BLOCKED, S.BLOCKED, number=1)
    assert decide([*units, *later], 0, last) is step
