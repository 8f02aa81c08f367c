"""Metrics by scikit-learn, in original units, for whatever classes the rows happen to hold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from potluck_coordinator.scoring.job import Readout

SMALLEST = 1e-15
"""Probabilities are kept this far from 0: one sure mistake must not make a loss infinite."""


def compute_metrics(decoded: Readout, truth: NDArray[Any]) -> dict[str, float]:
    """Compute every metric that the task has; `truth` is `Encoded.held["truth"]`.

    `roc_auc` is the mean, over the classes that the rows both hold and lack, of one against the
    rest; it is 0.5 where no class is both. `r2` is 0 for constant truth that is missed.
    """
    if decoded.probabilities is None:
        return _regression(truth.astype(np.float64), np.asarray(decoded.values, dtype=np.float64))
    return _classification(truth.astype(np.int64), decoded)


def _regression(truth: NDArray[np.float64], values: NDArray[np.float64]) -> dict[str, float]:
    from sklearn import metrics

    mse = float(metrics.mean_squared_error(truth, values))
    spread = float(np.square(truth - truth.mean()).sum())
    error = float(np.square(truth - values).sum())
    r2 = 1 - error / spread if spread > 0 else float(error == 0)
    return {
        "r2": r2,
        "mse": mse,
        "rmse": float(np.sqrt(mse)),
        "mae": float(metrics.mean_absolute_error(truth, values)),
    }


def _classification(truth: NDArray[np.int64], decoded: Readout) -> dict[str, float]:
    from sklearn import metrics

    assert decoded.probabilities is not None
    values = np.asarray(decoded.values, dtype=np.int64)
    probabilities = decoded.probabilities
    present = np.unique(truth)
    recalls = [float((values[truth == number] == number).mean()) for number in present]
    return {
        "accuracy": float(metrics.accuracy_score(truth, values)),
        "balanced_accuracy": float(np.mean(recalls)),
        "f1_macro": float(metrics.f1_score(truth, values, average="macro", zero_division=0.0)),
        "log_loss": _log_loss(truth, probabilities),
        "roc_auc": _roc_auc(truth, probabilities),
    }


def _log_loss(truth: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    # A network's float32 shares sum to 1 but for rounding, which scikit-learn warns about.
    clipped = np.clip(probabilities, SMALLEST, 1.0)
    shares = clipped / clipped.sum(axis=1, keepdims=True)
    return float(-np.log(shares[np.arange(len(truth)), truth]).mean())


def _roc_auc(truth: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    from sklearn import metrics

    numbers = [1] if probabilities.shape[1] == 2 else range(probabilities.shape[1])
    areas = [
        float(metrics.roc_auc_score(truth == number, probabilities[:, number]))
        for number in numbers
        if 0 < int((truth == number).sum()) < len(truth)
    ]
    return float(np.mean(areas)) if areas else 0.5
