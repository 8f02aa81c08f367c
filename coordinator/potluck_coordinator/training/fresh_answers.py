"""Known-answer trainings with start states that nobody has seen: nobody can look them up."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from potluck_coordinator.training.checkpoint import read_checkpoint, write_checkpoint
from potluck_coordinator.training.distance import distance
from potluck_coordinator.training.known_answer import STEPS, Reference, known_answer_reference
from potluck_coordinator.training.replay import nudged

CALM = 1e-3
"""A start state whose end a rounding error moves further, as a share of the way, is left out."""
ANSWERS = 16
TRIES = 4


@dataclass(frozen=True)
class FreshAnswer:
    """A checkpoint to begin with, and the one that `STEPS` steps from there come to."""

    start: bytes
    end: bytes


def fresh_answers(seed: int, count: int = ANSWERS) -> list[FreshAnswer]:
    """Make up to `count` start states, and train each. `seed` decides all of them: keep it secret.

    The network and the rows are those of `known_answer_reference()`; takes some seconds.
    """
    rng = np.random.default_rng(seed)
    reference = known_answer_reference()
    found: list[FreshAnswer] = []
    for _ in range(TRIES * count):
        if len(found) < count:
            made = _answer(reference, _start(reference, rng))
            found += [made] if made is not None else []
    return found


def judge_answer(answer: FreshAnswer, state: bytes) -> float:
    """Give how far a state is from the answer, as a share of the way. Raises BadTensors."""
    start, end = read_checkpoint(answer.start), read_checkpoint(answer.end)
    return distance(start, end, read_checkpoint(state), goes_on=False)


def _start(reference: Reference, rng: np.random.Generator) -> bytes:
    known = read_checkpoint(reference.checkpoint)
    weights = {
        name: (value + (rng.uniform(-0.1, 0.1, value.shape) if value.ndim > 1 else 0.0)).astype(
            np.float32
        )
        for name, value in known.weights.items()
    }
    return write_checkpoint(replace(known, weights=weights))


def _answer(reference: Reference, start: bytes) -> FreshAnswer | None:
    end = _trained(reference, start)
    other = _trained(reference, nudged(read_checkpoint(start)))
    answer = FreshAnswer(start, end)
    return answer if judge_answer(answer, other) <= CALM else None


def _trained(reference: Reference, start: bytes) -> bytes:
    training = replace(reference, checkpoint=start).open()
    for _ in range(STEPS):
        training.advance()
    return write_checkpoint(training.state())
