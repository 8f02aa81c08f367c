from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck_coordinator.core.ledger import (
    GENESIS,
    Entry,
    canonical_body,
    entry_hash,
    ledger_safe,
    ledger_time,
    link,
    read_body,
    verify,
)

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
keys = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4)
)
bodies = st.dictionaries(keys, values, max_size=4)


@st.composite
def chains(draw: st.DrawFn) -> list[Entry]:
    entries: list[Entry] = []
    for seq, body in enumerate(draw(st.lists(bodies, min_size=1, max_size=5))):
        previous = entries[-1].hash if entries else GENESIS
        entries.append(link(seq, "fact", ledger_time(seq), ledger_safe(body), previous))
    return entries


def test_an_entry_is_hashed_as_the_protocol_says() -> None:
    text = '{"at":"2026-01-01T00:00:00.000Z","body":{"a":1.5},"kind":"score","previous":"' + (
        "0" * 64 + '","seq":0}'
    )
    assert entry_hash(0, "score", "2026-01-01T00:00:00.000Z", {"a": 1.5}, GENESIS) == (
        hashlib.sha256(text.encode()).hexdigest()
    )


@given(chains())
def test_a_chain_as_it_was_made_holds(chain: list[Entry]) -> None:
    assert verify(chain) is None
    assert verify(chain, chain[-1].hash) is None


def test_an_empty_chain_holds_unless_a_head_says_otherwise() -> None:
    assert verify([]) is None
    assert verify([], GENESIS) is None
    assert verify([], "f" * 64) == 0


@given(chains(), st.data())
def test_a_change_anywhere_is_found_there(chain: list[Entry], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(chain) - 1))
    entry = chain[place]
    changed: dict[str, Any] = data.draw(
        st.sampled_from(
            [
                {"seq": entry.seq + 1},
                {"kind": entry.kind + "x"},
                {"at": ledger_time(10**9)},
                {"body": {**entry.body, "added": True}},
                {"previous": "e" * 64},
                {"hash": "e" * 64},
            ]
        )
    )
    assert verify([*chain[:place], replace(entry, **changed), *chain[place + 1 :]]) == place


@given(chains(), st.data())
def test_a_missing_entry_is_found_and_a_missing_end_by_the_head(
    chain: list[Entry], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(chain) - 1))
    assert verify(chain[:place] + chain[place + 1 :], chain[-1].hash) == place
    assert verify(chain[:place], chain[-1].hash) == place


@given(chains())
def test_a_rewritten_past_does_not_reach_the_known_head(chain: list[Entry]) -> None:
    first = link(0, "fact", chain[0].at, {"forged": len(chain)}, GENESIS)
    forged = [first]
    for entry in chain[1:]:
        forged.append(link(entry.seq, entry.kind, entry.at, entry.body, forged[-1].hash))
    assert verify(forged) is None
    assert verify(forged, chain[-1].hash) == len(chain)


@given(bodies)
def test_a_body_reads_back_as_it_was_written(body: dict[str, Any]) -> None:
    safe = ledger_safe(body)
    assert read_body(canonical_body(body)) == safe
    assert canonical_body(safe) == canonical_body(body)
    assert ledger_safe(safe) == safe


@given(bodies)
def test_a_trip_through_ordinary_json_keeps_the_hash(body: dict[str, Any]) -> None:
    safe = ledger_safe(body)
    again = json.loads(json.dumps(safe))
    assert entry_hash(0, "k", "t", again, GENESIS) == entry_hash(0, "k", "t", safe, GENESIS)


@pytest.mark.parametrize(
    ("value", "safe"),
    [
        (2**53 - 1, 2**53 - 1),
        (2**53, str(2**53)),
        (-(2**70), str(-(2**70))),
        (1.0, 1),
        (-0.0, 0),
        (1e300, "1e+300"),
        (0.1, 0.1),
        (True, True),
        ((1, 2), [1, 2]),
    ],
)
def test_numbers_take_the_form_that_every_reader_shares(value: object, safe: object) -> None:
    found = ledger_safe(value)
    assert found == safe
    assert type(found) is type(safe)


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), -float("inf"), {1: 2}, "\ud800", {"\ud800": 1}]
)
def test_what_has_no_canonical_form_is_refused_at_any_depth(value: object) -> None:
    with pytest.raises(ValueError, match=r"ledger|surrogates"):
        ledger_safe({"list": [value]})


@pytest.mark.parametrize("value", [float("nan"), 2**60, "\ud800"])
def test_an_entry_that_smuggles_in_what_cannot_be_hashed_is_broken(value: object) -> None:
    entry = link(0, "fact", "t", {}, GENESIS)
    assert verify([replace(entry, body={"n": value})]) == 0


def test_times_are_utc_with_milliseconds() -> None:
    assert ledger_time(0) == "1970-01-01T00:00:00.000Z"
    assert ledger_time(1700000000.1239) == "2023-11-14T22:13:20.123Z"
