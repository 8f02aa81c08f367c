"""Encoded rows are kept while units need them, on SQLite and PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlmodel import Session

from potluck_coordinator.core.errors import NotFound
from potluck_coordinator.core.records import REFIT_PART, NewPart, Part, Replay
from potluck_coordinator.core.row_numbers import PartRows, RowNumbers
from potluck_coordinator.core.units import UnitEvent, UnitState
from potluck_coordinator.storage import (
    artifact_uses,
    leases,
    offers,
    parts,
    replays,
    studies,
    units,
)
from tests.storage.test_units import lease, session, unit

__all__ = ["session"]
TRAIN, HELD = "1" * 64, "2" * 64
BOTH = {TRAIN, HELD}


def add_part(session: Session, number: int) -> None:
    """Keep a part whose rows were not encoded yet."""
    about = Part(study_id="st", part=number, train=None, held=None, rows_train=2, kept=False)
    rows = PartRows(number, RowNumbers.of([0, 1]), RowNumbers.of([2]))
    studies.add_part(session, NewPart(about=about, rows=rows, encoder={}))


def encode(session: Session, number: int) -> None:
    parts.keep(session, "st", number, train=TRAIN, held=HELD, encoder={"a": 1})


def test_a_part_names_its_rows_while_they_are_kept(session: Session) -> None:
    add_part(session, 0)
    assert artifact_uses.named(session, BOTH) == set()
    encode(session, 0)
    found = parts.get(session, "st", 0)
    assert (found.kept, found.names) == (True, (TRAIN, HELD))
    assert parts.encoder_of(session, "st", 0) == {"a": 1}
    assert artifact_uses.named(session, BOTH) == BOTH
    assert set(artifact_uses.all_names(session)) >= BOTH
    assert parts.drop(session, "st") == BOTH
    dropped = parts.get(session, "st", 0)
    assert (dropped.kept, dropped.names) == (False, (TRAIN, HELD))
    assert parts.encoder_of(session, "st", 0) == {"a": 1}
    assert artifact_uses.named(session, BOTH) == set()
    assert not BOTH & set(artifact_uses.all_names(session))
    assert parts.drop(session, "st") == set()


def test_units_wait_for_their_rows(session: Session) -> None:
    units.add(session, [unit("u0")])
    assert [found.id for found in offers.candidates(session)] == ["u0"]
    parts.mark(session, "st", encoded=False)
    assert offers.candidates(session) == []
    assert not offers.any_ready(session)
    parts.mark(session, "st", encoded=True)
    assert offers.any_ready(session)


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


def test_row_numbers_are_kept_as_they_were_written(session: Session) -> None:
    add_part(session, 0)
    add_part(session, 1)
    found = parts.rows_of(session, "st", [0, 7])
    assert found == {0: PartRows(0, RowNumbers("[0,1]"), RowNumbers("[2]"))}
    assert parts.held_rows(session, "st", 0) == 1
    assert studies.test_rows(session, "st") == RowNumbers("[3,4]")
    kept = session.connection().execute(text("SELECT train_rows FROM part WHERE part = 0")).scalar()
    assert kept in ("[0,1]", [0, 1])  # what PostgreSQL's driver reads


def test_rows_of_an_earlier_version_are_read(session: Session) -> None:
    add_part(session, 0)
    earlier = {"train": "[10, 11, 12]", "held": "[]"}
    session.connection().execute(
        text("UPDATE part SET train_rows = :train, held_rows = :held"), earlier
    )
    [found] = parts.rows_of(session, "st", [0]).values()
    assert (found.train_rows.numbers(), len(found.train_rows)) == ([10, 11, 12], 3)
    assert (found.held_rows.numbers(), len(found.held_rows)) == ([], 0)
    assert parts.held_rows(session, "st", 0) == 0


def test_a_part_that_is_not_there_is_said(session: Session) -> None:
    for look in (parts.get, parts.held_rows, parts.encoder_of):
        with pytest.raises(NotFound) as refused:
            look(session, "st", 3)
        assert refused.value.code == "study.part_not_found"


def test_parts_are_listed_without_reading_their_rows(session: Session) -> None:
    add_part(session, 0)
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        asked.append(statement)

    event.listen(session.get_bind(), "before_cursor_execute", note)
    try:
        assert not parts.all_kept(session, "st")
        encode(session, 0)
        assert [part.kept for part in parts.of_study(session, "st")] == [True]
        assert parts.get(session, "st", 0).rows_train == 2
        assert parts.all_kept(session, "st")
    finally:
        event.remove(session.get_bind(), "before_cursor_execute", note)
    assert len(asked) >= 5
    assert not [one for one in asked if "_rows" in one or ("encoder" in one and "SET" not in one)]
