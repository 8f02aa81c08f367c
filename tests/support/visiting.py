"""People at a coordinator: browsers with a cookie jar each, programs with a key, the operator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urljoin

import httpx2
from playwright.sync_api import Page

from potluck.visitor import key_for, secret_file, secret_of
from tests.support.keras_files import dense_h5
from tests.support.waiting import PATIENCE_S

API = "/api/v1"
CSRF = "X-Potluck-CSRF"


def bearer(word: str) -> dict[str, str]:
    """Give the header that carries a token or a key."""
    return {"Authorization": f"Bearer {word}"}


def somebody(url: str, word: str | None = None) -> httpx2.Client:
    """Give a program's client, with a token or key, or as plain curl does without any."""
    return httpx2.Client(
        base_url=url + API, timeout=PATIENCE_S, headers=bearer(word) if word else {}
    )


@contextmanager
def open_page(url: str) -> Iterator[httpx2.Client]:
    """Give a new browser's client after its first page asked who it is."""
    with somebody(url) as client:
        ask_who(client)
        yield client


def ask_who(client: httpx2.Client) -> Any:
    """Ask as each page does when it is loaded; keep the secret for changing requests."""
    session = client.get("/session").json()
    client.headers[CSRF] = session["csrf"]
    return session


def sign_in(client: httpx2.Client, token: str) -> Any:
    """Sign a browser in."""
    session = client.post("/session", json={"token": token}).json()
    client.headers[CSRF] = session["csrf"]
    return session


def sign_in_page(page: Page, token: str) -> None:
    """Sign a real browser in as its page would; the next page that it opens knows."""
    answer = page.request.post(urljoin(page.url, f"{API}/session"), data={"token": token})
    assert answer.ok, answer.text()


def key_of(client: httpx2.Client) -> str:
    """Give the key in a browser's cookie."""
    return str(client.cookies["potluck_visitor"])


def users_key(url: str) -> str:
    """Give the key of the SDK's user, whose configuration folder POTLUCK_CONFIG names."""
    secret = secret_of(secret_file(), make=False)
    assert secret is not None
    return key_for(secret, url)


def upload(client: httpx2.Client) -> dict[str, Any]:
    """Upload a network and take the irises; give a good specification of a study."""
    model = client.post("/models", files={"files": ("m.h5", dense_h5())})
    dataset = client.post("/datasets/bundled/iris")
    assert (model.is_success, dataset.is_success) == (True, True), (model.text, dataset.text)
    return {
        "name": "Irises",
        "model_id": model.json()["id"],
        "dataset_id": dataset.json()["id"],
        "trials": 1,
        "rungs": [1],
        "parameters": {"learning_rate": {"kind": "float", "low": 0.001, "high": 0.01}},
        "rows_are_public": True,
    }


def submit(client: httpx2.Client, **changes: Any) -> Any:
    """Make a study; give its record."""
    made = client.post("/studies", json={**upload(client), **changes})
    assert made.status_code == 201, made.text
    return made.json()


def code(answer: httpx2.Response) -> tuple[int, str]:
    """Give a refusal's status and code."""
    return answer.status_code, answer.json()["error"]["code"]


def first_event(client: httpx2.Client, study_id: str) -> str:
    """Give the first event of a study that is followed live, as it came."""
    with client.stream("GET", f"/studies/{study_id}/events") as stream:
        return next(line for line in stream.iter_lines() if line.startswith("data:"))
