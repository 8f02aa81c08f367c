"""An account has several tokens, and what a token opened ends with it."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from tests.conftest import Start
from tests.support.coordinator import Coordinator
from tests.support.visiting import ask_who, code, open_page, sign_in, somebody, submit
from tests.support.waiting import PATIENCE_S, until

UNKNOWN = (401, "access.token_unknown")


@dataclass(frozen=True)
class People:
    """The operator of a coordinator that needs tokens, and a submitter."""

    url: str
    operator: httpx2.Client
    ada: httpx2.Client
    name: str
    ada_id: str

    def token(self, **wanted: Any) -> tuple[str, str]:
        """Have Ada make a token; give its id and its secret."""
        made = self.ada.post("/account/tokens", json={"name": "laptop", **wanted})
        assert made.status_code == 201, made.text
        return made.json()["record"]["id"], made.json()["token"]


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coordinator]:
    """Give a coordinator that needs tokens; a module's tests share it."""
    found = Coordinator(tmp_path_factory.mktemp("data"), open=False, workers=1)
    try:
        yield found.start()
    finally:
        found.stop()


@pytest.fixture
def people(closed: Coordinator) -> Iterator[People]:
    """Give its operator, and a submitter whom no other test has met."""
    name = f"Ada {secrets.token_hex(4)}"
    with somebody(closed.url, closed.operator_token()) as operator:
        made = operator.post("/accounts", json={"name": name})
        assert made.status_code == 201, made.text
        with somebody(closed.url, made.json()["token"]) as ada:
            yield People(closed.url, operator, ada, name, made.json()["account"]["id"])


def test_each_token_has_a_name_and_shows_when_it_was_used(people: People) -> None:
    first, secret = people.token(name=" laptop ", expires_in_days=30)
    listed = {token["id"]: token for token in people.ada.get("/account/tokens").json()}
    assert [token["name"] for token in listed.values()] == ["first token", "laptop"]
    assert [token["this"] for token in listed.values()] == [True, False]
    assert listed[first]["last_used_at"] is None
    assert listed[first]["expires_at"] - listed[first]["created_at"] == 30 * 86400
    with somebody(people.url, secret) as laptop:
        assert laptop.get("/session").json()["name"] == people.name

    def used() -> dict[str, Any] | None:
        found = {token["id"]: token for token in people.ada.get("/account/tokens").json()}
        return found[first] if found[first]["last_used_at"] else None

    assert until(used)["last_used_at"] >= listed[first]["created_at"]
    renamed = people.ada.patch(f"/account/tokens/{first}", json={"name": "desk"})
    assert (renamed.json()["name"], renamed.json()["expires_at"]) == (
        "desk",
        listed[first]["expires_at"],
    )
    assert not any(secret in client.get("/account/tokens").text for client in (people.ada,))


@pytest.mark.parametrize("how", ["revoke", "expire"])
def test_a_token_that_ended_opens_nothing(people: People, how: str) -> None:
    token, secret = people.token()
    with somebody(people.url, secret) as laptop:
        assert laptop.get("/account/tokens").status_code == 200
        end(people, token, how)
        assert code(laptop.get("/account/tokens")) == UNKNOWN
        assert code(laptop.post("/session", json={"token": secret})) == UNKNOWN
    assert people.ada.get("/account/tokens").status_code == 200


@pytest.mark.parametrize("how", ["revoke", "expire"])
def test_a_token_that_ended_never_opens_anything_again(people: People, how: str) -> None:
    token, secret = people.token()
    place, others = f"/account/tokens/{token}", f"/accounts/{people.ada_id}/tokens/{token}"
    with somebody(people.url, secret) as laptop, open_page(people.url) as page:
        sign_in(page, secret)
        end(people, token, how)
        changes: tuple[dict[str, Any], ...] = (
            {"expires_in_days": None},
            {"expires_in_days": 30},
            {"expires_in_days": 0},
            {"name": "desk"},
            {"name": "desk", "expires_in_days": None},
        )
        for change in changes:
            for client, where in ((people.ada, place), (people.operator, others)):
                refused = client.patch(where, json=change)
                assert code(refused) == (409, "token.state"), change
                assert "make another one" in refused.json()["error"]["hint"]
            # Nor may it, or the browser that it signed in, bring itself back.
            assert code(laptop.patch(place, json=change)) == UNKNOWN
            assert code(page.patch(place, json=change)) == (401, "access.token_needed")
        [listed] = [t for t in people.ada.get("/account/tokens").json() if t["id"] == token]
        assert (listed["name"], listed["revoked_at"] is None) == ("laptop", how == "expire")
        assert ask_who(page)["signed_in"] is False
        assert code(laptop.get("/account/tokens")) == UNKNOWN
        # It may still be revoked, which opens nothing either.
        assert people.ada.delete(place).json()["revoked_at"]


def end(people: People, token: str, how: str) -> None:
    """End a token of Ada's."""
    if how == "revoke":
        assert people.ada.delete(f"/account/tokens/{token}").json()["revoked_at"]
    elif how == "expire":
        changed = people.ada.patch(f"/account/tokens/{token}", json={"expires_in_days": 0})
        assert changed.status_code == 200, changed.text
    else:
        assert people.operator.delete(f"/accounts/{people.ada_id}").json()["revoked"]


@pytest.mark.parametrize("how", ["revoke", "expire", "account"])
def test_a_session_ends_with_the_token_that_opened_it(people: People, how: str) -> None:
    token, secret = people.token()
    with open_page(people.url) as page, open_page(people.url) as other:
        sign_in(page, secret)
        sign_in(other, people.token(name="other")[1])
        study = submit(page, visibility="private")
        assert page.get(f"/studies/{study['id']}").status_code == 200
        end(people, token, how)
        # The page's next request is signed out.
        assert code(page.get(f"/studies/{study['id']}")) == (404, "study.not_found")
        assert ask_who(page)["signed_in"] is False
        assert code(page.get("/account/tokens")) == (401, "access.token_needed")
        assert ask_who(other)["signed_in"] is (how != "account")


@pytest.mark.parametrize("how", ["revoke", "account"])
def test_an_event_stream_ends_with_its_token(people: People, how: str) -> None:
    token, secret = people.token()
    with somebody(people.url, secret) as laptop:
        study = submit(laptop, visibility="private")
        begun, over = threading.Event(), threading.Event()

        def follow() -> None:
            with laptop.stream("GET", f"/studies/{study['id']}/events") as stream:
                with suppress(httpx2.HTTPError):
                    for _ in stream.iter_lines():
                        begun.set()
                over.set()

        following = threading.Thread(target=follow, daemon=True)
        following.start()
        assert begun.wait(PATIENCE_S)
        end(people, token, how)
        assert over.wait(PATIENCE_S)
        following.join(PATIENCE_S)


def test_tokens_are_their_accounts_and_the_admins_alone(people: People) -> None:
    token, _ = people.token()
    bob = people.operator.post("/accounts", json={"name": f"Bob of {people.name}"}).json()
    with somebody(people.url, bob["token"]) as other, somebody(people.url) as nobody:
        for answer in (
            other.patch(f"/account/tokens/{token}", json={"name": "x"}),
            other.delete(f"/account/tokens/{token}"),
            people.operator.delete(f"/accounts/{bob['account']['id']}/tokens/{token}"),
        ):
            assert code(answer) == (404, "token.not_found")
        for path in ("/accounts", f"/accounts/{people.ada_id}/tokens"):
            assert code(other.get(path)) == (403, "access.admin_only")
            assert code(nobody.get(path)) == (401, "access.token_needed")
        assert code(nobody.get("/account/tokens")) == (401, "access.token_needed")
        made = other.post(f"/accounts/{people.ada_id}/tokens", json={"name": "x"})
        assert code(made) == (403, "access.admin_only")
    listed = people.operator.get(f"/accounts/{people.ada_id}/tokens").json()
    assert token in {found["id"] for found in listed}
    made = people.operator.post(f"/accounts/{people.ada_id}/tokens", json={"name": "spare"})
    with somebody(people.url, made.json()["token"]) as ada:
        assert ada.get("/session").json()["name"] == people.name


def test_an_account_that_is_renamed_keeps_its_things(people: People) -> None:
    study = submit(people.ada)
    renamed = people.operator.patch(
        f"/accounts/{people.ada_id}", json={"name": f"{people.name} L."}
    )
    assert renamed.json()["name"] == f"{people.name} L."
    seen = people.ada.get(f"/studies/{study['id']}").json()
    assert (seen["submitter"], seen["may_edit"]) == (f"{people.name} L.", True)
    assert people.ada.get("/models").json()
    assert people.ada.get("/datasets").json()
    taken = people.operator.post("/accounts", json={"name": f"{people.name} L.".upper()})
    assert code(taken) == (409, "access.name_taken")
    for name, refused in (("anyone", "access.name_reserved"), (" ", "name.blank")):
        answer = people.operator.patch(f"/accounts/{people.ada_id}", json={"name": name})
        assert code(answer) == (400, refused)


def test_the_last_admin_stays(start_coordinator: Start) -> None:
    coordinator = start_coordinator(open=False, workers=1)
    with somebody(coordinator.url, coordinator.operator_token()) as operator:
        [admin] = operator.get("/accounts").json()
        assert (admin["name"], admin["role"], admin["tokens"]) == ("admin", "admin", 1)
        refused = operator.delete(f"/accounts/{admin['id']}")
        assert code(refused) == (409, "access.last_admin")
        second = operator.post("/accounts", json={"name": "root", "role": "admin"}).json()
        with somebody(coordinator.url, second["token"]) as root:
            assert root.delete(f"/accounts/{admin['id']}").status_code == 200
            assert code(operator.get("/accounts")) == UNKNOWN
            assert [account["tokens"] for account in root.get("/accounts").json()] == [0, 1]


def test_odd_names_and_numbers_are_refused(people: People) -> None:
    for body, status in (
        ({"name": "\u202eevil"}, 400),
        ({"name": "  "}, 400),
        ({"name": "a" * 121}, 422),
        ({"name": "a", "expires_in_days": -1}, 422),
        ({"name": "a", "expires_in_days": 0}, 422),
        ({"name": "a", "expires_in_days": 1e9}, 422),
        ({"name": "a", "scope": "admin"}, 422),
    ):
        assert people.ada.post("/account/tokens", json=body).status_code == status, body
    token, secret = people.token()
    for days in (-1, 1e9, "soon"):
        changed = people.ada.patch(f"/account/tokens/{token}", json={"expires_in_days": days})
        assert changed.status_code == 422, days
    with somebody(people.url, secret) as laptop:
        assert laptop.get("/account/tokens").status_code == 200
