"""`kill -9` on the server alone: what it started goes too, and the next one starts at once."""

from __future__ import annotations

import sys
import threading
from contextlib import suppress

import httpx2
import numpy as np
import pytest

from tests.conftest import Start
from tests.support.coordinator import Coordinator
from tests.support.keras_files import dense_h5
from tests.support.processes import await_end, command, descendants
from tests.support.waiting import until

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")


def test_all_that_a_killed_server_started_ends_and_the_next_one_starts(
    start_coordinator: Start,
) -> None:
    coordinator = start_coordinator(workers=3)  # of which one account has two
    busy = threading.Thread(target=keep_busy, args=(coordinator,))
    busy.start()
    started: set[int] = set()
    try:
        until(lambda: len(workers(coordinator)) == 2, "two workers")
    finally:
        started = coordinator.kill_alone()
        busy.join()
    assert len(started) >= 2
    await_end(started)
    coordinator.start()
    assert httpx2.get(f"{coordinator.url}/healthz").json()["status"] == "ok"


def workers(coordinator: Coordinator) -> set[int]:
    """Give the server's worker processes."""
    return {pid for pid in descendants(coordinator.pid) if "spawn_main" in command(pid)}


def keep_busy(coordinator: Coordinator) -> None:
    """Send datasets and models, several at a time, until the server is gone."""
    table = np.random.default_rng(1).normal(size=(200, 400))
    lines = [",".join(f"c{i}" for i in range(table.shape[1]))]
    lines += [",".join(f"{number:.4f}" for number in row) for row in table]
    csv, model = "\n".join(lines).encode(), dense_h5()

    def ask() -> None:
        with suppress(httpx2.HTTPError), httpx2.Client(base_url=coordinator.url) as client:
            while True:
                client.post("/api/v1/datasets", files={"file": ("wide.csv", csv)}, timeout=60)
                client.post("/api/v1/models", files=[("files", ("m.h5", model))], timeout=60)

    asking = [threading.Thread(target=ask) for _ in range(3)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
