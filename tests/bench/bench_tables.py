"""Wide tables, read with all columns together and one by one: processor seconds of each.

python -m tests.bench.bench_tables [--columns 10000] [--rows 30]
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable
from typing import TypeVar

import polars as pl

from potluck_coordinator.pipeline.conventions import find_spellings
from potluck_coordinator.pipeline.table import _columns, _words
from potluck_coordinator.services.jobs import describe_dataset
from tests.unit.pipeline.one_by_one.table import read_columns

SAY = sys.stdout.write
DICE = random.Random(1)
CELLS: dict[str, Callable[[], str]] = {
    "plain numbers": lambda: f"{DICE.random():.3f}",
    "amounts in euros": lambda: f"{DICE.randrange(1, 999)},{DICE.randrange(100):02d} €",
    "numbers and gaps": lambda: DICE.choice(["1,5", "2,75", "n/a", "12.000,5", "7,25"]),
    "words": lambda: DICE.choice(["red", "green", "blue"]),
    "codes": lambda: f"0{DICE.randrange(10, 40)}",
}
T = TypeVar("T")


def spent(work: Callable[[], T]) -> float:
    """Give the processor seconds that work takes."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def main() -> None:
    """Print a line for each kind of cells: reading columns both ways, and the whole job."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--columns", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=30)
    given = parser.parse_args()
    SAY(f"{given.columns} columns, {given.rows} rows; processor seconds\n")
    SAY(f"{'cells':18} {'one by one':>10} {'together':>9} {'whole job':>10}\n")
    names = [f"c{i}" for i in range(given.columns)]
    for kind, cell in CELLS.items():
        table = {name: [cell() for _ in range(given.rows)] for name in names}
        raw = {name: pl.Series(name, cells, pl.String) for name, cells in table.items()}
        lines = [";".join(names), *map(";".join, zip(*table.values(), strict=True))]
        content = "\n".join(lines).encode()
        apart = spent(lambda raw=raw: read_columns(raw))  # type: ignore[misc]

        def together(raw: dict[str, pl.Series] = raw) -> None:
            words = _words(raw)
            _columns(words, find_spellings(words))

        at_once = spent(together)
        whole = spent(lambda content=content: describe_dataset(content, "d.csv"))  # type: ignore[misc]
        SAY(f"{kind:18} {apart:>10.1f} {at_once:>9.1f} {whole:>10.1f}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
