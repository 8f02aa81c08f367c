"""Score what donors returned, on rows that never left, and let the trial move on."""

from __future__ import annotations

import json
import logging

from potluck_coordinator.core.records import Score, Unit, wire_fold
from potluck_coordinator.core.units import UnitEvent, UnitState, steps_per_epoch
from potluck_coordinator.pipeline import decode
from potluck_coordinator.scoring import Score as Scored
from potluck_coordinator.scoring import ScoreJob, score_weights
from potluck_coordinator.services.site import Site
from potluck_coordinator.services.trials import settle_rung
from potluck_coordinator.storage import donors, leases, scores, studies, trials, units
from potluck_coordinator.storage.ledger import record
from potluck_coordinator.storage.transaction import Transaction, after_commit

SECONDS_PER_SCORE = 300.0

_log = logging.getLogger(__name__)


async def score_unit(site: Site, unit: Unit) -> None:
    """Score one returned unit. A job that cannot be done sets the unit aside, with the reason."""
    try:
        scored = await _compute(site, unit)
    except Exception as error:
        _log.exception("unit %s could not be scored", unit.id)
        reason = f"scoring: {type(error).__name__}: {error}"[:500]
        await site.writer.run(lambda tx: _set_aside(site, tx, unit, reason))
        return
    predictions = None
    if scored.predictions is not None:
        predictions = await site.artifacts.put(scored.predictions)
    await site.writer.run(lambda tx: _keep(site, tx, unit, scored, predictions))


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
    reasons = [*unit.reasons, reason][-20:]
    if units.change(tx, unit.id, UnitEvent.SET_ASIDE, reasons=reasons):
        body = {"unit": unit.id, "trial": unit.trial, "reasons": reasons}
        record(tx, unit.study_id, "set_aside", body, site.now())
        settle_rung(site, tx, units.get(tx, unit.id))


def _keep(site: Site, tx: Transaction, unit: Unit, scored: Scored, predictions: str | None) -> None:
    now = site.now()
    diverged = scored.diverged
    if not units.change(tx, unit.id, UnitEvent.SCORE, diverged=diverged):
        return  # cancelled while it was being scored
    study = studies.get(tx, unit.study_id)
    value = None if diverged else scored.metrics[study.wire_plan["metric"]]
    score = Score(
        unit_id=unit.id,
        study_id=unit.study_id,
        metrics=dict(scored.metrics),
        value=value,
        rows=scored.rows,
        predictions=predictions,
        scored_at=now,
    )
    scores.add(tx, score)
    _reward(tx, unit)
    body = {
        "unit": unit.id,
        "unit_kind": unit.kind,
        "trial": unit.trial,
        "fold": wire_fold(unit.fold),
        "repeat": unit.repeat,
        "rung": unit.rung,
        "weights": unit.result,
        "metrics": dict(scored.metrics),
        "diverged": diverged,
        "rows": scored.rows,
        "predictions": predictions,
        "on": "its own training rows" if unit.kind == "refit" else "rows that no donor got",
    }
    record(tx, unit.study_id, "score", body, now)
    settle_rung(site, tx, units.get(tx, unit.id))
    after_commit(tx, lambda: site.hub.publish(unit.study_id))


def _reward(tx: Transaction, unit: Unit) -> None:
    """Share a scored unit's FLOPs among the donors that brought it forward."""
    spe = steps_per_epoch(unit.rows, unit.batch_size)
    steps = (unit.to_epoch - unit.from_epoch) * spe
    chain = leases.of_units(tx, [unit.id])
    winner = next((lease for lease in chain if lease.id == unit.result_lease), None)
    if winner is None:
        return
    done = unit.to_epoch * spe - winner.from_step
    flops = int(unit.flops) * done // max(1, steps)
    donors.reward(tx, winner.donor_id, units=1, flops=flops)
    before = [lease for lease in chain if lease.started_at < winner.started_at]
    if before and winner.from_step > unit.from_epoch * spe:
        # Somebody else's checkpoint was the start: its steps were verified along with the rest.
        helper = before[-1]
        gained = winner.from_step - helper.from_step
        if gained > 0:
            donors.reward(tx, helper.donor_id, flops=int(unit.flops) * gained // max(1, steps))


async def returned_units(site: Site) -> list[Unit]:
    """List the units that wait for their score."""
    return await site.writer.read(lambda tx: units.in_state(tx, UnitState.RETURNED))
