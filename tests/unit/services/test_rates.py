"""Rates count by asker, hold a minute's worth, and remember a bounded number of askers."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from potluck_coordinator.core.errors import Crowded, TooOften
from potluck_coordinator.services.rates import MOST_REMEMBERED, Rate, Rates
from potluck_coordinator.settings import Settings


def rates(**given: Any) -> Rates:
    return Rates(Settings(**given))


def test_a_minutes_worth_may_come_at_once_and_one_more_is_refused_with_when_to_come_back() -> None:
    counted = rates(rate_requests=6)
    for _ in range(6):
        counted.charge(Rate.REQUESTS, "192.0.2.1")
    with pytest.raises(TooOften) as refused:
        counted.charge(Rate.REQUESTS, "192.0.2.1")
    assert refused.value.code == "rate.requests"
    assert 1 <= refused.value.retry_after <= 10  # one of six comes back every ten seconds
    assert "at most 6 requests a minute" in refused.value.expected
    assert str(int(refused.value.retry_after)) in refused.value.hint


def test_others_are_not_held_to_what_one_did() -> None:
    counted = rates(rate_requests=1)
    counted.charge(Rate.REQUESTS, "192.0.2.1")
    counted.charge(Rate.REQUESTS, "192.0.2.2")
    counted.charge(Rate.UPLOADS, "192.0.2.1")


def test_zero_switches_a_rate_off() -> None:
    counted = rates(rate_requests=0, sockets=0, sockets_per_address=0)
    for _ in range(100):
        counted.charge(Rate.REQUESTS, "192.0.2.1", 10**12)
    assert counted.pause_before(Rate.REQUESTS, "192.0.2.1") == 0.0
    with counted.socket("192.0.2.1"), counted.socket("192.0.2.1"):
        pass


def test_what_costs_more_than_a_minutes_worth_takes_all_of_it() -> None:
    counted = rates(rate_upload_bytes=100)
    counted.charge(Rate.UPLOAD_BYTES, "192.0.2.1", 5000)
    with pytest.raises(TooOften):
        counted.charge(Rate.UPLOAD_BYTES, "192.0.2.1", 1)


def test_a_look_counts_nothing() -> None:
    counted = rates(rate_sign_ins=1)
    for _ in range(5):
        counted.look(Rate.SIGN_INS, "192.0.2.1")
    counted.charge(Rate.SIGN_INS, "192.0.2.1")
    with pytest.raises(TooOften):
        counted.look(Rate.SIGN_INS, "192.0.2.1")


def test_a_classs_tabs_say_what_they_have_to_behind_one_address() -> None:
    counted = rates()
    waited = 0.0
    for tab in range(40):
        for _ in range(9 * 60):  # the most that a tab said in a minute, all at once
            waited += counted.pause_before(Rate.MESSAGES, f"socket {tab}")
            waited += counted.pause_before(Rate.ADDRESS_MESSAGES, "192.0.2.1")
    assert waited == 0.0


def test_sockets_are_counted_while_they_are_open() -> None:
    counted = rates(sockets_per_address=1, sockets=2)
    with counted.socket("192.0.2.1"):
        with pytest.raises(Crowded), counted.socket("192.0.2.1"):
            pass
        with counted.socket("192.0.2.2"), pytest.raises(Crowded), counted.socket("192.0.2.3"):
            pass
    with counted.socket("192.0.2.1"), counted.socket("192.0.2.3"):
        pass


def test_a_stranger_of_many_addresses_does_not_fill_memory() -> None:
    counted = rates(rate_requests=10)
    for number in range(MOST_REMEMBERED):
        counted.charge(Rate.REQUESTS, f"2001:db8:0:{number:x}::/64")
    tracemalloc.start()
    for number in range(MOST_REMEMBERED, 3 * MOST_REMEMBERED):
        counted.charge(Rate.REQUESTS, f"2001:db8:1:{number:x}::/64")
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # What is new takes the place of what was there before tracing began: about 400 bytes each.
    assert grown < MOST_REMEMBERED * 1000


def test_a_credential_that_was_shown_counts_for_its_account_until_it_opens_nothing() -> None:
    counted = rates()
    assert counted.account_of("potluck_x") is None
    counted.learn("potluck_x", "Ada")
    assert counted.account_of("potluck_x") == "Ada"
    counted.forget("potluck_x")
    assert counted.account_of("potluck_x") is None


def test_what_did_not_come_is_given_back_and_never_more_than_was_charged() -> None:
    counted = rates(rate_upload_bytes=1000)
    counted.charge(Rate.UPLOAD_BYTES, "192.0.2.1", 5000)
    counted.give_back(Rate.UPLOAD_BYTES, "192.0.2.1", 5000, kept=900)
    counted.charge(Rate.UPLOAD_BYTES, "192.0.2.1", 90)
    with pytest.raises(TooOften):
        counted.charge(Rate.UPLOAD_BYTES, "192.0.2.1", 100)
    for _ in range(3):
        counted.give_back(Rate.UPLOAD_BYTES, "192.0.2.1", 5000, kept=0)
    counted.charge(Rate.UPLOAD_BYTES, "192.0.2.1", 998)
    with pytest.raises(TooOften):
        counted.charge(Rate.UPLOAD_BYTES, "192.0.2.1", 200)
