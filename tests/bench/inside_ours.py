"""Time our conversion alone: python inside_ours.py IN OUT REPEATS."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from potluck_converter import convert


def main(source: str, out: str, repeats: str) -> None:
    """Print the best time as JSON."""
    best = float("inf")
    for index in range(int(repeats)):
        target = Path(f"{out}_{index}")
        start = time.perf_counter()
        convert(Path(source), target, to="tfjs")
        best = min(best, time.perf_counter() - start)
    sys.stdout.write(json.dumps({"seconds": best}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
