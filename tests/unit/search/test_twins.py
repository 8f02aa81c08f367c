"""Points that train the same network are one point, and few draws are spread evenly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck.protocol.study import Choice, Fixed, Float, Int, Parameter
from potluck_coordinator.search import Past, Search, Space
from potluck_coordinator.search.twins import as_trained
from potluck_coordinator.services.training import optimizer
from potluck_coordinator.training.optimizers.rates import rate_at

EPOCHS = 10


def make(parameters: Mapping[str, Parameter], sampler: Any = "random", seed: int = 0) -> Search:
    space = Space.from_spec(parameters, EPOCHS, rows=100)
    return Search(space, sampler=sampler, seed=seed, direction="maximize")


@pytest.mark.parametrize("seed", range(20))
def test_one_adam_is_enough_where_only_sgd_reads_what_is_searched(seed: int) -> None:
    parameters: dict[str, Any] = {
        "optimizer": Choice(choices=["sgd", "adam"]),
        "momentum": Float(low=0, high=0.9),
    }
    asked = [point for _, point in make(parameters, seed=seed).ask(12)]
    assert Counter(point["optimizer"] for point in asked) == {"adam": 1, "sgd": 11}
    eighths = Counter(int(float(p["momentum"]) / 0.9 * 8) for p in asked if p["optimizer"] == "sgd")
    assert set(eighths) == set(range(8))
    assert max(eighths.values()) == 2


TWINS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"optimizer": "sgd", "momentum": 0.0, "nesterov": True}, {"optimizer": "sgd"}),
    ({"optimizer": "sgd", "nesterov": True}, {"optimizer": "sgd", "nesterov": False}),
    ({"optimizer": "rmsprop", "momentum": 0.0}, {"optimizer": "rmsprop", "centered": False}),
    ({"optimizer": "adamw", "weight_decay": 0.1}, {"optimizer": "adam", "weight_decay": 0.1}),
    ({"weight_decay": 0.0}, {}),
    ({"use_ema": True, "ema_momentum": 0.0}, {"use_ema": False}),
    ({"warmup_epochs": 0.0, "warmup_from": 0.5}, {}),
    ({"warmup_epochs": 2.0, "warmup_from": 1.0}, {}),
    ({"schedule": "exponential", "decay_rate": 1.0, "decay_epochs": 3.0}, {}),
    ({"schedule": "cosine", "alpha": 1.0}, {}),
    ({"schedule": "one_cycle", "start_divisor": 1.0, "end_divisor": 1.0}, {}),
    ({"schedule": "step", "every_epochs": 10.0, "factor": 0.5}, {}),
    ({"schedule": "piecewise", "boundaries": "10, 20"}, {}),
    ({"layers.a.activation": "swish"}, {"layers.a.activation": "silu"}),
    (
        {"layers.a.recurrent_activation": "hard_swish"},
        {"layers.a.recurrent_activation": "hard_silu"},
    ),
    (
        {"schedule": "piecewise", "boundaries": "2,4"},
        {"schedule": "piecewise", "boundaries": "2.0, 4, 30"},
    ),
    (
        {"warmup_epochs": 10.0, "schedule": "cosine", "alpha": 0.5},
        {"warmup_epochs": 10.0, "schedule": "exponential"},
    ),
]


def rates(point: dict[str, Any]) -> list[float]:
    made = optimizer(point, EPOCHS)
    return [rate_at(made, 7, step, None) for step in range(EPOCHS * 7)]


@pytest.mark.parametrize(("one", "other"), TWINS)
def test_twins_are_one_point_and_their_rates_are_equal(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    common: dict[str, Any] = {"learning_rate": 0.01, "optimizer": "adam"}
    first, second = common | one, common | other
    assert as_trained(first, EPOCHS) == as_trained(second, EPOCHS)
    assert rates(first) == pytest.approx(rates(second), rel=1e-12)


DIFFERENT: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"optimizer": "sgd", "momentum": 0.5, "nesterov": True}, {"optimizer": "sgd"}),
    ({"optimizer": "adamw"}, {"optimizer": "adam"}),
    ({"optimizer": "adamw", "weight_decay": 0.0}, {"optimizer": "adamw"}),
    ({"warmup_epochs": 2.0, "warmup_from": 0.5}, {"warmup_epochs": 2.0, "warmup_from": 0.0}),
    ({"warmup_epochs": 2.0, "warmup_from": 1.0, "schedule": "cosine"}, {"schedule": "cosine"}),
    ({"schedule": "step", "every_epochs": 9.0}, {}),
    ({"schedule": "piecewise", "boundaries": "9"}, {}),
    ({"use_ema": True}, {"use_ema": True, "ema_momentum": 0.5}),
    ({"batch_size": 64}, {"batch_size": 100}),
    ({"layers.a.activation": "silu"}, {"layers.a.activation": "gelu"}),
    ({"weight_decay": 1e-5}, {"weight_decay": 1.000001e-5}),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_trains_differently_stays_apart(one: dict[str, Any], other: dict[str, Any]) -> None:
    common: dict[str, Any] = {"learning_rate": 0.01, "optimizer": "adam"}
    first, second = common | one, common | other
    assert as_trained(first, EPOCHS, 100) != as_trained(second, EPOCHS, 100)


def test_numbers_that_are_equal_in_32_bits_are_one_point() -> None:
    one, other = {"learning_rate": 0.1}, {"learning_rate": 0.1 + 1e-12}
    assert as_trained(one) == as_trained(other)


def test_batches_of_more_than_all_rows_are_one() -> None:
    space = Space.from_spec({"batch_size": Choice(choices=[64, 128, 256])}, EPOCHS, rows=100)
    assert space.most_trials(12, "random") == space.most_trials(12, "grid") == 2


@pytest.mark.parametrize("sampler", ["random", "grid"])
@pytest.mark.parametrize("seed", range(5))
def test_no_sampler_asks_twins(sampler: str, seed: int) -> None:
    parameters: dict[str, Parameter] = {
        "optimizer": Choice(choices=["sgd", "adam", "adamw"]),
        "momentum": Choice(choices=[0.0, 0.9]),
        "nesterov": Choice(choices=[True, False]),
        "weight_decay": Choice(choices=[0.0, 0.1]),
    }
    search = make(parameters, sampler, seed)
    asked = [point for _, point in search.ask(100)]
    # Of SGD: no momentum, momentum, Nesterov's; of Adam and AdamW one; each with two decays.
    assert len(asked) == 8
    assert search.exhausted
    space = Space.from_spec(parameters, EPOCHS)
    assert space.most_trials(100, sampler) == 8
    assert len({space.identity(point) for point in asked}) == 8


def test_a_range_without_effect_ends_the_search_soon() -> None:
    parameters: dict[str, Any] = {
        "warmup_epochs": Fixed(value=0.0),
        "warmup_from": Float(low=0, high=1),
    }
    assert len(make(parameters).ask(1000)) == 1
    assert Space.from_spec(parameters).most_trials(1000, "random") == 1


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(2, 7))
def test_choices_are_drawn_equally_often(seed: int, trials: int, choices: int) -> None:
    asked = make(
        {
            "learning_rate": Float(low=1e-4, high=1e-1, log=True),
            "layers.a.units": Choice(choices=list(range(1, choices + 1))),
            "optimizer": Choice(choices=["sgd", "adam"]),
        },
        seed=seed,
    ).ask(trials)
    for name, size in (("layers.a.units", choices), ("optimizer", 2)):
        counts = Counter(point[name] for _, point in asked)
        spread = [counts[value] for value in counts] + [0] * (size - len(counts))
        assert max(spread) - min(spread) <= 1


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from([4, 8, 16]))
def test_every_part_of_a_range_is_drawn(seed: int, whole: bool, trials: int) -> None:
    found: Parameter = Int(low=0, high=15) if whole else Float(low=0, high=16)
    asked = make({"layers.a.rate": found, "layers.b.rate": found}, seed=seed).ask(trials)
    for name in ("layers.a.rate", "layers.b.rate"):
        places = [int(float(point[name]) * trials / 16) for _, point in asked]
        assert sorted(places) == list(range(trials))


def test_small_products_are_balanced_too() -> None:
    choices = Choice(choices=[1, 2, 3, 4])
    for sampler in ("random", "grid"):
        asked = make({"layers.a.units": choices, "layers.b.units": choices}, sampler).ask(12)
        assert len({tuple(point.items()) for _, point in asked}) == 12
        for name in ("layers.a.units", "layers.b.units"):
            assert set(Counter(p[name] for _, p in asked).values()) <= {2, 3, 4}


def test_a_stored_study_goes_on_beside_the_twins_that_it_drew() -> None:
    parameters: dict[str, Any] = {
        "optimizer": Choice(choices=["sgd", "adam"]),
        "momentum": Float(low=0, high=0.9),
    }
    space = Space.from_spec(parameters, EPOCHS)
    adam: dict[str, Any] = {"learning_rate": 0.001, "batch_size": 32, "optimizer": "adam"}
    history = [Past(number, adam, "completed", 0.5) for number in range(4)]
    search = Search(space, sampler="random", seed=0, direction="maximize", history=history)
    asked = search.ask(6)
    assert [number for number, _ in asked] == list(range(4, 10))
    assert {point["optimizer"] for _, point in asked} == {"sgd"}
