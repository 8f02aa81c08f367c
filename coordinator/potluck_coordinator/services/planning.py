"""What the coordinator understands of a specification, before anything is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from potluck.protocol.records import PlannedPart, StudyPlan
from potluck.protocol.study import LossOptions, StudySpec
from potluck_coordinator.core.errors import BadStudy, NotFound, OtherWidth
from potluck_coordinator.core.names import check_name, check_note
from potluck_coordinator.core.records import Dataset, Model
from potluck_coordinator.core.turns import WORKER_LEAST, Kind
from potluck_coordinator.core.units import units_of
from potluck_coordinator.search import extremes, samples
from potluck_coordinator.services.access import Asker
from potluck_coordinator.services.audience import check_audience
from potluck_coordinator.services.compiled import compiled_parameters, study_space
from potluck_coordinator.services.facts import facts_from_json
from potluck_coordinator.services.fitting import fit_offer
from potluck_coordinator.services.jobs import check_overrides, plan_job
from potluck_coordinator.services.memory import largest_memory, too_large_for_all
from potluck_coordinator.services.reading import on_dataset
from potluck_coordinator.services.site import Site
from potluck_coordinator.services.training import batch_size, optimizer, overrides
from potluck_coordinator.services.working import Job, in_worker
from potluck_coordinator.storage import datasets, models
from potluck_coordinator.storage.transaction import Transaction

SECONDS_TO_PREPARE = 600.0
MOST_UNITS_A_TRIAL = 1000
BYTES_PER_NUMBER = 4
TIMES_A_GRAPH = 64
"""A graph's JSON as objects, and a changed copy."""
SECONDS_TO_LOOK = 120.0


@dataclass(frozen=True)
class Understood:
    """A specification with everything that was inferred."""

    plan: dict[str, Any]
    wire: StudyPlan
    model: Model
    dataset: Dataset


async def understand(site: Site, asker: Asker, spec: StudySpec) -> Understood:
    """Check a specification against its model, data and space. Raises BadInput, NotFound."""
    told_of_donors = await check_audience(site, asker, spec)
    check_name(spec.name, of="a study")
    check_note(spec.description, of="The study's description", where="description")
    model, dataset = await _materials(site, asker, spec)
    _check_rungs(spec)
    facts = facts_from_json(model.facts)
    try:
        plan = await on_dataset(
            site,
            dataset.hash,
            dataset.filename,
            plan_job,
            spec.model_dump(mode="json"),
            facts,
            account=asker.turn,
            timeout_s=SECONDS_TO_PREPARE,
        )
    except OtherWidth as error:
        error.offer = await fit_offer(site, asker, model, error.width)
        raise
    _check_size(spec)  # after the plan, which knows whether so many folds can be at all
    rows = unit_rows(plan["rows_train"], spec.pipeline.split.folds)
    parameters, said = compiled_parameters(spec, facts.compiled, rows)
    plan["compiled"] = {**plan["compiled"], **parameters}
    plan["warnings"] = [*plan["warnings"], *said]
    space = study_space(spec, plan["compiled"])
    corners = samples(space)
    for corner in corners:
        optimizer(corner, spec.rungs[-1])
        batch_size(corner)
    graph = await site.artifacts.get(model.graph)
    outputs = {"shapes": [list(shape) for shape in facts.output_shapes.values()]}
    changes = [overrides(corner) for corner in corners]
    job = _small_job(asker, "Trying the search's corners", len(graph))
    tried = [*filter(None, changes)] or [{}]
    told = await in_worker(site, job, check_overrides, graph, tried, outputs)
    space = replace(space, epochs=spec.rungs[-1], rows=plan["rows_train"])
    budget = space.most_trials(spec.trials, spec.sampler)
    if budget < spec.trials:
        plan["warnings"] = [*plan["warnings"], fewer_trials(budget, spec.trials)]
    wire = _wire_plan(spec, plan, model, budget, told)
    wire = wire.model_copy(update={"who_gets_what": told_of_donors})
    return Understood(plan, wire, model, dataset)


def fewer_trials(possible: int, asked: int) -> str:
    """Say that the search space is smaller than the trials asked for."""
    points = "1 point" if possible == 1 else f"{possible} points that train differently"
    return f"The search space has {points}: {possible} of the {asked} trials asked for can be made."


async def explain(site: Site, asker: Asker, spec: StudySpec) -> StudyPlan:
    """Plan a study for its submitter: what is understood, and whether a donor is there for it."""
    understood = await understand(site, asker, spec)
    plan = understood.wire
    roomiest = site.presence.roomiest()
    if roomiest is None:
        return plan
    graph = await site.artifacts.get(understood.model.graph)
    points = extremes(study_space(spec, plan.compiled))
    rows_bytes = plan.rows_train * BYTES_PER_NUMBER * (prod(plan.input_shape) + 1)
    job = _small_job(asker, "Estimating the memory", len(graph))
    needed = await in_worker(site, job, largest_memory, graph, points, rows_bytes)
    warnings = [*plan.warnings, *too_large_for_all(needed, roomiest)]
    return plan.model_copy(update={"warnings": warnings})


def _small_job(asker: Asker, what: str, size: int) -> Job:
    return Job(Kind.ENCODE, asker.turn, WORKER_LEAST + TIMES_A_GRAPH * size, SECONDS_TO_LOOK, what)


async def _materials(site: Site, asker: Asker, spec: StudySpec) -> tuple[Model, Dataset]:
    def look(tx: Transaction) -> tuple[Model, Dataset]:
        return models.get(tx, spec.model_id), datasets.get(tx, spec.dataset_id)

    model, dataset = await site.writer.read(look)
    asker.must_use(model.owner, "model.not_found")
    asker.must_use(dataset.owner, "dataset.not_found")
    if dataset.deleted_at is not None:
        raise dataset_deleted()
    return model, dataset


def dataset_deleted() -> NotFound:
    """Refuse a dataset whose bytes are gone."""
    return NotFound(
        "dataset.deleted",
        "This dataset was deleted.",
        hint="Upload it again.",
        where="dataset_id",
    )


def _check_size(spec: StudySpec) -> None:
    units = (spec.pipeline.split.folds or 1) * spec.repeats * len(spec.rungs)
    if units > MOST_UNITS_A_TRIAL:
        raise BadStudy(
            "study.too_many_units",
            "Folds, repeats and rungs make too many units for each trial.",
            expected=f"at most {MOST_UNITS_A_TRIAL}",
            got=str(units),
            where="pipeline.split.folds",
        )


def _check_rungs(spec: StudySpec) -> None:
    ascending = all(a < b for a, b in zip(spec.rungs, spec.rungs[1:], strict=False))
    if not ascending or spec.rungs[0] < 1 or spec.rungs[-1] > 100_000:
        raise BadStudy(
            "study.rungs",
            "Rungs are epoch counts, each larger than the one before.",
            expected="whole numbers from 1, ascending",
            got=str(spec.rungs),
            where="rungs",
        )


def unit_rows(rows_train: int, folds: int | None) -> int:
    """Give the rows that one unit trains on."""
    return rows_train * (folds - 1) // folds if folds else rows_train


def _wire_plan(
    spec: StudySpec, plan: dict[str, Any], model: Model, budget: int, told: Sequence[str]
) -> StudyPlan:
    folds = spec.pipeline.split.folds or 0
    networks = (folds or 1) * spec.repeats
    count = units_of(budget, folds, spec.repeats, len(spec.rungs))
    rows = unit_rows(plan["rows_train"], folds)
    per_trial = int(model.report["training_flops"]) * rows * spec.rungs[-1] * networks
    return StudyPlan(
        task=plan["task"],
        target=plan["target"],
        features=list(plan["features"]),
        classes=None if plan["classes"] is None else list(plan["classes"]),
        loss=plan["loss"],
        loss_options=LossOptions.model_validate(plan["loss_options"]),
        from_logits=plan["from_logits"],
        class_weight=plan["class_weight"],
        sample_weight=plan["sample_weight"],
        losses=list(plan["losses"]),
        metrics=list(plan["metrics"]),
        metric=plan["metric"],
        direction=plan["direction"],
        init=plan["init"],
        rows_train=plan["rows_train"],
        rows_validation=plan["rows_validation"],
        rows_test=plan["rows_test"],
        folds=folds,
        scaling=plan["scaling"],
        duplicates=plan["duplicates"],
        parts=_parts(plan),
        encoded_width=plan["encoded_width"],
        input_shape=list(plan["input_shape"]),
        trials=budget,
        units=count,
        total_flops=str(per_trial * budget),
        compiled=plan["compiled"],
        warnings=[*plan["warnings"], *told],
    )


def _parts(plan: dict[str, Any]) -> list[PlannedPart]:
    classes = plan["classes"] is not None
    return [
        PlannedPart(
            name=part["name"],
            rows=part["rows"],
            asked=part["asked"],
            class_rows=list(part["kinds"]) if classes else [],
        )
        for part in plan["parts"]
    ]
