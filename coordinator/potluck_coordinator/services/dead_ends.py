"""Let go of states on which nothing that counts stands any more: strangers send many."""

from __future__ import annotations

from collections.abc import Collection

from potluck_coordinator.core.records import Lease, Replay, Unit
from potluck_coordinator.services.chains import chain_to, segments_of, standing_segments
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage import kept_states, units
from potluck_coordinator.storage.transaction import Transaction

MOST_REFUTED = 10
"""Refuted results of a study whose states are kept, so that an admin can take the verdict back."""


def finished(site: Site, tx: Transaction, unit: Unit) -> None:
    """Release what did not lead to a unit's result: copies, and attempts that came to nothing.

    Args:
        site: The coordinator.
        tx: The transaction in which the result was accepted.
        unit: The unit, with its result.
    """
    led_to_it = {segment.lease.id for segment in segments_of(tx, unit)}
    but = led_to_it | _doubted(tx, [unit.id])
    kept_states.release_of_units(tx, [unit.id], but, now=site.now())


def came_to_nothing(site: Site, tx: Transaction, lease: Lease) -> None:
    """Release a lease that has ended, unless others went on from what it left.

    Args:
        site: The coordinator.
        tx: The transaction in which it ends, for good.
        lease: The lease.
    """
    kept_states.release_unless_gone_on_from(tx, lease.id, now=site.now())


def dropped(site: Site, tx: Transaction, unit: Unit) -> None:
    """Release what led to a state from which nobody got anywhere: the unit begins afresh.

    Args:
        site: The coordinator.
        tx: The transaction.
        unit: The unit, as it was with that state.
    """
    if unit.checkpoint is None or unit.checkpoint_lease is None:
        return
    needed = _chains_of(tx, kept_states.held_of_unit(tx, unit.id))
    needed |= _doubted(tx, [unit.id])
    chain = _chain_of(tx, unit.checkpoint_lease)
    kept_states.release_leases(tx, set(chain) - needed, now=site.now())


def taken_back(
    site: Site, tx: Transaction, gone: Collection[str], doubted: Collection[str]
) -> None:
    """Release what led to results that were taken back.

    Args:
        site: The coordinator.
        tx: The transaction, after the results went.
        gone: The units that have no result any more.
        doubted: The leases that led to what was refuted: the verdict may be taken back.
    """
    but = {*doubted, *_doubted(tx, gone)}
    kept_states.release_of_units(tx, gone, but, now=site.now())


def refuted(site: Site, tx: Transaction, replay: Replay) -> None:
    """Keep the states of a study's newest refutations, and release those of the older ones.

    Args:
        site: The coordinator.
        tx: The transaction, after the refuted result was taken back.
        replay: The refutation.
    """
    for old in kept_states.refuted_beyond(tx, replay.study_id, MOST_REFUTED):
        _let_go(site, tx, *old)


def undone(site: Site, tx: Transaction, replay: Replay) -> None:
    """Release the states of a refutation that was taken back, but for those that count again.

    Args:
        site: The coordinator.
        tx: The transaction, after the unit got its result again, or did not.
        replay: The refutation.
    """
    _let_go(site, tx, replay.id, replay.lease_id, replay.unit_id)


def _let_go(site: Site, tx: Transaction, replay_id: str, lease_id: str, unit_id: str) -> None:
    now = site.now()
    kept_states.release_replay(tx, replay_id, now=now)
    needed = {segment.lease.id for segment in standing_segments(tx, units.get(tx, unit_id))}
    needed |= _chains_of(tx, kept_states.held_of_unit(tx, unit_id)) | _doubted(tx, [unit_id])
    kept_states.release_leases(tx, set(_chain_of(tx, lease_id)) - needed, now=now)


def _doubted(tx: Transaction, unit_ids: Collection[str]) -> set[str]:
    """Name the leases that led to refuted results of units, where the verdict may be taken back."""
    return _chains_of(tx, kept_states.refuted_of_units(tx, unit_ids))


def _chains_of(tx: Transaction, lease_ids: Collection[str]) -> set[str]:
    return {before for lease_id in lease_ids for before in _chain_of(tx, lease_id)}


def _chain_of(tx: Transaction, lease_id: str) -> list[str]:
    """List the leases from one back to the first."""
    return [segment.lease.id for segment in chain_to(tx, lease_id, "", 0)]
