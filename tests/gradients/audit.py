"""Hold gradients to finite differences on CPU, and every backend to those of the CPU.

Tolerances, with TF.js's float32 everywhere:
- Finite differences: 2e-3 of the slope that the gradient's length makes likely. Rounding of the
  output and of the steps leaves about 1e-4 of it; what is wrong by a twentieth is far above.
- Another backend: 1e-4 of the largest element of each gradient. Sums in another order differ by
  1e-6 to 2e-5; the smallest mistake found in stock TF.js is about 1e-4, by WebGL's epsilon.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tests.gradients.case import Case
from tests.gradients.page import Analytic, Floats, GradientsPage, Slope

BACKENDS = ("cpu", "wasm", "webgl", "webgpu")
DIFFERENCE_TOLERANCE = 2e-3
BACKEND_TOLERANCE = 1e-4

ANOTHER_SHAPE = "another shape"

State = Literal["right", "wrong", "missing"]


@dataclass(frozen=True)
class Verdict:
    """What is to be said of one build's gradients of one case on one backend."""

    state: State
    error: float = 0.0
    """The largest error, as a part of the largest right element; infinite for what is no number."""
    words: str = ""
    """What was wrong, or what TF.js said where a gradient is missing."""


@dataclass(frozen=True)
class Row:
    """A case with its verdicts by backend."""

    case: Case
    ours: Mapping[str, Verdict]
    stock: Mapping[str, Verdict]


def against_differences(gradients: Mapping[str, Floats], slopes: Sequence[Slope]) -> float:
    """Give the largest distance to finite differences, as a part of the slope to be expected."""
    worst = 0.0
    for one in slopes:
        gradient = gradients.get(one.name)
        if gradient is None:
            return math.inf
        exact = gradient.astype(np.float64)
        # Numbers from -1 to 1 make a direction's slope about the gradient's length by root 3.
        expected = max(float(np.linalg.norm(exact)) / math.sqrt(3), abs(one.slope), 0.1)
        error = abs(float(exact @ one.direction) - one.slope) / expected
        worst = max(worst, error if math.isfinite(error) else math.inf)
    return worst


def distance(found: Floats, right: Floats) -> float:
    """Give the largest difference as a part of the largest right element, or of a hundredth."""
    if found.shape != right.shape:
        return math.inf
    scale = max(float(np.abs(right).max(initial=0.0)), 1e-2)
    error = float(np.abs(found.astype(np.float64) - right).max(initial=0.0)) / scale
    return error if math.isfinite(error) else math.inf


def judge(found: Analytic, right: Analytic) -> Verdict:
    """Compare one backend's answer with the right one."""
    if found.error is not None:
        return Verdict("missing", words=found.error)
    if found.output.shape != right.output.shape:
        return Verdict("wrong", math.inf, ANOTHER_SHAPE)
    errors = {"output": distance(found.output, right.output)}
    for name, gradient in right.gradients.items():
        if name in found.gradients:
            errors[name] = distance(found.gradients[name], gradient)
    worst = max(errors, key=lambda name: errors[name])
    if errors[worst] > BACKEND_TOLERANCE:
        return Verdict("wrong", errors[worst], f"by {worst}" if worst != "output" else worst)
    if found.problems:
        name, words = next(iter(found.problems.items()))
        return Verdict("missing", words=f"by {name}: {words}")
    return Verdict("right", errors[worst])


def right_gradients(ours: GradientsPage, case: Case) -> Analytic:
    """Give our gradients on CPU. Raises AssertionError where one is missing."""
    found = ours.analytic(case, "cpu")
    problem = found.error or next(iter(found.problems.values()), None)
    if problem is not None:
        raise AssertionError(f"{case.name} on cpu: {problem}")
    return found


def audit(ours: GradientsPage, stock: GradientsPage, cases: Iterable[Case]) -> Iterator[Row]:
    """Give a row for each case. Raises AssertionError where one of ours on CPU is missing.

    An optimizer's step is no gradient: it is held to stock TF.js on CPU, whose arithmetic it is.
    """
    for case in cases:
        if case.optimizer is None:
            right = right_gradients(ours, case)
            error = against_differences(right.gradients, ours.numeric(case))
            found = Verdict("right" if error <= DIFFERENCE_TOLERANCE else "wrong", error, "cpu")
        else:
            right = stock.analytic(case, "cpu")
            found = judge(ours.analytic(case, "cpu"), right)
        others = {b: judge(ours.analytic(case, b), right) for b in BACKENDS if b != "cpu"}
        theirs = {b: judge(stock.analytic(case, b), right) for b in BACKENDS}
        yield Row(case, {"cpu": found, **others}, theirs)
