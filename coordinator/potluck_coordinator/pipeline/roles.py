"""Which column is the target, which are features, before anyone says so."""

from __future__ import annotations

from potluck_coordinator.pipeline.dataset import Array, Dataset

TARGETS = ("y", "target", "label", "labels", "class", "targets", "outcome")
INPUTS = ("x", "images", "image", "inputs", "data", "features")


def suggested_target(dataset: Dataset) -> str | None:
    """Give the likeliest target: by name, else a table's last column or the one plain array.

    An array of several numbers a row (one-hot) is one by name only.
    """
    plain = [name for name, column in dataset.columns.items() if not isinstance(column, Array)]
    by_name = {name.lower(): name for name in reversed(list(dataset.columns))}
    by_name |= {name.lower(): name for name in reversed(plain)}
    for candidate in TARGETS:
        if candidate in by_name:
            return by_name[candidate]
    if dataset.kind == "table":
        return plain[-1] if len(plain) > 1 else None
    return plain[0] if len(plain) == 1 else None


def suggested_features(dataset: Dataset, target: str) -> tuple[str, ...]:
    """Give a table's other columns, or the array that is likeliest the input."""
    others = [name for name in dataset.columns if name != target]
    arrays = [name for name in others if isinstance(dataset.columns[name], Array)]
    if dataset.kind == "table" or not arrays:
        return tuple(others)
    by_name = {name.lower(): name for name in reversed(arrays)}
    for candidate in INPUTS:
        if candidate in by_name:
            return (by_name[candidate],)
    return (arrays[0],)
