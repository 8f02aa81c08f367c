"""The SDK, a real server, a real donor: submit, poll, interrupt, reattach, best model."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import numpy as np

import potluck
from tests.e2e.conftest import Donate
from tests.support.coordinator import Coordinator
from tests.support.keras_files import dense_h5
from tests.support.waiting import PATIENCE_S, until

# What a shell starts in the background begins with interrupts ignored, and so do its children.
WAITER = """
import signal, sys, potluck
signal.signal(signal.SIGINT, signal.default_int_handler)
study = potluck.Client(sys.argv[1]).study(sys.argv[2])
print("waiting", flush=True)
study.wait()
"""


def data() -> tuple[np.ndarray, np.ndarray]:
    """Make a task that a small network learns: which of four numbers is the smallest of three."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(240, 4)).astype(np.float32)
    return x, x[:, :3].argmin(axis=1)


def test_submit_poll_interrupt_reattach_and_take_the_best_home(
    coordinator: Coordinator, donate: Donate, tmp_path: Path
) -> None:
    client = potluck.Client(coordinator.url)
    study = client.submit(
        model=dense_h5(),
        data=data(),
        search={
            "learning_rate": potluck.Float(1e-3, 1e-1, log=True),
            "layers.hidden.units": [8, 16],
        },
        trials=3,
        epochs=12,
        name="From Python",
    )
    waiter = subprocess.Popen(
        [sys.executable, "-c", WAITER, coordinator.url, study.id],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert waiter.stdout is not None
    assert waiter.stdout.readline() == "waiting\n"
    shown = ""
    while "unit" not in shown:  # the bar is there: it waits
        shown += waiter.stdout.read(1)
    waiter.send_signal(signal.SIGINT)
    said, _ = waiter.communicate(timeout=PATIENCE_S)
    assert study.id in said  # how to reattach
    assert study.refresh().state == "running"

    donate(coordinator.url)
    again = client.study(study.id)
    again.wait(timeout=PATIENCE_S, progress=False)
    rows = again.trials()
    assert [r.rank for r in rows] == [1, 2, 3]
    assert rows[0].mean is not None
    assert rows[0].mean > 0.6

    path = tmp_path / "best.h5"
    again.best.save(path)
    assert path.stat().st_size > 1000
    assert zipfile.is_zipfile(again.best.save(tmp_path / "best.keras"))
    model = again.best.keras()
    units = again.best.parameters["layers.hidden.units"]
    assert model.get_layer("hidden").units == units
    assert until(lambda: again.best.predictions().raw, what="predictions")
    client.close()
