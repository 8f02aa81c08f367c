"""Which unit a donor gets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from potluck_coordinator.core.scheduling import (
    OTHER_FOLD_AFTER_SECONDS,
    Asker,
    Candidate,
    choose,
    together,
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


def test_what_a_tab_is_given_at_once_trains_together() -> None:
    mixed = [
        unit("a", stack="s"),
        unit("b", stack="t"),
        unit("c", stack="s"),
        unit("d"),
        unit("e", stack="s", study_id="another"),
    ]
    assert [u.id for u in together(mixed)] == ["a", "c"]
    assert [u.id for u in together([unit("d"), *mixed])] == ["d"]
    assert together([]) == []
