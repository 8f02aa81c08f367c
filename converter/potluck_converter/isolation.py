"""Convert a stranger's file in a fresh, limited subprocess."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from potluck_converter.errors import ConversionError, error_from_dict
from potluck_converter.files import from_files
from potluck_converter.graph import Model
from potluck_converter.limits import DEFAULT_LIMITS, Limits

ADDRESSES = 512 << 20
"""Bytes of address space that Python and its libraries reserve without taking them."""
LEAST = 256 << 20
TIMES = 16
"""A file of small numbers: itself, its pieces joined, in 32 bits, and as it is written."""


@dataclass(frozen=True)
class Memory:
    """What a subprocess may take: `need` bytes to state, and the `hard` limit of addresses."""

    need: int
    hard: int


def memory_for(file_bytes: int, limits: Limits = DEFAULT_LIMITS) -> Memory:
    """Say what reading or writing a file of so many bytes may take."""
    hard = min(limits.memory_bytes, ADDRESSES + LEAST + TIMES * file_bytes)
    return Memory(max(hard - ADDRESSES, 0), hard)


def convert_isolated(files: Mapping[str, bytes] | Path, limits: Limits = DEFAULT_LIMITS) -> Model:
    """Read a model (bytes by name, or a folder) in a subprocess that cannot harm this one.

    Raises the reader's ConversionError; `model.too_slow` where the subprocess ran out of time,
    `model.too_large` where it ran out of memory, `model.unreadable` where it died otherwise.
    """
    with tempfile.TemporaryDirectory(prefix="potluck-") as scratch:
        out = Path(scratch)
        convert_into(files, out, limits)
        return from_folder(out, limits)


def convert_into(
    files: Mapping[str, bytes] | Path, out: Path, limits: Limits = DEFAULT_LIMITS
) -> None:
    """Do what `convert_isolated` does, and leave `graph.json`, `weights.safetensors` in `out`.

    Nothing of the model is held here; `from_folder` reads it. Raises ConversionError.
    """
    with tempfile.TemporaryDirectory(prefix="potluck-") as scratch:
        work = Path(scratch)
        manifest = work / "manifest.json"
        placed = _place(files, work, limits)
        size = sum(Path(path).stat().st_size for path in placed.values())
        allowed = replace(limits, memory_bytes=memory_for(size, limits).hard)
        manifest.write_text(json.dumps(placed))
        arguments = [json.dumps(asdict(allowed)), str(manifest), str(out)]
        status = run_limited("potluck_converter.isolated", arguments, work, limits.seconds)
        if (out / "error.json").exists():
            raise error_from_dict(json.loads((out / "error.json").read_text()))
        if status != 0 or not (out / "about.json").exists():
            raise _died(status)


def from_folder(out: Path, limits: Limits = DEFAULT_LIMITS) -> Model:
    """Read what `convert_into` left, and check it. Raises ConversionError."""
    about = json.loads((out / "about.json").read_text())
    return from_files(
        (out / "graph.json").read_bytes(),
        (out / "weights.safetensors").read_bytes(),
        about["source"],
        about["training_config"],
        tuple(about["warnings"]),
        limits,
    )


def _place(files: Mapping[str, bytes] | Path, work: Path, limits: Limits) -> dict[str, str]:
    """Give the path of each file by name, written under names of our own where they are bytes."""
    if isinstance(files, Path):
        found = sorted(p for p in files.iterdir() if p.is_file() and not p.is_symlink())
        total = sum(path.stat().st_size for path in found)
        placed = {path.name: str(path.resolve()) for path in found}
    else:
        total = sum(len(content) for content in files.values())
        placed = {}
    if total > limits.file_bytes:
        raise ConversionError(
            "model.too_large",
            "The files are too large.",
            expected=f"at most {limits.file_bytes} bytes",
            got=f"{total} bytes",
        )
    if not isinstance(files, Path):
        for index, (name, content) in enumerate(files.items()):
            path = work / f"{index}.input"
            path.write_bytes(content)
            placed[name] = str(path)
    return placed


def run_limited(module: str, arguments: list[str], work: Path, seconds: float) -> int:
    """Run a module in a process group of its own; give its status.

    Raises ConversionError `model.too_slow` after so many seconds, of the clock or the processor.
    """
    environment = {
        "PATH": os.environ.get("PATH", ""),
        # Threads reserve address space, which the memory limit counts.
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "1",
        "HDF5_PLUGIN_PRELOAD": "::",  # no filters from shared libraries
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    if "SYSTEMROOT" in os.environ:
        environment["SYSTEMROOT"] = os.environ["SYSTEMROOT"]
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", module, *arguments],
        cwd=work,
        env=environment,
        stdin=subprocess.PIPE,  # its lifeline
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        status = process.wait(timeout=seconds)
        if status == -getattr(signal, "SIGXCPU", 0):
            raise _too_slow(seconds)
        return status
    except subprocess.TimeoutExpired as error:
        raise _too_slow(seconds) from error
    finally:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                if hasattr(os, "killpg"):
                    os.killpg(process.pid, signal.SIGKILL)
                else:
                    process.kill()
        process.wait()
        if process.stdin is not None:
            process.stdin.close()


def _too_slow(seconds: float) -> ConversionError:
    return ConversionError(
        "model.too_slow",
        "Reading or writing the model took too long.",
        expected=f"at most {seconds:g} seconds",
        hint="Use a smaller model, or save it again without compression.",
    )


def _died(status: int) -> ConversionError:
    return ConversionError(
        "model.unreadable",
        "Reading the model failed inside its limits.",
        expected="a model that converts within the memory, time and output allowed",
        got=f"exit status {status}",
        hint="The file may be damaged: save the model again.",
    )
