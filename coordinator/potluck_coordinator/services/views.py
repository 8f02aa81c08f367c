"""What pages and the SDK see of a study, drawn afresh from the facts each time."""

from __future__ import annotations

from collections.abc import Mapping

from potluck.protocol import records as wire
from potluck.protocol.study import StudySpec
from potluck_coordinator.core.errors import NotFound
from potluck_coordinator.core.ranking import Standing, TrialState, rank
from potluck_coordinator.core.records import Lease, Score, Study, Trial, Unit, wire_fold
from potluck_coordinator.core.units import UnitState
from potluck_coordinator.services.access import Asker
from potluck_coordinator.services.ledgers import entry_to_wire
from potluck_coordinator.services.site import Site
from potluck_coordinator.services.standings import direction_of, rung_summary, standings
from potluck_coordinator.storage import (
    datasets,
    donors,
    leases,
    models,
    scores,
    studies,
    trials,
    units,
)
from potluck_coordinator.storage.ledger import entries
from potluck_coordinator.storage.transaction import Transaction

OPEN = (UnitState.BLOCKED, UnitState.READY, UnitState.LEASED, UnitState.RETURNED)


async def study_view(site: Site, asker: Asker, study_id: str) -> wire.Study:
    """Give one study as the asker may see it. Raises NotFound."""
    return await site.writer.read(lambda tx: _study(tx, asker, _seen(tx, asker, study_id)))


async def study_list(site: Site, asker: Asker) -> list[wire.Study]:
    """List the studies that the asker may see, newest first."""

    def look(tx: Transaction) -> list[wire.Study]:
        return [_study(tx, asker, s) for s in studies.newest(tx) if asker.may_see(s)]

    return await site.writer.read(look)


def _seen(tx: Transaction, asker: Asker, study_id: str) -> Study:
    study = studies.get(tx, study_id)
    asker.must_see(study)
    return study


def _study(tx: Transaction, asker: Asker, study: Study) -> wire.Study:
    all_trials = trials.of_study(tx, study.id)
    ranked = _ranked(tx, study, all_trials)
    leader = next((s for s in ranked.standings if ranked.places.get(s.number) == 1), None)
    counts = units.counts(tx, study.id)
    at_work = leases.held_in(tx, study.id) if study.state == "running" else []
    names = donors.names(tx) if at_work else {}
    of_lease = {lease.unit_id: units.get(tx, lease.unit_id) for lease in at_work}
    spec = StudySpec.model_validate(study.spec)
    return wire.Study(
        id=study.id,
        name=study.name,
        description=spec.description,
        submitter=study.owner,
        state=study.state,
        reason=study.reason,
        visibility=spec.visibility,
        created_at=study.created_at,
        finished_at=study.finished_at,
        spec=spec,
        plan=wire.StudyPlan.model_validate({**study.wire_plan, "trials": study.trials}),
        model_name=models.get(tx, study.model_id).name,
        dataset_name=datasets.get(tx, study.dataset_id).name,
        counts=wire.Counts.model_validate(counts),
        trials_done=sum(t.state != TrialState.RUNNING for t in all_trials),
        best=leader.summary.mean if leader and leader.summary else None,
        best_trial=leader.number if leader else None,
        seconds_left=_seconds_left(tx, study, counts, len(all_trials), len(at_work)),
        donors=[_at_work(lease, of_lease[lease.unit_id], names) for lease in at_work],
        test_looks=len(studies.looks(tx, study.id)),
        may_edit=asker.may_edit(study),
    )


class _Ranked:
    def __init__(self, standings_: list[Standing], places: Mapping[int, int]) -> None:
        self.standings = standings_
        self.places = places


def _ranked(tx: Transaction, study: Study, all_trials: list[Trial]) -> _Ranked:
    found = standings(
        all_trials,
        units.of_study(tx, study.id),
        scores.of_study(tx, study.id),
        len(study.spec["rungs"]),
    )
    return _Ranked(found, rank(found, direction_of(study)))


def _at_work(lease: Lease, unit: Unit, names: Mapping[str, str]) -> wire.DonorAtWork:
    return wire.DonorAtWork(
        name=names.get(lease.donor_id, "somebody"),
        backend=lease.backend,
        trial=unit.trial,
        fold=wire_fold(unit.fold),
        repeat=unit.repeat,
        rung=unit.rung,
        epoch=lease.epoch,
        to_epoch=unit.to_epoch,
        samples_per_second=lease.samples_per_second,
    )


def _seconds_left(
    tx: Transaction, study: Study, counts: Mapping[str, int], made: int, at_work: int
) -> float | None:
    """Estimate from how long units took so far, and how many donors are at work now."""
    per_unit = leases.mean_seconds(tx, study.id)
    if study.state != "running" or per_unit is None or not at_work:
        return None
    networks: int = (study.wire_plan["folds"] or 1) * study.spec["repeats"]
    to_make: int = (study.trials - made) * networks * len(study.spec["rungs"])
    to_go = to_make + sum(counts.get(state.value, 0) for state in OPEN)
    return per_unit * to_go / at_work


async def leaderboard(site: Site, asker: Asker, study_id: str) -> list[wire.LeaderboardRow]:
    """Give all trials: ranked ones by rank, then the rest by number."""
    return await site.writer.read(lambda tx: _rows(tx, _seen(tx, asker, study_id)))


def _rows(tx: Transaction, study: Study) -> list[wire.LeaderboardRow]:
    all_trials = trials.of_study(tx, study.id)
    ranked = _ranked(tx, study, all_trials)
    claims = scores.mean_claims(tx, study.id)
    by_number = {s.number: s for s in ranked.standings}
    rows = [
        _row(study, t, by_number[t.number], ranked.places.get(t.number), claims.get(t.number))
        for t in all_trials
    ]
    return sorted(rows, key=lambda r: (r.rank is None, r.rank or 0, r.trial))


def _row(
    study: Study,
    trial: Trial,
    standing: Standing,
    place: int | None,
    claims: list[tuple[int, float]] | None,
) -> wire.LeaderboardRow:
    summary = standing.summary
    return wire.LeaderboardRow(
        rank=place,
        trial=trial.number,
        state=trial.state,
        rung=standing.rung,
        epochs=0 if standing.rung is None else study.spec["rungs"][standing.rung],
        mean=summary.mean if summary else None,
        spread=summary.spread if summary else None,
        n=summary.n if summary else 0,
        claim_loss=claims[-1][1] if claims else None,
        parameters=dict(trial.parameters),
        reason=trial.reason,
    )


async def curves(site: Site, asker: Asker, study_id: str) -> list[wire.Curve]:
    """Give each trial's scored metric by rung, and its donors' claimed loss by epoch."""

    def look(tx: Transaction) -> list[wire.Curve]:
        study = _seen(tx, asker, study_id)
        by_unit = scores.of_study(tx, study.id)
        claims = scores.mean_claims(tx, study.id)
        by_trial: dict[int, list[Unit]] = {}
        for unit in units.of_study(tx, study.id):
            by_trial.setdefault(unit.trial, []).append(unit)
        return [
            _curve(study, trial, by_trial.get(trial.number, []), by_unit, claims)
            for trial in trials.of_study(tx, study.id)
        ]

    return await site.writer.read(look)


def _curve(
    study: Study,
    trial: Trial,
    own: list[Unit],
    by_unit: Mapping[str, Score],
    claims: Mapping[int, list[tuple[int, float]]],
) -> wire.Curve:
    points = []
    for rung, epoch in enumerate(study.spec["rungs"]):
        summary = rung_summary(own, by_unit, rung)
        if summary is not None:
            points.append(wire.CurvePoint(epoch=epoch, value=summary.mean))
    return wire.Curve(
        trial=trial.number,
        state=trial.state,
        scores=points,
        claims=[wire.CurvePoint(epoch=e, value=v) for e, v in claims.get(trial.number, [])],
    )


async def trial_detail(site: Site, asker: Asker, study_id: str, number: int) -> wire.TrialDetail:
    """Give a trial with its units, their leases, and its ledger entries."""

    def look(tx: Transaction) -> wire.TrialDetail:
        study = _seen(tx, asker, study_id)
        row = next((r for r in _rows(tx, study) if r.trial == number), None)
        if row is None:
            raise NotFound("trial.not_found", "This study has no such trial.", got=str(number))
        own = units.of_trial(tx, study.id, number)
        by_unit = scores.of_study(tx, study.id)
        chain: dict[str, list[Lease]] = {}
        for lease in leases.of_units(tx, [u.id for u in own]):
            chain.setdefault(lease.unit_id, []).append(lease)
        names = donors.names(tx)
        told = [e for e in entries(tx, study.id) if e.body.get("trial") == number]
        return wire.TrialDetail(
            row=row,
            units=[_unit(u, by_unit.get(u.id), chain.get(u.id, []), names) for u in own],
            ledger=[entry_to_wire(e) for e in told],
        )

    return await site.writer.read(look)


def _unit(
    unit: Unit, score: Score | None, held: list[Lease], names: Mapping[str, str]
) -> wire.UnitRecord:
    scored = None
    if score is not None:
        scored = wire.UnitScore(
            metrics=dict(score.metrics), rows=score.rows, predictions=score.predictions
        )
    return wire.UnitRecord.model_validate(
        {
            "id": unit.id,
            "kind": unit.kind,
            "fold": wire_fold(unit.fold),
            "repeat": unit.repeat,
            "rung": unit.rung,
            "state": unit.state,
            "from_epoch": unit.from_epoch,
            "to_epoch": unit.to_epoch,
            "tries": unit.tries,
            "result": unit.result,
            "score": scored,
            "claims": dict(unit.claims),
            "leases": [_lease(lease, names) for lease in held],
            "reasons": list(unit.reasons),
        }
    )


def _lease(lease: Lease, names: Mapping[str, str]) -> wire.LeaseRecord:
    return wire.LeaseRecord.model_validate(
        {
            "id": lease.id,
            "donor": names.get(lease.donor_id, "somebody"),
            "backend": lease.backend,
            "state": lease.state,
            "started_at": lease.started_at,
            "ended_at": lease.ended_at,
            "from_step": lease.from_step,
            "to_step": lease.step,
            "reason": lease.reason,
        }
    )


async def status(site: Site, version: str) -> wire.SiteStatus:
    """Give what the home page shows."""

    def look(tx: Transaction) -> wire.SiteStatus:
        return wire.SiteStatus(
            version=version,
            open=site.settings.open,
            donors_online=site.presence.online(),
            studies_running=len(studies.in_state(tx, "running")),
            units_scored=scores.count(tx),
            credit_flops=str(donors.credit(tx)),
        )

    return await site.writer.read(look)
