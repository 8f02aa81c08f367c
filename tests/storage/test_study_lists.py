"""Lists of studies: nobody's studies take the place of what somebody may see."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlmodel import Session

from potluck_coordinator.core.records import Study
from potluck_coordinator.services.access import Asker
from potluck_coordinator.storage import leases, studies, units
from tests.storage.test_units import lease, session, unit

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
    listed = studies.newest(session, owners=asker.seen_owners)
    assert [study.id for study in listed] == [study.id for study in seen]


def test_private_studies_take_no_place_in_others_lists(session: Session) -> None:
    for number in range(9):
        add(session, f"p{number}", "eve", "private", 10.0 + number)
    listed = studies.newest(session, owners=ANN.seen_owners, limit=3)
    assert [study.id for study in listed] == ["st"]
    listed = studies.newest(session, owners=EVE.seen_owners, limit=3)
    assert [study.id for study in listed] == ["p8", "p7", "p6"]


def test_ones_own_studies_are_listed_before_newer_ones_of_others(session: Session) -> None:
    for number in range(9):
        add(session, f"o{number}", "eve", "public", 10.0 + number)
    listed = studies.newest(session, owners=ANN.seen_owners, limit=3)
    assert [study.id for study in listed] == ["o8", "o7", "st"]


def test_nobody_fills_the_list_with_public_studies(session: Session) -> None:
    for number in range(9):
        add(session, f"o{number}", "eve", "public", 10.0 + number)
    listed = studies.newest(session, owners=VISITOR.seen_owners, limit=3)
    assert [study.id for study in listed] == ["o8", "o7", "st"]


def test_units_too_large_for_a_donor_do_not_hide_a_stalled_one_that_it_could_take(
    session: Session,
) -> None:
    for number, memory in ((1, 1000), (2, 10)):
        name = f"u{number}"
        units.add(session, [replace(unit(name), state="leased", memory_bytes=memory)])
        leases.add(session, replace(lease(f"l{number}", name), started_at=float(number)))
    assert leases.stalled(session, "d2", 99.0, least_s=1.0, times=3.0, limit=1) == ["u1"]
    fits = leases.stalled(session, "d2", 99.0, least_s=1.0, times=3.0, limit=1, memory_bytes=100)
    assert fits == ["u2"]
