"""Quotas say what is used, what is allowed, and what to delete."""

from __future__ import annotations

import pytest

from potluck_coordinator.core.errors import OverQuota
from potluck_coordinator.core.quotas import KEPT as KEPT_WORDS
from potluck_coordinator.core.quotas import (
    Thing,
    check_bytes,
    check_number,
    check_studies,
    check_units,
    told_bytes,
)

KEPT = [
    Thing("dataset", "small", 10),
    Thing("model", "wide", 3 * 2**20),
    Thing("dataset", "long", 2**30),
    Thing("model", "tiny", 1),
]


def test_what_fits_to_the_last_byte_may_come() -> None:
    used = sum(thing.size for thing in KEPT)
    check_bytes(KEPT, 100, used + 100, "You")
    with pytest.raises(OverQuota):
        check_bytes(KEPT, 101, used + 100, "You")


def test_a_refusal_names_what_is_used_what_is_allowed_and_the_largest_things() -> None:
    with pytest.raises(OverQuota) as refused:
        check_bytes(KEPT, 5 * 2**20, 2**30, "You")
    error = refused.value
    assert error.code == "quota.bytes"
    assert error.expected == "at most 1.0 GiB"
    assert "1.0 GiB kept, and 5.0 MiB more" in error.got
    assert error.hint.index("“long” (1.0 GiB)") < error.hint.index("“wide” (3.0 MiB)")
    assert "tiny" not in error.hint
    with pytest.raises(OverQuota) as refused:
        check_bytes(KEPT, 5 * 2**20, 2**30, "All visitors together", named=False)
    assert not any(f"“{thing.name}”" in refused.value.hint for thing in KEPT)


def test_studies_and_their_units_are_counted_apart() -> None:
    running = [Thing("study", "a", 600), Thing("study", "b", 300)]
    check_studies(running, 1, 3, "You")
    check_units(running, 100, 1000, "You")
    with pytest.raises(OverQuota, match="more studies running") as refused:
        check_studies(running, 1, 2, "You")
    assert refused.value.code == "quota.studies"
    with pytest.raises(OverQuota, match="more units under way") as refused:
        check_units(running, 101, 1000, "You")
    assert refused.value.code == "quota.units"
    assert "“a” (600 units)" in refused.value.hint
    with pytest.raises(OverQuota) as refused:
        check_units(running, 101, 1000, "All visitors together", named=False)
    assert "“a”" not in refused.value.hint


def test_zero_is_no_bound_and_what_runs_already_may_go_on() -> None:
    check_bytes(KEPT, 10**15, 0, "You")
    check_units([Thing("study", "a", 10**9)], 10**9, 0, "You")
    check_studies([Thing("study", "a", 1)] * 5, 0, 2, "You")


@pytest.mark.parametrize("what", sorted(KEPT_WORDS))
def test_what_is_counted_by_its_number_is_refused_one_too_many(what: str) -> None:
    check_number(what, 4, 5, "You")
    check_number(what, 10**9, 0, "You")
    with pytest.raises(OverQuota) as refused:
        check_number(what, 5, 5, "You")
    assert refused.value.code == f"quota.{what}"
    assert "5 kept" in refused.value.got


def test_bytes_are_told_as_people_read_them() -> None:
    assert [told_bytes(n) for n in (7, 2048, 2**20, 3 * 2**29)] == [
        "7 bytes", "2.0 KiB", "1.0 MiB", "1.5 GiB",
    ]  # fmt: skip
