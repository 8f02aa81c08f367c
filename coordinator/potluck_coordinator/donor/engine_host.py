"""The donor's end of an engine's process: started, spoken with, and started again."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping
from typing import Literal

from potluck_coordinator.donor import engine, frames
from potluck_coordinator.donor.frames import Frame
from potluck_coordinator.scoring.backend import ENVIRONMENT

Platform = Literal["auto", "cpu", "gpu"]

PLATFORMS: Mapping[Platform, str] = {"auto": "", "cpu": "cpu", "gpu": "cuda"}
WORDS_KEPT = 12


def environment(platform: Platform) -> dict[str, str]:
    """Give an engine's environment: Keras on JAX, repeatable, one core where there is no GPU."""
    flags = f"{ENVIRONMENT['XLA_FLAGS']} --xla_gpu_deterministic_ops=true"
    return {
        **os.environ,
        **ENVIRONMENT,
        "JAX_PLATFORMS": PLATFORMS[platform],
        "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip(),
        # Engines share a GPU; and a GPU's shorter floats would not train as a tab does.
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "JAX_DEFAULT_MATMUL_PRECISION": "highest",
    }


class EngineHost:
    """One engine. `heard` gets its frames; when its process ends by itself, `failed` without lease.

    `start` may be called again after that.
    """

    def __init__(self, platform: Platform, heard: Callable[[EngineHost, Frame], None]) -> None:
        self._environment = environment(platform)
        self._heard = heard
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._words: deque[str] = deque(maxlen=WORDS_KEPT)

    async def start(self) -> None:
        """Start the process."""
        await self.close()
        self._words.clear()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            engine.__name__,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment,
            start_new_session=True,
        )
        self._reading = asyncio.create_task(self._read(self._process))

    def post(self, frame: Frame) -> None:
        """Tell the engine something; what it is told while it is gone is lost."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(frames.pack(frame))

    async def close(self) -> None:
        """End the process, whatever it does."""
        process, reading = self._process, self._reading
        self._process = self._reading = None
        if reading is not None:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        if process is not None:
            if process.returncode is None:
                process.kill()
            await process.wait()
            if process.stdin is not None:
                process.stdin.close()

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        listening = asyncio.create_task(self._listen(process))
        try:
            while (frame := await frames.read_async(process.stdout)) is not None:
                self._heard(self, frame)
            await asyncio.gather(listening, process.wait())
        finally:
            listening.cancel()
        self._process = self._reading = None
        words = " ".join(self._words)[-300:]
        message = f"The training process ended with status {process.returncode}. {words}".strip()
        head = {"type": "failed", "lease": None, "code": "crashed", "message": message}
        self._heard(self, Frame(head))

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while said := await process.stderr.read(4096):
            self._words.append(said.decode(errors="replace").strip())
