"""Make trials, and follow them from rung to rung to their end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from potluck_coordinator.core.errors import BadStudy
from potluck_coordinator.core.promotion import Next, RungUnit, decide
from potluck_coordinator.core.randomness import derive_seed
from potluck_coordinator.core.ranking import (
    Direction,
    Standing,
    Summary,
    TrialState,
    rank,
    summarize,
)
from potluck_coordinator.core.records import (
    NO_FOLD,
    REFIT_PART,
    VALIDATION_PART,
    Part,
    Score,
    Study,
    Trial,
    Unit,
)
from potluck_coordinator.core.units import UnitEvent, UnitState, split_trial
from potluck_coordinator.services.events import WORK
from potluck_coordinator.services.jobs import PreparedTrial, prepare_trial
from potluck_coordinator.services.site import Site
from potluck_coordinator.services.training import batch_size, optimizer, overrides
from potluck_coordinator.storage import leases, models, scores, studies, trials, units
from potluck_coordinator.storage.ledger import record
from potluck_coordinator.storage.transaction import Transaction, after_commit

SECONDS_TO_PREPARE = 300.0
REFIT_FAILED = "The best trial could not be trained again on all training rows."


async def launch_trial(
    site: Site, study: Study, number: int, parameters: Mapping[str, Any]
) -> bool:
    """Make a trial's artifacts, then the trial and its units in one transaction.

    A point that cannot be built is a trial that failed, with the reason. False where the study no
    longer runs, or has this trial.
    """
    model = await site.writer.read(lambda tx: models.get(tx, study.model_id))
    parts = await site.writer.read(lambda tx: studies.parts(tx, study.id))
    graph = await site.artifacts.get(model.graph)
    uploaded = None
    if study.wire_plan["init"] == "uploaded":
        uploaded = await site.artifacts.get(model.weights)
    places = _places(study)
    seeds = [derive_seed(study.spec["seed"], "init", fold, repeat) for fold, repeat in places]
    try:
        prepared = await site.workers.run(
            prepare_trial,
            graph,
            uploaded,
            overrides(parameters),
            seeds,
            timeout_s=SECONDS_TO_PREPARE,
        )
    except BadStudy as error:
        return await _record_impossible(site, study, model.graph, number, parameters, error)
    graph_hash, topology, *starts = await asyncio.gather(
        *(site.artifacts.put(data) for data in (prepared.graph, prepared.topology)),
        *(site.artifacts.put(data) for data in prepared.starts),
    )
    start_of = dict(zip(places, starts, strict=True))

    def act(tx: Transaction) -> bool:
        now = site.now()
        current = studies.find(tx, study.id)
        running = current is not None and current.state == "running"
        if not running or trials.get(tx, study.id, number) is not None:
            return False
        trial = Trial(
            study_id=study.id,
            number=number,
            state=TrialState.RUNNING.value,
            parameters=dict(parameters),
            graph=graph_hash,
            topology=topology,
            refit_start=start_of[(None, 0)] if study.wire_plan["folds"] else None,
            created_at=now,
        )
        trials.add(tx, trial)
        by_part = {part.part: part for part in parts}
        units.add(tx, _trial_units(site, study, trial, prepared, by_part, start_of, now))
        body = {
            "trial": number,
            "parameters": dict(parameters),
            "graph": graph_hash,
            "topology": topology,
            "starts": sorted(set(starts)),
        }
        record(tx, study.id, "trial", body, now)
        after_commit(tx, lambda: site.hub.publish(study.id, WORK))
        return True

    return await site.writer.run(act)


async def _record_impossible(
    site: Site,
    study: Study,
    graph: str,
    number: int,
    parameters: Mapping[str, Any],
    error: BadStudy,
) -> bool:
    """Keep a point whose layers do not fit together as a failed trial: search is told the worst."""

    def act(tx: Transaction) -> bool:
        current = studies.find(tx, study.id)
        if current is None or current.state != "running":
            return False
        trial = Trial(
            study_id=study.id,
            number=number,
            state=TrialState.RUNNING.value,
            parameters=dict(parameters),
            graph=graph,
            topology="",
            created_at=site.now(),
        )
        trials.add(tx, trial)
        record(tx, study.id, "trial", {"trial": number, "parameters": dict(parameters)}, site.now())
        end_trial(site, tx, study, number, TrialState.FAILED, None, error.message)
        return True

    return await site.writer.run(act)


def _places(study: Study) -> list[tuple[int | None, int]]:
    """List the (fold, repeat) pairs that need a start; with folds (None, 0) is the refit's."""
    folds, repeats = study.wire_plan["folds"], study.spec["repeats"]
    if not folds:
        return [(None, repeat) for repeat in range(repeats)]
    return [(f, r) for f in range(folds) for r in range(repeats)] + [(None, 0)]


def _trial_units(
    site: Site,
    study: Study,
    trial: Trial,
    prepared: PreparedTrial,
    parts: Mapping[int, Part],
    start_of: Mapping[tuple[int | None, int], str],
    now: float,
) -> list[Unit]:
    made = []
    for draft in split_trial(study.spec["rungs"], study.wire_plan["folds"], study.spec["repeats"]):
        part = parts[VALIDATION_PART if draft.fold is None else draft.fold]
        epochs = draft.to_epoch - draft.from_epoch
        ready = draft.state is UnitState.READY
        made.append(
            Unit(
                id=site.new_id("un"),
                study_id=study.id,
                trial=trial.number,
                kind="trial",
                fold=NO_FOLD if draft.fold is None else draft.fold,
                repeat=draft.repeat,
                rung=draft.rung,
                state=draft.state.value,
                part=part.part,
                from_epoch=draft.from_epoch,
                to_epoch=draft.to_epoch,
                rows=part.rows_train,
                batch_size=batch_size(trial.parameters),
                seed=derive_seed(study.spec["seed"], "train", draft.fold, draft.repeat),
                topology=trial.topology,
                tensors=part.train,
                start=start_of[(draft.fold, draft.repeat)] if ready else None,
                training=_training(study, trial.parameters),
                flops=str(prepared.flops_per_sample * part.rows_train * epochs),
                upload_bytes=prepared.upload_bytes,
                ready_since=now if ready else None,
                reasons=(),
                claims={},
            )
        )
    return made


def _training(study: Study, parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "optimizer": optimizer(parameters).model_dump(),
        "loss": study.wire_plan["loss"],
        "from_logits": study.wire_plan["from_logits"],
    }


def settle_rung(site: Site, tx: Transaction, unit: Unit) -> None:
    """Decide what follows now that a unit was scored or set aside."""
    study = studies.get(tx, unit.study_id)
    if unit.kind == "refit":
        _settle_refit(site, tx, study, unit)
        return
    mine = [u for u in units.of_trial(tx, study.id, unit.trial) if u.kind == "trial"]
    last = len(study.spec["rungs"]) - 1
    seen = [RungUnit(u.rung, UnitState(u.state), u.diverged) for u in mine]
    step = decide(seen, unit.rung, last)
    if step is Next.WAIT:
        return
    if step is Next.PROMOTE:
        _promote(site, tx, mine, unit.rung + 1)
        return
    value, reason, state = None, "", TrialState.COMPLETED
    if step is Next.COMPLETE:
        summary = rung_summary(mine, scores.of_study(tx, study.id), unit.rung)
        value = summary.mean if summary else None
    elif step is Next.FAIL:
        state, reason = TrialState.FAILED, "Training diverged: its weights became NaN or infinite."
    else:
        state, reason = TrialState.INCOMPLETE, "A unit was set aside; see its reasons."
    end_trial(site, tx, study, unit.trial, state, value, reason)


def _promote(site: Site, tx: Transaction, mine: list[Unit], rung: int) -> None:
    results = {(u.fold, u.repeat): u.result for u in mine if u.rung == rung - 1}
    for unit in mine:
        if unit.rung == rung and unit.state == UnitState.BLOCKED:
            start = results[(unit.fold, unit.repeat)]
            units.change(tx, unit.id, UnitEvent.UNBLOCK, start=start, ready_since=site.now())
    after_commit(tx, lambda: site.hub.publish(WORK))


def rung_summary(mine: list[Unit], by_unit: Mapping[str, Score], rung: int) -> Summary | None:
    """Average a trial's scores at a rung; None unless every network of it has one."""
    values = []
    for unit in mine:
        if unit.rung == rung and unit.kind == "trial":
            score = by_unit.get(unit.id)
            if score is None or score.value is None:
                return None
            fold = None if unit.fold == NO_FOLD else unit.fold
            values.append((fold, unit.repeat, score.value))
    return summarize(values)


def end_trial(
    site: Site,
    tx: Transaction,
    study: Study,
    number: int,
    state: TrialState,
    value: float | None,
    reason: str,
) -> None:
    """End a trial: what is left of its units is cancelled; the study may be done."""
    now = site.now()
    if not trials.finish(
        tx, study.id, number, state=state.value, value=value, reason=reason, at=now
    ):
        return
    open_units = [u.id for u in units.of_trial(tx, study.id, number) if u.kind == "trial"]
    leases.end_all_of_study(tx, study.id, now=now, reason="the trial ended", trial_units=open_units)
    if state is not TrialState.COMPLETED:
        open_states = (UnitState.BLOCKED, UnitState.READY, UnitState.LEASED, UnitState.RETURNED)
        units.change_many(
            tx, study.id, UnitEvent.CANCEL, trial=number, only=open_states, lease_id=None
        )
    body = {"trial": number, "state": state.value, "value": value, "reason": reason}
    record(tx, study.id, "trial_end", body, now)
    finish_if_done(site, tx, study)
    after_commit(tx, lambda: site.hub.publish(study.id))
    after_commit(tx, site.poke)


def standings(
    all_trials: list[Trial], all_units: list[Unit], by_unit: Mapping[str, Score], rungs: int
) -> list[Standing]:
    """Give what ranks each trial: its last rung with every score in."""
    by_trial: dict[int, list[Unit]] = {}
    for unit in all_units:
        if unit.kind == "trial":
            by_trial.setdefault(unit.trial, []).append(unit)
    found = []
    for trial in all_trials:
        best_rung, summary = None, None
        for rung in range(rungs):
            here = rung_summary(by_trial.get(trial.number, []), by_unit, rung)
            if here is not None:
                best_rung, summary = rung, here
        found.append(Standing(trial.number, TrialState(trial.state), best_rung, summary))
    return found


def direction_of(study: Study) -> Direction:
    """Say which way is better."""
    return "maximize" if study.direction == "maximize" else "minimize"


def places(tx: Transaction, study: Study) -> Mapping[int, int]:
    """Rank a study's trials by the coordinator's own scores: trial -> place from 1."""
    found = standings(
        trials.of_study(tx, study.id),
        units.of_study(tx, study.id),
        scores.of_study(tx, study.id),
        len(study.spec["rungs"]),
    )
    return rank(found, direction_of(study))


def top_trials(tx: Transaction, study: Study, most: int) -> set[int]:
    """Give the trials that now hold the first places."""
    return {number for number, place in places(tx, study).items() if place <= most}


def finish_if_done(site: Site, tx: Transaction, study: Study) -> None:
    """End a study whose trials have all ended; with folds, the best one is refitted first."""
    study = studies.get(tx, study.id)
    all_trials = trials.of_study(tx, study.id)
    running = any(t.state == TrialState.RUNNING for t in all_trials)
    if study.state != "running" or running or len(all_trials) < study.trials:
        return
    best = next((number for number, place in places(tx, study).items() if place == 1), None)
    if best is None:
        _end_study(site, tx, study, "failed", "No trial could be completed.", None)
        return
    if study.wire_plan["folds"]:
        refits = [u for u in units.of_trial(tx, study.id, best) if u.kind == "refit"]
        if not refits:
            _add_refit(site, tx, study, best)
            return
        if refits[0].diverged:
            _end_study(site, tx, study, "failed", REFIT_FAILED, best)
            return
        if refits[0].state != UnitState.SCORED:
            return
    _end_study(site, tx, study, "completed", "", best)


def _add_refit(site: Site, tx: Transaction, study: Study, number: int) -> None:
    """Make the unit that trains the chosen trial on all training rows with its own encoders."""
    trial = trials.get(tx, study.id, number)
    assert trial is not None
    part = studies.part(tx, study.id, REFIT_PART)
    like = next(u for u in units.of_trial(tx, study.id, number) if u.kind == "trial")
    epochs = study.spec["rungs"][-1]
    per_row = int(like.flops) // max(1, like.rows * (like.to_epoch - like.from_epoch))
    unit = Unit(
        id=site.new_id("un"),
        study_id=study.id,
        trial=number,
        kind="refit",
        fold=NO_FOLD,
        repeat=0,
        rung=0,
        state=UnitState.READY.value,
        part=part.part,
        from_epoch=0,
        to_epoch=epochs,
        rows=part.rows_train,
        batch_size=like.batch_size,
        seed=derive_seed(study.spec["seed"], "train", None, 0),
        topology=trial.topology,
        tensors=part.train,
        start=trial.refit_start,
        training=dict(like.training),
        flops=str(per_row * part.rows_train * epochs),
        upload_bytes=like.upload_bytes,
        ready_since=site.now(),
        reasons=(),
        claims={},
    )
    units.add(tx, [unit])
    record(tx, study.id, "refit", {"trial": number, "unit": unit.id}, site.now())
    after_commit(tx, lambda: site.hub.publish(study.id, WORK))


def _settle_refit(site: Site, tx: Transaction, study: Study, unit: Unit) -> None:
    still_best = places(tx, study).get(unit.trial) == 1
    running = any(t.state == TrialState.RUNNING for t in trials.of_study(tx, study.id))
    if unit.state == UnitState.SET_ASIDE and still_best and not running:
        _end_study(site, tx, study, "failed", REFIT_FAILED, unit.trial)
    else:
        finish_if_done(site, tx, study)


def _end_study(
    site: Site, tx: Transaction, study: Study, state: str, reason: str, best: int | None
) -> None:
    now = site.now()
    moved = studies.move(
        tx,
        study.id,
        before=("running",),
        after=state,
        reason=reason,
        finished_at=now,
        best_trial=best,
    )
    if moved:
        # A refit of a trial that no longer leads may still be open.
        open_states = (UnitState.BLOCKED, UnitState.READY, UnitState.LEASED)
        units.change_many(tx, study.id, UnitEvent.CANCEL, only=open_states, lease_id=None)
        leases.end_all_of_study(tx, study.id, now=now, reason="the study ended")
        body = {"state": state, "reason": reason, "best_trial": best}
        record(tx, study.id, "study_end", body, now)
        after_commit(tx, lambda: site.hub.publish(study.id))
