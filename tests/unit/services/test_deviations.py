"""What is remembered of honest replays, and what it allows."""

from __future__ import annotations

from potluck_coordinator.core.groups import NO_REACH, Reach
from potluck_coordinator.core.trust import MOST_LEARNED_TOLERANCE, TOLERANCE, tolerance_for
from potluck_coordinator.services.deviations import MOST_BACKENDS, MOST_NETWORKS, Deviations
from potluck_coordinator.services.presence import Presence


def tell(told: Deviations, distance: float, networks: int, accounts: int) -> None:
    """Let so many networks show a distance five times each, some of them with accounts."""
    for number in range(networks):
        for _ in range(5):
            told.agreed("webgl", f"n{number}", distance, signed_in=number < accounts)


def test_a_crowd_of_strangers_widens_nothing() -> None:
    told = Deviations()
    tell(told, TOLERANCE, networks=500, accounts=0)
    assert told.learned("webgl") is None


def test_what_networks_with_accounts_show_too_is_allowed_of_this_backend_alone() -> None:
    told = Deviations()
    tell(told, 0.01, networks=5, accounts=2)
    assert told.learned("webgl") == 3 * 0.01
    assert told.learned("wasm") is None
    tell(told, TOLERANCE, networks=9, accounts=9)
    assert tolerance_for(told.learned("webgl")) <= MOST_LEARNED_TOLERANCE


def test_what_agreed_only_since_more_is_allowed_teaches_nothing() -> None:
    told = Deviations()
    tell(told, 1.5 * TOLERANCE, networks=9, accounts=9)
    assert told.learned("webgl") is None


def test_a_refutation_takes_a_networks_voice_away() -> None:
    told = Deviations()
    tell(told, 0.01, networks=5, accounts=2)
    told.refuted("n4")
    assert told.learned("webgl") is None


def test_strangers_fill_no_memory() -> None:
    told = Deviations()
    for number in range(2 * MOST_BACKENDS):
        told.agreed(f"backend {number}", "n", 0.01, signed_in=False)
    for number in range(2 * MOST_NETWORKS):
        told.agreed("webgl", f"n{number}", 0.01, signed_in=False)
    assert len(told._told) == MOST_BACKENDS
    assert len(told._told["webgl"]) == MOST_NETWORKS


def test_a_visitors_key_and_a_group_are_no_account() -> None:
    presence = Presence()
    reaches = {
        "ann": Reach({"ann": "tk"}, {}),
        "visitor": Reach({"visitor v": None}, {}),
        "member": Reach({}, {"gr": "tk"}),
        "nobody": NO_REACH,
    }
    for donor, reach in reaches.items():
        with presence.connected(donor, reach=reach):
            assert presence.signed_in(donor) == (donor == "ann")
        assert not presence.signed_in(donor)
