"""Who is online, and what their devices allow."""

from __future__ import annotations

from contextlib import ExitStack

from hypothesis import given
from hypothesis import strategies as st

from potluck_coordinator.core.groups import EVERYONE, Reach, circle_of
from potluck_coordinator.services.memory import in_words, too_large_for_all
from potluck_coordinator.services.networks import MOST_REMEMBERED, REMEMBERED_S, Networks
from potluck_coordinator.services.presence import ANSWERS_WITHIN_S, Presence

limits = st.lists(st.none() | st.integers(0, 2**40), max_size=6)


@given(limits, limits)
def test_the_roomiest_donor_is_the_one_with_the_most_memory_of_those_who_stay(
    staying: list[int | None], leaving: list[int | None]
) -> None:
    presence = Presence()
    with ExitStack() as stack:
        for number, limit in enumerate(staying):
            stack.enter_context(presence.connected(f"donor {number % 3}", limit))
        with ExitStack() as going:
            for limit in leaving:
                going.enter_context(presence.connected("another", limit))
        told = presence.roomiest()
        if not staying or None in staying:
            assert told is None
        else:
            assert told == max(limit for limit in staying if limit is not None)
    assert presence.roomiest() is None
    assert presence.online() == presence.sockets() == 0


def test_only_those_who_may_get_a_circles_units_count_for_it() -> None:
    mine, group = circle_of("mine", "ann", None), circle_of("group", "bob", "gr")
    presence = Presence()
    with (
        presence.connected("anybody", network="n1"),
        presence.connected("ann's", network="n2", reach=Reach({"ann": "t"}, {})),
        presence.connected("member", network="n3", reach=Reach({}, {"gr": "k"})),
    ):
        assert presence.online() == presence.expected() == 3
        assert presence.online(mine) == presence.expected(mine) == 1
        assert presence.others("ann's", (EVERYONE,))
        assert not presence.others("ann's", (mine,))
        assert presence.others("ann's", (mine, group))
        presence.waits(presence, "anybody")
        assert presence.others_wait("ann's")
        assert not presence.others_wait("ann's", circles=(mine, group))
        assert not presence.networks_waiting(circles=(mine,))
        presence.waits(presence, "member")
        assert presence.networks_waiting(circles=(mine, group)) == {"n3"}
    assert presence.online(mine) == 0


def test_who_is_told_of_work_and_does_not_ask_waits_no_more() -> None:
    now = [100.0]
    presence = Presence(clock=lambda: now[0])
    with presence.connected("silent", network="n1"), presence.connected("other", network="n2"):
        presence.waits(presence, "silent", seconds=20.0)
        now[0] += 20.0
        assert presence.networks_waiting() == {"n1"}
        assert presence.others_wait("other")
        presence.was_told(presence)
        now[0] += ANSWERS_WITHIN_S - 0.1
        assert presence.networks_waiting() == {"n1"}
        now[0] += 0.2
        assert presence.networks_waiting() == set()
        assert not presence.others_wait("other")
        presence.waits(presence, "silent", seconds=20.0)
        assert presence.others_wait("other")
        now[0] += 20.0 + ANSWERS_WITHIN_S
        assert not presence.others_wait("other")  # it was told nothing, and asked no more


def test_what_nobody_can_take_is_told_with_both_sizes() -> None:
    assert too_large_for_all(100, 100) == []
    (told,) = too_large_for_all(3 * 10**9, 512 * 10**6)
    assert "3.0 GB" in told
    assert "512.0 MB" in told
    assert in_words(10) == "1 kB"


def test_who_has_gone_is_remembered_with_its_network_for_an_hour() -> None:
    now = [0.0]
    presence = Presence(lambda: now[0])
    with presence.connected("one", network="n1"), presence.connected("two", network="n2"):
        assert presence.elsewhere("one")
    with presence.connected("three", network="n1"):
        assert not presence.elsewhere("one"), "the only other donor is on its network"
        assert presence.is_online("three")
        now[0] = REMEMBERED_S - 1
        assert presence.network_of("one") == "n1"
        assert not presence.is_online("one")
        now[0] = REMEMBERED_S + 1
        assert presence.network_of("one") is None
        assert presence.network_of("three") == "n1", "who is there is never forgotten"


def test_a_donor_without_a_network_is_elsewhere_for_everybody() -> None:
    presence = Presence()
    with presence.connected("one"), presence.connected("two", network="n1"):
        assert presence.elsewhere("one")
        assert presence.elsewhere("two")


def test_networks_of_the_oldest_donors_are_forgotten_first() -> None:
    known = Networks(lambda: 0.0)
    for number in range(MOST_REMEMBERED + 3):
        known.came(f"d{number}", f"n{number % 7}")
    assert known.of("d2") is None
    assert known.of("d3") == "n3"
    assert known.of(f"d{MOST_REMEMBERED + 2}") is not None
