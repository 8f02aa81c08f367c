"""Quotas: what an account, a visitor and all visitors together may keep and have under way."""

from __future__ import annotations

from collections.abc import Iterator

from potluck_coordinator.core import quotas
from potluck_coordinator.core.errors import NotFound
from potluck_coordinator.core.quotas import Thing
from potluck_coordinator.core.records import Study
from potluck_coordinator.core.units import units_of
from potluck_coordinator.core.visitors import has_no_account
from potluck_coordinator.services.access import Asker
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage import holdings
from potluck_coordinator.storage.transaction import Transaction


def may_keep(site: Site, tx: Transaction, asker: Asker, more: int) -> None:
    """Refuse an upload that makes more than its owner may keep.

    Called in the transaction that keeps it, so that uploads at the same time count one another.

    Args:
        site: The coordinator.
        tx: The transaction.
        asker: Who uploads.
        more: Bytes of it.

    Raises:
        OverQuota: `quota.bytes`.
    """
    given = site.settings
    for owner in _counted(site, asker, asker.owner):
        most = given.visitors_bytes if owner is None else given.quota_bytes
        if most:
            quotas.check_bytes(list(_kept(site, tx, owner)), more, most, _whose(owner))


def may_run(
    site: Site, tx: Transaction, asker: Asker, study: Study, *, studies: int, units: int
) -> None:
    """Refuse to let more run than a study's owner may have under way.

    Args:
        site: The coordinator.
        tx: The transaction that lets it run.
        asker: Who asks for it: the admin may for everybody.
        study: The study; it counts by itself where it is running already.
        studies: Running studies to come, 0 or 1.
        units: Units to come.

    Raises:
        OverQuota: `quota.studies`, `quota.units`.
    """
    given = site.settings
    for owner in _counted(site, asker, study.owner):
        running = [Thing("study", s.name, units_in(s)) for s in holdings.running(tx, owner)]
        all_of_them = owner is None
        most = given.visitors_studies if all_of_them else given.quota_studies
        quotas.check_studies(running, studies, most, _whose(owner))
        most = given.visitors_units if all_of_them else given.quota_units
        quotas.check_units(running, units, most, _whose(owner))


def units_in(study: Study, trials: int | None = None) -> int:
    """Count the units that a study plans, or that so many of its trials are."""
    spec = study.spec
    folds = spec["pipeline"]["split"].get("folds") or 0
    count = study.trials if trials is None else trials
    return units_of(count, folds, spec["repeats"], len(spec["rungs"]))


def _counted(site: Site, asker: Asker, owner: str) -> Iterator[str | None]:
    """Give whose quotas count: an owner's, and for visitors (None) those of all together."""
    if asker.role == "admin" and not site.settings.quota_admins:
        return
    yield owner
    if has_no_account(owner):
        yield None


def _kept(site: Site, tx: Transaction, owner: str | None) -> Iterator[Thing]:
    for name, size in holdings.datasets(tx, owner):
        yield Thing("dataset", name, size)
    for name, graph, weights in holdings.models(tx, owner):
        yield Thing("model", name, _size(site, graph) + _size(site, weights))


_SIZES: dict[str, int] = {}
"""By hash: bytes by their hash never change."""
MOST_SIZES = 100_000


def _size(site: Site, sha: str) -> int:
    found = _SIZES.get(sha)
    if found is None:
        try:
            found = site.artifacts.size_sync(sha)
        except NotFound:  # lost with its disk; it takes no room
            return 0
        if len(_SIZES) >= MOST_SIZES:
            _SIZES.clear()
        _SIZES[sha] = found
    return found


def _whose(owner: str | None) -> str:
    return "All visitors together" if owner is None else "You"
