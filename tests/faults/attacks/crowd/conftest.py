"""The coordinator that a crowd works for, and attacks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.coordinator import Coordinator


@pytest.fixture
def attacked(tmp_path: Path) -> Iterator[Coordinator]:
    """Give an open coordinator with a donor of its own, that soon calls a unit stalled."""
    found = Coordinator(tmp_path, workers=1, own_donor=1, stalled_seconds=2)
    try:
        yield found.start()
    finally:
        found.stop()
