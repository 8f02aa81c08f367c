"""The best model: its weights, its files, its predictions, and looks at the sealed test split."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from potluck.protocol import records as wire
from potluck_converter import graph_from_json, unwritable
from potluck_coordinator.core.errors import Conflict, NotFound
from potluck_coordinator.core.measurable import absent
from potluck_coordinator.core.ranking import median_repeat
from potluck_coordinator.core.records import Look, Score, Study, Trial, Unit
from potluck_coordinator.core.row_numbers import PartRows
from potluck_coordinator.core.turns import WORKER_LEAST, Kind
from potluck_coordinator.core.units import UnitState
from potluck_coordinator.services.access import Asker
from potluck_coordinator.services.confirmations import check_of_best
from potluck_coordinator.services.memory import encoded_bytes, scoring_memory
from potluck_coordinator.services.parts import provided
from potluck_coordinator.services.reading import on_dataset
from potluck_coordinator.services.renderings import ModelFile
from potluck_coordinator.services.score_jobs import score_rows, told_predictions, write_inputs
from potluck_coordinator.services.site import Site
from potluck_coordinator.services.standings import by_rung, leading
from potluck_coordinator.services.studies import mine
from potluck_coordinator.services.working import Job, in_worker
from potluck_coordinator.storage import datasets, parts, scores, studies, summaries, trials, units
from potluck_coordinator.storage.ledger import record
from potluck_coordinator.storage.transaction import Transaction, after_commit

SECONDS_TO_LOOK = 300.0
ROW_NUMBER = 8
"""Bytes of a row's number in an `.npz` file."""
TIMES_TOLD = 8
"""Numbers as they lie in the store, as Python's, and as text."""
BYTES_PER_PREDICTION = 2000
"""A row's prediction with its classes' probabilities, as objects and as JSON."""


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
    number = next(iter(leading(tx, study, 1)), None)
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


def file_of(best: Best, format: str) -> ModelFile:
    """Name the best model's file.

    Args:
        best: The model.
        format: `h5`, `keras`, or `tfjs` for a zip of TF.js files.
    """
    assert best.unit.result is not None
    return ModelFile(best.trial.graph, best.unit.result, format)


async def predictions(site: Site, asker: Asker, best: Best) -> bytes:
    """Give the stored predictions, decoded, as JSON of `wire.Predictions`.

    Only for those who may edit: they show held rows.
    """
    asker.must_edit(best.study)
    score = await site.writer.read(lambda tx: scores.get(tx, best.unit.id))
    if score is None or score.predictions is None:
        raise NotFound("study.no_predictions", "No predictions were kept for this model.")
    with site.artifacts.naming():
        part = await provided(site, best.study.id, best.unit.part)
        own, encoder = await site.writer.read(lambda tx: _rows_and_encoder(tx, best))
        assert part.held is not None
        told = [site.artifacts.kept(score.predictions), site.artifacts.kept(part.held)]
        size = await site.artifacts.size(score.predictions) + await site.artifacts.size(part.held)
        need = WORKER_LEAST + TIMES_TOLD * size + BYTES_PER_PREDICTION * len(own.held_rows)
        job = Job(Kind.SERVE, asker.turn, need, SECONDS_TO_LOOK, "Reading the predictions")
        kind = "training" if best.unit.kind == "refit" else "validation"
        rows = (encoder, own.held_rows, best.trial.number, kind)
        return await in_worker(site, job, told_predictions, *told, *rows)


async def inputs(site: Site, asker: Asker, best: Best, folder: Path) -> Path:
    """Write the rows of `predictions` as the network gets them: `.npz` with `x` and `rows`."""
    asker.must_edit(best.study)
    path = folder / "inputs.npz"
    with site.artifacts.naming():
        part = await provided(site, best.study.id, best.unit.part)
        own, _ = await site.writer.read(lambda tx: _rows_and_encoder(tx, best))
        assert part.held is not None
        size = await site.artifacts.size(part.held)
        need, writes = WORKER_LEAST + TIMES_TOLD * size, size + ROW_NUMBER * len(own.held_rows)
        job = Job(Kind.SERVE, asker.turn, need, SECONDS_TO_LOOK, "Writing the rows", writes)
        held = site.artifacts.kept(part.held)
        await in_worker(site, job, write_inputs, held, own.held_rows, str(path))
    return path


def _rows_and_encoder(tx: Transaction, best: Best) -> tuple[PartRows, Mapping[str, Any]]:
    """Give which rows the best model's part has, and how they are encoded. Raises NotFound."""
    study, number = best.study.id, best.unit.part
    encoder = parts.encoder_of(tx, study, number)
    return parts.rows_of(tx, study, [number])[number], encoder


async def look_at_test(site: Site, asker: Asker, study_id: str) -> Look:
    """Score the best model on the sealed rows; the look is counted and recorded."""
    study = await mine(site, asker, study_id)
    best = await find_best(site, study)
    rows = await site.writer.read(lambda tx: studies.test_rows(tx, study.id))
    dataset = await site.writer.read(lambda tx: datasets.get(tx, study.dataset_id))
    if not len(rows):
        raise Conflict(
            "study.no_test_split",
            "This study has no test split.",
            hint="Nothing else is used in its place; make a study with a test fraction.",
        )
    if dataset.deleted_at is not None:
        raise Conflict("dataset.deleted", "The dataset was deleted; its test rows went with it.")
    own, _ = await site.writer.read(lambda tx: _rows_and_encoder(tx, best))
    assert best.unit.result is not None
    encoded = encoded_bytes(study.plan, len(own.train_rows) + len(rows))
    result = await site.artifacts.size(best.unit.result)
    outputs = len(study.wire_plan["classes"] or [0])
    more = scoring_memory(best.unit, result, encoded, len(rows) * outputs)
    scored = await on_dataset(
        site,
        dataset.hash,
        dataset.filename,
        score_rows,
        study.plan,
        own.train_rows,
        rows,
        site.artifacts.kept(best.trial.graph),
        site.artifacts.kept(best.unit.result),
        account=asker.turn,
        kind=Kind.SERVE,
        more=encoded + more,
        timeout_s=SECONDS_TO_LOOK,
    )

    def act(tx: Transaction) -> Look:
        now = site.now()
        look = Look(
            study_id=study.id,
            number=studies.count_looks(tx, study.id) + 1,
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
