"""Quotas: what an account, a visitor and all visitors together may keep and have under way."""

from __future__ import annotations

from collections.abc import Iterator

from potluck_coordinator.core import quotas
from potluck_coordinator.core.quotas import Thing, Whose
from potluck_coordinator.core.records import Study
from potluck_coordinator.core.units import units_of
from potluck_coordinator.services.access import Asker
from potluck_coordinator.services.sharing import counted, is_of, most_of, network_for, visitors_of
from potluck_coordinator.services.site import Site
from potluck_coordinator.services.sizes import size_of
from potluck_coordinator.services.state_quotas import most_states, starts_to_come, states_lately
from potluck_coordinator.storage import holdings
from potluck_coordinator.storage.transaction import Transaction


def may_keep(site: Site, tx: Transaction, asker: Asker, more: int) -> None:
    """Refuse an upload that makes more than its owner may keep, in bytes or by number.

    Called in the transaction that keeps it, so that uploads at the same time count one another.

    Args:
        site: The coordinator.
        tx: The transaction.
        asker: Who uploads.
        more: Bytes of it.

    Raises:
        OverQuota: `quota.bytes`, `quota.uploads`.
    """
    _may_keep(site, tx, asker, more, upload=True)


def _may_keep(
    site: Site, tx: Transaction, asker: Asker, more: int, *, upload: bool = False
) -> None:
    given = site.settings
    for whose in counted(site, asker, asker.owner, asker.network):
        most = most_of(site, whose, given.quota_bytes, given.visitors_bytes)
        number = most_of(site, whose, given.quota_uploads, given.visitors_uploads) if upload else 0
        kept = list(kept_by(site, tx, whose)) if most or number else []
        quotas.check_bytes(kept, more, most, whose.told(), named=not whose.together)
        uploads = sum(thing.kind != "study" for thing in kept)
        quotas.check_number("uploads", uploads, number, whose.told())


def may_keep_study(site: Site, tx: Transaction, asker: Asker, study: Study) -> None:
    """Refuse a new study where its owner keeps as many, or as much of them, as may be.

    Called in the transaction that keeps it. It counts from then on, in whatever state it is, until
    it is deleted.

    Args:
        site: The coordinator.
        tx: The transaction.
        asker: Who makes it.
        study: The study, with the bytes that it takes.

    Raises:
        OverQuota: `quota.kept_studies`, `quota.bytes`.
    """
    given = site.settings
    for whose in counted(site, asker, study.owner, asker.network):
        most = most_of(site, whose, given.quota_kept_studies, given.visitors_kept_studies)
        if most:
            found = holdings.studies(tx, whose.owner)
            kept = sum(is_of(site, one, whose) for one, _, _ in found)
            quotas.check_number("kept_studies", kept, most, whose.told())
    _may_keep(site, tx, asker, study.kept_bytes)


def may_keep_group(site: Site, tx: Transaction, asker: Asker) -> None:
    """Refuse a visitor's new group where visitors keep as many as they may have together.

    Args:
        site: The coordinator.
        tx: The transaction that keeps it.
        asker: Whose it will be.

    Raises:
        OverQuota: `quota.groups`.
    """
    for whose in visitors_of(site, asker.owner, asker.network):
        found = holdings.groups(tx, whose.owner)
        most = most_of(site, whose, 0, site.settings.visitors_groups)
        kept = sum(is_of(site, one, whose) for one in found)
        quotas.check_number("groups", kept, most, whose.told())


def may_run(
    site: Site,
    tx: Transaction,
    asker: Asker,
    study: Study,
    *,
    studies: int,
    units: int,
    anew: bool = False,
) -> None:
    """Refuse to let more run than a study's owner may have under way.

    Asked in a transaction that reads, and then in the one that lets it run: there the bytes of
    states, which take as long to count as there are units, were counted a moment ago.

    Args:
        site: The coordinator.
        tx: The transaction that lets it run.
        asker: Who asks for it: the admin may for everybody.
        study: The study; it counts by itself where it is running already.
        studies: Running studies to come, 0 or 1.
        units: Units to come.
        anew: Count the bytes of states now, whenever they were counted last: in what only reads.

    Raises:
        OverQuota: `quota.studies`, `quota.units`, `quota.states`.
    """
    given, starts = site.settings, starts_to_come(site, tx, study)
    for whose in counted(site, asker, study.owner, network_for(site, asker, study)):
        running = [
            Thing("study", one.name, units_of(one.trials, one.folds, one.repeats, one.rungs))
            for one in holdings.running(tx, whose.owner)
            if is_of(site, one.id, whose)
        ]
        most = most_of(site, whose, given.quota_studies, given.visitors_studies)
        quotas.check_studies(running, studies, most, whose.told())
        most = most_of(site, whose, given.quota_units, given.visitors_units)
        quotas.check_units(running, units, most, whose.told(), named=not whose.together)
        if anew:
            site.states_kept.pop(whose, None)
        most = most_states(site, whose)
        used = states_lately(site, tx, whose, most - starts) if most else 0
        quotas.check_states(used, starts, most, whose.studies_told())


def units_in(study: Study, trials: int | None = None) -> int:
    """Count the units that a study plans, or that so many of its trials are."""
    spec = study.spec
    folds = spec["pipeline"]["split"].get("folds") or 0
    count = study.trials if trials is None else trials
    return units_of(count, folds, spec["repeats"], len(spec["rungs"]))


def kept_by(site: Site, tx: Transaction, whose: Whose) -> Iterator[Thing]:
    """Give the datasets, models and studies that somebody keeps, with their bytes.

    Args:
        site: The coordinator.
        tx: A transaction.
        whose: Whose things.
    """
    for dataset, name, size in holdings.datasets(tx, whose.owner):
        if is_of(site, dataset, whose):
            yield Thing("dataset", name, size)
    for model, name, graph, weights in holdings.models(tx, whose.owner):
        if is_of(site, model, whose):
            yield Thing("model", name, size_of(site, graph) + size_of(site, weights))
    for study, name, size in holdings.studies(tx, whose.owner):
        if is_of(site, study, whose):
            yield Thing("study", name, size)
