"""The most memory that a process has taken, as Linux counts it."""

from __future__ import annotations

from pathlib import Path

import pytest

needs_peaks = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="needs Linux's /proc"
)


def peak(pid: int) -> int:
    """Give the most bytes of memory that a process has taken since `forget_peak`."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024


def forget_peak(pid: int) -> int:
    """Measure the peak anew; give what the process takes now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return peak(pid)
