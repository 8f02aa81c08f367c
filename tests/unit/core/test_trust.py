"""Laws of trust: how often work is trained again, and what a comparison says."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from potluck_coordinator.core.manners import FORGIVEN_AFTER_S, Manners, network_of
from potluck_coordinator.core.trust import (
    KNOWN_AFTER,
    LEAST_PROBABILITY,
    LONGEST_PAUSE_S,
    MOST_LEARNED_TOLERANCE,
    MOST_TOLERANCE,
    STEPS_BEYOND,
    TOLERANCE,
    Comparison,
    ReplayState,
    Voice,
    diverges_by,
    intervals,
    judge,
    learned_tolerance,
    most_leases,
    pause_after,
    replay_probability,
    tolerance_for,
)
from potluck_coordinator.core.units import commit_steps

DISTANCES = st.floats(0.0, 10.0, allow_nan=False)


@given(st.integers(0, 10_000))
def test_fewer_of_a_donors_results_are_replayed_the_more_agreed(agreements: int) -> None:
    now, later = replay_probability(agreements), replay_probability(agreements + 1)
    assert 1.0 >= now >= later >= LEAST_PROBABILITY
    assert (now == 1.0) == (agreements < KNOWN_AFTER)


@given(DISTANCES, st.none() | DISTANCES)
def test_what_lies_within_the_tolerance_agrees(distance: float, spread: float | None) -> None:
    found = judge(Comparison(distance, spread), TOLERANCE, claimed_divergence=False)
    if distance <= TOLERANCE:
        assert found is ReplayState.AGREED
    elif spread is None or distance > 5 * spread:
        assert found is ReplayState.REFUTED
    else:
        assert found is not ReplayState.REFUTED
    if distance > MOST_TOLERANCE:
        assert found is not ReplayState.AGREED


@given(st.booleans(), st.booleans(), DISTANCES)
def test_a_divergence_is_true_only_if_the_replay_diverges(
    claimed: bool, diverged: bool, distance: float
) -> None:
    found = judge(Comparison(distance, diverged=diverged), 1.0, claimed_divergence=claimed)
    if claimed != diverged:
        assert found is ReplayState.REFUTED
    elif claimed:
        assert found is ReplayState.AGREED


VOICES = st.lists(
    st.builds(
        Voice,
        network=st.sampled_from("abcdefgh"),
        distances=st.lists(st.floats(0.0, 1.0), max_size=12),
        signed_in=st.booleans(),
    ),
    max_size=16,
)


@given(VOICES)
def test_a_learned_tolerance_never_passes_its_bounds(voices: list[Voice]) -> None:
    found = tolerance_for(learned_tolerance(voices))
    assert TOLERANCE <= found <= MOST_LEARNED_TOLERANCE < MOST_TOLERANCE


@given(VOICES)
def test_strangers_widen_nothing_that_accounts_do_not_show(voices: list[Voice]) -> None:
    strangers = [replace(voice, signed_in=False) for voice in voices]
    assert learned_tolerance(strangers) is None
    honest = [Voice(f"ours {n}", [1e-6] * 5, signed_in=True) for n in range(2)]
    assert tolerance_for(learned_tolerance([*strangers, *honest])) == TOLERANCE


def test_more_is_allowed_where_many_networks_and_accounts_among_them_show_more() -> None:
    def shown(networks: int, accounts: int, each: int = 5) -> float | None:
        return learned_tolerance(
            [Voice(str(n), [0.01] * each, signed_in=n < accounts) for n in range(networks)]
        )

    assert tolerance_for(shown(5, 2)) == 3 * 0.01
    assert shown(4, 2) is shown(5, 1) is shown(5, 2, each=4) is None


def test_accounts_of_one_network_are_one_voice_and_a_minority_of_networks_decides_nothing() -> None:
    far = [Voice("far", [0.02] * 99, signed_in=True) for _ in range(9)]
    assert learned_tolerance(far) is None
    near = [Voice(f"near {n}", [1e-6] * 5, signed_in=True) for n in range(2)]
    crowd = [Voice(f"crowd {n}", [0.02] * 5, signed_in=False) for n in range(99)]
    assert tolerance_for(learned_tolerance([*far, *near, *crowd])) == TOLERANCE


@given(st.integers(0, 200))
def test_pauses_grow_and_end(failures: int) -> None:
    assert 0.0 <= pause_after(failures) <= pause_after(failures + 1) <= LONGEST_PAUSE_S
    assert pause_after(2) == 0.0


@given(st.integers(0, 100), st.integers(0, 100), st.integers(1, 16))
def test_everybody_may_hold_one_and_nobody_is_capped_alone(
    delivered: int, agreements: int, most: int
) -> None:
    assert most_leases(delivered, agreements, others_wait=False, most=most) == most
    assert 1 <= most_leases(delivered, agreements, others_wait=True, most=most) <= most
    assert most_leases(0, 0, others_wait=True, most=most) == 1


def test_a_failing_donor_waits_and_is_forgiven() -> None:
    manners = Manners()
    for _ in range(5):
        manners.failed("a", "n", 100.0)
    assert manners.pause_left("a", "n", 100.0, delivered=True) > 0
    assert manners.pause_left("b", "n", 100.0, delivered=False) == 0
    assert manners.pause_left("a", "n", 101.0 + FORGIVEN_AFTER_S, delivered=False) == 0
    manners.did_well("a")
    assert manners.pause_left("a", "n", 100.0, delivered=True) == 0


def test_a_thousand_fresh_keys_of_one_address_wait_but_who_has_delivered_does_not() -> None:
    manners = Manners()
    for number in range(1000):
        manners.failed(f"key {number}", "n", 100.0)
    assert manners.pause_left("key 1001", "n", 100.0, delivered=False) > 60
    assert manners.pause_left("neighbour", "n", 100.0, delivered=True) == 0
    assert manners.pause_left("elsewhere", "m", 100.0, delivered=False) == 0


def test_an_ipv6_subscriber_is_one_network() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1") == "2001:db8::/64"
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1") == "192.0.2.1"
    assert network_of("testclient") == "testclient"


@given(st.integers(0, 500), st.integers(1, 500), st.integers(0, 500), st.data())
def test_intervals_cover_what_a_lease_trained_once(
    begin: int, span: int, into: int, data: st.DataObject
) -> None:
    steps = commit_steps(begin, begin + span)
    first = begin + into % span
    told = data.draw(st.dictionaries(st.sampled_from(steps), st.just("x" * 64)))
    found = intervals((first, "start"), (begin + span, "end"), told, steps)
    assert (found[0].from_step, found[0].start) == (first, "start")
    assert (found[-1].to_step, found[-1].end) == (begin + span, "end")
    assert all(one.from_step < one.to_step for one in found)
    for one, other in pairwise(found):
        assert (one.to_step, one.end) == (other.from_step, other.start)
        assert one.end == told.get(one.to_step)


def pause(manners: Manners, who: str, now: float, *, delivered: bool = False) -> float:
    return manners.pause_left(who, "n", now, delivered=delivered)


def test_who_hands_back_again_and_again_waits_longer_each_time() -> None:
    manners = Manners()
    waited = []
    for _ in range(14):
        manners.returned("a", "n", 100.0, delivered=True)
        waited.append(pause(manners, "a", 100.0, delivered=True))
    assert waited == [0.0] * 9 + [5.0, 10.0, 20.0, 40.0, 80.0]
    assert pause(manners, "b", 100.0) == 0
    manners.delivered("a")
    assert pause(manners, "a", 100.0) == 0


def test_a_few_returns_an_hour_cost_nothing_and_a_program_gets_few_units() -> None:
    calm, program = Manners(), Manners()
    for number in range(1000):  # one in eight minutes, for days
        calm.returned("a", "n", 480.0 * number, delivered=True)
        assert pause(calm, "a", 480.0 * number) == 0
    now, units = 0.0, 0
    while now < 10 * 3600.0:
        units += 1
        program.returned("a", "n", now, delivered=True)
        now += 0.05 + pause(program, "a", now)
    assert 10 < units < 130


def test_a_classrooms_tabs_come_and_go_and_fresh_keys_of_one_address_do_not_for_ever() -> None:
    manners = Manners()
    for number in range(40 * 7):
        manners.returned(f"tab {number % 40}", "n", 100.0 + number, delivered=False)
    assert pause(manners, "tab 0", 400.0) == 0
    for number in range(100):
        manners.returned(f"key {number}", "n", 400.0, delivered=False)
    assert pause(manners, "a fresh key", 400.0) > 60
    assert pause(manners, "neighbour", 400.0, delivered=True) == 0
    assert manners.pause_left("elsewhere", "m", 400.0, delivered=False) == 0


@given(st.integers(0, 10**6), st.integers(-5, 10**7), st.integers(0, 10**6))
def test_a_divergence_must_show_itself_soon_after_the_claimed_step(
    begun: int, claimed: int, steps: int
) -> None:
    last = begun + steps
    by = diverges_by(begun, claimed, last)
    assert begun <= by <= last
    assert by >= min(claimed, last)
    assert by <= 2 * max(claimed, begun) + STEPS_BEYOND
