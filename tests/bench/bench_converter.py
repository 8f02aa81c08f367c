"""Our converter beside the official one, in one run on one machine: time and peak memory.

    python -m tests.bench.bench_converter --official .venv-oracle/bin/python

The official one (tensorflowjs 4.22, with what it needs) lies in an environment of its own. Models
are made by Keras 2 there, for it cannot read what Keras 3 writes. "Whole process" is the command as
a person runs it; "in process" is the conversion alone, after all imports, the best of several.
Memory is the largest resident set of the whole process.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
PROGRAMS = {"tiny CNN": "tiny", "ResNet50": "resnet50"}
SAY = sys.stdout.write


@dataclass(frozen=True)
class Measured:
    """Seconds, and MB of resident memory at most."""

    whole_s: float
    inside_s: float
    memory_mb: float


def environment() -> dict[str, str]:
    """Give the environment of every program that is measured: the same for both."""
    return {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}


def whole(command: list[str], repeats: int) -> tuple[float, float]:
    """Run a command several times; give the best time and the largest resident set."""
    seconds, memory = [], []
    for _ in range(repeats):
        start = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment()
        )
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds.append(time.perf_counter() - start)
        if process.returncode != 0:
            raise RuntimeError(f"{command} failed: {said.decode()[-2000:]}")
        memory.append(usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2))
    return min(seconds), max(memory)


def inside(python: str, program: str, source: Path, out: Path, repeats: int) -> float:
    """Give the best time of the conversion alone, as the program itself measures it."""
    command = [python, str(HERE / program), str(source), str(out), str(repeats)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command} failed: {done.stderr[-2000:]}")
    return float(json.loads(done.stdout.strip().splitlines()[-1])["seconds"])


def ours(source: Path, scratch: Path, repeats: int) -> Measured:
    """Measure `potluck convert`."""
    command = [sys.executable, "-m", "potluck", "convert", str(source), str(scratch / "ours")]
    seconds, memory = whole([*command, "--to", "tfjs"], repeats)
    best = inside(sys.executable, "inside_ours.py", source, scratch / "ours_inside", repeats)
    return Measured(seconds, best, memory)


def official(python: Path, source: Path, scratch: Path, repeats: int) -> Measured:
    """Measure `tensorflowjs_converter`."""
    program = python.parent / "tensorflowjs_converter"
    command = [str(program), "--input_format=keras", str(source), str(scratch / "official")]
    seconds, memory = whole(command, repeats)
    best = inside(str(python), "inside_official.py", source, scratch / "official_inside", repeats)
    return Measured(seconds, best, memory)


def row(name: str, size_mb: float, mine: Measured, theirs: Measured) -> str:
    """Write one model's figures, ours and theirs, with how many times better ours are."""
    return "\n".join(
        [
            f"{name} ({size_mb:.1f} MB)",
            *(
                f"  {what:<16} {a:10.3f} {unit:<2} {b:10.3f} {unit:<2} {b / a:8.1f} x"
                for what, unit, a, b in (
                    ("whole process", "s", mine.whole_s, theirs.whole_s),
                    ("in process", "s", mine.inside_s, theirs.inside_s),
                    ("peak memory", "MB", mine.memory_mb, theirs.memory_mb),
                )
            ),
            f"  peak memory beyond 1.3 x file: {mine.memory_mb - 1.3 * size_mb:.1f} MB\n",
        ]
    )


def main() -> None:
    """Measure both on both models and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--official", type=Path, required=True, help="its environment's python")
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    SAY(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, ")
    SAY(f"Python {platform.python_version()}\n")
    SAY(f"{'':18} {'Potluck':>10}    {'official':>10}       ratio\n")
    with tempfile.TemporaryDirectory(prefix="potluck-bench-") as folder:
        scratch = Path(folder)
        for name, short in PROGRAMS.items():
            source = scratch / f"{short}.h5"
            subprocess.run(
                [str(asked.official), str(HERE / "make_models.py"), short, str(source)],
                check=True,
                env=environment(),
                stderr=subprocess.DEVNULL,
            )
            mine = ours(source, scratch, asked.repeats)
            theirs = official(asked.official.absolute(), source, scratch, asked.repeats)
            SAY(row(name, source.stat().st_size / 1e6, mine, theirs))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
