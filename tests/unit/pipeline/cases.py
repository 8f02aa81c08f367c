"""Datasets, specifications and models for tests of the pipeline."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from potluck.protocol.study import StudySpec
from potluck_coordinator.pipeline import Dataset, ModelFacts, Plan, plan_study, read_dataset


def table(text: str, name: str = "table.csv") -> Dataset:
    """Read a table."""
    return read_dataset(text.encode(), name)


def npz(**arrays: Any) -> bytes:
    """Save arrays as real NumPy does."""
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def arrays(**given: Any) -> Dataset:
    """Read arrays."""
    return read_dataset(npz(**given), "arrays.npz")


def spec(loss: str | None = None, metric: str | None = None, **pipeline: Any) -> StudySpec:
    """Give a specification that differs from the default in its pipeline only."""
    return StudySpec.model_validate(
        {
            "name": "study",
            "model_id": "m",
            "dataset_id": "d",
            "pipeline": pipeline,
            "loss": loss,
            "objective": {"metric": metric},
        }
    )


def model(inputs: Any, outputs: int, activation: str, vocabulary: int | None = None) -> ModelFacts:
    """Give a model with one input and one output."""
    return ModelFacts({"in": inputs}, {"out": (outputs,)}, activation, vocabulary=vocabulary)


def plan_table(
    text: str, inputs: int, outputs: int, activation: str, **pipeline: Any
) -> tuple[Dataset, Plan]:
    """Read a table and plan a study of it."""
    dataset = table(text)
    facts = model((inputs,), outputs, activation)
    return dataset, plan_study(dataset, spec(**pipeline), facts)


def flowers(rows: int = 60) -> str:
    """Give a table with two numbers, a word and three classes."""
    lines = ["height,width,colour,kind"]
    for row in range(rows):
        colour = ("red", "blue")[row % 2]
        lines.append(f"{row + 0.5},{(row * 7) % 31},{colour},{'abc'[row % 3]}")
    return "\n".join(lines) + "\n"


def amounts(rows: int = 60) -> str:
    """Give a table with one number and a target that is an amount."""
    return "a,amount\n" + "".join(f"{row},{row * 3.25 + 100.5}\n" for row in range(rows))
