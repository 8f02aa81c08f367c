"""Do again with Keras alone what the coordinator says of the best model, and compare."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from potluck import Best
from potluck.protocol.records import Predictions

LEAST_ACCURACY = 0.95
LARGEST_DIFFERENCE = 1e-4
SAME_SCORE = 1e-6


@dataclass(frozen=True)
class Comparison:
    """What Keras gave against what the coordinator keeps, over `rows` validation rows."""

    scored: float
    counted: float
    largest_difference: float
    rows: int
    kind: str

    def failures(self) -> list[str]:
        """Say, a line each, why this is no success; empty if it is one."""
        found = []
        if self.kind != "validation":
            found.append(f"The predictions are of {self.kind} rows, not of validation rows.")
        if not self.scored >= LEAST_ACCURACY:
            found.append(f"The best scored accuracy is {self.scored:.4f}, below {LEAST_ACCURACY}.")
        if not abs(self.scored - self.counted) <= SAME_SCORE:
            found.append(
                f"The score is {self.scored:.4f}, but Keras's predictions are right on "
                f"{self.counted:.4f} of the rows."
            )
        if not self.largest_difference <= LARGEST_DIFFERENCE:
            found.append(
                "Keras's predictions differ from the stored ones by "
                f"{self.largest_difference:.2e}, more than {LARGEST_DIFFERENCE:.0e}."
            )
        return found


def predict_again(best: Best, path: Path) -> Comparison:
    """Save the best model at `path`, open it with Keras and predict the scored rows again."""
    keras: Any = importlib.import_module("keras")
    network = keras.models.load_model(best.save(path), compile=False)
    inputs = best.inputs()
    raw = np.asarray(network.predict(inputs["x"], batch_size=256, verbose=0))
    return compare(best, best.predictions(), inputs["rows"], raw)


def compare(
    best: Best, stored: Predictions, rows: np.ndarray[Any, Any], raw: np.ndarray[Any, Any]
) -> Comparison:
    """Compare `raw` `[rows, classes]` with the stored predictions, matched by dataset row."""
    place = {int(row): index for index, row in enumerate(rows)}
    order = [place[prediction.row] for prediction in stored.predictions]
    ours = raw[order]
    theirs = np.asarray(stored.raw, dtype=np.float64)
    if ours.shape != theirs.shape or len(order) != len(rows):
        difference = float("inf")
    else:
        difference = float(np.max(np.abs(ours - theirs)))
    classes = best.classes or [str(number) for number in range(raw.shape[1])]
    guessed = [classes[int(index)] for index in ours.argmax(axis=1)]
    right = [
        str(guess) == str(prediction.truth)
        for guess, prediction in zip(guessed, stored.predictions, strict=True)
    ]
    return Comparison(best.mean, float(np.mean(right)), difference, len(order), stored.kind)
