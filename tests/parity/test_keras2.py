"""What Keras 2 saved, opened by TF.js in Chromium, against what Keras 2 predicted."""

from __future__ import annotations

from functools import cache

import pytest

from potluck_converter import Model, read_model
from tests.parity.answers import TOLERANCE, Compared, compare
from tests.parity.browser import ParityPage
from tests.parity.make_keras2_oracles import KERAS2_ARCHIVE, KERAS2_CASES
from tests.parity.oracle import load, names_in

_done: dict[str, Compared] = {}


@cache
def model_of(name: str) -> Model:
    """Read what Keras 2 saved."""
    return read_model({"m.h5": load(KERAS2_ARCHIVE, name).h5})


def compared(page: ParityPage, name: str) -> Compared:
    """Compare a case once for all tests that ask; backends are compared with Keras 3's files."""
    if name not in _done:
        oracle = load(KERAS2_ARCHIVE, name)
        _done[name] = compare(page, "cpu", model_of(name), oracle, training=False)
    return _done[name]


def test_the_archive_holds_the_table_s_cases() -> None:
    assert names_in(KERAS2_ARCHIVE) == set(KERAS2_CASES)


@pytest.mark.parametrize("name", list(KERAS2_CASES))
def test_tfjs_predicts_as_keras_2(page: ParityPage, name: str) -> None:
    assert compared(page, name).predictions <= TOLERANCE["cpu"]


@pytest.mark.parametrize("name", list(KERAS2_CASES))
def test_a_disturbed_weight_is_seen(page: ParityPage, name: str) -> None:
    assert compared(page, name).twin > TOLERANCE["cpu"]
