"""The best model: its weights, its files, its predictions, and looks at the sealed test split."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load as load_safetensors

from potluck.protocol import records as wire
from potluck_converter import graph_from_json, unwritable
from potluck_coordinator.core.errors import Conflict, NotFound
from potluck_coordinator.core.measurable import absent
from potluck_coordinator.core.ranking import median_repeat
from potluck_coordinator.core.records import Look, Part, Score, Study, Trial, Unit
from potluck_coordinator.core.units import UnitState
from potluck_coordinator.pipeline import decode
from potluck_coordinator.scoring import ScoreJob, score_weights
from potluck_coordinator.services.access import Asker
from potluck_coordinator.services.confirmations import check_of_best
from potluck_coordinator.services.jobs import encode_rows
from potluck_coordinator.services.models import render
from potluck_coordinator.services.planning import SECONDS_TO_PREPARE
from potluck_coordinator.services.reading import on_dataset
from potluck_coordinator.services.site import Site
from potluck_coordinator.services.standings import by_rung, places
from potluck_coordinator.services.studies import mine
from potluck_coordinator.storage import datasets, scores, studies, summaries, trials, units
from potluck_coordinator.storage.ledger import record
from potluck_coordinator.storage.transaction import Transaction, after_commit


@dataclass(frozen=True)
class Best:
    """The chosen trial and the unit whose weights are the best model."""

    study: Study
    trial: Trial
    unit: Unit
    mean: float
    spread: float | None


async def find_best(site: Site, study: Study) -> Best:
    """Choose the best model: the refit with folds, else the best trial's median repeat."""
    return await site.writer.read(lambda tx: _find(tx, study))


def _find(tx: Transaction, study: Study) -> Best:
    last_rung = len(study.spec["rungs"]) - 1
    number = next((n for n, place in places(tx, study).items() if place == 1), None)
    if number is None:
        raise NotFound(
            "study.no_best_yet",
            "No trial of this study is completed yet.",
            hint="Wait until the first trial has been scored at its last rung.",
        )
    trial = trials.get(tx, study.id, number)
    assert trial is not None
    own = units.of_trial(tx, study.id, number)
    scored = summaries.units_of(tx, study.id, number)
    summary = by_rung(scored)[number][last_rung]
    if study.wire_plan["folds"]:
        refit = next(
            (
                u
                for u in own
                if u.kind == "refit" and u.state == UnitState.SCORED and not u.diverged
            ),
            None,
        )
        if refit is None:
            raise NotFound(
                "study.refit_pending",
                "The best trial is still to be trained on all training rows.",
                hint="Wait until the study is completed.",
            )
        return Best(study, trial, refit, summary.mean, summary.spread)
    last = {u.repeat: u for u in own if u.rung == last_rung}
    values = [(u.repeat, u.value) for u in scored if u.rung == last_rung]
    chosen = median_repeat([(r, v) for r, v in values if v is not None])
    return Best(study, trial, last[chosen], summary.mean, summary.spread)


async def best_record(site: Site, best: Best) -> wire.BestModel:
    """Give what the wire tells of the best model."""
    graph = await site.artifacts.get(best.trial.graph)
    missing = await asyncio.to_thread(_unwritable, graph)

    def look(tx: Transaction) -> tuple[wire.Check, Score | None]:
        check = check_of_best(tx, best.study.id, best.trial.number)
        return check, scores.get(tx, best.unit.id)

    check, score = await site.writer.read(look)
    return wire.BestModel.model_validate(
        {
            "study_id": best.study.id,
            "trial": best.trial.number,
            "kind": best.unit.kind,
            "metric": best.study.wire_plan["metric"],
            "mean": best.mean,
            "spread": best.spread,
            "parameters": best.trial.parameters,
            "weights": best.unit.result,
            "check": check,
            "own": None if score is None else _own_numbers(best.unit, score),
            "classes": best.study.wire_plan["classes"],
            "unwritable": missing,
        }
    )


def _own_numbers(unit: Unit, score: Score) -> wire.FileNumbers:
    return wire.FileNumbers(
        metrics=dict(score.metrics),
        loss=score.loss,
        rows=score.rows,
        on="training" if unit.kind == "refit" else "validation",
    )


@lru_cache(maxsize=64)
def _unwritable(graph: bytes) -> dict[str, str]:
    return unwritable(graph_from_json(json.loads(graph)))


async def render_best(site: Site, best: Best, kind: str, folder: Path) -> Path:
    """Write the best model as `h5`, `keras` or a zip of TF.js files. Raises BadModel."""
    assert best.unit.result is not None
    return await render(site, best.trial.graph, best.unit.result, kind, folder)


async def _graph_and_weights(site: Site, best: Best) -> tuple[bytes, bytes]:
    assert best.unit.result is not None
    return await site.artifacts.get(best.trial.graph), await site.artifacts.get(best.unit.result)


async def _part(site: Site, best: Best) -> Part:
    return await site.writer.read(lambda tx: studies.part(tx, best.study.id, best.unit.part))


async def predictions(site: Site, asker: Asker, best: Best) -> wire.Predictions:
    """Give the stored predictions, decoded; only for those who may edit: they show held rows."""
    asker.must_edit(best.study)
    part = await _part(site, best)
    score = await site.writer.read(lambda tx: scores.get(tx, best.unit.id))
    if score is None or score.predictions is None or part.held is None:
        raise NotFound("study.no_predictions", "No predictions were kept for this model.")
    raw = load_safetensors(await site.artifacts.get(score.predictions))["raw"]
    held = load_safetensors(await site.artifacts.get(part.held))
    readout = decode(part.encoder, raw)
    made = [_prediction(row, held["truth"][i], readout, i) for i, row in enumerate(part.held_rows)]
    return wire.Predictions(
        trial=best.trial.number,
        kind="training" if best.unit.kind == "refit" else "validation",
        predictions=made,
        raw=[[float(v) for v in row] for row in raw.reshape(len(raw), -1)],
    )


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


async def inputs(site: Site, asker: Asker, best: Best) -> bytes:
    """Give the rows of `predictions` as the network gets them: `.npz` with `x` and `rows`."""
    asker.must_edit(best.study)
    part = await _part(site, best)
    assert part.held is not None
    held = load_safetensors(await site.artifacts.get(part.held))
    buffer = io.BytesIO()
    np.savez(buffer, x=held["x"], rows=np.asarray(part.held_rows, dtype=np.int64))
    return buffer.getvalue()


async def look_at_test(site: Site, asker: Asker, study_id: str) -> Look:
    """Score the best model on the sealed rows; the look is counted and recorded."""
    study = await mine(site, asker, study_id)
    best = await find_best(site, study)
    rows = await site.writer.read(lambda tx: studies.test_rows(tx, study.id))
    dataset = await site.writer.read(lambda tx: datasets.get(tx, study.dataset_id))
    if not rows:
        raise Conflict(
            "study.no_test_split",
            "This study has no test split.",
            hint="Nothing else is used in its place; make a study with a test fraction.",
        )
    if dataset.deleted_at is not None:
        raise Conflict("dataset.deleted", "The dataset was deleted; its test rows went with it.")
    part = await _part(site, best)
    graph, weights = await _graph_and_weights(site, best)
    held, encoder = await on_dataset(
        site,
        dataset.hash,
        dataset.filename,
        encode_rows,
        study.plan,
        part.train_rows,
        rows,
        timeout_s=SECONDS_TO_PREPARE,
    )
    job = ScoreJob(
        graph=json.loads(graph), weights=weights, held=held, encoder=encoder, decode=decode
    )
    scored = await site.workers.run(score_weights, job)

    def act(tx: Transaction) -> Look:
        now = site.now()
        look = Look(
            study_id=study.id,
            number=len(studies.looks(tx, study.id)) + 1,
            trial=best.trial.number,
            metrics=dict(scored.metrics),
            rows=scored.rows,
            at=now,
        )
        studies.add_look(tx, look)
        body = {
            "look": look.number,
            "by": asker.name,
            "trial": look.trial,
            "weights": best.unit.result,
            "metrics": dict(scored.metrics),
            "absent": absent(study.wire_plan["metrics"], scored.metrics, look.rows),
            "rows": look.rows,
        }
        record(tx, study.id, "test_look", body, now)
        after_commit(tx, lambda: site.hub.publish(study.id))
        return look

    return await site.writer.run(act)


def look_to_wire(look: Look, metrics: Sequence[str]) -> wire.TestLook:
    """Give what the wire tells of a look; `metrics`: those of its study's plan."""
    return wire.TestLook(
        number=look.number,
        trial=look.trial,
        metrics=dict(look.metrics),
        absent=absent(metrics, look.metrics, look.rows),
        rows=look.rows,
        at=look.at,
    )
