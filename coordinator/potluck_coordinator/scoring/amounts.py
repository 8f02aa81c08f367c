"""Metrics of regression."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from potluck_coordinator.core.measurable import undefined_for_amounts

EPSILON = 1e-7
"""Keras's: nothing is divided by less, and no logarithm is taken below."""

Values = NDArray[np.float64]


def measure_amounts(truth: Values, values: Values) -> dict[str, float]:
    """Measure predicted amounts [n] against the true ones, as far as those define a measure."""
    from sklearn import metrics

    mse = float(metrics.mean_squared_error(truth, values))
    spread = float(np.square(truth - truth.mean()).sum())
    error = float(np.square(truth - values).sum())
    shares = np.abs(truth - values) / np.maximum(np.abs(truth), EPSILON)
    logs = _log_of_one_more(values) - _log_of_one_more(truth)
    found = {
        "r2": 1 - error / spread if spread > 0 else 0.0,
        "explained_variance": float(metrics.explained_variance_score(truth, values)),
        "mse": mse,
        "rmse": float(np.sqrt(mse)),
        "mae": float(metrics.mean_absolute_error(truth, values)),
        "median_absolute_error": float(metrics.median_absolute_error(truth, values)),
        "mape": float(100 * shares.mean()),
        "msle": float(np.square(logs).mean()),
    }
    without = undefined_for_amounts(truth.min(), truth.max(), float(np.abs(truth).min()))
    return {name: value for name, value in found.items() if name not in without}


def _log_of_one_more(values: Values) -> Values:
    """Give log(1 + v) as Keras does: what is below 0 counts as nothing."""
    logs: Values = np.log(np.maximum(values, EPSILON) + 1)
    return logs
