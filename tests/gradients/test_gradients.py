"""Every layer's gradients with ours installed: right on the CPU, and the same on every backend.

`docs/gradients.md` says the same of stock TF.js, by `make gradients`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser

from tests.gradients.audit import (
    BACKEND_TOLERANCE,
    BACKENDS,
    DIFFERENCE_TOLERANCE,
    Verdict,
    against_differences,
    audit,
    judge,
    right_gradients,
)
from tests.gradients.cases import CASES
from tests.gradients.page import Analytic, GradientsPage, gradients_pages
from tests.gradients.table import DOCUMENT, names_in, states_in, table, verdicts_of_ours

DIFFERENTIATED = [name for name, case in CASES.items() if case.optimizer is None]
OTHERS = [backend for backend in BACKENDS if backend != "cpu"]

# What stock TF.js is known to get wrong: an audit that did not see it would see nothing.
KNOWN = [
    ("cpu", "UpSampling2D: size=[2, 2], interpolation=nearest", "wrong"),
    ("cpu", "UpSampling2D: size=[2, 3], interpolation=bilinear", "missing"),
    ("cpu", "AveragePooling2D: pool_size=3, strides=2, padding=same", "wrong"),
    ("cpu", "Conv2D: filters=3, kernel_size=[3, 3], padding=same, dilation_rate=[2, 2]", "missing"),
    ("cpu", "Conv3DTranspose: filters=3, kernel_size=2, strides=2, padding=same", "missing"),
    ("wasm", "MaxPooling2D: negative values", "wrong"),
    ("wasm", "MaxPooling3D: negative values", "wrong"),
    ("wasm", "Conv3D: two, one behind the other", "wrong"),
    ("wasm", "Embedding: before Dense", "missing"),
    ("webgpu", "Embedding: mask_zero, before LSTM", "wrong"),
    ("webgl", "Loss: poisson", "wrong"),
    ("webgl", "Optimizer: adam, default epsilon", "wrong"),
    ("webgl", "Optimizer: rmsprop, default epsilon", "wrong"),
]


class Audited:
    """Two pages, and what was asked of them before."""

    def __init__(self, ours: GradientsPage, stock: GradientsPage) -> None:
        self.ours = ours
        self.stock = stock
        self._right: dict[str, Analytic] = {}

    def right(self, name: str) -> Analytic:
        """Give what every backend has to agree with."""
        if name not in self._right:
            case = CASES[name]
            plain = case.optimizer is None
            self._right[name] = (
                right_gradients(self.ours, case) if plain else self.stock.analytic(case, "cpu")
            )
        return self._right[name]


@pytest.fixture(scope="module")
def audited(browser: Browser) -> Iterator[Audited]:
    with gradients_pages(browser) as (ours, stock):
        yield Audited(ours, stock)


@pytest.mark.parametrize("name", DIFFERENTIATED)
def test_gradients_on_the_cpu_are_slopes(audited: Audited, name: str) -> None:
    gradients = audited.right(name).gradients
    slopes = audited.ours.numeric(CASES[name])
    assert {slope.name for slope in slopes} == set(gradients)
    assert against_differences(gradients, slopes) <= DIFFERENCE_TOLERANCE
    largest = max(gradients, key=lambda one: float(np.linalg.norm(gradients[one])))
    wrong = {**gradients, largest: np.float32(1.05) * gradients[largest]}
    assert against_differences(wrong, slopes) > DIFFERENCE_TOLERANCE


@pytest.mark.parametrize("backend", OTHERS)
@pytest.mark.parametrize("name", CASES)
def test_every_backend_gives_the_gradients_of_the_cpu(
    audited: Audited, name: str, backend: str
) -> None:
    verdict = judge(audited.ours.analytic(CASES[name], backend), audited.right(name))
    assert verdict == Verdict("right", verdict.error)


def test_optimizers_on_the_cpu_are_those_of_tfjs(audited: Audited) -> None:
    for name in set(CASES) - set(DIFFERENTIATED):
        assert (
            judge(audited.ours.analytic(CASES[name], "cpu"), audited.right(name)).state == "right"
        )


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_kernel_that_is_wrong_by_a_hundredth_is_noticed(browser: Browser, backend: str) -> None:
    case = CASES["Conv2D: filters=3, kernel_size=[3, 3], strides=[1, 1], padding=same"]
    with gradients_pages(browser) as (ours, _):
        right = ours.analytic(case, backend)
        ours.spoil("Conv2DBackpropFilter", backend)
        wrong = ours.analytic(case, backend)
    verdict = judge(wrong, right)
    assert verdict.state == "wrong"
    assert verdict.words == "by layer/kernel"
    assert BACKEND_TOLERANCE < verdict.error < 0.011


@pytest.mark.parametrize(("backend", "name", "state"), KNOWN)
def test_what_stock_tfjs_gets_wrong_is_noticed(
    audited: Audited, backend: str, name: str, state: str
) -> None:
    assert judge(audited.stock.analytic(CASES[name], backend), audited.right(name)).state == state


def test_the_published_table_is_of_these_cases_and_has_nothing_wrong_of_ours() -> None:
    published = DOCUMENT.read_text(encoding="utf-8")
    assert names_in(published) == list(CASES)
    assert set(verdicts_of_ours(published)) == {"right"}


@pytest.mark.long
def test_the_published_table_says_of_stock_tfjs_what_is_so(
    audited: Audited,
) -> None:

    fresh = table(list(audit(audited.ours, audited.stock, CASES.values())))
    assert states_in(fresh) == states_in(DOCUMENT.read_text(encoding="utf-8"))
