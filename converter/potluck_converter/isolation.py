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
from dataclasses import asdict
from pathlib import Path

from potluck_converter.errors import ConversionError, error_from_dict
from potluck_converter.files import from_files
from potluck_converter.graph import Model
from potluck_converter.limits import DEFAULT_LIMITS, Limits


def convert_isolated(files: Mapping[str, bytes] | Path, limits: Limits = DEFAULT_LIMITS) -> Model:
    """Read a model (bytes by name, or a folder) in a subprocess that cannot harm this one.

    Raises the reader's ConversionError; `model.unreadable` where the subprocess ran out of time or
    died, `model.too_large` where it ran out of memory.
    """
    with tempfile.TemporaryDirectory(prefix="potluck-") as scratch:
        work = Path(scratch)
        out = work / "out"
        out.mkdir()
        manifest = work / "manifest.json"
        manifest.write_text(json.dumps(_place(files, work, limits)))
        status = _run([json.dumps(asdict(limits)), str(manifest), str(out)], work, limits.seconds)
        if (out / "error.json").exists():
            raise error_from_dict(json.loads((out / "error.json").read_text()))
        if status != 0 or not (out / "about.json").exists():
            raise _died(status)
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


def _run(arguments: list[str], work: Path, seconds: float) -> int:
    """Run the subprocess in a group of its own; give its status, or raise on time-out."""
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
        [sys.executable, "-P", "-m", "potluck_converter.isolated", *arguments],
        cwd=work,
        env=environment,
        stdin=subprocess.PIPE,  # its lifeline
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise ConversionError(
            "model.unreadable",
            "Reading the model took too long.",
            expected=f"at most {seconds:g} seconds",
            hint="Use a smaller model, or save it again without compression.",
        ) from error
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


def _died(status: int) -> ConversionError:
    return ConversionError(
        "model.unreadable",
        "Reading the model failed inside its limits.",
        expected="a model that converts within the memory, time and output allowed",
        got=f"exit status {status}",
        hint="The file may be damaged: save the model again.",
    )
