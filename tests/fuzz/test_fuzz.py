"""A short fuzz of every reader: the fixed corpus, and mutations that are the same on each run."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from potluck_converter import Model
from tests.fuzz.room import Room
from tests.fuzz.seeds import seeds
from tests.fuzz.targets import mutated, outcome

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.bin"))
ROUNDS = 60


@pytest.fixture(scope="module")
def room() -> Iterator[Room]:
    """Give a process that may die."""
    with Room() as found:
        yield found


def test_every_seed_is_a_model() -> None:
    found = [outcome(seed) for seed in seeds()]
    refused = [x for x in found if not isinstance(x, Model)]
    # One is a file of weights alone, which is refused for what it is.
    assert [error.code for error in refused] == ["model.weights_only"]


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_what_once_got_through_is_refused(room: Room, path: Path) -> None:
    assert room.outcome(path.read_bytes()).startswith("model.")


@pytest.mark.parametrize("index", range(len(seeds())))
def test_what_is_changed_is_a_model_or_refused_in_words(room: Room, index: int) -> None:
    draw = random.Random(index)
    seed = seeds()[index]
    found = [room.outcome(mutated(seed, draw)) for _ in range(ROUNDS)]
    # Changes that nothing notices would prove nothing.
    assert any(code.startswith("model.") for code in found)
