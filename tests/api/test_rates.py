"""Who comes too often hears 429, and when to come back; others go on as before."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse, WebSocketTestSession

from potluck_coordinator.app import create_app
from potluck_coordinator.settings import Settings
from tests.api.conftest import upload_data
from tests.support.fresh import fresh
from tests.support.hello import HELLO
from tests.support.keras_files import dense_h5
from tests.support.visiting import bearer

CSV = b"a,b,label\n" + b"".join(b"%d,%d,%s\n" % (i, i * i, b"xy"[i % 2 :][:1]) for i in range(40))
At = Callable[..., TestClient]


@pytest.fixture
def people(tmp_path: Path) -> Iterator[Callable[..., At]]:
    """Give a coordinator with settings, and clients of different addresses on it."""
    with ExitStack() as stack:

        def start(**settings: Any) -> At:
            app = create_app(
                Settings(
                    data=fresh(tmp_path),
                    allowed_hosts=("testserver",),
                    workers=1,
                    **{"open": True, **settings},
                )
            )
            first = stack.enter_context(TestClient(app))  # its lifespan is the coordinator's

            def at(address: str, word: str | None = None) -> TestClient:
                headers = bearer(word) if word else {}
                return TestClient(first.app, client=(address, 1), headers=headers)

            at.admin_token = app.state.admin_token  # type: ignore[attr-defined]
            return at

        yield start


def code_of(answer: httpx2.Response) -> str:
    return str(answer.json()["error"]["code"])


def asked(client: TestClient, times: int) -> list[int]:
    return [client.get("/api/v1/status").status_code for _ in range(times)]


def test_too_many_requests_are_answered_with_when_to_come_back(people: Callable[..., At]) -> None:
    at = people(rate_requests=5)
    stranger = at("192.0.2.7")
    assert asked(stranger, 5) == [200] * 5
    refused = stranger.get("/api/v1/status")
    assert refused.status_code == 429
    assert code_of(refused) == "rate.requests"
    assert 1 <= int(refused.headers["retry-after"]) <= 12
    assert "Try again in" in refused.json()["error"]["hint"]
    assert refused.headers["x-content-type-options"] == "nosniff"
    assert asked(at("192.0.2.8"), 1) == [200]


def test_a_subscribers_ipv6_addresses_are_one(people: Callable[..., At]) -> None:
    at = people(rate_requests=2)
    assert asked(at("2001:db8:0:7::1"), 2) == [200, 200]
    assert asked(at("2001:db8:0:7:aaaa::2"), 1) == [429]
    assert asked(at("2001:db8:0:8::1"), 1) == [200]


def test_a_known_account_counts_for_itself_and_not_for_its_address(
    people: Callable[..., At],
) -> None:
    at = people(rate_requests=3, open=False)
    token = at.admin_token  # type: ignore[attr-defined]
    admin = at("192.0.2.7", token)
    assert admin.get("/api/v1/models").status_code == 200  # from here on the token is known
    assert asked(at("192.0.2.7"), 3) == [200, 200, 429]
    assert asked(admin, 4) == [200, 200, 200, 429]
    assert asked(at("192.0.2.9", token), 1) == [429]


def test_a_made_up_token_does_not_step_aside_of_its_addresss_count(
    people: Callable[..., At],
) -> None:
    at = people(rate_requests=3)
    answers = [at("192.0.2.7", f"potluck_{n}").get("/api/v1/models") for n in range(4)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]


def test_unknown_tokens_are_counted_and_known_ones_still_pass(people: Callable[..., At]) -> None:
    at = people(rate_sign_ins=3, open=False)
    token = at.admin_token  # type: ignore[attr-defined]
    admin = at("192.0.2.7", token)
    assert admin.get("/api/v1/models").status_code == 200
    guesses = [
        at("192.0.2.7").post("/api/v1/session", json={"token": f"guess {n}"}) for n in range(4)
    ]
    assert [answer.status_code for answer in guesses] == [401, 401, 401, 429]
    assert code_of(guesses[-1]) == "rate.sign_ins"
    assert at("192.0.2.7", "another guess").get("/api/v1/models").status_code == 429
    assert admin.get("/api/v1/models").status_code == 200
    assert at("192.0.2.8").post("/api/v1/session", json={"token": token}).status_code == 200


def test_uploads_are_counted_beside_requests(people: Callable[..., At]) -> None:
    at = people(rate_uploads=2)
    stranger = at("192.0.2.7")
    assert upload_data(stranger, CSV).status_code == 201
    assert stranger.post("/api/v1/models", files=[("files", ("m.h5", dense_h5()))]).is_success
    refused = upload_data(stranger, CSV)
    assert (refused.status_code, code_of(refused)) == (429, "rate.uploads")
    assert asked(stranger, 1) == [200]


def test_changes_are_counted_in_a_day_whatever_comes_of_them(people: Callable[..., At]) -> None:
    at = people(rate_changes=4)
    stranger = at("192.0.2.7")
    made = stranger.post("/api/v1/datasets/bundled/iris")
    assert made.status_code == 201
    for _ in range(2):
        assert stranger.post("/api/v1/studies/st_none/stop").status_code == 404
    assert stranger.post("/api/v1/studies/plan", json={}).status_code == 422  # which keeps nothing
    assert stranger.delete("/api/v1/groups/gr_none").status_code == 404
    for method, path in (
        ("DELETE", f"datasets/{made.json()['id']}"),
        ("POST", "studies"),
        ("POST", "studies/st_none/resume"),
        ("POST", "groups"),
        ("PATCH", "groups/gr_none"),
        ("POST", "donor/groups/join"),
        ("PATCH", "account/tokens/tk_none"),
    ):
        refused = stranger.request(method, f"/api/v1/{path}", json={})
        assert (refused.status_code, code_of(refused)) == (429, "rate.changes"), path
        assert "at most 4 changes a day" in refused.json()["error"]["expected"]
    assert asked(stranger, 1) == [200]
    assert at("192.0.2.8").post("/api/v1/studies/st_none/stop").status_code == 404


def fit(client: TestClient, model: str, width: int) -> httpx2.Response:
    return client.post(f"/api/v1/models/{model}/fitted", json={"width": width})


def test_what_is_made_here_for_somebody_counts_as_an_upload(people: Callable[..., At]) -> None:
    at = people(rate_uploads=3)
    stranger = at("192.0.2.7")
    model = stranger.post("/api/v1/models", files=[("files", ("m.h5", dense_h5()))]).json()["id"]
    assert stranger.post("/api/v1/datasets/bundled/iris").status_code == 201
    assert fit(stranger, model, 7).status_code == 201
    for refused in (fit(stranger, model, 8), stranger.post("/api/v1/datasets/bundled/wine")):
        assert (refused.status_code, code_of(refused)) == (429, "rate.uploads")


@pytest.mark.parametrize("rate", ["upload_bytes", "visitor_bytes"])
def test_bytes_that_are_made_here_count_and_those_that_were_there_do_not(
    people: Callable[..., At], rate: str
) -> None:
    at = people(**{f"rate_{rate}": 700_000})
    uploader, fitter, late = at("192.0.2.7"), at("192.0.2.8"), at("192.0.2.9")
    model = uploader.post("/api/v1/models", files=[("files", ("m.h5", dense_h5()))]).json()["id"]
    assert fit(fitter, model, 20_000).status_code == 201  # 20,000 times 8 weights: 640 kB
    refused = fit(fitter, model, 20_001)
    assert (refused.status_code, code_of(refused)) == (429, f"rate.{rate}")
    assert fit(late, model, 20_000).status_code == 200
    assert upload_data(late, CSV).status_code == 201  # all of it was given back


def test_bytes_of_uploads_are_counted_as_they_come_too(people: Callable[..., At]) -> None:
    at = people(rate_upload_bytes=len(CSV) + 1000)
    stranger = at("192.0.2.7")
    assert upload_data(stranger, CSV).status_code == 201
    refused = upload_data(stranger, CSV + b"1,2,x\n" * 200)
    assert (refused.status_code, code_of(refused)) == (429, "rate.upload_bytes")
    undeclared = stranger.post(
        "/api/v1/datasets",
        content=iter([b"x" * 1000] * 3),
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )
    assert (undeclared.status_code, code_of(undeclared)) == (429, "rate.upload_bytes")


def test_a_lease_that_is_none_may_not_be_tried_for_ever(people: Callable[..., At]) -> None:
    at = people(rate_lease_requests=2)
    stranger = at("192.0.2.7")
    answers = [stranger.get(f"/api/v1/donor/artifacts/{'0' * 64}") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [404, 404, 429]
    assert asked(stranger, 1) == [200]


def test_an_address_that_connects_again_and_again_is_to_wait(people: Callable[..., At]) -> None:
    at = people(rate_new_sockets=1)
    stranger = at("192.0.2.7")
    with stranger.websocket_connect("/api/v1/donor/socket"):
        pass
    with (
        pytest.raises(WebSocketDenialResponse) as refused,
        stranger.websocket_connect("/api/v1/donor/socket"),
    ):
        pass
    assert (refused.value.status_code, code_of(refused.value)) == (429, "rate.new_sockets")
    assert int(refused.value.headers["retry-after"]) > 1


def test_one_address_opens_a_bounded_number_of_sockets(people: Callable[..., At]) -> None:
    at = people(sockets_per_address=2)
    stranger = at("192.0.2.7")
    address = "/api/v1/donor/socket"
    with stranger.websocket_connect(address), stranger.websocket_connect(address):
        with (
            pytest.raises(WebSocketDenialResponse) as refused,
            stranger.websocket_connect(address),
        ):
            pass
        assert refused.value.status_code == 429
        assert code_of(refused.value) == "rate.sockets"
        with at("192.0.2.8").websocket_connect(address):
            pass
    with stranger.websocket_connect(address):
        pass


BEAT = {"type": "heartbeat", "leases": [{"lease_id": "ls_1", "epoch": 0, "step": 0}]}


@pytest.mark.parametrize("of", ["address", "account"])
def test_all_sockets_of_an_account_or_address_are_heard_at_one_rate(
    people: Callable[..., At], of: str
) -> None:
    at = people(rate_address_messages=60)
    token = at.admin_token if of == "account" else None  # type: ignore[attr-defined]
    one, two = at("192.0.2.7", token), at("192.0.2.8" if token else "192.0.2.7", token)
    assert one.get("/api/v1/models").status_code == 200  # from here on the token is known
    address = "/api/v1/donor/socket"

    def say(socket: WebSocketTestSession, message: dict[str, Any]) -> None:
        socket.send_json(message)
        assert socket.receive_json()["type"] in ("welcome", "heard")

    with one.websocket_connect(address) as first, two.websocket_connect(address) as second:
        begin = time.monotonic()
        for number, socket in enumerate((first, second)):
            say(socket, {**HELLO, "donor_key": str(number) * 32})
        for _ in range(30):  # with these they are 62: all answered, and the last two later
            say(first, BEAT)
            say(second, BEAT)
        assert time.monotonic() - begin >= 1.9
        with at("192.0.2.9").websocket_connect(address) as other:
            say(other, HELLO)
