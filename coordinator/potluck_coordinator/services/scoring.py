"""Score what donors returned, on rows that never left, and let the trial move on."""

from __future__ import annotations

from dataclasses import replace

from potluck.protocol.base import one_line
from potluck_coordinator.core.measurable import absent
from potluck_coordinator.core.records import Score, Study, Unit, wire_fold
from potluck_coordinator.core.turns import WORKER_LEAST, Kind
from potluck_coordinator.core.units import UnitEvent
from potluck_coordinator.scoring import Score as Scored
from potluck_coordinator.services.courses import course_of
from potluck_coordinator.services.divergence import believed
from potluck_coordinator.services.memory import scoring_memory
from potluck_coordinator.services.parts import provided
from potluck_coordinator.services.rewards import reward
from potluck_coordinator.services.rungs import set_unit_aside, settle_rung
from potluck_coordinator.services.score_jobs import own_loss, score_kept
from potluck_coordinator.services.site import Site
from potluck_coordinator.services.working import Job, keep_made, run_job
from potluck_coordinator.storage import parts, replays, scores, studies, trials, units
from potluck_coordinator.storage.ledger import record
from potluck_coordinator.storage.transaction import Transaction, after_commit

SECONDS_PER_SCORE = 300.0
TIMES_READ = 4
"""Tensors as they lie in the store, as arrays, and what a loss makes of them."""


async def score_unit(site: Site, unit: Unit) -> None:
    """Score one returned unit, and keep the score. Raises what the worker or the store raises."""
    study = await site.writer.read(lambda tx: studies.get(tx, unit.study_id))
    scored, predictions = await _compute(site, study, unit)
    loss = None
    if unit.kind == "refit" and predictions is not None:
        loss = await _own_loss(site, study, unit, predictions)
    told = 0 if predictions is None else await site.artifacts.size(predictions)
    await site.writer.run(lambda tx: _keep(site, tx, study, unit, scored, predictions, told, loss))


async def _own_loss(site: Site, study: Study, unit: Unit, predictions: str) -> float | None:
    """Compute a refit's loss on its training rows, which are the rows that it was scored on."""
    sizes = [await site.artifacts.size(sha) for sha in (unit.tensors, predictions)]
    job = _job(study, WORKER_LEAST + TIMES_READ * sum(sizes))
    kept = [site.artifacts.kept(sha) for sha in (unit.tensors, predictions)]
    return await run_job(site, job, own_loss, *kept, course_of(unit))


def _job(study: Study, need: int) -> Job:
    return Job(Kind.SCORE, study.owner, need, SECONDS_PER_SCORE, "Scoring")


async def set_aside(site: Site, unit: Unit, reason: str) -> None:
    """Set a returned unit aside that cannot be scored, with the reason."""
    await site.writer.run(
        lambda tx: _set_aside(site, tx, unit, one_line(f"scoring: {reason}", 500))
    )


async def _compute(site: Site, study: Study, unit: Unit) -> tuple[Scored, str | None]:
    trial = await site.writer.read(lambda tx: trials.get(tx, unit.study_id, unit.trial))
    rows = await site.writer.read(lambda tx: parts.held_rows(tx, unit.study_id, unit.part))
    assert trial is not None
    assert unit.result is not None
    if unit.diverged:
        return Scored({}, rows=rows, diverged=True, predictions=None), None
    part = await provided(site, unit.study_id, unit.part)
    encoder = await site.writer.read(lambda tx: parts.encoder_of(tx, unit.study_id, unit.part))
    assert part.held is not None
    weights, held = [await site.artifacts.size(sha) for sha in (unit.result, part.held)]
    outputs = rows * len(study.wire_plan["classes"] or [0])
    job = _job(study, scoring_memory(unit, weights, held, outputs))
    told = [site.artifacts.kept(sha) for sha in (trial.graph, unit.result, part.held)]

    async def score() -> tuple[Scored, str | None]:
        return await run_job(site, job, score_kept, *told, encoder, site.artifacts.shelf())

    return await keep_made(site, score, lambda done: [] if done[1] is None else [done[1]])


def _set_aside(site: Site, tx: Transaction, unit: Unit, reason: str) -> None:
    set_unit_aside(site, tx, unit, [*unit.reasons, reason][-20:])


def _keep(
    site: Site,
    tx: Transaction,
    study: Study,
    unit: Unit,
    scored: Scored,
    predictions: str | None,
    told: int,
    loss: float | None,
) -> None:
    """Keep a score; `told`: bytes of the predictions. The study's plan was read before."""
    now = site.now()
    diverged = scored.diverged
    current = units.get(tx, unit.id)
    if current.result != unit.result:
        return  # refuted while it was being scored
    if diverged and not believed(site, tx, unit):
        return
    size = current.result_bytes + told
    if not units.change(tx, unit.id, UnitEvent.SCORE, diverged=diverged, result_bytes=size):
        return  # cancelled while it was being scored
    value = None if diverged else scored.metrics.get(study.wire_plan["metric"])
    score = Score(
        unit_id=unit.id,
        study_id=unit.study_id,
        metrics=dict(scored.metrics),
        value=value,
        rows=scored.rows,
        predictions=predictions,
        scored_at=now,
        loss=loss,
    )
    scores.add(tx, score)
    reward(site, tx, replace(unit, diverged=diverged))
    body = {
        "unit": unit.id,
        "unit_kind": unit.kind,
        "trial": unit.trial,
        "fold": wire_fold(unit.fold),
        "repeat": unit.repeat,
        "rung": unit.rung,
        "weights": unit.result,
        "metrics": dict(scored.metrics),
        "absent": absent(study.wire_plan["metrics"], scored.metrics, scored.rows),
        "diverged": diverged,
        "rows": scored.rows,
        "loss": loss,
        "predictions": predictions,
        "on": "its own training rows" if unit.kind == "refit" else "rows that no donor got",
    }
    record(tx, unit.study_id, "score", body, now)
    settle_rung(site, tx, units.get(tx, unit.id), study)
    after_commit(tx, lambda: site.hub.publish(unit.study_id))


async def returned_units(site: Site) -> list[tuple[str, str]]:
    """List the ids of the units that can be scored, with their studies' accounts.

    A claimed divergence waits for its proof.
    """

    def look(tx: Transaction) -> list[tuple[str, str]]:
        unproven = replays.units_waiting(tx)
        return [found for found in units.returned(tx) if found[0] not in unproven]

    return await site.writer.read(look)
