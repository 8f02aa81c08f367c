"""Small files that ask for much are refused before anything is taken for them."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from potluck_converter import ConversionError, read_model
from tests.faults.hostile_files.inputs import HOSTILE, Hostile, model_h5
from tests.faults.hostile_files.measure import measured

MOST_MB = {"model": 200, "dataset": 150}
"""A converter's process takes 45 MB before it reads, a worker's own is not counted."""
MOST_SECONDS = 20.0
AS_LARGE_AS_SEEN = [
    hostile
    for hostile in HOSTILE
    # Those that are large themselves, and take seconds to make, are for `make bench-hostile`.
    if hostile.name
    not in ("zeros-compressed", "written-in-chunks-of-one", "empty-cells", "zeros-npz")
    and "many-members" not in hostile.name
    and "linked" not in hostile.name
]


@pytest.mark.parametrize("hostile", AS_LARGE_AS_SEEN, ids=lambda hostile: hostile.name)
def test_what_a_file_asks_for_is_counted_before_it_is_taken(
    hostile: Hostile, tmp_path: Path
) -> None:
    for name, content in hostile.make(1.0).items():
        (tmp_path / name).write_bytes(content)
    taken = measured(hostile.kind, tmp_path)
    assert taken.code == (hostile.code or "read")
    assert taken.peak_mb - taken.idle_mb < MOST_MB[hostile.kind]
    assert taken.seconds < MOST_SECONDS


@pytest.mark.parametrize(
    "hostile",
    [one for one in HOSTILE if one not in AS_LARGE_AS_SEEN],
    ids=lambda hostile: hostile.name,
)
def test_a_small_one_of_a_large_kind_takes_little(hostile: Hostile, tmp_path: Path) -> None:
    for name, content in hostile.make(0.01).items():
        (tmp_path / name).write_bytes(content)
    taken = measured(hostile.kind, tmp_path)
    assert taken.code in (hostile.code, "read")
    assert taken.peak_mb - taken.idle_mb < MOST_MB[hostile.kind]
    assert taken.seconds < MOST_SECONDS


@pytest.mark.parametrize(
    "storage",
    [{}, {"chunks": (8, 8)}, {"compression": "gzip"}, {"chunks": (64, 64), "shuffle": True}],
    ids=["whole", "in-pieces", "compressed", "shuffled"],
)
def test_honest_weights_are_read_however_they_are_stored(storage: dict[str, object]) -> None:
    values = np.random.default_rng(1).random((64, 64), dtype=np.float32)
    read = read_model({"m.h5": model_h5(64, 64, values, **storage)})
    assert np.array_equal(read.weights["d/kernel"], values)


def test_an_array_written_in_part_is_never_taken_for_zeros(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    path.write_bytes(model_h5(64, 64, chunks=(8, 8)))
    with h5py.File(path, "r+") as file:
        file["model_weights/d/d/kernel"][:56] = 1.0
    with pytest.raises(ConversionError) as caught:
        read_model({"m.h5": path.read_bytes()})
    assert caught.value.code == "model.never_written"
    assert caught.value.hint
