"""What is taken for the target and the features where nobody said so, and what is asked."""

from __future__ import annotations

import uuid
from typing import Any

import numpy as np
import pytest

from potluck_coordinator.core.errors import BadInput
from potluck_coordinator.pipeline import Dataset, ModelFacts, Plan, plan_study, profile
from tests.unit.pipeline.cases import arrays, model, spec, table

ROWS = 60
RNG = np.random.default_rng(3)
FREE = RNG.normal(size=(ROWS, 4)).round(4)
CARS = "mpg,cylinders,weight,model_year"
GEMS = "carat,depth,price,x,y,z"
NUMBER = model((3,), 1, "linear")


def lines(header: str, *columns: Any) -> Dataset:
    """Write columns below a header, as a table."""
    rows = (",".join(str(value) for value in row) for row in zip(*columns, strict=True))
    return table("\n".join([header, *rows]) + "\n")


def numbers(header: str) -> Dataset:
    """Give a table of amounts under these names."""
    width = header.count(",") + 1
    return lines(header, *np.random.default_rng(1).normal(size=(width, ROWS)).round(4))


def with_column(name: str, values: Any, facts: ModelFacts | None = None, **asked: Any) -> Plan:
    """Plan a study of two measures, a target and one more column in front."""
    dataset = lines(f"{name},a,b,y", values, FREE[:, 0], FREE[:, 1], ["p", "q", "r"] * (ROWS // 3))
    return plan_study(dataset, spec(**asked), facts or model((2,), 3, "softmax"))


@pytest.mark.parametrize(
    ("header", "guess"),
    [
        (CARS, "model_year"),
        (GEMS, "z"),
        ("x,y,heat,depth", "depth"),
        ("Target,label,a,b", "Target"),
    ],
)
def test_a_guessed_target_is_asked_to_be_confirmed(header: str, guess: str) -> None:
    facts = model((header.count(","),), 1, "linear")
    with pytest.raises(BadInput) as caught:
        plan_study(numbers(header), spec(), facts)
    assert caught.value.code == "pipeline.target_unconfirmed"
    assert repr(guess) in caught.value.message
    assert f'target="{guess}"' in caught.value.hint
    assert plan_study(numbers(header), spec(target=guess), facts).target == guess


def test_the_question_stays_short_however_many_columns_there_are() -> None:
    dataset = numbers(",".join(f"c{i}" for i in range(300)))
    with pytest.raises(BadInput) as caught:
        plan_study(dataset, spec(), model((299,), 1, "linear"))
    assert len(str(caught.value.details())) < 400
    assert "292 more" in caught.value.expected


@pytest.mark.parametrize("name", ["target", "Label", "Y", "CLASS", "outcome", "labels"])
def test_a_column_with_a_targets_name_is_the_target(name: str) -> None:
    plan = plan_study(numbers(f"a,{name},b,c"), spec(), NUMBER)
    assert plan.target == name


def test_the_only_column_that_the_model_can_be_trained_for_is_the_target() -> None:
    species = ["p", "q", "r"] * (ROWS // 3)
    dataset = lines("a,b,species", FREE[:, 0], FREE[:, 1], species)
    assert plan_study(dataset, spec(), model((2,), 3, "softmax")).target == "species"
    two = lines("place,a,species", species, FREE[:, 1], species)
    with pytest.raises(BadInput) as caught:
        plan_study(two, spec(), model((4,), 3, "softmax"))
    assert caught.value.code == "pipeline.target_unconfirmed"


def test_a_travellers_class_is_no_target_of_a_network_with_one_output() -> None:
    classes, survived = ["1st", "2nd", "3rd"] * (ROWS // 3), ["yes", "no"] * (ROWS // 2)
    sexes = ["man", "woman", "woman"] * (ROWS // 3)
    dataset = lines("class,sex,survived", classes, sexes, survived)
    with pytest.raises(BadInput) as caught:
        plan_study(dataset, spec(), model((5,), 1, "sigmoid"))
    assert caught.value.code == "pipeline.target_unconfirmed"


def test_the_one_array_with_a_value_a_row_is_the_target() -> None:
    dataset = arrays(pictures=RNG.random((ROWS, 4)), digit=np.arange(ROWS) % 3)
    assert plan_study(dataset, spec(), model((4,), 3, "softmax")).target == "digit"


def test_arrays_beside_the_input_are_left_out_and_said() -> None:
    dataset = arrays(image=RNG.random((ROWS, 4)), age=RNG.random(ROWS), y=np.arange(ROWS) % 3)
    plan = plan_study(dataset, spec(), model((4,), 3, "softmax"))
    assert plan.features == ("image",)
    assert any(said.startswith("age was left out of the features:") for said in plan.warnings)


GAPS = np.sort(RNG.choice(ROWS * 2, ROWS, replace=False))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Unnamed: 0", range(ROWS)),
        ("Unnamed: 0", [*range(30), *range(30)]),
        ("", RNG.permutation(ROWS * 50)[:ROWS]),
        ("index", range(ROWS)),
        ("id", RNG.permutation(10**6)[:ROWS]),
        ("PassengerId", RNG.permutation(10**6)[:ROWS]),
        ("customer_id", [f"c{i}" for i in range(ROWS)]),
        ("n", range(ROWS)),
        ("n", range(1, ROWS + 1)),
        ("n", range(ROWS, 0, -1)),
        ("n", RNG.permutation(ROWS)),
        ("n", range(5001, 5001 + ROWS)),
        ("n", GAPS),
        ("n", RNG.permutation(GAPS)),
        ("n", range(0, 3 * ROWS, 3)),
        ("name", [f"person {i}" for i in range(ROWS)]),
        ("name", [f"person {max(i, 1)}" for i in range(ROWS)]),
        ("key", [uuid.UUID(int=2 * i // 3) for i in range(ROWS)]),
    ],
)
def test_ids_and_row_numbers_are_no_features_and_it_is_said(name: str, values: Any) -> None:
    plan = with_column(name, values)
    called = name or "column_1"
    assert plan.features == ("a", "b")
    assert any(said.startswith(f"{called} was left out of the features:") for said in plan.warnings)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("size", FREE[:, 2]),
        ("size", np.sort(FREE[:, 2])),
        ("year", range(1950, 1950 + ROWS)),
        ("people", RNG.permutation(10**6)[:ROWS]),
        ("seconds", np.arange(ROWS) * 977 + 1_700_000_000),
        ("store_id", [i % 5 for i in range(ROWS)]),
        ("n", [i % 30 for i in range(ROWS)]),
        ("heat", range(-30, 30)),
        ("paid", RNG.permutation(10**6)[:ROWS]),
    ],
)
def test_measures_and_categories_stay_features(name: str, values: Any) -> None:
    plan = with_column(name, values, model((3,), 3, "softmax"))
    assert plan.features == (name, "a", "b")
    assert plan.warnings == ()


def test_an_id_that_is_named_among_the_features_stays_one() -> None:
    asked = ["id", "a", "b"]
    plan = with_column("id", range(ROWS), model((3,), 3, "softmax"), features=asked)
    assert plan.features == tuple(asked)
    assert any(said.startswith("id was kept as a feature:") for said in plan.warnings)


def test_a_model_that_is_as_wide_as_the_table_with_its_index_hears_what_was_left_out() -> None:
    with pytest.raises(BadInput) as caught:
        with_column("Unnamed: 0", range(ROWS), model((3,), 3, "softmax"))
    assert caught.value.code == "pipeline.input_mismatch"
    assert "Unnamed: 0 was left out of the features" in caught.value.hint


def test_the_only_column_to_learn_from_stays_a_feature_and_is_warned_of() -> None:
    dataset = lines("n,y", range(ROWS), ["p", "q", "r"] * (ROWS // 3))
    plan = plan_study(dataset, spec(), model((1,), 3, "softmax"))
    assert plan.features == ("n",)
    assert any(said.startswith("n was kept as a feature: row numbers.") for said in plan.warnings)


def test_a_profile_says_which_columns_identify_rows() -> None:
    dataset = lines("id,a,y", range(ROWS), FREE[:, 0], [1, 2] * (ROWS // 2))
    found = profile(dataset)
    assert [bool(column.identifier) for column in found.columns] == [True, False, False]
    assert [said.partition(":")[0] for said in found.warnings] == ["id"]
