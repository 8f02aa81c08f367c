"""Encoded rows are kept while units need them, on SQLite and PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

from sqlmodel import Session

from potluck_coordinator.core.records import REFIT_PART, Part, Replay
from potluck_coordinator.core.units import UnitEvent, UnitState
from potluck_coordinator.storage import artifact_uses, leases, parts, replays, studies, units
from potluck_coordinator.storage.rows import row
from potluck_coordinator.storage.tables import PartRow
from tests.storage.test_units import lease, session, unit

__all__ = ["session"]
TRAIN, HELD = "1" * 64, "2" * 64
BOTH = {TRAIN, HELD}


def add_part(session: Session, number: int) -> None:
    """Keep a part whose rows were not encoded yet."""
    part = Part(
        study_id="st", part=number, train=None, held=None, rows_train=2,
        train_rows=(0, 1), held_rows=(2,), encoder={}, kept=False,
    )  # fmt: skip
    session.add(row(PartRow, part))
    session.flush()


def encode(session: Session, number: int) -> None:
    parts.keep(session, "st", number, train=TRAIN, held=HELD, encoder={"a": 1})


def test_a_part_names_its_rows_while_they_are_kept(session: Session) -> None:
    add_part(session, 0)
    assert artifact_uses.named(session, BOTH) == set()
    encode(session, 0)
    found = parts.get(session, "st", 0)
    assert (found.kept, found.names, found.encoder) == (True, (TRAIN, HELD), {"a": 1})
    assert artifact_uses.named(session, BOTH) == BOTH
    assert set(artifact_uses.all_names(session)) >= BOTH
    assert parts.drop(session, "st") == BOTH
    dropped = parts.get(session, "st", 0)
    assert (dropped.kept, dropped.names, dropped.encoder) == (False, (TRAIN, HELD), {"a": 1})
    assert artifact_uses.named(session, BOTH) == set()
    assert not BOTH & set(artifact_uses.all_names(session))
    assert parts.drop(session, "st") == set()


def test_units_wait_for_their_rows(session: Session) -> None:
    units.add(session, [unit("u0")])
    assert [found.id for found in units.candidates(session)] == ["u0"]
    parts.mark(session, "st", encoded=False)
    assert units.candidates(session) == []
    assert not units.any_ready(session)
    parts.mark(session, "st", encoded=True)
    assert units.any_ready(session)


def test_open_units_need_their_parts(session: Session) -> None:
    units.add(
        session,
        [
            unit("u0"),
            replace(unit("u1", UnitState.RETURNED), part=3),
            replace(unit("u2", UnitState.LEASED), part=REFIT_PART),
            replace(unit("u3", UnitState.SCORED), part=5),
            replace(unit("u4", UnitState.BLOCKED), part=6),
        ],
    )
    assert units.open_parts(session, "st") == {-1, 3, REFIT_PART}


def test_rows_are_dropped_once_the_study_has_ended_and_nothing_waits_for_them(
    session: Session,
) -> None:
    add_part(session, 0)
    add_part(session, 1)
    encode(session, 0)
    units.add(session, [unit("u0", UnitState.RETURNED)])
    leases.add(session, lease("l0", "u0"))
    assert parts.no_longer_needed(session) == []  # it runs
    studies.move(session, "st", before=("running",), after="stopped")
    assert parts.no_longer_needed(session) == []  # a unit is to be scored
    units.change_many(session, "st", UnitEvent.SCORE)
    replays.add(
        session,
        Replay(
            id="r0", study_id="st", unit_id="u0", trial=0, lease_id="l0", donor_id="d1",
            backend="cpu", why="drawn", state="open", start=TRAIN, end=HELD,
            from_step=0, to_step=1, asked_at=1.0,
        ),
    )  # fmt: skip
    assert parts.no_longer_needed(session) == []  # something is trained again
    replays.drop(session, unit_ids=["u0"], note="", now=2.0)
    assert parts.no_longer_needed(session) == ["st"]
    parts.drop(session, "st")
    assert parts.no_longer_needed(session) == []
