from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from potluck_coordinator.core.errors import BadStudy
from potluck_coordinator.pipeline import (
    Dataset,
    Plan,
    Splits,
    bundled_file,
    plan_study,
    read_dataset,
    split_rows,
)
from potluck_coordinator.pipeline.duplicates import row_groups
from tests.unit.pipeline.cases import arrays, flowers, model, plan_table, spec, table

BEFORE = {
    "train": [
        *(0, 1, 3, 5, 8, 10, 11, 12, 13, 14, 15, 16, 17, 20, 21, 22),
        *(24, 25, 27, 29, 32, 34, 35, 36, 37, 38, 39, 40, 41, 44, 45, 46),
    ],
    "validation": [4, 7, 9, 23, 28, 31, 33, 47],
    "test": [2, 6, 18, 19, 26, 30, 42, 43],
    "folds": [],
}


def passengers(rows: int = 1316) -> str:
    """Give a table of twelve combinations of words, most of whose rows die."""
    rng = np.random.default_rng(1)
    lines = ["cabin,age,sex,survived"]
    for _ in range(rows):
        of = rng.choice(["1st", "2nd", "3rd"], p=[0.25, 0.2, 0.55])
        age, sex = rng.choice(["adult", "child"], p=[0.92, 0.08]), rng.choice(["man", "woman"])
        likely = 0.8 if sex == "woman" and of != "3rd" else 0.25
        lines.append(f"{of},{age},{sex},{'yes' if rng.random() < likely else 'no'}")
    return "\n".join(lines) + "\n"


def planned(text: str, width: int, outputs: int = 1, **split: Any) -> tuple[Dataset, Plan]:
    return plan_table(
        text, width, outputs, "sigmoid", target=text.split("\n")[0].split(",")[-1], split=split
    )


def parted(dataset: Dataset, plan: Plan) -> set[int]:
    """Give the groups of equal rows that lie in more than one part."""
    groups = row_groups(dataset, plan.features)
    splits = split_rows(dataset, plan)
    of_parts = [set(groups[rows].tolist()) for rows in parts_of(splits)]
    return {g for i, one in enumerate(of_parts) for other in of_parts[i + 1 :] for g in one & other}


def parts_of(splits: Splits) -> list[Any]:
    if splits.folds:
        return [splits.test, *(fold.held for fold in splits.folds)]
    return [splits.test, splits.train, splits.validation]


def yes_shares(dataset: Dataset, plan: Plan) -> list[float]:
    codes = dataset.columns[plan.target].codes  # type: ignore[union-attr]
    return [float(codes[rows].mean()) for rows in parts_of(split_rows(dataset, plan)) if len(rows)]


@pytest.mark.parametrize("split", [{}, {"folds": 5}, {"test": 0}, {"stratify": False}])
def test_a_table_of_few_combinations_is_split_by_rows(split: dict[str, Any]) -> None:
    dataset, plan = planned(passengers(), 7, **split)
    whole = dataset.columns["survived"].codes.mean()  # type: ignore[union-attr]
    assert plan.duplicates == "free"
    near = 0.06 if split.get("stratify") is False else 0.005
    assert np.abs(np.array(yes_shares(dataset, plan)) - whole).max() < near
    assert any("1304 of 1316 rows repeat" in said for said in plan.warnings)
    for part in plan.parts:
        assert part.rows == pytest.approx(part.asked * 1316, abs=2)
        assert sum(part.kinds) == part.rows


def test_who_asks_for_it_keeps_combinations_together_and_is_warned_of_the_shares() -> None:
    dataset, plan = planned(passengers(), 7, duplicates="together")
    assert plan.duplicates == "together"
    assert parted(dataset, plan) == set()
    assert any("all rows are" in said for said in plan.warnings)
    assert any('"free" lets them part' in said for said in plan.warnings)


def test_a_split_that_cannot_keep_equal_rows_together_says_how_it_can() -> None:
    text = "a,y\n" + "".join(f"{i % 2},{'pq'[i // 2 % 2]}\n" for i in range(100))
    assert planned(text, 1)[1].duplicates == "free"
    with pytest.raises(BadStudy) as caught:
        planned(text, 1, duplicates="together")
    assert caught.value.code == "pipeline.too_few_rows"
    assert 'duplicates "free"' in caught.value.hint


def with_copies(rows: Any, times: int) -> Dataset:
    values = np.repeat(rows, times, axis=0)
    return arrays(x=values, y=np.arange(len(values)) // times % 2)


@pytest.mark.parametrize("times", [2, 10])
@pytest.mark.parametrize(
    ("rows", "shape"),
    [
        (np.random.default_rng(0).integers(0, 17, (60, 8, 8, 1)), (8, 8, 1)),
        (np.random.default_rng(0).random((60, 12, 3)) < 0.1, (12, 3)),
        (np.random.default_rng(0).random((60, 5)), (5,)),
        (np.random.default_rng(0).random((60, 1)).astype(np.float32), (1,)),
        (np.random.default_rng(0).integers(0, 5, (60, 64)), (64,)),
    ],
    ids=["pictures", "series", "measures", "one measure", "flat pictures"],
)
def test_copies_stay_together(rows: Any, shape: tuple[int, ...], times: int) -> None:
    dataset = with_copies(rows.astype(np.float32), times)
    plan = plan_study(dataset, spec(), model(shape, 1, "sigmoid"))
    assert plan.duplicates == "together"
    assert parted(dataset, plan) == set()


@pytest.mark.parametrize("times", [2, 3])
def test_a_table_that_was_doubled_stays_together(times: int) -> None:
    name, content = bundled_file("iris")
    header, *lines = content.decode().splitlines()
    iris = read_dataset("\n".join([header, *lines * times]).encode(), name)
    plan = plan_study(iris, spec(), model((4,), 3, "softmax"))
    assert plan.duplicates == "together"
    assert parted(iris, plan) == set()
    rng = np.random.default_rng(0)
    rows = [",".join(rng.choice(list("abcd"), 18)) + f",{'pq'[i % 2]}" for i in range(80)]
    words = ",".join(f"w{i}" for i in range(18)) + ",y\n" + "\n".join(rows * times)
    dataset, plan = planned(words, 72)
    assert plan.duplicates == "together"
    assert parted(dataset, plan) == set()


def test_few_equal_rows_stay_together_and_nothing_is_said() -> None:
    text = flowers(60) + "0.5,0,red,a\n"
    dataset, plan = plan_table(text, 4, 3, "softmax")
    assert (plan.duplicates, plan.warnings) == ("together", ())
    assert parted(dataset, plan) == set()


def test_counts_repeat_by_coincidence() -> None:
    rng = np.random.default_rng(2)
    rows = rng.poisson(2.0, (2000, 3))
    text = "a,b,c,y\n" + "".join(f"{a},{b},{c},{'pq'[int(a > b)]}\n" for a, b, c in rows)
    assert planned(text, 3)[1].duplicates == "free"


def test_answers_that_depend_on_one_another_repeat_by_nature() -> None:
    rng = np.random.default_rng(2)
    mood = rng.integers(0, 4, 1500)
    text = ",".join(f"q{i}" for i in range(12)) + ",y\n"
    for row in mood:
        answers = np.clip(row + (rng.random(12) < 0.05), 0, 4)
        text += ",".join(map(str, answers)) + f",{'pq'[int(row > 1)]}\n"
    assert planned(text, 12)[1].duplicates == "free"


def test_a_row_that_is_half_of_all_cannot_stay_together() -> None:
    rng = np.random.default_rng(0)
    values = rng.random((400, 6))
    values[:200] = 0.0
    dataset = arrays(x=values, y=rng.integers(0, 2, 400))
    plan = plan_study(dataset, spec(), model((6,), 1, "sigmoid"))
    assert plan.duplicates == "free"
    assert any("too many to keep in one part" in said for said in plan.warnings)


def test_copies_that_may_part_are_warned_of() -> None:
    dataset = with_copies(np.random.default_rng(0).random((60, 5)), 2)
    asked = spec(split={"duplicates": "free"})
    plan = plan_study(dataset, asked, model((5,), 1, "sigmoid"))
    assert parted(dataset, plan)
    assert any("remembering rows" in said for said in plan.warnings)


def test_a_target_that_is_a_number_is_spread_alike_over_few_combinations() -> None:
    rng = np.random.default_rng(3)
    kinds = rng.integers(0, 6, 600)
    text = "kind,price\n" + "".join(f"k{k},{100 * k + rng.normal():.3f}\n" for k in kinds)
    dataset, plan = plan_table(text, 6, 1, "linear")
    prices = dataset.columns["price"].values  # type: ignore[union-attr]
    means = [prices[rows].mean() for rows in parts_of(split_rows(dataset, plan))]
    assert plan.duplicates == "free"
    assert np.abs(np.array(means) - prices.mean()).max() < 10


def test_a_plan_from_before_keeps_its_rows() -> None:
    """The rows were drawn by the code that kept equal rows together always, seed 3."""
    text = flowers(24) + flowers(24).split("\n", 1)[1]
    dataset, plan = plan_table(text, 4, 3, "softmax", split={"seed": 3})
    stored = plan.to_json()
    del stored["duplicates"], stored["parts"]
    assert split_rows(dataset, Plan.from_json(stored)).to_json() == BEFORE


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from("pq")), min_size=20, max_size=80),
    st.sampled_from([0.2, 0.4]),
    st.integers(0, 2**32 - 1),
)
def test_free_parts_hold_what_was_asked(
    rows: list[tuple[int, str]], share: float, seed: int
) -> None:
    assume(min(sum(y == label for _, y in rows) for label in "pq") >= 2)
    text = "n,y\n" + "".join(f"{n},{y}\n" for n, y in rows)
    split: dict[str, Any] = {"validation": share, "test": 0.2, "duplicates": "free", "seed": seed}
    try:
        dataset, plan = planned(text, 1, **split)
    except BadStudy as error:
        assert error.code == "pipeline.too_few_rows"  # noqa: PT017
        assume(False)
        raise
    counts = np.bincount(dataset.columns["y"].codes)  # type: ignore[union-attr]
    assert abs(plan.rows_test - 0.2 * len(rows)) <= 2
    assert abs(plan.rows_validation - share * len(rows)) <= 2
    for part in plan.parts:
        assert np.abs(np.array(part.kinds) - part.asked * counts).max() <= 2


def test_no_more_warnings_than_a_person_reads() -> None:
    text = "a,b,y\n" + "".join(f"{i % 40},0,{'pq'[i % 40 < 20]}\n" for i in range(2000))
    dataset = table(text)
    asked = spec(split={"folds": 39, "test": 0, "stratify": False, "duplicates": "together"})
    plan = plan_study(dataset, asked, model((2,), 1, "sigmoid"))
    assert len(plan.warnings) < 12
    assert len(plan.parts) == 32


def few_of_q(q: int) -> str:
    return "a,y\n" + "".join(f"{i * 1.5},{'q' if i < q else 'p'}\n" for i in range(60))


def refusal(text: str, **split: Any) -> BadStudy:
    with pytest.raises(BadStudy) as caught:
        planned(text, 1, **split)
    return caught.value


@pytest.mark.parametrize(
    ("text", "split"),
    [
        (few_of_q(30), {"folds": 50}),
        (few_of_q(30), {"validation": 0.001}),
        (few_of_q(2), {"folds": 5, "test": 0}),
        # Equal rows, but it is not for them that the part is empty.
        (few_of_q(30) + "0.0,p\n0.0,p\n", {"validation": 0.001, "duplicates": "together"}),
        (few_of_q(2) + "80.5,p\n80.5,p\n", {"folds": 5, "test": 0}),
    ],
)
def test_equal_rows_are_not_blamed_where_they_are_not_why(text: str, split: dict[str, Any]) -> None:
    assert "duplicates" not in refusal(text, **split).hint


def test_stratification_is_only_blamed_for_a_class_with_few_rows() -> None:
    assert "stratification" not in refusal(few_of_q(30), folds=55, stratify=False).hint
    assert "stratification" in refusal(few_of_q(2), folds=5, test=0).hint


def test_what_would_be_refused_is_not_recommended() -> None:
    text = "a,b,y\n" + "".join(f"1,2,{'pq'[i % 2]}\n" for i in range(60))
    said = [one for one in planned(text, 2)[1].warnings if "repeat another row" in one]
    assert len(said) == 1
    assert "together" not in said[0]
    refusal(text, duplicates="together")
