"""Read each hostile file at full size, and print what it took: seconds, and memory at most.

Then what studies and tables do to a whole coordinator, and to whoever else is there.

python -m tests.faults.hostile_files.table [--size 0.01]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.faults.hostile_files.inputs import HOSTILE
from tests.faults.hostile_files.measure import measured
from tests.faults.hostile_files.studies import HEADING, Served, many_folds, wide_tables
from tests.support.coordinator import Coordinator

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
    SAY(f"\n{HEADING}")
    for name, served in served_by_a_coordinator(size):
        SAY(served.told(name))


def served_by_a_coordinator(size: float) -> Iterator[tuple[str, Served]]:
    """Try what asks for much of a whole coordinator.

    Args:
        size: Share of the full size.
    """
    with tempfile.TemporaryDirectory(prefix="potluck-") as folder:
        coordinator = Coordinator(Path(folder, "data"), workers=2, clean_seconds=1)
        try:
            coordinator.start()
            yield "1,000 folds on 1 MB", many_folds(coordinator, Path(folder), size)
            yield "two wide tables at once", wide_tables(coordinator, size)
        finally:
            coordinator.stop()


if __name__ == "__main__":
    main()
