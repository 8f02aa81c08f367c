"""The limited subprocess ends with the process that started it, however that ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys

import pytest

from tests.support.processes import alive, command, descendants, end_group, holds_its_lifeline
from tests.support.programs import child_environment
from tests.support.waiting import until

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")


def test_a_conversion_ends_when_its_parent_is_killed_even_one_that_stands_still() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-m", "tests.unit.converter.converting_process"],
        env=child_environment(),
        start_new_session=True,
    )

    def stopped() -> int | None:
        for child in descendants(parent.pid):
            if "potluck_converter.isolated" in command(child) and holds_its_lifeline(child):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGSTOP)
                    return child if alive(child) else None
        return None

    child = 0
    try:
        child = until(stopped, "a conversion")
        parent.kill()
        parent.wait()
        until(lambda: not alive(child), "the end of the conversion")
    finally:
        end_group(parent)
        if child and alive(child):
            os.kill(child, signal.SIGKILL)
