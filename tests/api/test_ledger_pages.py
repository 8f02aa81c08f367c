"""A long ledger is read a page at a time, and nothing is lost between two pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from potluck.protocol.records import Ledger
from potluck.verification import verify_ledger
from potluck_coordinator.services.access import Asker
from potluck_coordinator.services.ledgers import READ_AT_ONCE, study_ledger, written
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage.ledger import record
from potluck_coordinator.storage.transaction import Transaction
from tests.api.conftest import spec
from tests.support.visiting import bearer
from tests.support.waiting import until

FOUR = {"trials": 4, "parameters": {"learning_rate": {"kind": "float", "low": 0.001, "high": 0.1}}}


@pytest.fixture
def address(client: TestClient, model_id: str, iris_id: str) -> Iterator[str]:
    """Give a stopped study whose chain has a handful of entries."""
    made = client.post("/api/v1/studies", json=spec(model_id, iris_id, **FOUR))
    assert made.status_code == 201, made.text
    found = f"/api/v1/studies/{made.json()['id']}"
    until(lambda: client.get(found).json()["counts"]["ready"] == 4, what="four trials")
    client.post(f"{found}/stop")
    yield found
    client.delete(found)


def page(client: TestClient, address: str, **query: Any) -> Any:
    """Read a part of a study's ledger."""
    answer = client.get(f"{address}/ledger", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_pages_from_the_newest_to_the_oldest_are_the_whole_chain(
    client: TestClient, address: str
) -> None:
    whole = page(client, address)
    assert whole["length"] == len(whole["entries"]) >= 5
    read: list[Any] = []
    before: dict[str, int] = {}
    while not read or read[0]["seq"] > 0:
        part = page(client, address, limit=2, **before)
        assert (part["head"], part["length"]) == (whole["head"], whole["length"])
        assert 1 <= len(part["entries"]) <= 2
        read = part["entries"] + read
        before = {"before": read[0]["seq"]}
    assert read == whole["entries"]
    assert page(client, address, limit=2, before=0)["entries"] == []
    beyond = page(client, address, limit=2, before=10**12)
    assert beyond["entries"] == whole["entries"][-2:]


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 1001}, {"before": -1}, {"before": 2**70}]
)
def test_a_page_has_bounds(client: TestClient, address: str, query: dict[str, int]) -> None:
    assert client.get(f"{address}/ledger", params=query).status_code == 422


def test_a_trial_is_given_without_its_entries_to_those_who_need_none(
    client: TestClient, address: str
) -> None:
    with_them = client.get(f"{address}/trials/0").json()
    without = client.get(f"{address}/trials/0", params={"ledger": False}).json()
    assert len(with_them["ledger"]) > 0
    assert without == {**with_them, "ledger": []}


@pytest.mark.usefixtures("address")
def test_the_sites_own_chain_is_read_in_pages_too(client: TestClient) -> None:
    refused = client.get("/api/v1/ledger")  # it has the hashes of what others keep for themselves
    assert refused.status_code == 401
    assert refused.json()["error"]["code"] == "access.token_needed"
    token = client.app.state.admin_token  # type: ignore[attr-defined]
    client = TestClient(client.app, headers=bearer(token))
    whole = client.get("/api/v1/ledger").json()
    assert verify_ledger(Ledger.model_validate(whole)).holds
    assert whole["length"] == len(whole["entries"]) >= 2
    last = client.get("/api/v1/ledger", params={"limit": 1}).json()
    assert last == {**whole, "entries": whole["entries"][-1:]}
    first = client.get("/api/v1/ledger", params={"limit": 1, "before": 1}).json()
    assert first == {**whole, "entries": whole["entries"][:1]}
    assert client.get("/api/v1/ledger", params={"limit": 0}).status_code == 422


def test_a_long_chain_comes_piece_by_piece_and_holds(client: TestClient, address: str) -> None:
    site: Site = client.app.state.site  # type: ignore[attr-defined]
    chain = address.rsplit("/", 1)[-1]
    number = 2 * READ_AT_ONCE + 7

    def write(tx: Transaction) -> None:
        for n in range(number):
            record(tx, chain, "note", {"n": n, "text": "ü" * 50}, 1.0)

    site.writer.submit(write).result()
    pieces: list[bytes] = []

    async def read() -> None:
        part = await study_ledger(site, Asker("root", "admin"), chain)
        pieces.extend([piece async for piece in written(site, part)])

    assert client.portal is not None
    client.portal.call(read)
    whole = Ledger.model_validate_json(b"".join(pieces))
    assert len(pieces) == 2 + -(-len(whole.entries) // READ_AT_ONCE)
    assert len(whole.entries) == whole.length > number
    assert verify_ledger(whole).holds
    assert page(client, address) == whole.model_dump(mode="json")
    assert client.head(f"{address}/ledger").status_code == 200
