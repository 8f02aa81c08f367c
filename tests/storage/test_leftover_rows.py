"""What rows still name, and which rows nobody needs any more, on SQLite and PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

from sqlmodel import Session

from potluck_coordinator.core.leases import LeaseState
from potluck_coordinator.core.records import Donor, RankedStudy, Rendering, Replay
from potluck_coordinator.storage import (
    artifact_uses,
    donors,
    holdings,
    leases,
    renderings,
    replays,
    studies,
    units,
    uploads,
)
from tests.storage.test_units import SHA, lease, session, unit

__all__ = ["session"]


def sha(letter: str) -> str:
    return letter * 64


def test_every_column_that_names_bytes_is_a_use(session: Session) -> None:
    units.add(session, [replace(unit("u0"), start=sha("b"), checkpoint=sha("c"))])
    leases.add(session, replace(lease("l0", "u0"), start=sha("d"), result=sha("e")))
    uploads.note(session, "l0", sha("f"), 10)
    replays.add(
        session,
        Replay(
            id="r0", study_id="st", unit_id="u0", trial=0, lease_id="l0", donor_id="d1",
            backend="cpu", why="drawn", state="asked", start=sha("1"), end=sha("2"),
            from_step=0, to_step=1, asked_at=1.0,
        ),
    )  # fmt: skip
    renderings.keep(
        session,
        Rendering(
            graph=SHA, weights=SHA, format="h5", artifact=sha("4"), bytes=1, potluck="1",
            used_at=1.0,
        ),
    )  # fmt: skip
    named = {SHA, *map(sha, "bcdef124")}
    assert set(artifact_uses.all_names(session)) == named
    assert artifact_uses.named(session, {*named, sha("3")}) == named
    assert artifact_uses.named(session, set()) == set()
    assert artifact_uses.of_study(session, "st") >= named - {SHA, sha("4")}


def test_uploads_of_leases_that_ended_long_ago_are_forgotten(session: Session) -> None:
    units.add(session, [unit(f"u{n}") for n in range(3)])
    for number in range(3):
        leases.add(session, lease(f"l{number}", f"u{number}"))
        uploads.note(session, f"l{number}", sha("f"), 10)
    leases.end(session, "l1", LeaseState.COMPLETED, now=50.0)
    leases.end(session, "l2", LeaseState.HANDED_BACK, now=100.0)
    assert uploads.stale(session, 99.0, 10) == ["l1"]
    assert uploads.stale(session, 101.0, 1) in (["l1"], ["l2"])
    assert uploads.forget(session, ["l1"]) == 1
    assert uploads.stale(session, 99.0, 10) == []
    assert [uploads.count(session, f"l{n}") for n in range(3)] == [1, 0, 1]


def test_donors_who_did_anything_or_are_here_are_not_forgotten(session: Session) -> None:
    units.add(session, [unit("u0")])
    leases.add(session, lease("l0", "u0", "d1"))
    for name, seen in (("old", 1.0), ("here", 1.0), ("new", 200.0), ("kind", 1.0)):
        donors.meet(session, Donor(id=name, name=name, created_at=1.0, seen_at=seen))
    donors.reward(session, "kind", units=1)
    assert donors.strangers(session, 100.0, {"here"}, 1) == ["d2"]  # the fixture's
    gone = donors.strangers(session, 100.0, {"here"}, 10)
    assert gone == ["d2", "old"]
    assert donors.forget_strangers(session, [*gone, "kind", "new", "d1"], 100.0) == 2
    met = {"d1", "d2", "old", "here", "new", "kind"}
    assert set(donors.names(session, met)) == {"d1", "here", "new", "kind"}


def test_an_owners_holdings_are_counted_apart_from_those_of_visitors(session: Session) -> None:
    assert holdings.datasets(session, "ann") == [("d", "d", 10)]
    assert holdings.models(session, "ann") == [("m", "m", SHA, SHA)]
    assert [study.id for study in holdings.running(session, "ann")] == ["st"]
    for owner in ("bob", None):
        assert holdings.datasets(session, owner) == []
        assert holdings.models(session, owner) == []
        assert holdings.running(session, owner) == []


def test_what_ended_leases_uploaded_is_released_unless_more_was_asked_for(
    session: Session,
) -> None:
    names = ("held", "back", "done", "late", "asked")
    units.add(session, [unit(f"u{n}") for n in range(len(names))])
    for number, name in enumerate(names):
        leases.add(session, lease(name, f"u{number}"))
        uploads.note(session, name, sha(str(number)), 10)
    for name, state in (
        ("back", LeaseState.HANDED_BACK),
        ("done", LeaseState.COMPLETED),
        ("late", LeaseState.EXPIRED),
        ("asked", LeaseState.COMPLETED),
    ):
        leases.end(session, name, state, now=50.0)
    replays.add(
        session,
        Replay(
            id="r0", study_id="st", unit_id="u4", trial=0, lease_id="asked", donor_id="d1",
            backend="cpu", why="challenge", state="asked", start=sha("1"), end=sha("2"),
            from_step=0, to_step=1, asked_at=1.0,
        ),
    )  # fmt: skip
    assert uploads.release(session) == {sha("1"), sha("2")}
    assert [uploads.count(session, name) for name in names] == [1, 0, 0, 1, 1]
    assert uploads.size(session, "held", sha("0")) == 10
    assert uploads.size(session, "held", sha("9")) == 0


def test_bytes_of_states_are_counted_by_owner(session: Session) -> None:
    units.add(
        session,
        [
            replace(unit("u0"), result_bytes=5, state="scored"),
            replace(unit("u1"), upload_bytes=100),
            replace(unit("u2"), upload_bytes=60, state="blocked"),
        ],
    )
    assert holdings.state_bytes(session, "ann") == 5
    assert holdings.state_bytes(session, "bob") == holdings.state_bytes(session, None) == 0
    assert holdings.state_bytes_of(session, {"st", "other", *map(str, range(1200))}) == 5
    assert holdings.state_bytes_of(session, {"other"}) == holdings.state_bytes_of(session, ()) == 0
    assert holdings.bytes_to_come(session, "st") == 80
    assert units.starts_among(session, "st", {SHA, sha("b")}) == {SHA}


def test_a_stranger_who_comes_meanwhile_stays(session: Session) -> None:
    found = donors.strangers(session, 100.0, (), 10)
    assert found == ["d1", "d2"]
    donors.meet(session, Donor(id="d1", name="d1", created_at=1.0, seen_at=200.0))
    units.add(session, [unit("u0")])
    leases.add(session, lease("l0", "u0", "d2"))
    assert donors.forget_strangers(session, found, 100.0) == 0


def test_a_donors_newest_units_are_looked_at(session: Session) -> None:
    units.add(session, [replace(unit(f"u{n}"), trial=n) for n in range(3)])
    for number in range(3):
        leases.add(session, lease(f"l{number}", f"u{number}"))
        leases.end(session, f"l{number}", LeaseState.COMPLETED, now=50.0 + number)
    assert leases.trials_of(session, "d1", 10) == {"st": {0, 1, 2}}
    assert leases.trials_of(session, "d1", 2) == {"st": {1, 2}}
    assert leases.trials_of(session, "d2", 2) == {}
    assert studies.ranked(session, ["st", "gone"]) == [
        RankedStudy(id="st", state="running", direction="maximize")
    ]
