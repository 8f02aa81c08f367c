"""What a trial's page reads is bounded, however many leases and entries its study has."""

from __future__ import annotations

from dataclasses import replace

from sqlmodel import Session

from potluck_coordinator.storage import leases, ledger, trials, units
from tests.storage.test_units import lease, session, unit

__all__ = ["session"]


def test_a_units_newest_leases_are_told_and_the_earlier_ones_counted(session: Session) -> None:
    units.add(session, [unit("u0"), unit("u1"), unit("u2")])
    for number in range(7):
        leases.add(session, replace(lease(f"l{number}", "u0"), started_at=float(number)))
    leases.add(session, lease("m0", "u1"))
    found = leases.latest_of_units(session, ["u0", "u1", "u2"], 3)
    told = {name: ([one.id for one in some], left) for name, (some, left) in found.items()}
    assert told == {"u0": (["l4", "l5", "l6"], 4), "u1": (["m0"], 0)}


def test_a_trials_entries_are_found_among_many(session: Session) -> None:
    for number in range(200):
        body = {"trial": number % 20, "note": '"trial":3,', "last": {"trial": 3}}
        ledger.record(session, "st", "lease", body, float(number))
        ledger.record(session, "other", "lease", body, float(number))
    ledger.seal_all(session)

    def of(trial: int, since: float = 0.0, scanned: int = 200, most: int = 9) -> object:
        found, more = ledger.of_trial(session, "st", trial, since, scanned=scanned, most=most)
        return [entry.seq for entry in found], more

    assert of(7, most=99) == ([7 + 20 * n for n in range(10)], False)
    assert of(7) == ([7 + 20 * n for n in range(9)], True)
    assert of(7, scanned=50) == ([7, 27, 47], True)
    assert of(7, since=160.0) == ([167, 187], False)
    assert of(1, most=99) == ([1 + 20 * n for n in range(10)], False)
    assert of(99) == ([], False)
    whole = ledger.entries(session, "st")
    first = ledger.first_of(session, "st", "lease")
    assert first == whole[0]
    assert ledger.first_of(session, "st", "study") is None


def test_a_studys_trials_are_counted_and_so_are_those_that_run(session: Session) -> None:
    [first] = trials.of_study(session, "st")
    for number, state in enumerate(("running", "running", "completed", "failed"), start=1):
        trials.add(session, replace(first, number=number, state=state))
    runs = 2 + (first.state == "running")
    assert trials.count(session, "st") == (runs, 5)
    assert trials.count(session, "nobody") == (0, 0)
