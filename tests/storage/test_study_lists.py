"""Lists of studies: nobody's studies take the place of what somebody may see."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import Any

import pytest
from sqlalchemy import event
from sqlmodel import Session

from potluck_coordinator.core.records import Study
from potluck_coordinator.services.access import Asker
from potluck_coordinator.storage import studies, study_lists
from tests.storage.test_units import session

__all__ = ["session"]
ANN, EVE = Asker("ann", "submitter"), Asker("eve", "submitter")
VISITOR = Asker("anyone", "anonymous", open=True, visitor="visitor v")
ASKERS = (
    ANN,
    VISITOR,
    Asker("ann", "submitter", open=True, visitor="visitor v"),
    Asker("anyone", "anonymous"),
    Asker("ann", "donor"),
    Asker("root", "admin"),
)


def add(session: Session, name: str, owner: str, visibility: str, at: float) -> Study:
    """Keep a study like the session's own."""
    like = studies.get(session, "st")
    made = replace(like, id=name, owner=owner, visibility=visibility, created_at=at)
    studies.add(session, made, [])
    return made


@pytest.mark.parametrize("asker", ASKERS, ids=str)
def test_sql_and_the_asker_agree_on_what_is_seen(session: Session, asker: Asker) -> None:
    made = [studies.get(session, "st")]
    for number, owner in enumerate(("ann", "eve", "visitor v", "visitor w", "anyone", "root")):
        made.append(add(session, f"p{number}", owner, "private", 10.0 + number))
        made.append(add(session, f"o{number}", owner, "public", 20.0 + number))
    seen = sorted(filter(asker.may_see, made), key=lambda study: -study.created_at)
    listed = study_lists.page(session, owners=asker.seen_owners)
    assert [study.id for study in listed] == [study.id for study in seen]


def test_private_studies_take_no_place_in_others_lists(session: Session) -> None:
    for number in range(9):
        add(session, f"p{number}", "eve", "private", 10.0 + number)
    listed = study_lists.page(session, owners=ANN.seen_owners, limit=3)
    assert [study.id for study in listed] == ["st"]
    listed = study_lists.page(session, owners=EVE.seen_owners, limit=3)
    assert [study.id for study in listed] == ["p8", "p7", "p6"]


def test_ones_own_studies_are_listed_before_newer_ones_of_others(session: Session) -> None:
    for number in range(9):
        add(session, f"o{number}", "eve", "public", 10.0 + number)
    listed = study_lists.page(session, owners=ANN.seen_owners, limit=3)
    assert [study.id for study in listed] == ["o8", "o7", "st"]


def test_nobody_fills_the_list_with_public_studies(session: Session) -> None:
    for number in range(9):
        add(session, f"o{number}", "eve", "public", 10.0 + number)
    listed = study_lists.page(session, owners=VISITOR.seen_owners, limit=3)
    assert [study.id for study in listed] == ["o8", "o7", "st"]


def pages(session: Session, asker: Asker, **bounds: int) -> list[list[str]]:
    """Read the list page by page, up to the empty one."""
    found: list[list[str]] = []
    while not found or found[-1]:
        offset = sum(map(len, found))
        page = study_lists.page(session, owners=asker.seen_owners, offset=offset, **bounds)
        found.append([study.id for study in page])
    return found


def test_pages_hold_every_study_once(session: Session) -> None:
    for number in range(60):
        add(session, f"o{number}", "eve", "public", 10.0 + number)
    found = pages(session, ANN, limit=7)
    assert sorted(chain.from_iterable(found)) == sorted(["st", *(f"o{n}" for n in range(60))])
    assert [len(page) for page in found] == [7] * 8 + [5, 0]
    assert "st" in found[0]


def test_a_page_of_large_plans_is_short(session: Session) -> None:
    wide = {"features": ["x" * 1000]}
    for number in range(30):
        like = replace(studies.get(session, "st"), id=f"o{number}", created_at=10.0 + number)
        studies.add(session, replace(like, plan=wide, wire_plan=wide), [])
    found = pages(session, ANN, most_bytes=10_000)
    assert sorted(chain.from_iterable(found)) == sorted(["st", *(f"o{n}" for n in range(30))])
    assert max(map(len, found)) == 4
    alone = pages(session, ANN, most_bytes=10)
    assert {len(page) for page in alone[:-1]} == {1}


def test_what_runs_is_listed_and_counted_without_its_plan(session: Session) -> None:
    add(session, "later", "eve", "private", 10.0)
    add(session, "ended", "eve", "private", 11.0)
    studies.move(session, "ended", before=("running",), after="stopped")
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        asked.append(statement)

    event.listen(session.get_bind(), "before_cursor_execute", note)
    try:
        found = studies.running(session)
        assert studies.count_running(session) == 2
    finally:
        event.remove(session.get_bind(), "before_cursor_execute", note)
    assert [study.id for study in found] == ["st", "later"]
    assert found[1].circle == studies.get(session, "later").circle
    assert found[0].encoded
    assert asked
    assert not [one for one in asked if "plan" in one or "spec" in one]
