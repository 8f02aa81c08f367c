"""A coordinator that trains again what donors hand in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.coordinator import Coordinator


@pytest.fixture(scope="module")
def checking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coordinator]:
    """Give a coordinator with a donor of its own."""
    found = Coordinator(tmp_path_factory.mktemp("data"), workers=1, own_donor=1)
    try:
        yield found.start()
    finally:
        found.stop()
