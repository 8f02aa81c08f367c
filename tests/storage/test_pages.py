"""Lists of uploads, groups, tokens and looks: a page at a time, and no page is large."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from potluck_coordinator.core.access import Token
from potluck_coordinator.core.groups import Group
from potluck_coordinator.core.records import Look
from potluck_coordinator.storage import access, datasets, groups, models, studies, tokens
from potluck_coordinator.storage.pages import READ_AT_ONCE, fitting
from tests.storage.test_units import session

__all__ = ["session"]
MANY = 2 * READ_AT_ONCE + 3


def add_uploads(session: Session, number: int, size: int = 0) -> None:
    """Keep datasets and models of eve's like the session's own; `size`: characters of each."""
    data, model = datasets.get(session, "d"), models.get(session, "m")
    for n in range(number):
        name, at = f"x{n:03}", 100.0 + n
        alike = replace(data, id=name, owner="eve", name=name, created_at=at)
        datasets.add(session, replace(alike, profile={"long": "x" * size}))
        same = replace(model, id=name, owner="eve", created_at=at)
        models.add(session, replace(same, report={"long": "x" * size}))


@pytest.mark.parametrize("kept", [datasets, models])
def test_uploads_are_listed_newest_first_page_by_page(session: Session, kept: ModuleType) -> None:
    add_uploads(session, MANY)
    newest = [f"x{n:03}" for n in reversed(range(MANY))]
    assert [one.id for one in kept.page(session, owners=["eve"])] == newest
    read: list[str] = []
    while some := list(kept.page(session, owners=["eve"], limit=20, offset=len(read))):
        assert len(some) <= 20
        read += [one.id for one in some]
    assert read == newest
    assert len(list(kept.page(session, owners=None))) == MANY + 1
    assert list(kept.page(session, owners=[])) == []


@pytest.mark.parametrize("kept", [datasets, models])
def test_a_page_of_large_uploads_is_shorter_and_never_empty(
    session: Session, kept: ModuleType
) -> None:
    add_uploads(session, 7, size=1000)
    lengths, read = [], 0
    while some := list(kept.page(session, owners=["eve"], offset=read, most_bytes=3500)):
        lengths.append(len(some))
        read += len(some)
    assert lengths == [3, 3, 1]
    assert len(list(kept.page(session, owners=["eve"], most_bytes=10))) == 1


def test_no_more_sizes_are_asked_for_than_a_page_needs() -> None:
    asked: list[str] = []

    def sizes(some: object) -> dict[str, int]:
        names = list(some)  # type: ignore[call-overload]
        asked.extend(names)
        return dict.fromkeys(names, 10)

    wanted = [str(n) for n in range(1000)]
    taken = [one for some in fitting(wanted, sizes, 300) for one in some]
    assert taken == wanted[:30]
    assert len(asked) == 2 * READ_AT_ONCE
    assert [list(some) for some in fitting(wanted, sizes, 250)] == [wanted[:25]]


def test_groups_are_listed_page_by_page(engine: Engine) -> None:
    with Session(engine) as session:
        for n in range(5):
            made = Group(
                id=f"g{n}",
                name=f"g{n}",
                owner=f"o{n}",
                code=f"c{n}",
                code_hash=f"h{n}",
                created_at=n,
            )
            groups.add(session, made)
        pages = [groups.of_owners(session, None, limit=2, offset=n) for n in (0, 2, 4, 5)]
        assert [[one.id for one in some] for some in pages] == [
            ["g0", "g1"],
            ["g2", "g3"],
            ["g4"],
            [],
        ]


def test_of_the_tokens_that_ended_only_the_newest_stay(engine: Engine) -> None:
    with Session(engine) as session:
        made = access.create_account(session, "Ada", "submitter", "first", 0.0)
        for n in range(6):
            token = Token(
                id=f"tk_{n}",
                account_id=made.id,
                group_id=None,
                name="t",
                scope="all",
                token_hash=f"hash {n}",
                created_at=10.0 + n,
                expires_at=50.0 if n % 2 else None,
            )
            tokens.add(session, token)
            if n in (0, 2):
                tokens.revoke(session, token.id, 20.0)
        tokens.forget_ended(session, made.id, 0.0, now=60.0, most=2)
        kept = {one.id for one in tokens.of_account(session, made.id)} & {
            f"tk_{n}" for n in range(6)
        }
        assert kept == {"tk_3", "tk_4", "tk_5"}  # 4 has not ended; 5 and 3 ended last
        tokens.forget_ended(session, made.id, 51.0, now=60.0, most=2)
        assert [one.id for one in tokens.of_account(session, made.id)][1:] == ["tk_4"]


def test_the_newest_looks_are_listed_and_all_are_counted(session: Session) -> None:
    assert studies.count_looks(session, "st") == 0
    for number in range(1, 6):
        look = Look(study_id="st", number=number, trial=0, metrics={}, rows=3, at=1.0)
        studies.add_look(session, look)
    assert [look.number for look in studies.looks(session, "st", 3)] == [3, 4, 5]
    assert studies.count_looks(session, "st") == 5
