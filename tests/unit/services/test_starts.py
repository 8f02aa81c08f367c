"""How long a lease was held decides whether an unproven state of it is gone on from."""

from __future__ import annotations

from dataclasses import replace

import pytest

from potluck_coordinator.core.leases import LONG_SECONDS
from potluck_coordinator.services.starts import was_long
from tests.support.rows import lease


@pytest.mark.parametrize(
    ("ended", "heard", "long"),
    [
        (LONG_SECONDS + 100.0, 100.0, True),
        (LONG_SECONDS + 99.0, 100.0, False),
        (None, LONG_SECONDS + 100.0, True),
        (None, LONG_SECONDS + 99.0, False),
    ],
)
def test_a_lease_that_was_held_for_twenty_minutes_was_long(
    ended: float | None, heard: float, long: bool
) -> None:
    held = replace(lease("l", "u", "d"), started_at=100.0, heard_at=heard, ended_at=ended)
    assert was_long(held) is long
