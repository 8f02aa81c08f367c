"""Score what donors returned, on rows that never left, and let the trial move on."""

from __future__ import annotations

import json
from dataclasses import replace

from potluck.protocol.base import one_line
from potluck_coordinator.core.measurable import absent
from potluck_coordinator.core.records import Score, Unit, wire_fold
from potluck_coordinator.core.units import UnitEvent, UnitState
from potluck_coordinator.pipeline import decode
from potluck_coordinator.scoring import Score as Scored
from potluck_coordinator.scoring import ScoreJob, score_weights
from potluck_coordinator.services.chains import reward
from potluck_coordinator.services.courses import course_of
from potluck_coordinator.services.divergence import believed
from potluck_coordinator.services.rungs import set_unit_aside, settle_rung
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage import replays, scores, studies, trials, units
from potluck_coordinator.storage.ledger import record
from potluck_coordinator.storage.transaction import Transaction, after_commit
from potluck_coordinator.training.losses import mean_loss

SECONDS_PER_SCORE = 300.0


async def score_unit(site: Site, unit: Unit) -> None:
    """Score one returned unit, and keep the score. Raises what the worker or the store raises."""
    scored = await _compute(site, unit)
    predictions = None
    if scored.predictions is not None:
        predictions = await site.artifacts.put(scored.predictions)
    loss = None
    if unit.kind == "refit" and scored.predictions is not None:
        loss = await _own_loss(site, unit, scored.predictions)
    await site.writer.run(lambda tx: _keep(site, tx, unit, scored, predictions, loss))


async def _own_loss(site: Site, unit: Unit, predictions: bytes) -> float | None:
    """Compute a refit's loss on its training rows, which are the rows that it was scored on."""
    course = course_of(unit)
    tensors = await site.artifacts.get(unit.tensors)
    told = (course.loss, course.loss_options, course.from_logits)
    found: float | None = await site.workers.run(mean_loss, tensors, predictions, *told)
    return found


async def set_aside(site: Site, unit: Unit, reason: str) -> None:
    """Set a returned unit aside that cannot be scored, with the reason."""
    await site.writer.run(
        lambda tx: _set_aside(site, tx, unit, one_line(f"scoring: {reason}", 500))
    )


async def _compute(site: Site, unit: Unit) -> Scored:
    trial = await site.writer.read(lambda tx: trials.get(tx, unit.study_id, unit.trial))
    part = await site.writer.read(lambda tx: studies.part(tx, unit.study_id, unit.part))
    assert trial is not None
    assert unit.result is not None
    assert part.held is not None
    if unit.diverged:
        return Scored(metrics={}, rows=len(part.held_rows), diverged=True, predictions=None)
    job = ScoreJob(
        graph=json.loads(await site.artifacts.get(trial.graph)),
        weights=await site.artifacts.get(unit.result),
        held=await site.artifacts.get(part.held),
        encoder=part.encoder,
        decode=decode,
    )
    scored: Scored = await site.workers.run(score_weights, job, timeout_s=SECONDS_PER_SCORE)
    return scored


def _set_aside(site: Site, tx: Transaction, unit: Unit, reason: str) -> None:
    set_unit_aside(site, tx, unit, [*unit.reasons, reason][-20:])


def _keep(
    site: Site,
    tx: Transaction,
    unit: Unit,
    scored: Scored,
    predictions: str | None,
    loss: float | None,
) -> None:
    now = site.now()
    diverged = scored.diverged
    if units.get(tx, unit.id).result != unit.result:
        return  # refuted while it was being scored
    if diverged and not believed(site, tx, unit):
        return
    if not units.change(tx, unit.id, UnitEvent.SCORE, diverged=diverged):
        return  # cancelled while it was being scored
    study = studies.get(tx, unit.study_id)
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
    reward(tx, replace(unit, diverged=diverged))
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
    settle_rung(site, tx, units.get(tx, unit.id))
    after_commit(tx, lambda: site.hub.publish(unit.study_id))


async def returned_units(site: Site) -> list[Unit]:
    """List the units that can be scored; a claimed divergence waits for its proof."""

    def look(tx: Transaction) -> list[Unit]:
        unproven = replays.units_waiting(tx)
        return [u for u in units.in_state(tx, UnitState.RETURNED) if u.id not in unproven]

    return await site.writer.read(look)
