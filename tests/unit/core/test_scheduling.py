"""Which unit a donor gets."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from potluck_coordinator.core.scheduling import (
    OTHER_FOLD_AFTER_SECONDS,
    Asker,
    Candidate,
    choose,
)

NOW = 1000.0


def unit(name: str, **changes: object) -> Candidate:
    """Make a candidate that has been ready for a second."""
    values: dict[str, object] = {
        "id": name,
        "study_id": "study",
        "owner": "ann",
        "trial": 0,
        "fold": None,
        "rung": 0,
        "kind": "trial",
        "tensors": "t",
        "ready_since": NOW - 1,
    }
    return Candidate(**(values | changes))  # type: ignore[arg-type]  # checked by the dataclass's use


def asker(**changes: object) -> Asker:
    """Make a donor that is new and not alone."""
    values: dict[str, object] = {
        "id": "donor",
        "folds": {},
        "tried": (),
        "cached": (),
        "others_online": True,
    }
    return Asker(**(values | changes))  # type: ignore[arg-type]


def first(candidates: list[Candidate], who: Asker, busy: dict[str, int] | None = None) -> str:
    """Give the id of the first choice, or nothing."""
    chosen = choose(candidates, who, busy or {}, NOW, 1)
    return chosen[0].id if chosen else ""


def test_the_submitter_with_fewest_units_at_work_is_served_first() -> None:
    both = [unit("a"), unit("b", owner="bob")]
    assert first(both, asker(), {"ann": 3, "bob": 1}) == "b"
    assert first(both, asker(), {"ann": 0, "bob": 1}) == "a"


memory = st.integers(0, 2**40)


@given(
    st.lists(memory, max_size=8),
    st.none() | memory,
    st.booleans(),
    st.integers(1, 16),
    st.integers(0, 10_000),
)
def test_no_unit_is_offered_that_takes_more_memory_than_the_donor_allows(
    sizes: list[int], allowed: int | None, others_online: bool, most: int, waited: int
) -> None:
    units = [
        unit(str(n), memory_bytes=size, ready_since=NOW - waited) for n, size in enumerate(sizes)
    ]
    who = asker(memory_bytes=allowed, others_online=others_online)
    chosen = choose(units, who, {}, NOW, most)
    taken = sum(c.memory_bytes for c in chosen)
    assert allowed is None or taken <= allowed
    # And what still fits is not held back for what does not.
    left = [c.memory_bytes for c in units if c not in chosen]
    assert len(chosen) == most or not [
        size for size in left if allowed is None or taken + size <= allowed
    ]


def test_rungs_that_decide_come_before_new_trials() -> None:
    assert first([unit("early"), unit("late", rung=2, trial=9)], asker()) == "late"


def test_tensors_that_a_donor_has_come_before_others() -> None:
    both = [unit("a", tensors="x"), unit("b", tensors="y")]
    assert first(both, asker(cached={"y"})) == "b"


def test_a_donor_keeps_to_its_fold_while_others_can_take_the_rest() -> None:
    other_fold = [unit("a", fold=1)]
    keeper = asker(folds={"study": 0})
    assert first(other_fold, keeper) == ""
    assert first([*other_fold, unit("b", fold=0)], keeper) == "b"


def test_one_grant_of_several_units_keeps_to_one_fold_too() -> None:
    three = [
        unit(f"f{fold}-{trial}", fold=fold, trial=trial) for fold in range(3) for trial in (0, 1)
    ]
    chosen = choose(three, asker(), {}, NOW, 16)
    assert len({c.fold for c in chosen}) == 1
    assert len(chosen) == 2


def test_a_donor_that_is_alone_takes_every_fold() -> None:
    assert first([unit("a", fold=1)], asker(folds={"study": 0}, others_online=False)) == "a"


def test_a_unit_that_nobody_took_goes_to_whoever_asks() -> None:
    waited = unit("a", fold=1, ready_since=NOW - OTHER_FOLD_AFTER_SECONDS)
    assert first([waited], asker(folds={"study": 0})) == "a"


def test_a_unit_goes_to_somebody_else_than_who_gave_it_up() -> None:
    assert first([unit("a")], asker(tried={"a"})) == ""
    assert first([unit("a")], asker(tried={"a"}, others_online=False)) == "a"


@given(st.integers(1, 16), st.integers(0, 30))
def test_no_unit_is_chosen_twice(most: int, count: int) -> None:
    ready = [unit(str(i), trial=i) for i in range(count)]
    chosen = choose(ready, asker(), {}, NOW, most)
    assert len(chosen) == len({c.id for c in chosen}) == min(most, count)


STACKS = st.sampled_from([None, "p", "q"])


@st.composite
def ready_units(draw: st.DrawFn) -> list[Candidate]:
    """Draw units of two submitters, some of which can train together."""
    return [
        unit(
            str(i),
            trial=i,
            owner=owner,
            study_id=f"of {owner}",
            stack=draw(STACKS),
            fold=draw(st.sampled_from([None, 0, 1])),
            rung=draw(st.integers(0, 2)),
            ready_since=NOW - draw(st.floats(0, 2 * OTHER_FOLD_AFTER_SECONDS)),
        )
        for i, owner in enumerate(draw(st.lists(st.sampled_from(["ann", "bob"]), max_size=12)))
    ]


@given(ready_units(), st.integers(1, 16), st.booleans())
def test_stacks_change_who_comes_along_and_never_who_comes_first(
    ready: list[Candidate], most: int, others: bool
) -> None:
    plain = [replace(candidate, stack=None) for candidate in ready]
    who = asker(others_online=others)
    first_of = [choose(units, who, {"ann": 1}, NOW, most)[:1] for units in (ready, plain)]
    assert [c.id for c in first_of[0]] == [c.id for c in first_of[1]]


@given(ready_units(), st.integers(1, 16), st.booleans())
def test_the_first_choice_brings_all_its_mates_before_any_other(
    ready: list[Candidate], most: int, others: bool
) -> None:
    chosen = choose(ready, asker(others_online=others), {}, NOW, most)
    if not chosen:
        return
    head = chosen[0]
    mine = [
        c.stack is not None and (c.stack, c.study_id) == (head.stack, head.study_id) for c in chosen
    ]
    if head.stack is not None:
        assert mine == sorted(mine, reverse=True)
    # One that stays behind is kept there by a promise, or by `most`.
    left = [c for c in ready if c not in chosen and head.stack is not None]
    mates = [c for c in left if (c.stack, c.study_id) == (head.stack, head.study_id)]
    if not all(mine) or len(chosen) < most:
        kept = {c.fold for c in chosen if c.study_id == head.study_id and c.fold is not None}
        assert all(others and c.fold is not None and c.fold not in kept for c in mates)


@given(ready_units(), st.integers(1, 16))
def test_mates_keep_to_one_fold_as_all_units_do(ready: list[Candidate], most: int) -> None:
    fresh = [replace(candidate, ready_since=NOW - 1) for candidate in ready]
    chosen = choose(fresh, asker(), {}, NOW, most)
    for owner in ("ann", "bob"):
        assert len({c.fold for c in chosen if c.owner == owner and c.fold is not None}) <= 1
    assert len(chosen) == len({c.id for c in chosen}) <= most


def test_mates_count_as_work_of_their_submitter() -> None:
    ready = [unit(f"a{i}", trial=i, stack="p") for i in range(4)]
    ready += [unit("b", owner="bob", study_id="other", stack="p")]
    chosen = [c.id for c in choose(ready, asker(), {"bob": 1}, NOW, 3)]
    assert chosen == ["a0", "a1", "a2"]
    left = [c for c in ready if c.id not in chosen]
    assert first(left, asker(), {"bob": 1, "ann": 3}) == "b"


def test_what_a_tab_is_given_at_once_trains_together() -> None:
    mixed = [
        unit("a", stack="s"),
        unit("b", stack="t"),
        unit("c", stack="s"),
        unit("d"),
        unit("e", stack="s", study_id="another"),
    ]

    def in_tab(ready: list[Candidate]) -> list[str]:
        return [u.id for u in choose(ready, asker(), {}, NOW, 5, together=True)]

    assert in_tab(mixed) == ["a", "c"]
    assert in_tab([mixed[3], *mixed[4:]]) == ["d"]
    assert in_tab([]) == []
    assert len(choose(mixed, asker(), {}, NOW, 5)) == 5
