from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from potluck_coordinator.core.turns import WORKER_LEAST
from potluck_coordinator.pipeline.footprint import reading_memory
from tests.faults.hostile_files.measure import MB, measured

RNG = np.random.default_rng(1)
ROWS = 60_000


def npz() -> bytes:
    """Give arrays that compress well."""
    buffer = io.BytesIO()
    pictures = np.repeat(RNG.integers(0, 9, (3000, 28, 1)), 28, axis=2).astype(np.uint8)
    np.savez_compressed(buffer, x=pictures, y=RNG.integers(0, 9, 3000))
    return buffer.getvalue()


def numbers() -> bytes:
    """Give a table of short numbers."""
    rows = "\n".join(",".join(map(str, row)) for row in RNG.integers(0, 9, (ROWS, 20)).tolist())
    return (",".join(f"c{i}" for i in range(20)) + "\n" + rows).encode()


def words() -> bytes:
    """Give a table of words, each of its own."""
    rows = "\n".join(f"w{i};é{i * 7}" for i in range(5 * ROWS))
    return ("a;b\n" + rows).encode()


def empty() -> bytes:
    """Give a wide table of nothing."""
    return (",".join(f"c{i}" for i in range(2000)) + "\n" + ("," * 1999 + "\n") * 1000).encode()


@pytest.mark.parametrize(
    ("content", "name"),
    [(npz, "d.npz"), (numbers, "d.csv"), (words, "d.csv"), (empty, "d.csv")],
    ids=["npz", "numbers", "words", "empty"],
)
def test_a_dataset_takes_no_more_than_is_stated_for_it(
    content: object, name: str, tmp_path: Path
) -> None:
    assert callable(content)
    path = tmp_path / name
    path.write_bytes(content())
    taken = measured("dataset", tmp_path)
    assert taken.code == "read"
    assert (taken.peak_mb - taken.idle_mb) * MB < reading_memory(path, name)


def test_what_is_no_archive_is_for_the_reader_to_refuse(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    path.write_bytes(b"PK nothing")
    assert WORKER_LEAST <= reading_memory(path, "d.npz") < 2 * WORKER_LEAST
