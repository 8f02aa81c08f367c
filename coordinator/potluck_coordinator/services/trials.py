"""Make trials: their artifacts, their units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from potluck_coordinator.core.errors import BadInput, PotluckError, TooLarge
from potluck_coordinator.core.randomness import derive_seed
from potluck_coordinator.core.ranking import (
    TrialState,
)
from potluck_coordinator.core.records import (
    NO_FOLD,
    VALIDATION_PART,
    Model,
    Part,
    Study,
    Trial,
    Unit,
)
from potluck_coordinator.core.stacking import stack_value
from potluck_coordinator.core.turns import WORKER_LEAST, Kind
from potluck_coordinator.core.units import UnitState, split_trial
from potluck_coordinator.services.events import WORK
from potluck_coordinator.services.jobs import PreparedTrial, prepare_trial, trial_memory
from potluck_coordinator.services.memory import unit_memory
from potluck_coordinator.services.room import must_have_room
from potluck_coordinator.services.rungs import end_trial
from potluck_coordinator.services.site import Site
from potluck_coordinator.services.training import batch_size, optimizer, overrides
from potluck_coordinator.services.working import Job, in_worker, keep_made
from potluck_coordinator.storage import models, parts, studies, trials, units
from potluck_coordinator.storage.ledger import record
from potluck_coordinator.storage.transaction import Transaction, after_commit

SECONDS_TO_PREPARE = 300.0
LEAST_WEIGHTS = 16 * 2**20
"""Bytes that memory is stated for at least: small models may grow without being asked twice."""


async def launch_trial(
    site: Site, study: Study, number: int, parameters: Mapping[str, Any]
) -> bool:
    """Make a trial's artifacts, then the trial and its units in one transaction.

    A point that cannot be built is a trial that failed, with the reason. False where the study no
    longer runs, or has this trial.
    """
    model = await site.writer.read(lambda tx: models.get(tx, study.model_id))
    found = await site.writer.read(lambda tx: parts.of_study(tx, study.id))
    by_part = {part.part: part for part in found if part.kept}
    places = _places(study)
    seeds = [derive_seed(study.spec["seed"], "init", fold, repeat) for fold, repeat in places]
    try:
        prepared = await keep_made(
            site,
            partial(_prepared, site, study, model, parameters, seeds),
            lambda made: {made.graph, made.topology, *made.starts},
        )
    except (BadInput, TooLarge) as error:
        return await _record_impossible(site, study, model.graph, number, parameters, error)
    start_of = dict(zip(places, prepared.starts, strict=True))
    start_sizes = {sha: await site.artifacts.size(sha) for sha in prepared.starts}
    # Nobody else makes trials of this study meanwhile, and what starts from these there is here.
    known = await site.writer.read(lambda tx: units.starts_among(tx, study.id, start_sizes))
    sizes = {n: await site.artifacts.size(_tensors(part)) for n, part in by_part.items()}

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
            start_bytes=sum(size for sha, size in start_sizes.items() if sha not in known),
            parameters=dict(parameters),
            graph=prepared.graph,
            topology=prepared.topology,
            refit_start=start_of[(None, 0)] if study.wire_plan["folds"] else None,
            created_at=now,
        )
        trials.add(tx, trial)
        units.add(tx, _trial_units(site, study, trial, prepared, by_part, sizes, start_of, now))
        body = {
            "trial": number,
            "parameters": dict(parameters),
            "graph": prepared.graph,
            "topology": prepared.topology,
            "starts": sorted(set(prepared.starts)),
        }
        record(tx, study.id, "trial", body, now)
        after_commit(tx, lambda: site.hub.publish(study.id, WORK))
        return True

    return await site.writer.run(act)


async def _prepared(
    site: Site, study: Study, model: Model, parameters: Mapping[str, Any], seeds: Sequence[int]
) -> PreparedTrial:
    """Make a trial's artifacts in a worker. Raises BadInput, TooLarge for what cannot be made.

    What it takes is known by its weights: first by the model's own, and where its layers are
    larger by what the worker finds them to be.
    """
    size = await site.artifacts.size(model.weights)
    kept = study.wire_plan["init"] == "uploaded"
    told = (
        site.artifacts.kept(model.graph),
        site.artifacts.kept(model.weights) if kept else None,
        overrides(parameters),
        seeds,
        site.artifacts.shelf(),
    )
    weights = max(size, LEAST_WEIGHTS)
    while True:
        writes = weights * len(seeds)
        must_have_room(site, writes)
        need = WORKER_LEAST + trial_memory(weights, size if kept else 0)
        what = "Preparing the trial"
        job = Job(Kind.ENCODE, study.owner, need, SECONDS_TO_PREPARE, what, writes)
        made = await in_worker(site, job, prepare_trial, *told, weights)
        if isinstance(made, PreparedTrial):
            return made
        weights = made


async def _record_impossible(
    site: Site,
    study: Study,
    graph: str,
    number: int,
    parameters: Mapping[str, Any],
    error: PotluckError,
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
    by_part: Mapping[int, Part],
    sizes: Mapping[int, int],
    start_of: Mapping[tuple[int | None, int], str],
    now: float,
) -> list[Unit]:
    made = []
    training = _training(study, trial.parameters)
    for draft in split_trial(study.spec["rungs"], study.wire_plan["folds"], study.spec["repeats"]):
        part = by_part[VALIDATION_PART if draft.fold is None else draft.fold]
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
                tensors=_tensors(part),
                start=start_of[(draft.fold, draft.repeat)] if ready else None,
                training=training,
                flops=str(prepared.flops_per_sample * part.rows_train * epochs),
                upload_bytes=prepared.upload_bytes,
                stack=stack_value(
                    prepared.bones,
                    training,
                    {
                        "tensors": _tensors(part),
                        "rows": part.rows_train,
                        "batch_size": batch_size(trial.parameters),
                        "epochs": [draft.from_epoch, draft.to_epoch],
                    },
                ),
                memory_bytes=unit_memory(prepared.memory, trial.parameters, sizes[part.part]),
                ready_since=now if ready else None,
                reasons=(),
                claims={},
            )
        )
    return made


def _tensors(part: Part) -> str:
    assert part.train is not None  # `services.parts` has made what is kept
    return part.train


def _training(study: Study, parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "optimizer": optimizer(parameters, study.spec["rungs"][-1]).model_dump(),
        "loss": study.wire_plan["loss"],
        "loss_options": study.wire_plan["loss_options"],
        "from_logits": study.wire_plan["from_logits"],
    }
