"""What pages and the SDK see of a study, drawn afresh from the facts each time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from potluck.protocol import records as wire
from potluck.protocol.study import StudySpec
from potluck_coordinator.core.claims import drawn_apart
from potluck_coordinator.core.errors import NotFound
from potluck_coordinator.core.ledger import Entry
from potluck_coordinator.core.measurable import absent
from potluck_coordinator.core.ranking import Standing, TrialState, rank
from potluck_coordinator.core.records import Lease, Score, Study, Unit, wire_fold
from potluck_coordinator.core.units import UnitState, units_of
from potluck_coordinator.core.visitors import shown_owner
from potluck_coordinator.services.access import Asker
from potluck_coordinator.services.confirmations import checks_of_trials
from potluck_coordinator.services.drawn import drawn
from potluck_coordinator.services.ledgers import entry_to_wire
from potluck_coordinator.services.memory import too_large_for_all
from potluck_coordinator.services.site import Site
from potluck_coordinator.services.standings import ByRung, by_rung, direction_of, standings
from potluck_coordinator.storage import (
    donors,
    leases,
    scores,
    studies,
    study_lists,
    summaries,
    trials,
    units,
)
from potluck_coordinator.storage.ledger import of_trial
from potluck_coordinator.storage.pages import MOST_LISTED
from potluck_coordinator.storage.summaries import Digest, HeldUnit, TrialLine
from potluck_coordinator.storage.transaction import Transaction

MOST_LEASES = 50
"""The newest leases of a unit that a trial's page shows."""
MOST_ENTRIES = 1000
MOST_SCANNED = 20_000
"""Entries of a study's chain that are looked at for those of one trial, from its beginning on."""


async def study_view(site: Site, asker: Asker, study_id: str) -> wire.Study:
    """Give one study as the asker may see it. Raises NotFound."""

    def look(tx: Transaction) -> wire.Study:
        return draw_study(tx, seen(tx, asker, study_id), asker, site.presence.roomiest())

    return await site.writer.read(look)


async def study_list(
    site: Site, asker: Asker, *, limit: int = MOST_LISTED, offset: int = 0
) -> list[wire.Study]:
    """List the studies that the asker may see, newest first: a page of them.

    Args:
        site: The coordinator.
        asker: Who asks.
        limit: How many studies at most; where plans are large there are fewer.
        offset: How many studies the pages before had.
    """

    def look(tx: Transaction) -> list[wire.Study]:
        visible = study_lists.page(tx, owners=asker.seen_owners, limit=limit, offset=offset)
        found = summaries.digests(tx, [study.id for study in visible])
        return drawn(visible, lambda study: _study(tx, asker, study, found[study.id]))

    return await site.writer.read(look)


async def must_see(site: Site, asker: Asker, study_id: str) -> None:
    """Raise NotFound for a study that is not there, or not for the asker."""
    await site.writer.read(lambda tx: seen(tx, asker, study_id))


def seen(tx: Transaction, asker: Asker, study_id: str) -> Study:
    """Give a study that the asker may see. Raises NotFound."""
    study = studies.get(tx, study_id)
    asker.must_see(study)
    return study


def draw_study(
    tx: Transaction, study: Study, asker: Asker, roomiest: int | None = None
) -> wire.Study:
    """Draw one study. `roomiest`: the most memory that a connected donor allows, where known."""
    drawn = _study(tx, asker, study, summaries.digests(tx, [study.id])[study.id])
    if roomiest is None or study.state != "running":
        return drawn
    told = too_large_for_all(units.largest_ready(tx, study.id), roomiest)
    plan = drawn.plan.model_copy(update={"warnings": [*drawn.plan.warnings, *told]})
    return drawn.model_copy(update={"plan": plan})


def _study(tx: Transaction, asker: Asker, study: Study, digest: Digest) -> wire.Study:
    leader = _leader(tx, study, digest)
    made = sum(digest.trials.values())
    planned = units_planned(study, digest)
    spec = StudySpec.model_validate(study.spec)
    return wire.Study(
        id=study.id,
        name=study.name,
        description=spec.description,
        submitter=shown_owner(study.owner),
        state=study.state,
        reason=study.reason,
        visibility=spec.visibility,
        created_at=study.created_at,
        finished_at=study.finished_at,
        spec=spec,
        plan=_plan(study, spec),
        model_name=digest.model_name,
        dataset_name=digest.dataset_name,
        counts=wire.Counts.model_validate(digest.units),
        units_planned=planned,
        trials_done=made - digest.trials.get(TrialState.RUNNING, 0),
        best=leader[1] if leader else None,
        best_trial=leader[0] if leader else None,
        seconds_left=_seconds_left(study, digest, planned),
        donors=_at_work(digest.held),
        test_looks=digest.looks,
        checks_open=digest.checks_open,
        group_gone=digest.group_gone,
        may_edit=asker.may_edit(study),
    )


def _plan(study: Study, spec: StudySpec) -> wire.StudyPlan:
    """Give the plan with the trials that were added to it."""
    plan = wire.StudyPlan.model_validate(study.wire_plan)
    units = units_of(study.trials, plan.folds, spec.repeats, len(spec.rungs))
    return plan.model_copy(update={"trials": study.trials, "units": units})


def _leader(tx: Transaction, study: Study, digest: Digest) -> tuple[int, float] | None:
    """Give the first place: a completed trial's, or where there is none a stopped trial's."""
    if digest.leader is not None or not digest.trials.get(TrialState.STOPPED):
        return digest.leader
    found = standings(summaries.trials_of(tx, study.id), by_rung(summaries.units_of(tx, study.id)))
    places = rank(found, direction_of(study))
    first = next((s for s in found if places.get(s.number) == 1), None)
    return (first.number, first.summary.mean) if first and first.summary else None


def _at_work(held: Sequence[HeldUnit]) -> list[wire.DonorAtWork]:
    """Give each donor once, with all the units that it holds: a tab trains several together."""
    by_donor: dict[tuple[str, str], list[HeldUnit]] = {}
    for unit in held:
        by_donor.setdefault((unit.donor_id, unit.backend), []).append(unit)
    return [
        wire.DonorAtWork(
            name=own[0].name or "somebody",
            backend=backend,
            units=[
                wire.UnitAtWork(
                    trial=unit.trial,
                    fold=wire_fold(unit.fold),
                    repeat=unit.repeat,
                    rung=unit.rung,
                    epoch=unit.epoch,
                    to_epoch=unit.to_epoch,
                )
                for unit in own
            ],
            samples_per_second=_sum(unit.samples_per_second for unit in own),
        )
        for (_, backend), own in by_donor.items()
    ]


def _sum(speeds: Iterable[float | None]) -> float | None:
    known = [speed for speed in speeds if speed is not None]
    return sum(known) if known else None


def units_planned(study: Study, digest: Digest) -> int:
    """Count all units of a study: made ones, and those that are still to be made.

    What was cancelled does not count: the rest of a trial that ended early, or a stopped study's.
    """
    made = sum(number for state, number in digest.units.items() if state != UnitState.CANCELLED)
    if study.state != "running":
        return made
    to_make = study.trials - sum(digest.trials.values())
    folds = study.wire_plan["folds"]
    whole = units_of(max(0, to_make), folds, study.spec["repeats"], len(study.spec["rungs"]))
    return made + whole - (1 if folds and digest.refits else 0)


def _seconds_left(study: Study, digest: Digest, planned: int) -> float | None:
    """Estimate from how long units took so far, and how many donors are at work now."""
    if study.state != "running" or digest.seconds_per_unit is None or not digest.held:
        return None
    ended = (UnitState.SCORED, UnitState.SET_ASIDE)
    to_go = planned - sum(digest.units.get(state.value, 0) for state in ended)
    return digest.seconds_per_unit * to_go / len(digest.held)


async def leaderboard(site: Site, asker: Asker, study_id: str) -> list[wire.LeaderboardRow]:
    """Give all trials: ranked ones by rank, then the rest by number."""

    def look(tx: Transaction) -> list[wire.LeaderboardRow]:
        study = seen(tx, asker, study_id)
        return draw_board(study, facts_of(tx, study))

    return await site.writer.read(look)


async def curves(site: Site, asker: Asker, study_id: str) -> list[wire.Curve]:
    """Give each trial's scored metric by rung, and its donors' claimed loss by epoch."""

    def look(tx: Transaction) -> list[wire.Curve]:
        study = seen(tx, asker, study_id)
        return draw_curves(study, facts_of(tx, study))

    return await site.writer.read(look)


@dataclass(frozen=True)
class TrialFacts:
    """What leaderboard and curves are drawn from."""

    lines: Sequence[TrialLine]
    scored: ByRung
    claims: Mapping[int, list[tuple[int, float]]]
    busy: Mapping[int, Collection[str]]
    """Trial -> the states of its units that a donor or the scorer has."""
    checks: Mapping[int, wire.Check]


def facts_of(tx: Transaction, study: Study) -> TrialFacts:
    """Gather what leaderboard and curves are drawn from."""
    lines = summaries.lines_of(tx, study.id)
    return TrialFacts(
        lines,
        by_rung(summaries.units_of(tx, study.id)),
        scores.mean_claims(tx, study.id, drawn_apart(study.spec["rungs"][-1], len(lines))),
        summaries.busy(tx, study.id),
        checks_of_trials(tx, study.id),
    )


def draw_board(study: Study, facts: TrialFacts) -> list[wire.LeaderboardRow]:
    """Draw a leaderboard."""
    found = standings(facts.lines, facts.scored)
    places = rank(found, direction_of(study))
    rows = [
        _row(study, line, standing, places.get(line.number), facts)
        for line, standing in zip(facts.lines, found, strict=True)
    ]
    return sorted(rows, key=lambda r: (r.rank is None, r.rank or 0, r.trial))


def _row(
    study: Study,
    trial: TrialLine,
    standing: Standing,
    place: int | None,
    facts: TrialFacts,
) -> wire.LeaderboardRow:
    summary = standing.summary
    state, claims = _state(study, trial), facts.claims.get(trial.number)
    return wire.LeaderboardRow(
        rank=place,
        trial=trial.number,
        state=state,
        activity=_activity(facts.busy.get(trial.number, ())) if state == "running" else None,
        rung=standing.rung,
        epochs=0 if standing.rung is None else study.spec["rungs"][standing.rung],
        mean=summary.mean if summary else None,
        spread=summary.spread if summary else None,
        n=summary.n if summary else 0,
        check=facts.checks.get(trial.number, "scored"),
        claim_loss=claims[-1][1] if claims else None,
        parameters=dict(trial.parameters),
        reason=trial.reason or (study.reason if _halted(study, trial) else ""),
    )


def _activity(states: Collection[str]) -> wire.TrialActivity:
    """Say what happens to a running trial; the units' states are what the study's counts count."""
    if UnitState.LEASED in states:
        return "training"
    return "being_scored" if UnitState.RETURNED in states else "waiting"


def _halted(study: Study, trial: TrialLine) -> bool:
    """Say whether a trial stands still because its study does; resuming lets it go on."""
    return trial.state == TrialState.RUNNING and study.state in ("stopped", "failed")


def _state(study: Study, trial: TrialLine) -> str:
    return TrialState.STOPPED.value if _halted(study, trial) else trial.state


def draw_curves(study: Study, facts: TrialFacts) -> list[wire.Curve]:
    """Draw every trial's curve: of long ones, the epochs that the facts have."""
    epochs = study.spec["rungs"]
    return [
        wire.Curve(
            trial=line.number,
            state=_state(study, line),
            scores=[
                wire.CurvePoint(epoch=epochs[rung], value=summary.mean)
                for rung, summary in facts.scored.get(line.number, {}).items()
            ],
            claims=[
                wire.CurvePoint(epoch=epoch, value=value)
                for epoch, value in facts.claims.get(line.number, [])
            ],
        )
        for line in facts.lines
    ]


async def trial_detail(
    site: Site, asker: Asker, study_id: str, number: int, *, with_ledger: bool = True
) -> wire.TrialDetail:
    """Give a trial with its units, their leases, and its ledger entries where they are wanted."""

    def look(tx: Transaction) -> wire.TrialDetail:
        study = seen(tx, asker, study_id)
        board = draw_board(study, facts_of(tx, study))
        row = next((r for r in board if r.trial == number), None)
        if row is None:
            raise NotFound("trial.not_found", "This study has no such trial.", got=str(number))
        own = units.of_trial(tx, study.id, number)
        held = leases.latest_of_units(tx, [u.id for u in own], MOST_LEASES)
        names = donors.names(tx, {one.donor_id for some, _ in held.values() for one in some})
        metrics = study.wire_plan["metrics"]
        told, more = _entries_of(tx, study, number) if with_ledger else ([], False)
        return wire.TrialDetail(
            row=row,
            units=[
                _unit(u, scores.get(tx, u.id), held.get(u.id, ([], 0)), names, metrics) for u in own
            ],
            ledger=[entry_to_wire(e) for e in told],
            ledger_more=more,
        )

    return await site.writer.read(look)


def _entries_of(tx: Transaction, study: Study, number: int) -> tuple[list[Entry], bool]:
    """Give a trial's ledger entries, and whether there may be more of them in the whole chain."""
    trial = trials.get(tx, study.id, number)
    assert trial is not None
    return of_trial(tx, study.id, number, trial.created_at, scanned=MOST_SCANNED, most=MOST_ENTRIES)


def _unit(
    unit: Unit,
    score: Score | None,
    held: tuple[list[Lease], int],
    names: Mapping[str, str],
    metrics: Sequence[str],
) -> wire.UnitRecord:
    scored = None
    if score is not None:
        scored = wire.UnitScore(
            metrics=dict(score.metrics),
            absent=absent(metrics, score.metrics, score.rows),
            rows=score.rows,
            predictions=score.predictions,
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
            "leases": [_lease(lease, names) for lease in held[0]],
            "earlier_leases": held[1],
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
    """Give what the home page shows.

    Args:
        site: The coordinator.
        version: Its version.
    """
    total = await site.totals.of(site.writer)
    return wire.SiteStatus(
        version=version,
        open=site.settings.open,
        donors_online=site.presence.online(),
        studies_running=total.studies_running,
        units_scored=total.units_scored,
        credit_flops=str(total.flops),
    )
