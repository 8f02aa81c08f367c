"""One scoring: returned weights, rows that stayed, metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from potluck_coordinator.scoring.final import scored_weights
from potluck_coordinator.scoring.job import Score, ScoreJob
from potluck_coordinator.scoring.metrics import compute_metrics
from potluck_coordinator.scoring.predictor import predictor_for


def score_weights(job: ScoreJob) -> Score:
    """Predict the held rows with these weights and measure. A network of NaNs has diverged."""
    weights = _weights(job.weights)
    held = safetensors.numpy.load(job.held)
    rows = len(held["x"])
    if not all(np.isfinite(values).all() for values in weights.values()):
        return Score({}, rows, True, None)
    raw = predictor_for(job.graph).predict(weights, held["x"])
    if not np.isfinite(raw).all():
        return Score({}, rows, True, None)
    with np.errstate(over="ignore", invalid="ignore"):
        metrics = compute_metrics(job.decode(job.encoder, raw), held["truth"])
    if not all(np.isfinite(value) for value in metrics.values()):
        return Score({}, rows, True, None)
    predictions = safetensors.numpy.save({"raw": np.ascontiguousarray(raw)})
    return Score(metrics, rows, False, predictions)


def _weights(given: bytes | Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[Any]]:
    return scored_weights(given) if isinstance(given, bytes) else dict(given)
