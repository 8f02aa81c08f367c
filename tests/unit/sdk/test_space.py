"""From what a submitter writes to parameters on the wire."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

import potluck
from potluck.protocol import study as wire
from potluck.space import parameter, parameters


def test_the_readme_example_becomes_a_range_and_a_choice() -> None:
    found = parameters(
        {
            "learning_rate": potluck.Float(1e-4, 1e-1, log=True),
            "layers.dense.units": [32, 64, 128],
            "batch_size": 32,
        }
    )
    assert found == {
        "learning_rate": wire.Float(low=1e-4, high=1e-1, log=True),
        "layers.dense.units": wire.Choice(choices=[32, 64, 128]),
        "batch_size": wire.Fixed(value=32),
    }


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (True, wire.Fixed(value=True)),
        ("adam", wire.Fixed(value="adam")),
        (np.float64(0.5), wire.Fixed(value=0.5)),
        (("sgd", "adam"), wire.Choice(choices=["sgd", "adam"])),
        (np.array([1, 2]), wire.Choice(choices=[1, 2])),
        (pd.Series([0.5, 0.1], index=[7, 9]), wire.Choice(choices=[0.5, 0.1])),
        (pd.Index(["sgd", "adam"]), wire.Choice(choices=["sgd", "adam"])),
        (pl.Series([1, 2]), wire.Choice(choices=[1, 2])),
        (potluck.Choice(np.array([1, 2])), wire.Choice(choices=[1, 2])),  # type: ignore[arg-type]
        (range(1, 4), wire.Choice(choices=[1, 2, 3])),
        (potluck.Choice([1, "a"]), wire.Choice(choices=[1, "a"])),
        (potluck.Fixed(3), wire.Fixed(value=3)),
        (potluck.Int(1, 9, step=2), wire.Int(low=1, high=9, step=2)),
        ({"low": 1, "high": 9}, wire.Int(low=1, high=9)),
        ({"low": 1, "high": 9.5}, wire.Float(low=1, high=9.5)),
        ({"low": 1, "high": 9, "kind": "float"}, wire.Float(low=1, high=9)),
        ({"low": 1e-3, "high": 1, "log": True}, wire.Float(low=1e-3, high=1, log=True)),
        ({"choices": [1, 2]}, wire.Choice(choices=[1, 2])),
        ({"value": 7}, wire.Fixed(value=7)),
        (wire.Fixed(value=1), wire.Fixed(value=1)),
    ],
)
def test_each_way_of_writing_a_parameter_has_one_meaning(
    written: object, expected: wire.Parameter
) -> None:
    found = parameter("p", written)
    assert found == expected
    assert type(found) is type(expected)


def test_numbers_keep_their_kind_through_a_choice() -> None:
    found = parameter("p", [1, 1.5, True, "x"])
    assert isinstance(found, wire.Choice)
    assert [type(value) for value in found.choices] == [int, float, bool, str]


@pytest.mark.parametrize("values", [{1, 2}, frozenset({"a"})])
def test_a_set_of_choices_is_refused_for_its_order(values: object) -> None:
    with pytest.raises(potluck.BadArgument, match=r"'momentum'.*use a list"):
        parameter("momentum", values)


@pytest.mark.parametrize("name", ["epochs", "seed", "loss", "folds", "trials", "rungs"])
def test_an_argument_of_submit_is_not_searched(name: str) -> None:
    with pytest.raises(potluck.BadArgument, match=f"'{name}' is not searched.*argument of submit"):
        parameters({name: [1, 2]})


@pytest.mark.parametrize(
    "written",
    [None, object(), {}, {"low": 1}, {"low": 1, "hihg": 2}, {"choices": []}, [], [[1]],
     {"kind": "gaussian", "low": 1, "high": 2}, potluck.Int(1.5, 2)],  # type: ignore[arg-type]
)  # fmt: skip
def test_what_cannot_be_a_parameter_is_refused_by_name(written: object) -> None:
    with pytest.raises(potluck.BadArgument, match=r"layers\.dense\.units"):
        parameter("layers.dense.units", written)
