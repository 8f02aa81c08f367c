"""What studies and tables that ask for much do to a coordinator, and to whoever else is there."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import numpy as np

import potluck
from potluck_coordinator.core.visitors import new_visitor_key
from tests.support.coordinator import Coordinator
from tests.support.keras_files import dense_h5
from tests.support.peak_memory import forget_peak, peak
from tests.support.waiting import until

MB = 2**20
PATIENCE_S = 900.0


@dataclass(frozen=True)
class Served:
    """What the server took: MB of memory at most beyond what it had, MB in its store afterwards.

    `slowest_s`: the slowest answer that somebody else got meanwhile, to a small upload or a page.
    """

    outcome: str
    seconds: float
    server_mb: float
    stored_mb: float
    slowest_s: float

    def told(self, name: str) -> str:
        """Write it as a line of the table."""
        return (
            f"{name:26} {self.seconds:8.1f} {self.server_mb:10.0f} {self.stored_mb:10.0f} "
            f"{self.slowest_s:10.2f}  {self.outcome}\n"
        )


HEADING = f"{'':26} {'seconds':>8} {'server MB':>10} {'stored MB':>10} {'slowest s':>10}  outcome\n"


def stored(coordinator: Coordinator) -> float:
    """Give the MB in the store."""
    files = (coordinator.data / "artifacts").rglob("*")
    return sum(path.stat().st_size for path in files if path.is_file()) / MB


def visitor(url: str) -> httpx2.Client:
    """Give a client of somebody who was never here before."""
    key = new_visitor_key(secrets.token_bytes(32))
    headers = {"Authorization": f"Bearer {key}"}
    return httpx2.Client(base_url=url, timeout=PATIENCE_S, headers=headers)


def small(number: int) -> bytes:
    """Write a table that nobody has sent before."""
    lines = ["a,b,kind", *(f"{n * number % 97},{n % 7},{'xy'[n % 2]}" for n in range(60))]
    return "\n".join(lines).encode()


@contextmanager
def somebody_else(url: str) -> Iterator[list[float]]:
    """Look at the home page and upload small tables, one after the other; give what each took."""
    took: list[float] = []
    over = threading.Event()

    def ask() -> None:
        with visitor(url) as client:
            number = 0
            while not over.is_set():
                number += 1
                begun = time.perf_counter()
                client.get("/api/v1/studies").raise_for_status()
                file = {"file": (f"{number}.csv", small(number))}
                client.post("/api/v1/datasets", files=file).raise_for_status()
                took.append(time.perf_counter() - begun)
                over.wait(0.5)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield took
    finally:
        over.set()
        thread.join()


def table(rows: int, columns: int) -> bytes:
    """Write a table of numbers and a class."""
    values = np.random.default_rng(rows).integers(0, 10, (rows, columns))
    names = ",".join(f"c{n}" for n in range(columns))
    lines = [f"{','.join(map(str, row))},{'ab'[i % 2]}" for i, row in enumerate(values)]
    return "\n".join([f"{names},kind", *lines]).encode()


def many_folds(coordinator: Coordinator, folder: Path, size: float) -> Served:
    """Submit a study of 1,000 folds on a table of 1 MB (or a share of both)."""
    rows, folds = max(60, int(7_000 * size)), max(20, int(1_000 * size))
    path = folder / "folds.csv"
    path.write_bytes(table(rows, 70))
    before, begun = forget_peak(coordinator.pid), time.perf_counter()
    with somebody_else(coordinator.url) as took:
        try:
            study = coordinator.client().submit(
                model=dense_h5(inputs=70, outputs=2),
                data=str(path),
                target="kind",
                trials=1,
                epochs=1,
                folds=folds,
                search={},
                name="Many folds",
            )
            until(lambda: study.refresh().record.counts.ready == folds, patience_s=PATIENCE_S)
            outcome = "taken"
        except potluck.PotluckError as error:
            outcome = str(getattr(error, "code", error))
    seconds = time.perf_counter() - begun
    found = stored(coordinator)
    if outcome == "taken":
        study.delete()
        until(lambda: stored(coordinator) < max(1.0, found / 10), patience_s=PATIENCE_S)
        outcome = "taken, and gone when it was deleted"
    return Served(outcome, seconds, (peak(coordinator.pid) - before) / MB, found, max(took))


def wide_tables(coordinator: Coordinator, size: float) -> Served:
    """Let two visitors upload a wide table each, at once."""
    content = table(max(20, int(400 * size)), max(100, int(9_000 * size)))
    told: list[str] = []

    def upload() -> None:
        with visitor(coordinator.url) as client:
            answer = client.post("/api/v1/datasets", files={"file": ("wide.csv", content)})
            told.append(str(answer.json().get("error", {}).get("code", answer.status_code)))

    before, begun = forget_peak(coordinator.pid), time.perf_counter()
    with somebody_else(coordinator.url) as took:
        both = [threading.Thread(target=upload) for _ in range(2)]
        for one in both:
            one.start()
        for one in both:
            one.join()
    seconds = time.perf_counter() - begun
    grown = (peak(coordinator.pid) - before) / MB
    return Served(" and ".join(told), seconds, grown, stored(coordinator), max(took))
