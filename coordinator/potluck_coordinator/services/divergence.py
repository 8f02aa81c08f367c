"""A claimed divergence fails a trial only when it is proven."""

from __future__ import annotations

from collections.abc import Sequence

from potluck_coordinator.core.records import Lease, Unit
from potluck_coordinator.core.trust import ReplayState, Why
from potluck_coordinator.services.chains import segments_of
from potluck_coordinator.services.replays import PROVEN, ask_for_network, checks
from potluck_coordinator.services.site import Site
from potluck_coordinator.services.voiding import void
from potluck_coordinator.storage import donor_standings, donors, leases, studies
from potluck_coordinator.storage.transaction import Transaction, after_commit

CLAIM = "said that training diverged"
"""The reason that is noted with such a lease."""
MOST_CLAIMS = 6
"""So many are believed of anybody while no other network has donors: where nothing can be trained
again nobody is ever proven, and a unit that nobody else trains would never end."""
PATIENCE_S = 3600.0
"""So are these, once the first one is so old: whoever else was here did not train it either."""


def believed(site: Site, tx: Transaction, unit: Unit) -> bool:
    """Say whether a returned unit's divergence counts. Sees to a proof where there is none.

    It does once everything that led to it was trained again and agreed, earlier rungs too: from a
    state that nobody trained an honest donor diverges as well. Where the coordinator cannot train
    it again, a donor of another network must come to the same end: the unit is offered again, or
    the first rung that is not proven is. While no other network has donors here, one has to come to
    it twice. Only donors count of which something was trained again and agreed; who claims it
    without such a record, and has delivered nothing either, gets a pause after the second time.
    """
    lease = segments_of(tx, unit)[0].lease
    unproven: list[Unit] = []
    if checks(site):
        asked = ask_for_network(site, tx, unit, Why.DIVERGED)
        if any(replay.state == ReplayState.OPEN for _, replay in asked):
            return False
        unproven = [own for own, replay in asked if replay.state not in PROVEN]
        if not unproven:
            return True
    leases.note(tx, lease.id, CLAIM)
    claims = leases.with_reason(tx, unit.id, CLAIM)
    if _enough(site, tx, lease, claims):
        return True
    first = min(unproven, key=lambda own: own.rung, default=unit)
    void(site, tx, first, f"{lease.id}: {CLAIM}; somebody else tries")
    return False


def _enough(site: Site, tx: Transaction, lease: Lease, claims: Sequence[Lease]) -> bool:
    """Say whether so many claims count although nothing was trained again."""
    circle = studies.get(tx, lease.study_id).circle
    if not checks(site):
        alone = not site.presence.others(lease.donor_id, (circle,))
        return len({one.donor_id for one in claims}) > 1 or (alone and len(claims) > 1)
    alone = not site.presence.elsewhere(lease.donor_id, (circle,))
    trusted = [one for one in claims if donor_standings.best_of(tx, one.donor_id) > 0]
    now = site.now()
    if lease.id not in {one.id for one in trusted} and not donors.finished(tx, lease.donor_id):
        network = site.presence.network_of(lease.donor_id)
        after_commit(tx, lambda: site.manners.failed(lease.donor_id, network, now))
    networks = {site.presence.network_of(one.donor_id) for one in trusted} - {None}
    if len(networks) > 1 or (alone and len(trusted) > 1):
        return True
    tried = alone or now - claims[0].started_at >= PATIENCE_S
    return tried and len(claims) >= MOST_CLAIMS
