"""Hold gradients to finite differences on CPU, and every backend to those of the CPU.

Tolerances, with TF.js's float32 everywhere:
- Finite differences: 2e-3 of the slope that the gradient's length makes likely. Rounding of the output and
  of the steps leaves about 1e-4 of it; a gradient wrong by a hundredth in every element is far above.
- Another backend: 1e-4 of the largest element of each gradient. Sums in another order differ by 1e-6 to
  2e-5; the smallest mistake found in stock TF.js is 3e-4.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tests.gradients.case import Case
from tests.gradients.page import Analytic, Floats, GradientsPage, Slope

BACKENDS = ("cpu", "wasm", "webgl", "webgpu")
DIFFERENCE_TOLERANCE = 2e-3
BACKEND_TOLERANCE = 1e-4

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
        # Along a direction of numbers from -1 to 1, a gradient's slope is about its length by root 3.
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


def truth(ours: GradientsPage, case: Case) -> tuple[Analytic, float]:
    """Give our gradients on CPU, and how far they are from finite differences. Raises AssertionError."""
    found = ours.analytic(case, "cpu")
    problem = found.error or next(iter(found.problems.values()), None)
    if problem is not None:
        raise AssertionError(f"{case.name} on cpu: {problem}")
    # An optimizer's step is no gradient; it is held to stock TF.js on CPU, whose arithmetic it is.
    if case.optimizer is not None:
        return found, 0.0
    return found, against_differences(found.gradients, ours.numeric(case))


def audit(
    ours: GradientsPage, stock: GradientsPage, cases: Sequence[Case]
) -> Iterator[Row]:
    """Give a row for each case. Raises AssertionError where our own CPU gradients are missing."""
    for case in cases:
        right, error = truth(ours, case)
        cpu = Verdict("right", error) if error <= DIFFERENCE_TOLERANCE else Verdict("wrong", error, "cpu")
        if case.optimizer is not None:
            right = stock.analytic(case, "cpu")
        rest = {b: judge(ours.analytic(case, b), right) for b in BACKENDS if b != "cpu"}
        yield Row(
            case,
            {"cpu": cpu, **rest},
            {b: judge(stock.analytic(case, b), right) for b in BACKENDS},
        )
