"""Units and leases on SQLite and PostgreSQL: every change is conditional."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from potluck_coordinator.core.groups import NO_REACH, Reach, circle_of
from potluck_coordinator.core.leases import LeaseState
from potluck_coordinator.core.records import Dataset, Donor, Lease, Model, Study, Trial, Unit
from potluck_coordinator.core.row_numbers import RowNumbers
from potluck_coordinator.core.units import UnitEvent, UnitState, after
from potluck_coordinator.storage import (
    datasets,
    donors,
    leases,
    models,
    offers,
    scores,
    stalls,
    studies,
    trials,
    units,
    uploads,
)

SHA = "a" * 64


def unit(name: str, state: UnitState = UnitState.READY) -> Unit:
    """Make a unit of trial 0; its name's number is its repeat."""
    return Unit(
        id=name,
        study_id="st",
        trial=0,
        kind="trial",
        fold=-1,
        repeat=int(name.removeprefix("u")),
        rung=0,
        state=state.value,
        part=-1,
        from_epoch=0,
        to_epoch=2,
        rows=100,
        batch_size=32,
        seed=2**32 - 1,
        topology=SHA,
        tensors=SHA,
        start=SHA,
        training={"loss": "mean_squared_error"},
        flops=str(10**30),
        upload_bytes=2**40,
        ready_since=1.0,
        reasons=("one", "two"),
        claims={},
    )


def lease(name: str, of: str, donor: str = "d1", expires: float = 100.0) -> Lease:
    """Make a held lease."""
    return Lease(
        id=name,
        token_hash=name * 8,
        unit_id=of,
        study_id="st",
        fold=-1,
        donor_id=donor,
        backend="cpu",
        client="test",
        state=LeaseState.HELD.value,
        start=SHA,
        from_step=0,
        epoch=0,
        step=0,
        commitments={},
        started_at=1.0,
        heard_at=1.0,
        expires_at=expires,
    )


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """Give a session on a database with one study, one trial and two donors."""
    with Session(engine, expire_on_commit=False) as found:
        models.add(
            found,
            Model(
                id="m",
                name="m",
                owner="ann",
                hash=SHA,
                graph=SHA,
                weights=SHA,
                report={},
                facts={},
                created_at=1.0,
            ),
        )
        datasets.add(
            found,
            Dataset(
                id="d",
                name="d",
                version=1,
                owner="ann",
                hash=SHA,
                filename="d.csv",
                bytes=10,
                profile={},
                created_at=1.0,
            ),
        )
        study = Study(
            id="st",
            name="s",
            owner="ann",
            state="running",
            visibility="public",
            model_id="m",
            dataset_id="d",
            spec={"rungs": [2]},
            plan={},
            wire_plan={},
            direction="maximize",
            trials=1,
            created_at=1.0,
        )
        studies.add(found, study, [], RowNumbers.of([3, 4]))
        trials.add(
            found,
            Trial(
                study_id="st",
                number=0,
                state="running",
                parameters={},
                graph=SHA,
                topology=SHA,
                created_at=1.0,
            ),
        )
        for name in ("d1", "d2"):
            donors.meet(found, Donor(id=name, name=name, created_at=1.0, seen_at=1.0))
        yield found


def test_a_unit_comes_back_as_it_was_kept(session: Session) -> None:
    kept = unit("u0")
    units.add(session, [kept])
    assert units.get(session, "u0") == kept


def test_a_result_is_on_its_way_to_its_score_until_it_has_one(session: Session) -> None:
    units.add(session, [unit("u0"), unit("u1", UnitState.LEASED)])
    assert not units.any_returned(session)
    assert units.change(session, "u1", UnitEvent.RETURN)
    assert units.any_returned(session)
    assert units.change(session, "u1", UnitEvent.SCORE)
    assert not units.any_returned(session)


@pytest.mark.parametrize("event", list(UnitEvent))
@pytest.mark.parametrize("state", list(UnitState))
def test_a_change_happens_exactly_where_the_core_allows_it(
    session: Session, state: UnitState, event: UnitEvent
) -> None:
    units.add(session, [unit("u0", state)])
    target = after(state, event)
    assert units.change(session, "u0", event) == (target is not None)
    assert units.get(session, "u0").state == (target or state).value


def test_of_two_claims_on_a_unit_one_is_lost(session: Session) -> None:
    units.add(session, [unit("u0")])
    assert units.change(session, "u0", UnitEvent.LEASE, lease_id="a")
    assert not units.change(session, "u0", UnitEvent.LEASE, lease_id="b")
    assert units.get(session, "u0").lease_id == "a"
    assert not units.change(session, "u0", UnitEvent.RELEASE, expect_lease="b")


def test_a_checkpoint_only_moves_forward_unless_an_older_one_is_wanted(session: Session) -> None:
    units.add(session, [unit("u0")])
    units.change(session, "u0", UnitEvent.LEASE, lease_id="a")
    note: Callable[..., bool] = units.note_checkpoint
    assert note(session, "u0", "a", SHA, 5)
    assert not note(session, "u0", "a", SHA, 4)
    assert units.get(session, "u0").checkpoint_step == 5
    assert note(session, "u0", "b", SHA, 3, older=True)
    assert units.get(session, "u0").checkpoint_lease == "b"
    units.change(session, "u0", UnitEvent.RETURN)
    assert not note(session, "u0", "b", SHA, 9)


def test_only_running_studies_offer_units_and_oldest_first(session: Session) -> None:
    units.add(session, [unit("u1"), unit("u0"), unit("u2", UnitState.BLOCKED)])
    assert {c.id for c in offers.candidates(session)} == {"u0", "u1"}
    assert studies.move(session, "st", before=("running",), after="stopped")
    assert not studies.move(session, "st", before=("running",), after="stopped")
    assert offers.candidates(session) == []


def test_every_submitter_has_units_on_a_list_that_is_too_short_for_all(session: Session) -> None:
    first = studies.get(session, "st")
    studies.add(session, replace(first, id="later", owner="anyone:0"), [])
    trial = trials.get(session, "st", 0)
    assert trial is not None
    trials.add(session, replace(trial, study_id="later"))
    waiting = [unit(f"u{number}") for number in range(3)]
    units.add(session, [*waiting, replace(unit("u3"), study_id="later", ready_since=9.0)])
    listed = offers.candidates(session, limit=2)
    assert {c.owner for c in listed} == {"ann", "anyone:0"}


REACHES = [
    NO_REACH,
    Reach({"ann": "tk_1"}, {}),
    Reach({"bob": None}, {}),
    Reach({}, {"gr_1": "tk_2"}),
    Reach({"bob": "tk_3"}, {"gr_2": "tk_4"}),
    Reach({"ann": "tk_1", "bob": None}, {"gr_1": "tk_2", "gr_2": "tk_4"}),
]
CIRCLES = [
    (donors, owner, group)
    for owner in ("ann", "bob")
    for donors, group in (("everyone", None), ("mine", None), ("group", "gr_1"), ("group", "gr_2"))
]


@pytest.mark.parametrize("reach", REACHES, ids=str)
def test_sql_and_core_agree_on_who_may_get_what(session: Session, reach: Reach) -> None:
    like, trial = studies.get(session, "st"), trials.get(session, "st", 0)
    assert trial is not None
    for number, (whose, owner, group) in enumerate(CIRCLES):
        study = replace(
            like, id=f"s{number}", owner=owner, donors=whose, group_id=group, visibility="private"
        )
        studies.add(session, study, [])
        trials.add(session, replace(trial, study_id=study.id))
        units.add(session, [replace(unit(f"u{number}"), study_id=study.id)])
    may = {
        f"s{number}"
        for number, (whose, owner, group) in enumerate(CIRCLES)
        if reach.permits(circle_of(whose, owner, group))
    }
    assert {"s0", "s4"} <= may
    ready = offers.candidates(session, reach=reach)
    assert {c.study_id for c in ready} == may
    assert all(reach.permits(c.circle) for c in ready)
    assert offers.any_ready(session, reach=reach)
    for number in range(len(CIRCLES)):
        took = {"lease_id": f"l{number}"}
        assert units.change(session, f"u{number}", UnitEvent.LEASE, **took)
        leases.add(
            session, replace(lease(f"l{number}", f"u{number}"), study_id=f"s{number}", permit="tk")
        )
    # Each study has one unit that took a second, and one that has been held for an hour.
    for number in range(len(CIRCLES)):
        done = f"u{number + 100}"
        units.add(session, [replace(unit(done), study_id=f"s{number}")])
        one = replace(lease(f"d{number}", done), study_id=f"s{number}", started_at=0.0)
        leases.add(session, one)
        assert leases.end(session, one.id, LeaseState.COMPLETED, now=1.0)
        assert units.change(session, done, UnitEvent.LEASE)
        assert units.change(session, done, UnitEvent.RETURN)
    slow = stalls.held(session, "d2", 3600.0)
    assert {held.study_id for held in slow if reach.permits(held.circle)} == may
    assert not offers.any_ready(session, reach=reach)
    assert units.any_returned(session, reach)
    every = [f"s{number}" for number in range(len(CIRCLES))]
    assert {name for name in every if studies.any_running(session, [name], reach)} == may
    assert studies.any_running(session, every, reach)
    assert not studies.any_running(session, [], reach)
    for name in may - {"s0"}:
        assert studies.move(session, name, before=("running",), after="stopped")
    assert studies.move(session, "s0", before=("running",), after="stopped")
    assert not units.any_returned(session, reach)
    assert not studies.any_running(session, every, reach)


def test_a_lease_ends_once_and_silence_is_found(session: Session) -> None:
    units.add(session, [unit("u0"), unit("u1")])
    leases.add(session, lease("a", "u0", expires=50.0))
    leases.add(session, lease("b", "u1", expires=150.0))
    assert [found.id for found in leases.expired(session, 100.0)] == ["a"]
    assert leases.end(session, "a", LeaseState.EXPIRED, now=100.0)
    assert not leases.end(session, "a", LeaseState.COMPLETED, now=101.0)
    assert leases.end(session, "a", LeaseState.COMPLETED, now=101.0, late=True)
    assert leases.hear(session, "b", now=120.0, expires_at=300.0)
    assert not leases.hear(session, "a", now=120.0, expires_at=300.0)
    assert leases.expired(session, 200.0) == []
    # A ready unit with a finished lease: its result did not count.
    assert units.tried_by(session, "d1", ["u0", "u1"]) == {"u0"}


def test_credit_outgrows_64_bits(session: Session) -> None:
    donors.reward(session, "d1", units=1, flops=10**25)
    donors.reward(session, "d1", units=1, flops=10**25)
    found = donors.get(session, "d1")
    assert found is not None
    assert (found.units, found.credit) == (2, str(2 * 10**25))


def test_the_newest_claim_of_an_epoch_stands_and_means_are_over_networks(session: Session) -> None:
    scores.claim(session, ("st", 0, -1, 0), 1, 0.9)
    scores.claim(session, ("st", 0, -1, 0), 2, 0.7)
    scores.claim(session, ("st", 0, -1, 0), 2, 0.5)
    scores.claim(session, ("st", 0, -1, 1), 2, 0.3)
    assert scores.mean_claims(session, "st") == {0: [(1, 0.9), (2, pytest.approx(0.4))]}


def test_of_epochs_that_share_a_claim_the_newest_word_stands(session: Session) -> None:
    place, other = ("st", 0, -1, 0), ("st", 0, -1, 1)
    for epoch, loss in ((11, 0.9), (14, 0.8), (12, 0.7)):
        scores.claim(session, place, epoch, loss, among=(11, 20))
    scores.claim(session, other, 13, 0.5, among=(11, 20))
    scores.claim(session, place, 21, 0.3, among=(21, 30))
    assert scores.mean_claims(session, "st") == {0: [(12, 0.7), (13, 0.5), (21, 0.3)]}


@pytest.mark.parametrize("apart", [1, 7, 100, 5000])
def test_a_long_curve_is_given_in_few_points(session: Session, apart: int) -> None:
    claimed = [epoch for epoch in range(3, 1000) if epoch % 3]
    for epoch in claimed:
        scores.claim(session, ("st", 0, -1, 0), epoch, 1.0 / epoch)
    scores.claim(session, ("st", 1, -1, 0), 50, 0.5)
    found = scores.mean_claims(session, "st", apart)
    given = [epoch for epoch, _ in found[0]]
    lasts = {(epoch - 1) // apart: epoch for epoch in claimed}
    assert given == sorted({claimed[0], *lasts.values()})
    assert [loss for _, loss in found[0]] == [pytest.approx(1.0 / epoch) for epoch in given]
    assert found[1] == [(50, 0.5)]


def test_deleting_a_study_takes_everything_of_it_along(session: Session) -> None:
    units.add(session, [unit("u0")])
    leases.add(session, lease("a", "u0"))
    uploads.note(session, "a", SHA, 10)
    scores.claim(session, ("st", 0, -1, 0), 1, 0.9)
    studies.remove(session, "st")
    session.expire_all()
    assert studies.find(session, "st") is None
    assert leases.get(session, "a") is None
    assert trials.of_study(session, "st") == []
    assert donors.get(session, "d1") is not None
