"""Read files as the coordinator does, and print what it took: python -m ... KIND FOLDER.

JSON: the refusal's code (or `read`), seconds, and the largest resident set in MB, of the process
that a model is read in or that a worker would be.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

MB = 2**20
UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Taken:
    """What reading took: the code, seconds, MB at most, and MB before anything was read."""

    code: str
    seconds: float
    peak_mb: float
    idle_mb: float


def measured(kind: str, folder: Path) -> Taken:
    """Read a folder in a fresh process, so that nothing before it counts."""
    command = [sys.executable, "-m", "tests.faults.hostile_files.measure", kind, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return Taken(f"died ({done.returncode}): {done.stderr[-200:]}", 0.0, 0.0, 0.0)
    return Taken(**json.loads(done.stdout.strip().splitlines()[-1]))


def main(kind: str, folder: Path) -> None:
    """Read here, and print."""
    taken = _model(folder) if kind == "model" else _dataset(folder)
    sys.stdout.write(json.dumps(asdict(taken)) + "\n")


def _model(folder: Path) -> Taken:
    from potluck_converter import ConversionError, convert_isolated

    start, code = time.perf_counter(), "read"
    try:
        convert_isolated(folder)
    except ConversionError as error:
        code = error.code
    seconds = time.perf_counter() - start
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * UNIT / MB
    return Taken(code, round(seconds, 2), round(child), 0)


def _dataset(folder: Path) -> Taken:
    from potluck_coordinator.core.errors import PotluckError
    from potluck_coordinator.services.jobs import describe_dataset

    [path] = folder.iterdir()
    content = path.read_bytes()
    before = _status("VmRSS")
    start, code = time.perf_counter(), "read"
    try:
        describe_dataset(content, path.name)
    except PotluckError as error:
        code = error.code
    except Exception as error:
        code = type(error).__name__
    seconds = time.perf_counter() - start
    peak = _status("VmHWM")
    return Taken(code, round(seconds, 2), round(peak), round(before))


def _status(field: str) -> float:
    """Give a size in MB of what Linux says of this process; 0 where it says nothing.

    `ru_maxrss` would count what a process was before it became this program.
    """
    path = Path("/proc/self/status")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((int(li.split()[1]) / 1024 for li in lines if li.startswith(field + ":")), 0.0)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
