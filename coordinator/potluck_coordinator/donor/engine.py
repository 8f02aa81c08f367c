"""An engine: a process that trains one unit after another, as it is told on its input.

`python -m potluck_coordinator.donor.engine` reads frames (`prepare`, `train`, `drop`, `stop`) and
writes frames (`prepared`, and what `Runner` emits). It ends at once when its input does.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time
from collections import deque
from typing import BinaryIO

from potluck.protocol.donor import Unit
from potluck_coordinator.donor import frames
from potluck_coordinator.donor.frames import Frame
from potluck_coordinator.donor.runner import Job, Order, Runner


class Engine:
    """What was told and is not done yet; commands for the unit in hand overtake the others."""

    def __init__(self, told: queue.Queue[Frame], out: BinaryIO) -> None:
        self._told = told
        self._out = out
        self._later: deque[Frame] = deque()
        self._runner = Runner(self._emit, time.monotonic, self._order)

    def run(self) -> None:
        """Do what is told, for ever."""
        while True:
            frame = self._later.popleft() if self._later else self._told.get()
            if frame.type == "prepare":
                self._emit(Frame({"type": "prepared", **_measure()}))
            elif frame.type == "train":
                self._runner.train(_job(frame))

    def _order(self, lease_id: str) -> Order:
        order: Order = "go_on"
        while True:
            try:
                frame = self._told.get_nowait()
            except queue.Empty:
                return order
            if frame.type in ("train", "prepare"):
                self._later.append(frame)
            elif frame.head["lease"] == lease_id and order != "drop":
                order = "drop" if frame.type == "drop" else "stop"

    def _emit(self, frame: Frame) -> None:
        self._out.write(frames.pack(frame))
        self._out.flush()


def _job(frame: Frame) -> Job:
    unit = Unit.model_validate(frame.head["unit"])
    blobs = frame.blobs
    return Job(
        str(frame.head["lease"]), unit, blobs["topology"], blobs["checkpoint"], blobs["tensors"]
    )


def _measure() -> dict[str, object]:
    import jax
    import keras

    from potluck_coordinator.training.known_answer import samples_per_second, trains_rightly

    right = trains_rightly()
    device = jax.devices()[0]
    return {
        "right": right,
        "samples_per_second": samples_per_second() if right else 0.0,
        "note": f"Keras {keras.__version__}, JAX {jax.__version__}, {device.device_kind}",
    }


def _read_input(stream: BinaryIO, told: queue.Queue[Frame]) -> None:
    while (frame := frames.read(stream)) is not None:
        told.put(frame)
    os._exit(0)  # whoever held the other end is gone; a step may take long


def main() -> None:
    """Serve the donor that started this process."""
    # Ctrl-C in a terminal reaches every process; when to stop is the donor's to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Libraries print; the way out is for frames alone.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    told: queue.Queue[Frame] = queue.Queue()
    threading.Thread(target=_read_input, args=(sys.stdin.buffer, told), daemon=True).start()
    Engine(told, out).run()


if __name__ == "__main__":
    main()
