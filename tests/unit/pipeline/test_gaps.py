"""Values that are missing or infinite, and words that stand for none."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from potluck_coordinator.core.errors import BadDataset
from potluck_coordinator.pipeline import Plan, plan_study, profile, read_dataset
from tests.unit.pipeline.cases import arrays, model, npz, spec, table

X = np.random.default_rng(0).random((60, 2))
SOFT = model((2,), 3, "softmax")


def refused(data: Any, facts: Any, **asked: Any) -> BadDataset:
    with pytest.raises(BadDataset) as caught:
        plan_study(data, spec(**asked), facts)
    return caught.value


@pytest.mark.parametrize("word", [str(np.nan), str(None), "", " ", "NA", " nan ", "<NA>"])
def test_a_missing_label_among_texts_is_no_class(word: str) -> None:
    error = refused(arrays(x=X, y=np.array(["a", word, "b"] * 20)), SOFT)
    assert (error.code, error.where) == ("dataset.missing_values", "y")
    assert error.message == refused(table("x,y\n1,a\n2,\n3,b\n"), SOFT).message
    assert f"20 rows without one ({word.strip()!r} says so), first row 2" in error.got


def test_a_missing_word_among_features_is_no_word() -> None:
    data = arrays(w=np.array(["a", "nan", "b"] * 20), y=np.arange(60) % 3)
    assert refused(data, model((2,), 3, "softmax"), features=["w"], target="y").where == "w"
    assert profile(data).columns[0].missing == 20


@pytest.mark.parametrize("word", ["none", "missing", "nano"])
def test_other_words_stay_words(word: str) -> None:
    plan = plan_study(arrays(x=X, y=np.array(["a", word, "b"] * 20)), spec(), SOFT)
    assert plan.classes == tuple(sorted(["a", "b", word]))
    assert plan.spellings == {}


def test_labels_of_arrays_lose_surrounding_spaces_as_those_of_tables_do() -> None:
    content = npz(x=X, y=np.array(["a", "a ", "b"] * 20))
    plan = plan_study(read_dataset(content, "a.npz"), spec(), model((2,), 1, "sigmoid"))
    assert plan.classes == ("a", "b")
    stored = Plan.from_json(json.loads(json.dumps(plan.to_json())))
    again = read_dataset(content, "a.npz", spellings=stored.spellings).columns["y"]
    assert again.codes.tolist() == [0, 0, 1] * 20  # type: ignore[union-attr]


def test_words_of_a_plan_from_before_are_read_as_they_were() -> None:
    content = npz(x=X, y=np.array(["a", "a ", "nan"] * 20))
    column = read_dataset(content, "a.npz", spellings={}).columns["y"]
    assert column.vocabulary == ("a", "a ", "nan")  # type: ignore[union-attr]


def test_an_infinite_number_is_named_as_such() -> None:
    amounts = np.arange(60.0)
    amounts[[3, 5]] = np.inf
    free = model((2,), 1, "linear")
    error = refused(arrays(x=X, y=amounts), free)
    assert error.message == "The target 'y' has rows with an infinite number."
    assert error.got == "2 rows with an infinite number, first row 4"
    wide = X.copy()
    wide[1, 0], wide[2, 1] = np.nan, -np.inf
    error = refused(arrays(x=wide, y=np.arange(60) % 3), SOFT)
    assert "1 rows without one and 1 rows with an infinite number, first row 2" in error.got
    assert "y: 2 of 60 rows are infinite." in profile(arrays(x=X, y=amounts)).warnings


def test_rows_that_hold_nothing_are_not_called_no_rows() -> None:
    with pytest.raises(BadDataset) as caught:
        arrays(x=X[:, :0], y=np.arange(60))
    assert caught.value.code == "dataset.no_columns"
    assert caught.value.got == "shape [60, 0]"
