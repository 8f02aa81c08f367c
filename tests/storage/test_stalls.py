"""Units that are held much too long: found on SQLite and PostgreSQL, and whose load they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlmodel import Session

from potluck_coordinator.core.groups import NO_REACH
from potluck_coordinator.core.leases import LeaseState
from potluck_coordinator.core.records import Donor
from potluck_coordinator.core.units import UnitState
from potluck_coordinator.services.stalls import Stalls, StudyPaces, look, offered
from potluck_coordinator.storage import donors, leases, stalls, studies, trials, units
from tests.storage.test_units import SHA, lease, session, unit

__all__ = ["session"]

WORK = 10**12


def hold(session: Session, name: str, *, began: float = 1.0, donor: str = "d1") -> None:
    """Let a donor hold a unit since a time."""
    units.add(session, [replace(unit(name, UnitState.LEASED), flops=str(WORK))])
    leases.add(session, replace(lease(f"l{name}", name, donor), started_at=began))


def finish(
    session: Session,
    name: str,
    *,
    took: float,
    donor: str = "d1",
    flops: int = WORK,
    ended: float = 5.0,
    expires: float | None = None,
    steps: tuple[int, int] = (0, 8),
    state: UnitState = UnitState.SCORED,
) -> None:
    """Let a donor have finished a unit of eight steps in so many seconds."""
    counted = state == UnitState.SCORED
    counts: dict[str, Any] = {"result": SHA, "result_lease": f"l{name}"} if counted else {}
    units.add(session, [replace(unit(name, state), flops=str(flops), **counts)])
    done = replace(
        lease(f"l{name}", name, donor),
        state=LeaseState.COMPLETED.value,
        started_at=ended - took,
        ended_at=ended,
        expires_at=ended + 1.0 if expires is None else expires,
        from_step=steps[0],
        step=steps[1],
    )
    leases.add(session, done)


def met(session: Session, *names: str) -> None:
    """Let donors be known."""
    for name in names:
        donors.meet(session, Donor(id=name, name=name, created_at=0.0, seen_at=0.0))


def seen(
    session: Session, now: float, *, least_s: float = 1.0, only_overdue: bool = False
) -> Stalls:
    """Look as a donor that holds nothing does."""
    return look(StudyPaces(), session, "d2", now, least_s, only_overdue=only_overdue)


def names(found: Stalls) -> tuple[list[str], list[str]]:
    """Give what stalled, and what is overdue."""
    return (
        [held.unit_id for held, _ in found.stalled],
        [held.unit_id for held, _ in found.overdue],
    )


def test_a_unit_stalls_first_and_is_overdue_after_four_times_as_long(session: Session) -> None:
    met(session, "d3")
    finish(session, "u1", took=4.0)
    finish(session, "u2", took=4.0, donor="d3")
    hold(session, "u3")
    assert names(seen(session, 12.0)) == ([], [])
    assert names(seen(session, 14.0)) == (["u3"], [])
    assert names(seen(session, 48.0)) == (["u3"], [])
    assert names(seen(session, 50.0)) == (["u3"], ["u3"])
    late = seen(session, 50.0, only_overdue=True)
    assert names(late) == ([], ["u3"])
    (copy,) = offered(session, late.overdue, NO_REACH, None)
    assert (copy.id, copy.ready_since) == ("u3", 1.0 + 4 * 3 * 4.0)


def test_who_got_a_second_copy_has_more_time_than_the_first(session: Session) -> None:
    met(session, "d3", "d4")
    finish(session, "u1", took=4.0)
    finish(session, "u2", took=4.0, donor="d3")
    hold(session, "u3")
    assert names(seen(session, 100.0)) == (["u3"], ["u3"])
    leases.add(session, replace(lease("copy", "u3", "d4"), started_at=100.0))
    assert names(seen(session, 101.0)) == ([], [])
    assert names(seen(session, 149.0)) == (["u3"], [])
    assert names(seen(session, 197.0)) == (["u3"], ["u3"])  # two hold it: twice the time


def test_longer_units_have_longer_time_and_states_count_for_what_was_left(
    session: Session,
) -> None:
    met(session, "d3")
    finish(session, "u1", took=1.0, flops=WORK // 8)
    finish(session, "u2", took=2.0, donor="d3", flops=WORK // 2, steps=(4, 8))
    hold(session, "u3")
    took = stalls.took(session, "st")
    assert sorted(took) == [("d1", 8 / WORK), ("d3", 8 / WORK)]
    assert names(seen(session, 25.0))[0] == []
    assert names(seen(session, 26.0))[0] == ["u3"]


def test_a_late_result_does_not_put_a_second_donor_off(session: Session) -> None:
    finish(session, "u1", took=4.0)
    finish(session, "u0", took=80_000.0, ended=90_000.0, expires=100.0)
    hold(session, "u2")
    assert stalls.took(session, "st") == [("d1", 4.0 / WORK)]


def test_results_that_were_taken_back_say_nothing_of_how_long_units_take(session: Session) -> None:
    met(session, "d3", "d4")
    for number, donor in ((1, "d3"), (2, "d4")):
        finish(session, f"u{number}", took=0.001, donor=donor, state=UnitState.READY)
    hold(session, "u9")
    assert stalls.took(session, "st") == []
    assert names(seen(session, 1.0 + 5.1)) == (["u9"], [])  # as where nothing was finished


def test_one_donor_that_lingers_puts_nobody_off(session: Session) -> None:
    """It finishes units as slowly as it may: its voice alone lengthens nothing."""
    met(session, "d3", "d4", "d5")
    finish(session, "u1", took=5000.0)
    hold(session, "u9")
    assert names(seen(session, 1.0 + 4 * 5.1))[1] == ["u9"]  # as if nothing was finished
    for number in range(2, 8):
        finish(session, f"u{number}", took=5000.0)
    for number, donor in ((20, "d3"), (21, "d4")):
        finish(session, f"u{number}", took=4.0, donor=donor)
    assert names(seen(session, 1.0 + 4 * 12.0 + 0.1)) == (["u9"], ["u9"])


def test_first_units_that_take_hours_draw_fewer_and_fewer_donors(session: Session) -> None:
    met(session, *(f"h{n}" for n in range(99)))
    hold(session, "u0")
    copies, now = 0, 1.0
    while now < 3600.0:
        now += 1.0
        if names(seen(session, now, only_overdue=True))[1]:
            leases.add(session, replace(lease(f"c{copies}", "u0", f"h{copies}"), started_at=now))
            copies += 1
    assert 10 < copies < 22  # not 180: twenty seconds, then forty, then sixty...


def test_units_that_are_overdue_are_no_load_of_their_submitter(session: Session) -> None:
    first = studies.get(session, "st")
    studies.add(session, replace(first, id="other", owner="bob"), [])
    trial = trials.get(session, "st", 0)
    assert trial is not None
    trials.add(session, replace(trial, study_id="other"))
    for number in range(3):
        hold(session, f"u{number}", began=1.0 if number else 90.0)
    units.add(session, [replace(unit("u5", UnitState.LEASED), study_id="other")])
    leases.add(session, replace(lease("l5", "u5"), study_id="other", started_at=99.0))
    busy = units.leased_by_owner(session)
    assert busy == {first.owner: 3, "bob": 1}
    found = seen(session, 100.0, only_overdue=True)
    assert names(found)[1] == ["u1", "u2"]
    assert found.without(busy) == {first.owner: 1, "bob": 1}


def test_units_too_large_for_a_donor_do_not_hide_a_stalled_one_that_it_could_take(
    session: Session,
) -> None:
    for number, memory in ((1, 1000), (2, 10)):
        name = f"u{number}"
        units.add(session, [replace(unit(name), state="leased", memory_bytes=memory)])
        leases.add(session, replace(lease(f"l{number}", name), started_at=float(number)))
    found = seen(session, 99.0).stalled
    assert [one.id for one in offered(session, found, NO_REACH, None)] == ["u1", "u2"]
    assert [one.id for one in offered(session, found, NO_REACH, 100)] == ["u2"]


def test_nobody_is_offered_what_it_holds_and_no_submitter_fills_the_offer(
    session: Session,
) -> None:
    first = studies.get(session, "st")
    studies.add(session, replace(first, id="other", owner="bob"), [])
    trial = trials.get(session, "st", 0)
    assert trial is not None
    trials.add(session, replace(trial, study_id="other"))
    met(session, "d2")
    hold(session, "u0", donor="d2")
    for number in range(1, 100):
        hold(session, f"u{number}")
    units.add(session, [replace(unit("u200", UnitState.LEASED), study_id="other")])
    leases.add(session, replace(lease("l200", "u200"), study_id="other", started_at=2.0))
    given = [one.id for one in offered(session, seen(session, 999.0).stalled, NO_REACH, None)]
    assert "u0" not in given
    assert "u200" in given
    assert len(given) == 65


def test_what_is_not_under_way_any_more_does_not_stall(session: Session) -> None:
    hold(session, "u0")
    assert studies.move(session, "st", before=("running",), after="stopped")
    assert names(seen(session, 999.0)) == ([], [])
