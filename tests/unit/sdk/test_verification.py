"""The chain: it holds as written, and no single change leaves it holding."""

from __future__ import annotations

import hashlib
from typing import Any

import rfc8785
from hypothesis import assume, given
from hypothesis import strategies as st

from potluck.protocol.records import Ledger, LedgerEntry
from potluck.verification import GENESIS, entry_hash, verify_ledger
from potluck_coordinator.core import ledger as written_by

SAFE = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-1e6, 1e6) | st.text(max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | SAFE,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=5,
)
BODIES = st.dictionaries(st.text(max_size=6), VALUES, max_size=4)
WRITTEN = st.lists(st.tuples(st.sampled_from(["study", "trial", "score"]), BODIES), max_size=6)


def chain(written: list[tuple[str, dict[str, Any]]]) -> Ledger:
    entries: list[LedgerEntry] = []
    previous = GENESIS
    for seq, (kind, body) in enumerate(written):
        at = f"2026-11-21T00:00:{seq:02d}.000Z"
        link = written_by.link(seq, kind, at, written_by.ledger_safe(body), previous)
        entries.append(
            LedgerEntry(
                seq=seq, kind=kind, at=at, body=dict(link.body), previous=previous, hash=link.hash
            )
        )
        previous = link.hash
    return Ledger(study_id="s", entries=entries, head=previous)


@given(WRITTEN)
def test_a_chain_as_the_coordinator_writes_it_holds_also_after_a_trip_through_json(
    written: list[tuple[str, dict[str, Any]]],
) -> None:
    ledger = chain(written)
    assert verify_ledger(ledger).holds
    again = Ledger.model_validate_json(ledger.model_dump_json())
    found = verify_ledger(again)
    assert found.holds
    assert found.entries == len(written)


@given(WRITTEN.filter(bool), st.data())
def test_any_single_change_of_an_entry_breaks_the_chain_there(
    written: list[tuple[str, dict[str, Any]]], data: st.DataObject
) -> None:
    ledger = chain(written)
    index = data.draw(st.integers(0, len(written) - 1))
    entry = ledger.entries[index]
    field = data.draw(st.sampled_from(["seq", "kind", "at", "body", "previous", "hash"]))
    other: object = {
        "seq": data.draw(st.integers(0, 99)),
        "kind": data.draw(st.sampled_from(["study", "lease"])),
        "at": data.draw(st.sampled_from(["2026-11-21T00:00:00.001Z", ""])),
        "body": data.draw(BODIES),
        "previous": hashlib.sha256(data.draw(st.binary(max_size=2))).hexdigest(),
        "hash": hashlib.sha256(data.draw(st.binary(max_size=2))).hexdigest(),
    }[field]
    assume(rfc8785.dumps(other) != rfc8785.dumps(getattr(entry, field)))  # type: ignore[arg-type]
    entries = list(ledger.entries)
    entries[index] = entry.model_copy(update={field: other})
    found = verify_ledger(ledger.model_copy(update={"entries": entries}))
    assert not found.holds
    assert found.at_seq == index


@given(WRITTEN.filter(bool), st.data())
def test_leaving_out_doubling_or_moving_an_entry_breaks_the_chain(
    written: list[tuple[str, dict[str, Any]]], data: st.DataObject
) -> None:
    ledger = chain(written)
    index = data.draw(st.integers(0, len(written) - 1))
    entries = list(ledger.entries)
    without = [*entries[:index], *entries[index + 1 :]]
    doubled = [*entries[: index + 1], *entries[index:]]
    swapped = [*entries[:index], *reversed(entries[index:])]
    for changed in (without, doubled, *([swapped] if len(entries) - index > 1 else [])):
        assert not verify_ledger(ledger.model_copy(update={"entries": changed})).holds


@given(WRITTEN.filter(bool), BODIES)
def test_mending_the_hash_of_a_changed_entry_breaks_the_chain_after_it(
    written: list[tuple[str, dict[str, Any]]], body: dict[str, Any]
) -> None:
    ledger = chain(written)
    first = ledger.entries[0].model_copy(update={"body": body})
    assume(rfc8785.dumps(body) != rfc8785.dumps(ledger.entries[0].body))
    first = first.model_copy(update={"hash": entry_hash(first)})
    found = verify_ledger(ledger.model_copy(update={"entries": [first, *ledger.entries[1:]]}))
    assert found.at_seq == 1


def test_a_body_without_a_canonical_form_is_a_broken_chain_and_no_crash() -> None:
    ledger = chain([("study", {"a": 1})])
    for value in (2**60, float("nan")):
        entry = ledger.entries[0].model_copy(update={"body": {"a": value}})
        found = verify_ledger(ledger.model_copy(update={"entries": [entry]}))
        assert not found.holds
        assert "canonical" in found.problem
