"""Scoring and looking, as work for the workers: they read what they need from the store."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load as load_safetensors

from potluck.protocol import records as wire
from potluck_coordinator.core.row_numbers import RowNumbers
from potluck_coordinator.pipeline import decode
from potluck_coordinator.scoring import Score, ScoreJob, score_weights
from potluck_coordinator.services.jobs import encode_rows
from potluck_coordinator.storage.artifacts import Kept, Shelf
from potluck_coordinator.training.losses import mean_loss
from potluck_coordinator.training.replay import Course, Replayed, ReplayJob, replay

Json = Mapping[str, Any]


def score_kept(
    graph: Kept, weights: Kept, held: Kept, encoder: Json, shelf: Shelf
) -> tuple[Score, str | None]:
    """Score weights; give the score without its predictions, and under what they are kept."""
    scored = score_weights(
        ScoreJob(json.loads(graph.read()), weights.read(), held.read(), encoder, decode)
    )
    kept = None if scored.predictions is None else shelf.put(scored.predictions)
    return replace(scored, predictions=None), kept


def own_loss(tensors: Kept, predictions: Kept, course: Course) -> float | None:
    """Give the loss over the rows that a unit was trained on: see `mean_loss`."""
    told = (course.loss, course.loss_options, course.from_logits)
    return mean_loss(tensors.read(), predictions.read(), *told)


def score_rows(
    content: Kept,
    filename: str,
    plan: Json,
    train_rows: RowNumbers,
    rows: RowNumbers,
    graph: Kept,
    weights: Kept,
) -> Score:
    """Encode rows as the training rows were, and score weights on them; nothing of it is kept."""
    held, encoder = encode_rows(content, filename, plan, train_rows, rows)
    job = ScoreJob(json.loads(graph.read()), weights.read(), held, encoder, decode)
    return replace(score_weights(job), predictions=None)


@dataclass(frozen=True)
class KeptReplay:
    """A replay whose bytes lie in the store: `build` makes the job of them, in this order."""

    topology: Kept
    tensors: Kept
    start: Kept
    end: Kept | None
    build: Callable[[bytes, bytes, bytes, bytes | None], ReplayJob]


def replay_kept(kept: KeptReplay) -> Replayed:
    """Train again what somebody trained: see `training.replay`. Raises NotFound, MemoryError."""
    end = None if kept.end is None else kept.end.read()
    return replay(kept.build(kept.topology.read(), kept.tensors.read(), kept.start.read(), end))


def told_predictions(
    predictions: Kept, held: Kept, encoder: Json, rows: RowNumbers, trial: int, kind: str
) -> bytes:
    """Decode stored predictions of so numbered rows; give `wire.Predictions` as JSON."""
    raw = load_safetensors(predictions.read())["raw"]
    truth = load_safetensors(held.read())["truth"]
    readout = decode(encoder, raw)
    numbers = rows.numbers()
    told = wire.Predictions.model_validate(
        {
            "trial": trial,
            "kind": kind,
            "predictions": [
                _prediction(row, truth[i], readout, i) for i, row in enumerate(numbers)
            ],
            "raw": raw.reshape(len(raw), -1).tolist(),
        }
    )
    return told.model_dump_json().encode()


def _prediction(row: int, truth: Any, readout: Any, i: int) -> wire.Prediction:
    classes = readout.classes
    value = readout.values[i]
    shares = None
    if classes is not None and readout.probabilities is not None:
        shares = {c: float(p) for c, p in zip(classes, readout.probabilities[i], strict=True)}
    return wire.Prediction(
        row=row,
        truth=float(truth) if classes is None else classes[int(truth)],
        predicted=float(value) if classes is None else classes[int(value)],
        probabilities=shares,
    )


def write_inputs(held: Kept, rows: RowNumbers, path: str) -> None:
    """Write rows as the network gets them into an `.npz` file with `x` and `rows`."""
    x: NDArray[Any] = load_safetensors(held.read())["x"]
    with Path(path).open("wb") as file:
        np.savez(file, x=x, rows=np.asarray(rows.numbers(), dtype=np.int64))
