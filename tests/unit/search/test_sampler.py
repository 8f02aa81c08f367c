from __future__ import annotations

import asyncio
import json
import logging
import math
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck.protocol.study import Choice, Float, Int
from potluck_coordinator.search import Past, Search, Searcher, Space
from potluck_coordinator.search.space import identity

WIDE = Space.from_spec(
    {
        "learning_rate": Float(low=1e-4, high=1e-1, log=True),
        "layers.a.rate": Float(low=0.0, high=0.5, step=0.05),
        "layers.a.units": Int(low=8, high=64, log=True),
        "optimizer": Choice(choices=["sgd", "adam"]),
        "momentum": Float(low=0.0, high=0.9),
    }
)
NARROW = Space.from_spec(
    {
        "batch_size": Choice(choices=[8, 16, 32]),
        "layers.a.use_bias": Choice(choices=[True, False]),
        "layers.a.units": Int(low=8, high=24, step=8),
    }
)
outcomes = st.sampled_from(
    [
        ("running", None),
        ("completed", 0.5),
        ("completed", 0.7),
        ("stopped", 0.2),
        ("failed", None),
        ("incomplete", None),
    ]
)


def make(space: Space, sampler: Any = "random", seed: int = 1, **others: Any) -> Search:
    return Search(space, sampler=sampler, seed=seed, direction="maximize", **others)


@settings(max_examples=40)
@given(
    st.sampled_from([(WIDE, "random"), (NARROW, "random"), (NARROW, "grid")]),
    st.integers(0, 2**32 - 1),
    st.lists(outcomes, max_size=12),
    st.integers(1, 6),
)
def test_a_search_built_again_asks_what_one_never_killed_would_have(
    kind: tuple[Space, str],
    seed: int,
    past: list[tuple[str, float | None]],
    more: int,
) -> None:
    space, sampler = kind
    alive = make(space, sampler, seed)
    history = []
    for (state, value), (number, point) in zip(past, alive.ask(len(past)), strict=True):
        if state == "failed":
            alive.tell(number, math.nan)
        elif state != "running":
            alive.tell(number, value)
        stored = json.loads(json.dumps(point))
        history.append(Past(number, stored, state, value))
    again = make(space, sampler, seed, history=list(reversed(history)))
    assert again.ask(more) == alive.ask(more)


@settings(max_examples=25)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=6), st.integers(0, 2**32 - 1))
def test_how_many_are_asked_at_a_time_does_not_matter(sizes: list[int], seed: int) -> None:
    bit_by_bit, at_once = make(NARROW, seed=seed), make(NARROW, seed=seed)
    found = [trial for size in sizes for trial in bit_by_bit.ask(size)]
    assert found == at_once.ask(sum(sizes))


def test_another_seed_asks_other_points() -> None:
    assert make(WIDE, seed=1).ask(3) != make(WIDE, seed=2).ask(3)


@pytest.mark.parametrize("sampler", ["random", "grid"])
def test_a_small_space_is_asked_to_its_end_without_repeats(sampler: str) -> None:
    search = make(NARROW, sampler)
    asked = search.ask(1000)
    assert [number for number, _ in asked] == list(range(18))
    assert len({identity(point) for _, point in asked}) == 18
    assert search.exhausted
    assert search.ask(1) == []


def test_a_space_without_a_choice_has_one_trial() -> None:
    search = make(Space.from_spec({}))
    assert search.ask(5) == [(0, {"learning_rate": 0.001, "batch_size": 32, "optimizer": "adam"})]


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_every_point_lies_in_the_space(seed: int) -> None:
    for _, point in make(WIDE, seed=seed).ask(8):
        rate, units, drop = (
            point[name] for name in ("learning_rate", "layers.a.units", "layers.a.rate")
        )
        assert isinstance(rate, float)
        assert 1e-4 <= rate <= 1e-1
        assert isinstance(units, int)
        assert 8 <= units <= 64
        assert drop in [float(f"{i * 0.05:.2f}") for i in range(11)]
        assert ("momentum" in point) == (point["optimizer"] == "sgd")


def test_a_logarithmic_range_is_not_searched_as_a_plain_one() -> None:
    """A share of log-uniform draws, binomial(200, 2/3), lies below 0.01; of uniform ones 10%."""

    def share(log: bool) -> float:
        space = Space.from_spec({"learning_rate": Float(low=1e-4, high=1e-1, log=log)})
        asked = make(space).ask(200)
        return sum(float(point["learning_rate"]) < 0.01 for _, point in asked) / 200

    assert abs(share(True) - 2 / 3) < 0.15
    assert abs(share(False) - 2 / 3) > 0.15


def test_telling_twice_or_of_a_finished_trial_changes_nothing() -> None:
    search = make(WIDE)
    search.ask(3)
    search.tell(0, 0.5)
    search.tell(0, 0.9)
    search.tell(1, math.nan)
    search.tell(1, 0.9)
    search.tell(2, None)
    search.tell(2, 0.9)
    trials = search._study.get_trials(deepcopy=False)
    assert [trial.state.name for trial in trials] == ["COMPLETE", "COMPLETE", "FAIL"]
    assert [trial.value for trial in trials] == [0.5, -math.inf, None]


def test_a_history_with_a_gap_is_refused() -> None:
    point = make(NARROW).ask(1)[0][1]
    with pytest.raises(ValueError, match="gap before trial 2"):
        make(NARROW, history=[Past(0, point, "running", None), Past(2, point, "running", None)])


def test_optuna_stays_silent(caplog: pytest.LogCaptureFixture, capfd: Any) -> None:
    with caplog.at_level(logging.INFO):
        search = make(WIDE)
        search.ask(3)
        search.tell(0, 0.5)
        search.tell(1, None)
    captured = capfd.readouterr()
    assert (captured.out, captured.err, caplog.text) == ("", "", "")


def test_a_searcher_works_in_one_thread_that_is_not_the_callers() -> None:
    threads = set()

    class Watched(Space):
        def effective(self, values: Any) -> Any:
            threads.add(threading.current_thread().name)
            return super().effective(values)

    searcher = Searcher(
        Watched(WIDE.fixed, WIDE.free), sampler="random", seed=1, direction="maximize"
    )

    async def act() -> list[list[tuple[int, Any]]]:
        answers = await asyncio.gather(*(searcher.ask(2) for _ in range(5)))
        await searcher.tell(0, 0.5)
        return list(answers)

    answers = asyncio.run(act())
    searcher.close()
    asked = sorted((trial for answer in answers for trial in answer), key=lambda trial: trial[0])
    assert asked == make(WIDE).ask(10)
    assert len(threads) == 1
    assert threading.current_thread().name not in threads
