"""Every layer and option that Keras 3 saved, opened by TF.js in Chromium, against Keras on JAX."""

from __future__ import annotations

import pytest

from tests.parity.answers import TOLERANCE, compared
from tests.parity.browser import ParityPage
from tests.parity.cases import CASES, FAMILIES
from tests.parity.make_oracles import archive_of
from tests.parity.oracle import names_in

RUNS = [(backend, name) for backend in ("cpu", "wasm") for name in CASES]
DIFFERENTIATED = [(backend, name) for backend, name in RUNS if CASES[name].gradients]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_archive_holds_the_table_s_cases(family: str) -> None:
    assert names_in(archive_of(family)) == {case.name for case in FAMILIES[family]}


@pytest.mark.parametrize(("backend", "name"), RUNS)
def test_tfjs_predicts_as_keras(page: ParityPage, backend: str, name: str) -> None:
    assert compared(page, backend, name).predictions <= TOLERANCE[backend]


@pytest.mark.parametrize(("backend", "name"), RUNS)
def test_a_disturbed_weight_is_seen(page: ParityPage, backend: str, name: str) -> None:
    assert compared(page, backend, name).twin > TOLERANCE[backend]


@pytest.mark.parametrize(("backend", "name"), DIFFERENTIATED)
def test_tfjs_s_gradients_are_those_of_keras(page: ParityPage, backend: str, name: str) -> None:
    differences = compared(page, backend, name).gradients
    assert differences
    assert max(differences.values()) <= TOLERANCE[backend], differences


@pytest.mark.parametrize(("backend", "name"), DIFFERENTIATED)
def test_other_cotangents_are_seen(page: ParityPage, backend: str, name: str) -> None:
    assert compared(page, backend, name).gradient_twins > TOLERANCE[backend]
