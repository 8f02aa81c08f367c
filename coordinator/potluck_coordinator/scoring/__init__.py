"""Weights to scores, in worker processes: Keras on JAX rebuilt from the canonical graph."""

from __future__ import annotations

from potluck_coordinator.scoring.check import check_memory, check_weights, least_numbers
from potluck_coordinator.scoring.final import scored_weights
from potluck_coordinator.scoring.job import Score, ScoreJob
from potluck_coordinator.scoring.metrics import compute_metrics
from potluck_coordinator.scoring.network import build_network
from potluck_coordinator.scoring.score import score_weights
from potluck_coordinator.scoring.workers import JobTooLarge, WorkerLost, Workers, WorkersClosed

__all__ = [
    "JobTooLarge",
    "Score",
    "ScoreJob",
    "WorkerLost",
    "Workers",
    "WorkersClosed",
    "build_network",
    "check_memory",
    "check_weights",
    "compute_metrics",
    "least_numbers",
    "score_weights",
    "scored_weights",
]
