"""Kinds of work are apart: whatever one does, the others find a place."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from potluck_coordinator.core.turns import (
    SHARED,
    Kind,
    may_start,
    most_of_one_account,
    seats_for,
)

WORKERS = st.integers(1, 8)


@given(workers=WORKERS, wanted=st.lists(st.sampled_from(list(Kind)), max_size=60))
def test_whoever_came_first_a_kind_that_does_nothing_finds_a_place(
    workers: int, wanted: list[Kind]
) -> None:
    running = dict.fromkeys(Kind, 0)
    for kind in wanted:
        if may_start(kind, 0, running, workers, workers):
            running[kind] += 1
    assert sum(running[kind] for kind in SHARED) <= seats_for(workers)
    assert max(running.values(), default=0) <= workers
    for kind in Kind:
        assert running[kind] or may_start(kind, 0, running, workers, workers)


@given(workers=WORKERS)
def test_a_kind_alone_has_as_many_places_as_there_are_workers(workers: int) -> None:
    for kind in Kind:
        most = 1 if kind is Kind.REPLAY else workers
        assert may_start(kind, 0, {kind: most - 1}, workers, workers)
        assert not may_start(kind, 0, {kind: most}, workers, workers)


@given(workers=st.integers(2, 8))
def test_one_account_leaves_a_place_to_the_others(workers: int) -> None:
    most = most_of_one_account(workers)
    assert not may_start(Kind.ENCODE, most, {Kind.ENCODE: most}, workers, most)
    assert may_start(Kind.ENCODE, 0, {Kind.ENCODE: most}, workers, most)
    assert may_start(Kind.SCORE, most, {Kind.SCORE: most}, workers, most)
    assert most_of_one_account(1) == 1
