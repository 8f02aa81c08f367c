"""From an upload's bytes to a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

from potluck_coordinator.core.errors import BadDataset
from potluck_coordinator.pipeline.arrays import read_arrays
from potluck_coordinator.pipeline.dataset import Dataset
from potluck_coordinator.pipeline.limits import ReadLimits
from potluck_coordinator.pipeline.spelling import Spelling
from potluck_coordinator.pipeline.table import read_table

__all__ = ["ReadLimits", "read_dataset"]

TABLES = (".csv", ".tsv", ".txt")


def read_dataset(
    content: bytes,
    filename: str,
    limits: ReadLimits | None = None,
    spellings: Mapping[str, Spelling] | None = None,
) -> Dataset:
    """Read a CSV, TSV or `.npz` file. Raises BadDataset (`dataset.*`).

    `spellings`: those of a plan, so that a column is read as it was when the plan was made; None
    finds out how each is written.
    """
    limits = limits or ReadLimits()
    suffix = PurePath(filename).suffix.lower()
    if not content:
        raise BadDataset(
            "dataset.empty",
            "The file is empty.",
            expected="a CSV, TSV or .npz file",
            got="0 bytes",
            where=filename,
        )
    if suffix == ".npz":
        return read_arrays(content, filename, limits, spellings)
    if suffix in TABLES:
        return read_table(content, filename, limits, spellings)
    raise BadDataset(
        "dataset.unknown_kind",
        "Files of this kind are not read.",
        expected="a name that ends in .csv, .tsv or .npz",
        got=PurePath(filename).name,
        hint="Save a table as CSV, or arrays with numpy.savez_compressed.",
        where=filename,
    )
