"""Read each hostile file at full size, and print what it took: seconds, and memory at most.

python -m tests.faults.hostile_files.table [--size 0.01]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.faults.hostile_files.inputs import HOSTILE
from tests.faults.hostile_files.measure import measured

SAY = sys.stdout.write


def main() -> None:
    """Print the table, a line as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=float, default=1.0, help="share of the full size")
    size = parser.parse_args().size
    SAY(f"{'file':26} {'bytes':>12} {'seconds':>8} {'peak MB':>8}  outcome\n")
    for hostile in HOSTILE:
        with tempfile.TemporaryDirectory(prefix="potluck-") as folder:
            files = hostile.make(size)
            for name, content in files.items():
                Path(folder, name).write_bytes(content)
            total = sum(map(len, files.values()))
            del files
            taken = measured(hostile.kind, Path(folder))
            SAY(
                f"{hostile.name:26} {total:>12,} {taken.seconds:>8.2f} {taken.peak_mb:>8.0f}  "
                f"{taken.code}\n"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main()
