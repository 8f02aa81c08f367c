"""Models' files that are kept, on SQLite and PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlmodel import Session

from potluck_coordinator.core.records import Rendering
from potluck_coordinator.core.units import UnitEvent, UnitState
from potluck_coordinator.storage import artifact_uses, models, renderings, studies, units
from tests.storage.test_units import SHA, session, unit

__all__ = ["session"]


def sha(letter: str) -> str:
    return letter * 64


def file(format: str, artifact: str, size: int = 10, used_at: float = 1.0) -> Rendering:
    """Make a file of the model that the session's database has."""
    return Rendering(
        graph=SHA, weights=SHA, format=format, artifact=sha(artifact), bytes=size,
        potluck="1.0", used_at=used_at,
    )  # fmt: skip


def formats(session: Session) -> list[str]:
    found = [renderings.find(session, SHA, SHA, name) for name in ("h5", "keras", "tfjs")]
    return [one.format for one in found if one is not None]


def test_a_file_is_found_by_its_model_and_format_until_another_takes_its_place(
    session: Session,
) -> None:
    assert renderings.keep(session, file("h5", "b")) == set()
    assert renderings.find(session, SHA, SHA, "h5") == file("h5", "b")
    assert renderings.find(session, SHA, sha("c"), "h5") is None
    assert renderings.find(session, SHA, SHA, "keras") is None
    assert renderings.keep(session, file("h5", "b", used_at=2.0)) == set()
    assert renderings.keep(session, file("h5", "c")) == {sha("b")}
    assert renderings.find(session, SHA, SHA, "h5") == file("h5", "c")
    renderings.remove(session, [file("h5", "b")])  # which is not there any more
    assert formats(session) == ["h5"]
    renderings.remove(session, [file("h5", "c")])
    assert formats(session) == []


def test_those_that_were_not_used_for_longest_go_first(session: Session) -> None:
    for number, name in enumerate(("h5", "keras", "tfjs")):
        renderings.keep(session, file(name, str(number), used_at=float(number)))
    renderings.use(session, file("h5", "0"), 5.0)
    renderings.use(session, file("tfjs", "2"), 1.5)  # a clock that was set back
    assert renderings.drop_beyond(session, 30, before=0.0) == set()
    assert renderings.drop_beyond(session, 29, before=0.0) == {sha("1")}
    assert formats(session) == ["h5", "tfjs"]
    assert renderings.drop_beyond(session, 10, before=0.0) == {sha("2")}
    assert renderings.drop_beyond(session, 0, before=0.0) == {sha("0")}


def test_those_that_nobody_used_for_long_go_where_there_is_room_too(session: Session) -> None:
    for number, name in enumerate(("h5", "keras", "tfjs")):
        renderings.keep(session, file(name, str(number), used_at=float(number)))
    assert renderings.drop_beyond(session, 1000, before=2.0) == {sha("0"), sha("1")}
    assert formats(session) == ["tfjs"]


def test_one_transaction_drops_a_few_at_a_time(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renderings, "AT_ONCE", 2)
    for number, name in enumerate(("h5", "keras", "tfjs")):
        renderings.keep(session, file(name, str(number), used_at=float(number)))
    gone = [renderings.drop_beyond(session, 0, before=0.0) for _ in range(3)]
    assert gone == [{sha("0"), sha("1")}, {sha("2")}, set()]


def test_a_file_names_its_bytes_and_keeps_neither_graph_nor_weights(session: Session) -> None:
    other = replace(models.get(session, "m"), id="o", graph=sha("1"), weights=sha("2"))
    models.add(session, other)
    renderings.keep(session, replace(file("h5", "b"), graph=sha("1"), weights=sha("2")))
    assert artifact_uses.named(session, set(map(sha, "b12"))) == set(map(sha, "b12"))
    models.remove(session, "o")
    assert artifact_uses.named(session, set(map(sha, "b12"))) == {sha("b")}
    assert set(artifact_uses.all_names(session)) == {SHA, sha("b")}


def test_nobody_may_read_a_file_by_its_hash(session: Session) -> None:
    renderings.keep(session, file("h5", "b"))
    assert artifact_uses.of(session, sha("b")) == set()


def test_a_file_of_no_model_is_not_kept_and_is_found_when_its_model_goes(session: Session) -> None:
    nowhere = replace(file("h5", "b"), weights=sha("c"))
    assert renderings.keep(session, nowhere) is None
    assert renderings.keep(session, replace(file("h5", "b"), graph=sha("c"))) is None
    kept = file("h5", "b")
    renderings.keep(session, kept)
    assert renderings.of_no_model(session) == []
    assert renderings.of_no_model(session, {SHA}) == []
    studies.remove(session, "st")
    models.remove(session, "m")
    assert renderings.keep(session, file("keras", "c")) is None
    assert renderings.of_no_model(session, {sha("d")}) == []
    assert renderings.of_no_model(session, {SHA}) == [kept]
    assert renderings.of_no_model(session) == [kept]
    many = {f"{number:064x}" for number in range(2 * renderings.AT_ONCE)}
    assert renderings.of_no_model(session, many) == []
    assert renderings.of_no_model(session, many | {SHA}) == [kept]


def test_a_result_that_was_taken_back_is_no_model_any_more(session: Session) -> None:
    returned = replace(unit("u0", UnitState.SCORED), result=sha("e"))
    units.add(session, [returned])
    best = replace(file("keras", "b"), weights=sha("e"))
    assert renderings.keep(session, best) == set()
    assert renderings.of_no_model(session) == []
    assert units.change(session, "u0", UnitEvent.VOID, result=None)
    assert renderings.of_no_model(session, {sha("e")}) == [best]
