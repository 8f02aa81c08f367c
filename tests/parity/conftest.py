from __future__ import annotations

import os

# Before anything imports Keras.
os.environ.setdefault("KERAS_BACKEND", "jax")

from collections.abc import Iterator

import pytest

from tests.parity.browser import ParityPage


@pytest.fixture(scope="session")
def page() -> Iterator[ParityPage]:
    """Give one page that all parity tests share."""
    with ParityPage() as found:
        yield found
