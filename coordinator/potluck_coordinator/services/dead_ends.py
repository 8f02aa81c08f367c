"""Let go of states on which nothing that counts stands any more: strangers send many."""

from __future__ import annotations

from collections.abc import Collection

from potluck_coordinator.core.records import Lease, Replay, Unit
from potluck_coordinator.services.chains import leases_before, standing_segments
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage import kept_states, units
from potluck_coordinator.storage.transaction import Transaction

MOST_REFUTED = 10
"""Refuted results of a study whose states are kept, so that an admin can take the verdict back."""


def settled(site: Site, tx: Transaction, unit_ids: Collection[str]) -> None:
    """Release what units do not stand on, now that they have their results, or lost them.

    Copies and attempts that came to nothing go, and what led to a result that was taken back.

    Args:
        site: The coordinator.
        tx: The transaction, after the results came or went; nobody holds the units any more.
        unit_ids: The units.
    """
    kept_states.release_of_units(tx, unit_ids, _needed(tx, unit_ids), now=site.now())


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
    needed = leases_before(tx, kept_states.needed_of_units(tx, [unit.id]))
    chain = leases_before(tx, [unit.checkpoint_lease])
    kept_states.release_leases(tx, chain - needed, now=site.now())


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
    chain = leases_before(tx, [lease_id])
    kept_states.release_leases(tx, chain - _needed(tx, [unit_id]), now=now)


def _needed(tx: Transaction, unit_ids: Collection[str]) -> set[str]:
    """Name the leases on which something stands, or will if a verdict is taken back."""
    found = leases_before(tx, kept_states.needed_of_units(tx, unit_ids))
    for unit_id in unit_ids:
        found |= {segment.lease.id for segment in standing_segments(tx, units.get(tx, unit_id))}
    return found
