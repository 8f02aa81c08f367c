"""Quotas: what an account, a visitor and all visitors together may keep and have under way."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from math import inf

from potluck_coordinator.core import quotas
from potluck_coordinator.core.errors import NotFound
from potluck_coordinator.core.quotas import Thing
from potluck_coordinator.core.records import Study
from potluck_coordinator.core.units import units_of
from potluck_coordinator.core.visitors import has_no_account
from potluck_coordinator.services.access import Asker
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage import access, holdings, models
from potluck_coordinator.storage.transaction import Transaction

STATES_SECONDS = 5.0
MOST_OWNERS = 1000


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
            kept = list(_kept(site, tx, owner))
            quotas.check_bytes(kept, more, most, _whose(owner), named=owner is not None)


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
        OverQuota: `quota.studies`, `quota.units`, `quota.states`.
    """
    given, starts = site.settings, _starts_to_come(site, tx, study)
    for owner in _counted(site, asker, study.owner):
        running = [Thing("study", s.name, units_in(s)) for s in holdings.running(tx, owner)]
        all_of_them = owner is None
        most = given.visitors_studies if all_of_them else given.quota_studies
        quotas.check_studies(running, studies, most, _whose(owner))
        most = given.visitors_units if all_of_them else given.quota_units
        quotas.check_units(running, units, most, _whose(owner), named=not all_of_them)
        used = holdings.state_bytes(tx, owner)
        quotas.check_states(used, starts, _most_states(site, owner), _whose_studies(owner))


class Room(enum.Enum):
    """Whether a study may make another trial: yes, when those that run have ended, or no more."""

    YES = "yes"
    LATER = "later"
    NO = "no"


def room_for_states(site: Site, tx: Transaction, study: Study) -> Room:
    """Say whether another trial's states have room in the quotas of a study's owner.

    Args:
        site: The coordinator.
        tx: A transaction.
        study: A running study.
    """
    account = access.find_account(tx, study.owner)
    if account is not None and account.role == "admin" and not site.settings.quota_admins:
        return Room.YES
    to_come, starts = holdings.bytes_to_come(tx, study.id), _starts_to_come(site, tx, study)
    most = _most_states(site, study.owner)
    used = _states_lately(site, tx, study.owner, most - starts) + starts if most else 0
    if most and used >= most:
        return Room.LATER if to_come else Room.NO
    if most and to_come and used + to_come >= most:
        return Room.LATER
    # What other visitors keep stops nobody's study: it waits until they keep less.
    most = _most_states(site, None) if has_no_account(study.owner) else 0
    if most and _states_lately(site, tx, None, most - starts) + starts + to_come >= most:
        return Room.LATER
    return Room.YES


def _starts_to_come(site: Site, tx: Transaction, study: Study) -> int:
    """Estimate the bytes of the start states of a study's next trial.

    Trials of the same shapes start from the same states, which are there once.
    """
    before = holdings.start_bytes(tx, study.id)
    if before is not None:
        return before
    starts = units_of(1, study.wire_plan["folds"], study.spec["repeats"], 1)
    return starts * size_of(site, models.get(tx, study.model_id).weights)


def _states_lately(site: Site, tx: Transaction, owner: str | None, most: int) -> int:
    """Count as `holdings.state_bytes` does, or did a few seconds ago: trials come in crowds.

    What says that nothing may be added, `most` or more, is never old: something may have gone.
    """
    now = site.now()
    at, used = site.states_kept.get(owner, (-inf, 0))
    if used >= most or not now - STATES_SECONDS < at <= now:
        used = holdings.state_bytes(tx, owner)
        if len(site.states_kept) >= MOST_OWNERS:
            site.states_kept.clear()
        site.states_kept[owner] = (now, used)
    return used


def _most_states(site: Site, owner: str | None) -> int:
    given = site.settings
    most = given.visitors_states if owner is None else given.quota_states
    if most is not None:
        return most
    disk = site.artifacts.disk_bytes()
    return 0 if disk is None else disk // (2 if owner is None else 4)


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
        yield Thing("model", name, size_of(site, graph) + size_of(site, weights))


_SIZES: dict[str, int] = {}
"""By hash: bytes by their hash never change."""
MOST_SIZES = 100_000


def size_of(site: Site, sha: str) -> int:
    """Give an artifact's bytes; 0 where it was lost. Remembered: bytes by their hash stay."""
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


def _whose_studies(owner: str | None) -> str:
    return "All visitors' studies together" if owner is None else "Your studies"


def _whose(owner: str | None) -> str:
    return "All visitors together" if owner is None else "You"
