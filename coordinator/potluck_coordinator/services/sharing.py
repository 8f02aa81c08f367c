"""Whose quotas count for whom: an owner's, its network's visitors', and those of all visitors."""

from __future__ import annotations

from collections.abc import Iterator

from potluck_coordinator.core.quotas import Whose
from potluck_coordinator.core.records import Study
from potluck_coordinator.core.visitors import has_no_account
from potluck_coordinator.services.access import Asker
from potluck_coordinator.services.site import Site


def note_network(site: Site, asker: Asker, owner: str, thing: str) -> None:
    """Remember from where a visitor's thing came, for what its network may have.

    Called in the transaction that makes it, so that those of the same batch count one another. What
    is remembered of a transaction that failed counts nothing: only what there is is counted.

    Args:
        site: The coordinator.
        asker: Who made it, or set it going.
        owner: Whom it is kept under.
        thing: Its id.
    """
    if asker.network and has_no_account(owner) and asker.role != "admin":
        site.whence.note(thing, asker.network)


def note_began(site: Site, asker: Asker, study: Study) -> None:
    """Do that for a study that begins, or goes on; while it runs it stays where it began.

    Args:
        site: The coordinator.
        asker: Who lets it run.
        study: The study, in the state that it had before.
    """
    if network_for(site, asker, study) == asker.network:
        note_network(site, asker, study.owner, study.id)


def network_for(site: Site, asker: Asker, study: Study) -> str:
    """Give the network for which a study counts, or will.

    Args:
        site: The coordinator.
        asker: Who lets it run.
        study: The study: while it runs, it counts where it began.
    """
    began = site.whence.network_of(study.id) if study.state == "running" else None
    return began or asker.network


def counted(site: Site, asker: Asker, owner: str, network: str) -> Iterator[Whose]:
    """Give whose quotas count: an owner's, and for visitors those that they have together.

    Args:
        site: The coordinator.
        asker: Who asks: the admin may do more.
        owner: Whose a thing is or will be.
        network: From where it came.
    """
    if asker.role == "admin" and not site.settings.quota_admins:
        return
    yield Whose(owner)
    yield from visitors_of(site, owner, network)


def visitors_of(site: Site, owner: str, network: str) -> Iterator[Whose]:
    """Give the joint quotas that count for a visitor's things: the network's, and all visitors'.

    Args:
        site: The coordinator.
        owner: Whose a thing is.
        network: From where it came; empty where nobody knows.
    """
    if not has_no_account(owner):
        return
    if network and 0 < site.settings.visitors_share < 1:
        yield Whose(None, network)
    yield Whose(None)


def is_of(site: Site, thing: str, whose: Whose) -> bool:
    """Say whether a thing of the owner, or of a visitor, counts for a network.

    Args:
        site: The coordinator.
        thing: Its id.
        whose: Whose things are counted.
    """
    return whose.network is None or site.whence.network_of(thing) == whose.network


def most_of(site: Site, whose: Whose, own: int, joint: int) -> int:
    """Give what somebody may have, of an owner's quota and that of all visitors; 0: any number.

    Args:
        site: The coordinator.
        whose: Whose things are counted.
        own: What an owner may have.
        joint: What all visitors may have together.
    """
    if whose.owner is not None:
        return own
    if whose.network is None or not joint:
        return joint
    return max(1, round(joint * site.settings.visitors_share))
