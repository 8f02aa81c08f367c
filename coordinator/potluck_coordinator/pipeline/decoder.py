"""From a network's outputs back to labels and original units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Decoded:
    """`values` [n]: class numbers, or numbers in original units. `probabilities` [n, classes].

    `scores` [n, classes] rank the classes: the probabilities, or margins, which are none.
    """

    classes: tuple[str, ...] | None
    values: NDArray[Any]
    probabilities: NDArray[np.float64] | None
    margins: NDArray[np.float64] | None = None

    @property
    def scores(self) -> NDArray[np.float64] | None:
        """Give what ranks the classes; None for regression."""
        return self.probabilities if self.margins is None else self.margins

    @property
    def labels(self) -> list[str] | list[float]:
        """Give one label or number a row."""
        if self.classes is None:
            return [float(value) for value in self.values]
        return [self.classes[number] for number in self.values]


def decode(encoder: Mapping[str, Any], raw: NDArray[Any]) -> Decoded:
    """Decode outputs [n, outputs] of a network that was trained with this encoder."""
    target = encoder["target"]
    outputs = np.asarray(raw, dtype=np.float64).reshape(-1, target["outputs"])
    if target["kind"] == "number":
        return Decoded(None, outputs[:, 0] * target["scale"] + target["offset"], None)
    classes = tuple(target["classes"])
    if target.get("margins"):
        margins = np.hstack([-outputs, outputs]) if target["outputs"] == 1 else outputs
        return Decoded(classes, margins.argmax(axis=1), None, margins)
    if target["outputs"] == 1:
        positive = _sigmoid(outputs[:, 0]) if target["from_logits"] else outputs[:, 0]
        probabilities = np.stack([1 - positive, positive], axis=1)
        return Decoded(classes, (positive > 0.5).astype(np.int64), probabilities)
    probabilities = _softmax(outputs) if target["from_logits"] else outputs
    return Decoded(classes, outputs.argmax(axis=1), probabilities)


def _sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.exp(-np.logaddexp(0.0, -values))


def _softmax(values: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares
