from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck.protocol.study import Choice, Fixed, Float, Int, Parameter
from potluck_coordinator.core.errors import BadStudy
from potluck_coordinator.search import Space
from potluck_coordinator.search.space import identity


def test_what_is_not_said_has_a_default() -> None:
    space = Space.from_spec({})
    assert space.point(0) == {"learning_rate": 0.001, "batch_size": 32, "optimizer": "adam"}
    assert space.size == 1


@pytest.mark.parametrize(
    ("parameters", "code", "where"),
    [
        ({"learning_rat": Fixed(value=1.0)}, "search.unknown_parameter", "learning_rat"),
        ({"layers.dense": Fixed(value=1)}, "search.unknown_parameter", "layers.dense"),
        ({"layers..units": Fixed(value=1)}, "search.unknown_parameter", "layers..units"),
        ({"layers.dense.": Fixed(value=1)}, "search.unknown_parameter", "layers.dense."),
        ({"learning_rate": Float(low=0.2, high=0.1)}, "search.range_empty", "learning_rate"),
        ({"batch_size": Int(low=9, high=8)}, "search.range_empty", "batch_size"),
        ({"layers.a.rate": Float(low=0, high=1, log=True)}, "search.log_needs_positive", None),
        ({"layers.a.rate": Float(low=0, high=1, step=2)}, "search.step_too_large", None),
        ({"layers.a.rate": Float(low=0, high=1, step=0)}, "search.step_not_positive", None),
        ({"layers.a.rate": Float(low=0, high=1, step=1e-20)}, "search.step_too_small", None),
        ({"layers.a.units": Int(low=1, high=9, step=-1)}, "search.step_not_positive", None),
        (
            {"layers.a.rate": Float(low=1, high=2, step=0.5, log=True)},
            "search.log_with_step",
            None,
        ),
        ({"layers.a.rate": Float(low=0, high=math.inf)}, "search.not_finite", None),
        ({"layers.a.rate": Fixed(value=math.nan)}, "search.not_finite", None),
        ({"layers.a.rate": Float(low=-1e308, high=1e308)}, "search.too_large", None),
        ({"layers.a.units": Fixed(value=10**400)}, "search.too_large", None),
        ({"layers.a.units": Choice(choices=[1, "a"])}, "search.choice_types", None),
        ({"layers.a.units": Choice(choices=[1, True])}, "search.choice_types", None),
        ({"layers.a.units": Choice(choices=[1, 1.0])}, "search.choice_repeated", None),
        ({"learning_rate": Fixed(value=0)}, "search.learning_rate", None),
        ({"learning_rate": Float(low=-1, high=1)}, "search.learning_rate", None),
        ({"learning_rate": Fixed(value="fast")}, "search.learning_rate", None),
        ({"learning_rate": Fixed(value=True)}, "search.learning_rate", None),
        ({"batch_size": Int(low=0, high=8)}, "search.batch_size", None),
        ({"batch_size": Fixed(value=100_000)}, "search.batch_size", None),
        ({"batch_size": Fixed(value=1.5)}, "search.batch_size", None),
        ({"batch_size": Float(low=1, high=8)}, "search.batch_size", None),
        ({"batch_size": Choice(choices=[16, 32.5])}, "search.batch_size", None),
        ({"optimizer": Fixed(value="adafactor")}, "search.optimizer", None),
        ({"schedule": Fixed(value="linear")}, "search.schedule", None),
        ({"weight_decay": Fixed(value=-0.1)}, "search.weight_decay", None),
        ({"clipnorm": Float(low=0, high=1)}, "search.clipnorm", None),
        ({"use_ema": Fixed(value=1)}, "search.use_ema", None),
        ({"ema_momentum": Fixed(value=0.9)}, "search.parameter_unused", None),
        ({"alpha": Fixed(value=0.1)}, "search.parameter_unused", None),
        (
            {"schedule": Fixed(value="piecewise"), "boundaries": Fixed(value="20, 10")},
            "search.boundaries",
            "boundaries",
        ),
        (
            {"schedule": Fixed(value="piecewise"), "boundaries": Float(low=1, high=2)},
            "search.boundaries",
            "boundaries",
        ),
        (
            {"schedule": Fixed(value="plateau"), "factor": Fixed(value=1)},
            "search.factor",
            "factor",
        ),
        ({"optimizer": Int(low=0, high=1)}, "search.optimizer", None),
        ({"optimizer": Fixed(value="sgd"), "momentum": Fixed(value=1)}, "search.momentum", None),
        (
            {"optimizer": Fixed(value="sgd"), "nesterov": Fixed(value=1)},
            "search.nesterov",
            "nesterov",
        ),
        ({"beta_1": Float(low=0.5, high=1.0)}, "search.beta_1", None),
        ({"epsilon": Fixed(value=0)}, "search.epsilon", None),
        ({"momentum": Fixed(value=0.9)}, "search.parameter_unused", "momentum"),
    ],
)
def test_a_space_that_cannot_be_is_refused_with_its_reason(
    parameters: Mapping[str, Parameter], code: str, where: str | None
) -> None:
    with pytest.raises(BadStudy) as refusal:
        Space.from_spec(parameters)
    assert refusal.value.code == code
    assert refusal.value.where == (where or list(parameters)[-1])
    assert refusal.value.expected
    assert refusal.value.got
    assert refusal.value.hint


def test_layer_names_may_hold_dots() -> None:
    space = Space.from_spec({"layers.block.1.units": Fixed(value=8)})
    assert space.point(0)["layers.block.1.units"] == 8


def test_steps_end_at_the_last_value_inside_the_range() -> None:
    space = Space.from_spec({"layers.a.rate": Float(low=0.1, high=0.35, step=0.1)})
    assert [space.point(i)["layers.a.rate"] for i in range(3)] == [0.1, 0.2, 0.3]
    assert space.size == 3


def test_whole_numbers_for_a_real_parameter_become_real() -> None:
    space = Space.from_spec({"learning_rate": Choice(choices=[1, 2])})
    assert [type(space.point(i)["learning_rate"]) for i in range(2)] == [float, float]


def test_what_the_optimizer_does_not_read_makes_no_new_points() -> None:
    space = Space.from_spec(
        {
            "optimizer": Choice(choices=["sgd", "adam"]),
            "momentum": Choice(choices=[0.0, 0.5, 0.9]),
            "beta_1": Fixed(value=0.8),
        }
    )
    points = [space.point(i) for i in range(4)]
    assert space.size == len({identity(point) for point in points}) == 4
    assert [("momentum" in p, "beta_1" in p) for p in points] == [(True, False)] * 3 + [
        (False, True)
    ]


def test_a_grid_needs_steps() -> None:
    space = Space.from_spec({"learning_rate": Float(low=0.1, high=1.0)})
    assert space.size is None
    with pytest.raises(BadStudy) as refusal:
        _ = space.grid_size
    assert (refusal.value.code, refusal.value.where) == (
        "search.grid_continuous",
        "learning_rate",
    )


def test_a_grid_is_bounded() -> None:
    space = Space.from_spec(
        {f"layers.d{i}.units": Int(low=1, high=1000) for i in range(3)},
    )
    assert space.size == 10**9
    with pytest.raises(BadStudy) as refusal:
        _ = space.grid_size
    assert refusal.value.code == "search.grid_too_large"


@pytest.mark.parametrize(
    ("parameters", "sampler", "most"),
    [
        ({}, "random", 1),
        ({"batch_size": Choice(choices=[8, 16])}, "random", 2),
        ({"batch_size": Choice(choices=[8, 16])}, "grid", 2),
        ({"batch_size": Int(low=1, high=500)}, "grid", 100),
        ({"learning_rate": Float(low=0.1, high=1.0)}, "random", 100),
    ],
)
def test_no_more_trials_than_points_that_differ(
    parameters: Mapping[str, Parameter], sampler: str, most: int
) -> None:
    assert Space.from_spec(parameters).most_trials(100, sampler) == most


optimizers = st.lists(st.sampled_from(["sgd", "adam", "rmsprop"]), min_size=1, unique=True)
steps = st.builds(
    lambda low, step, count: Int(low=low, high=low + step * count, step=step),
    st.integers(-5, 50),
    st.integers(1, 7),
    st.integers(1, 4),
)
tenths = st.builds(
    lambda low, count: Float(low=low / 10, high=(low + count) / 10, step=0.1),
    st.integers(0, 30),
    st.integers(1, 5),
)


@given(optimizers, st.lists(steps | tenths, max_size=3), st.integers(0, 2**32 - 1))
def test_a_grid_visits_every_point_once(
    names: list[str], dimensions: list[Parameter], seed: int
) -> None:
    parameters: dict[str, Parameter] = {"optimizer": Choice(choices=[*names])}
    parameters |= {f"layers.d{i}.units": found for i, found in enumerate(dimensions)}
    space = Space.from_spec(parameters)
    points = list(space.grid(seed))
    assert len({identity(point) for point in points}) == len(points) == space.grid_size
    for point in points:
        assert space.effective(point) == point
