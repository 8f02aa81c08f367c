"""From rung to rung: promotion, and how a trial ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from potluck_coordinator.core import reasons
from potluck_coordinator.core.promotion import Next, RungUnit, decide
from potluck_coordinator.core.ranking import (
    TrialState,
)
from potluck_coordinator.core.records import (
    Study,
    Unit,
)
from potluck_coordinator.core.units import UnitEvent, UnitState
from potluck_coordinator.services.endings import finish_if_done, settle_refit
from potluck_coordinator.services.events import WORK
from potluck_coordinator.services.site import Site
from potluck_coordinator.services.standings import by_rung
from potluck_coordinator.storage import leases, studies, summaries, trials, units
from potluck_coordinator.storage.ledger import record
from potluck_coordinator.storage.transaction import Transaction, after_commit


def set_unit_aside(
    site: Site, tx: Transaction, unit: Unit, reasons: Sequence[str], **values: Any
) -> bool:
    """Set a unit aside, with its reasons in the ledger; False where it was not to be any more.

    `values`: what else changes of it (see `storage.units.change`).
    """
    if not units.change(tx, unit.id, UnitEvent.SET_ASIDE, reasons=list(reasons), **values):
        return False
    body = {"unit": unit.id, "trial": unit.trial, "reasons": list(reasons)}
    record(tx, unit.study_id, "set_aside", body, site.now())
    settle_rung(site, tx, units.get(tx, unit.id))
    return True


def settle_rung(site: Site, tx: Transaction, unit: Unit, study: Study | None = None) -> None:
    """Decide what follows now that a unit was scored or set aside.

    Args:
        site: The coordinator.
        tx: The transaction.
        unit: The unit, as it is now.
        study: Its study as it was read before, with its plan, which never changes and may be
            large; None: it is read now.
    """
    study = study or studies.get(tx, unit.study_id)
    if unit.kind == "refit":
        settle_refit(site, tx, study, unit)
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
        scored = by_rung(summaries.units_of(tx, study.id, unit.trial))
        summary = scored.get(unit.trial, {}).get(unit.rung)
        value = summary.mean if summary else None
        reason = "" if summary else f"{study.wire_plan['metric']} has no value on its rows."
    elif step is Next.FAIL:
        state, reason = TrialState.FAILED, reasons.DIVERGED
    else:
        aside = next(u for u in mine if u.rung == unit.rung and u.state == UnitState.SET_ASIDE)
        state, reason = TrialState.INCOMPLETE, reasons.of_unit(aside.reasons)
    end_trial(site, tx, study, unit.trial, state, value, reason)


def _promote(site: Site, tx: Transaction, mine: list[Unit], rung: int) -> None:
    results = {(u.fold, u.repeat): u.result for u in mine if u.rung == rung - 1}
    for unit in mine:
        if unit.rung == rung and unit.state == UnitState.BLOCKED:
            start = results[(unit.fold, unit.repeat)]
            units.change(tx, unit.id, UnitEvent.UNBLOCK, start=start, ready_since=site.now())
    after_commit(tx, lambda: site.hub.publish(WORK))


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
    finish_if_done(site, tx, study.id)
    after_commit(tx, lambda: site.hub.publish(study.id))
    after_commit(tx, site.poke)
