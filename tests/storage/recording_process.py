"""Record facts until killed; print each number once the writer says that it is kept."""

from __future__ import annotations

import itertools
import os
import sys
from concurrent.futures import Future, ThreadPoolExecutor

from sqlmodel import Session

from potluck_coordinator.core.ledger import SITE_CHAIN
from potluck_coordinator.storage import ledger
from potluck_coordinator.storage.engine import make_engine
from potluck_coordinator.storage.writer import Writer


def record_for_ever(writer: Writer, numbers: itertools.count[int]) -> None:
    """Record one fact after the other."""
    while True:
        number = next(numbers)

        def write(session: Session, number: int = number) -> None:
            ledger.record(session, SITE_CHAIN, "fact", {"n": number}, 1.0)

        def acknowledge(_done: Future[None], number: int = number) -> None:
            os.write(1, f"{number}\n".encode())

        future = writer.submit(write)
        future.add_done_callback(acknowledge)
        future.result()


if __name__ == "__main__":
    writer = Writer(make_engine(sys.argv[1]))
    counter = itertools.count()
    with ThreadPoolExecutor(8) as pool:
        for _ in range(8):
            pool.submit(record_for_ever, writer, counter)
