"""Real datasets that come with scikit-learn, as files that a person could have uploaded."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from potluck.protocol.records import BundledDataset
from potluck_coordinator.core.errors import NotFound

CATALOGUE = (
    BundledDataset(
        name="digits",
        title="Handwritten digits",
        rows=1797,
        target="y",
        task="classification",
        description="Grey pictures of 8 by 8 points of the digits 0 to 9, values 0 to 16. "
        "From the UCI archive (Alpaydin and Kaynak, 1998).",
    ),
    BundledDataset(
        name="iris",
        title="Iris flowers",
        rows=150,
        target="species",
        task="classification",
        description="Four lengths of 150 flowers of three species (Fisher, 1936).",
    ),
    BundledDataset(
        name="breast_cancer",
        title="Breast cancer, Wisconsin",
        rows=569,
        target="diagnosis",
        task="classification",
        description="Thirty measures of cell nuclei, malignant or benign (Street et al., 1993).",
    ),
    BundledDataset(
        name="diabetes",
        title="Diabetes progression",
        rows=442,
        target="progression",
        task="regression",
        description="Ten measures of 442 patients and how far the disease had gone a year later "
        "(Efron et al., 2004).",
    ),
)


def bundled() -> list[BundledDataset]:
    """List the bundled datasets."""
    return list(CATALOGUE)


def bundled_file(name: str) -> tuple[str, bytes]:
    """Give a bundled dataset's file name and bytes; always the same bytes. Raises NotFound."""
    from sklearn import datasets  # a second to import, which only this function needs

    if name == "digits":
        digits = datasets.load_digits()
        out = io.BytesIO()
        images = digits.images.astype(np.float32)[..., np.newaxis]
        np.savez_compressed(out, x=images, y=digits.target.astype(np.int64))
        return "digits.npz", out.getvalue()
    if name == "iris":
        iris = datasets.load_iris()
        words = [str(iris.target_names[number]) for number in iris.target]
        return "iris.csv", _csv(iris.feature_names, iris.data, "species", words)
    if name == "breast_cancer":
        cancer = datasets.load_breast_cancer()
        words = [str(cancer.target_names[number]) for number in cancer.target]
        return "breast_cancer.csv", _csv(cancer.feature_names, cancer.data, "diagnosis", words)
    if name == "diabetes":
        diabetes = datasets.load_diabetes(scaled=False)
        numbers = [f"{value:g}" for value in diabetes.target]
        return "diabetes.csv", _csv(diabetes.feature_names, diabetes.data, "progression", numbers)
    raise NotFound(
        "dataset.not_found",
        "No bundled dataset has this name.",
        expected=", ".join(entry.name for entry in CATALOGUE),
        got=name[:80],
    )


def _csv(names: Sequence[str], rows: Any, target: str, targets: Sequence[str]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*(re.sub(r"\W+", "_", name).strip("_") for name in names), target])
    for row, word in zip(rows, targets, strict=True):
        writer.writerow([*(f"{value:.10g}" for value in row), word])
    return out.getvalue().encode()
