"""A lease's credit is given once, taken back by a replay, and given again, on every database."""

from __future__ import annotations

from sqlmodel import Session

from potluck_coordinator.storage import credits, donors, leases, studies, units
from tests.storage.test_units import lease, session, unit

__all__ = ["session"]

FLOPS = 10**25
"""Beyond 64 bits."""


def record(session: Session, donor: str) -> tuple[int, int]:
    """Give a donor's units and credit."""
    found = donors.get(session, donor)
    assert found is not None
    return found.units, int(found.credit)


def earn(session: Session) -> None:
    """Let two donors earn credit for a unit: the first for a part of it, the second for its end."""
    units.add(session, [unit("u0")])
    leases.add(session, lease("l1", "u0", "d1"))
    leases.add(session, lease("l2", "u0", "d2"))
    assert credits.give(session, "l1", "d1", units=0, flops=FLOPS)
    assert credits.give(session, "l2", "d2", units=1, flops=3)


def test_it_is_given_once(session: Session) -> None:
    earn(session)
    assert not credits.give(session, "l1", "d1", units=0, flops=FLOPS)
    assert (record(session, "d1"), record(session, "d2")) == ((0, FLOPS), (1, 3))


def test_what_a_replay_took_it_gives_again_and_nothing_else(session: Session) -> None:
    earn(session)
    assert credits.take(session, ["l2", "no lease"], "r1") == ["l2"]
    assert credits.take(session, ["l1", "l2"], "r2") == ["l1"]
    assert (record(session, "d1"), record(session, "d2")) == ((0, 0), (0, 0))
    # Nor is it earned anew meanwhile.
    assert not credits.give(session, "l2", "d2", units=1, flops=3)
    assert credits.give_back(session, "r1") == ["l2"]
    assert credits.give_back(session, "r1") == []
    assert (record(session, "d1"), record(session, "d2")) == ((0, 0), (1, 3))
    assert credits.give_back(session, "r2") == ["l1"]
    assert (record(session, "d1"), record(session, "d2")) == ((0, FLOPS), (1, 3))


def test_donors_keep_what_they_earned_when_a_study_is_deleted(session: Session) -> None:
    earn(session)
    studies.remove(session, "st")
    assert (record(session, "d1"), record(session, "d2")) == ((0, FLOPS), (1, 3))
