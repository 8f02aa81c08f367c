"""The list of what is not right yet is true: whoever mends a case takes it off."""

from __future__ import annotations

import pytest

from potluck_converter import ConversionError, read_model, write_tfjs
from tests.parity.answers import TOLERANCE, compared, model_of
from tests.parity.awaited import OTHERWISE, UNREAD, WRONG, WRONG_ON
from tests.parity.browser import ParityPage, TfjsFailed


@pytest.mark.parametrize("name", UNREAD)
def test_it_is_still_refused(name: str) -> None:
    with pytest.raises(ConversionError):
        model_of(name)


def wrong(page: ParityPage, backend: str, name: str) -> bool:
    """Say whether a case fails, or differs from Keras."""
    try:
        found = compared(page, backend, name)
    except TfjsFailed:
        return True
    worst = max([found.predictions, *found.gradients.values()])
    return not worst <= TOLERANCE[backend]


@pytest.mark.parametrize("name", WRONG)
def test_it_is_still_wrong(page: ParityPage, name: str) -> None:
    assert wrong(page, "cpu", name)


@pytest.mark.parametrize(
    ("backend", "name"),
    [
        pytest.param(backend, name, marks=() if backend == "wasm" else pytest.mark.oracle)
        for backend, names in WRONG_ON.items()
        for name in names
    ],
)
def test_it_is_still_wrong_on_one_backend(page: ParityPage, backend: str, name: str) -> None:
    assert wrong(page, backend, name)
    assert not wrong(page, "cpu", name)


@pytest.mark.parametrize("name", OTHERWISE)
def test_it_is_still_read_back_otherwise(name: str) -> None:
    assert read_model(write_tfjs(model_of(name))).graph != model_of(name).graph
