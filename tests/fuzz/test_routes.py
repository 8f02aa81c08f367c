"""A law of every route and of the socket: whatever is sent, the answer is a refusal in words."""

from __future__ import annotations

import io
import json
import re
import secrets
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from potluck_coordinator.app import create_app
from potluck_coordinator.core.visitors import new_visitor_key
from potluck_coordinator.settings import Settings
from tests.support.fresh import fresh
from tests.support.hello import HELLO
from tests.support.keras_files import dense_h5

SHARED = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
WORKED_ON = settings(SHARED, max_examples=30)
MATERIALS = "materials"
STREAMS = ("/events",)
LEFT_OUT = ("/api/v1/datasets/bundled/{name}",)
"""Takes a real dataset in; its name is drawn by `test_any_address_is_answered_in_words`."""

TEXTS = st.one_of(
    st.sampled_from(["", " ", "\0", "\ud800", "\udfffx", "\u202e", "NaN", "1e999", "../..", "%ff"]),
    st.text(st.characters(), max_size=20),
)
NUMBERS = st.one_of(
    st.sampled_from([0, -1, 2**31, 2**53, 2**53 + 1, 2**64, 10**400, -(10**30)]),
    st.floats(),
    st.booleans(),
    st.none(),
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(TEXTS, NUMBERS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=8,
)
SPEC = {
    "name": "x",
    "model_id": "md_1",
    "dataset_id": "ds_1",
    "pipeline": {"target": "y", "split": {"folds": 3}},
    "parameters": {"learning_rate": {"kind": "float", "low": 0.1, "high": 1.0}},
    "trials": 2,
    "rungs": [1, 2],
    "rows_are_public": True,
}
MESSAGES: list[dict[str, Any]] = [
    {"type": "request", "most": 1, "cached": []},
    {"type": "heartbeat", "leases": [{"lease_id": "ls_1", "epoch": 0, "step": 0}]},
    {
        "type": "checkpoint",
        "leases": [{"lease_id": "ls_1", "artifact": "0" * 64, "epoch": 0, "step": 0}],
    },
    {
        "type": "complete",
        "leases": [{"lease_id": "ls_1", "token": "t", "artifact": "0" * 64, "step": 1}],
    },
    {"type": "abort", "leases": [{"lease_id": "ls_1", "token": "t", "reason": "error"}]},
]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Give an open coordinator, which answers an unexpected error as it would on the internet."""
    data = tmp_path_factory.mktemp("fuzz")
    own = Settings(
        data=fresh(data), allowed_hosts=("testserver",), open=True, workers=1, own_donor=0
    )
    key = new_visitor_key(secrets.token_bytes(32))
    headers = {"Authorization": f"Bearer {key}"}
    with TestClient(create_app(own), headers=headers, raise_server_exceptions=False) as found:
        yield found


@pytest.fixture(scope="module")
def materials(client: TestClient) -> dict[str, str]:
    """Give a real model and a real dataset, so that a specification is read to its end."""
    named = {"name": MATERIALS}
    files = [("files", ("m.h5", dense_h5(2, 2)))]
    model = client.post("/api/v1/models", files=files, data=named).json()
    table = "a,b,y\n" + "".join(f"{i},{i * 7 % 11},{'uv'[i % 2]}\n" for i in range(40))
    file = {"file": ("d.csv", table.encode())}
    data = client.post("/api/v1/datasets", files=file, data=named).json()
    return {"model_id": model["id"], "dataset_id": data["id"]}


@pytest.fixture(scope="module")
def routes(client: TestClient) -> list[tuple[str, str]]:
    """List the API's methods and addresses, live streams left out: they have no end."""
    paths = client.get("/api/openapi.json").json()["paths"]
    return [
        (method.upper(), path)
        for path, methods in paths.items()
        for method in methods
        if not path.endswith(STREAMS) and path not in LEFT_OUT
    ]


def written(value: Any) -> bytes:
    """Write JSON as a stranger might: NaN, infinities and halves of characters as they are."""
    return json.dumps(value, ensure_ascii=True).encode()


def in_words(answer: Any) -> None:
    """Check that an answer is no breakdown, and that a refusal is one of ours."""
    assert answer.status_code < 500, (answer.request.method, answer.request.url, answer.text)
    if answer.status_code >= 400:
        error = answer.json()["error"]
        assert error["code"] != "internal"
        assert error["message"]


def escaped(text: str) -> str:
    """Write any text into an address, byte by byte."""
    return "".join(f"%{byte:02x}" for byte in text.encode(errors="surrogatepass"))


@SHARED
@given(data=st.data())
def test_any_address_is_answered_in_words(
    client: TestClient, routes: list[tuple[str, str]], data: st.DataObject
) -> None:
    for method, path in routes:
        filled = re.sub(r"\{[^}]*\}", lambda _: escaped(data.draw(TEXTS)) or "x", path)
        query = f"?{escaped(data.draw(TEXTS))}={escaped(data.draw(TEXTS))}"
        token = data.draw(TEXTS).encode("utf-8", "replace")
        in_words(client.request(method, filled + query, headers=[(b"X-Potluck-Lease", token)]))


@SHARED
@given(value=VALUES)
def test_any_json_is_answered_in_words(
    client: TestClient, routes: list[tuple[str, str]], value: Any
) -> None:
    for method, path in routes:
        if method in ("POST", "PUT"):
            address = re.sub(r"\{[^}]*\}", "x", path)
            in_words(
                client.request(
                    method,
                    address,
                    content=written(value),
                    headers={"Content-Type": "application/json"},
                )
            )


@st.composite
def changed(draw: st.DrawFn, good: Any) -> Any:
    """Put something else into one place of a good message."""
    if isinstance(good, dict) and good and draw(st.integers(0, 9)):
        key = draw(st.one_of(st.sampled_from(sorted(good)), TEXTS))
        if key not in good:
            return {**good, key: draw(VALUES)}
        return {**good, key: draw(changed(good[key]))}
    if isinstance(good, list) and good and draw(st.booleans()):
        return [draw(changed(good[0])), *good[1:]]
    return draw(VALUES)


@WORKED_ON
@given(spec=changed(SPEC))
def test_any_specification_is_answered_in_words(
    client: TestClient, materials: dict[str, str], spec: Any
) -> None:
    if isinstance(spec, dict):
        spec = {key: materials[key] if spec[key] in ("md_1", "ds_1") else spec[key] for key in spec}
    for address in ("/api/v1/studies/plan", "/api/v1/studies"):
        in_words(
            client.post(
                address, content=written(spec), headers={"Content-Type": "application/json"}
            )
        )
    emptied(client, "studies")


def emptied(client: TestClient, what: str) -> None:
    """Check that a list is there, and empty it again."""
    answer = client.get(f"/api/v1/{what}")
    assert answer.status_code == 200, answer.text
    for found in answer.json():
        in_words(client.get(f"/api/v1/{what}/{found['id']}"))
        if found["name"] != MATERIALS:
            assert client.delete(f"/api/v1/{what}/{found['id']}").status_code == 204


@WORKED_ON
@given(
    name=TEXTS,
    labels=st.lists(TEXTS, min_size=1, max_size=5),
    title=TEXTS,
)
def test_any_words_of_an_upload_are_answered_in_words(
    client: TestClient, name: str, labels: list[str], title: str
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        rows = np.arange(80.0).reshape(20, 4)
        for member, array in (("X", rows), (name, np.resize(np.array(labels), 20))):
            held = io.BytesIO()
            np.save(held, array)
            info = zipfile.ZipInfo("placeholder")
            info.filename = member.encode("utf-8", "replace").decode() + ".npy"
            archive.writestr(info, held.getvalue())
    fields = {"name": title.encode("utf-8", "replace").decode()}
    files = {"file": ("data.npz", buffer.getvalue())}
    in_words(client.post("/api/v1/datasets", files=files, data=fields))
    emptied(client, "datasets")


@SHARED
@given(name=TEXTS, filename=TEXTS, ending=st.sampled_from([".csv", ".npz"]), content=st.binary())
def test_any_form_is_answered_in_words(
    client: TestClient, name: str, filename: str, ending: str, content: bytes
) -> None:
    title = re.sub(r'[\r\n"]', "", filename) + ending
    for codec in ("utf-8", "unicode_escape"):
        body = b"".join(
            (
                b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\n',
                name.encode("raw_unicode_escape"),
                b'\r\n--x\r\nContent-Disposition: form-data; name="file"; filename="',
                title.encode("raw_unicode_escape"),
                b'"\r\n\r\n',
                content,
                b"\r\n--x--\r\n",
            )
        )
        kind = f"multipart/form-data; boundary=x; charset={codec}"
        in_words(client.post("/api/v1/datasets", content=body, headers={"Content-Type": kind}))
    emptied(client, "datasets")


@SHARED
@given(said=st.lists(st.sampled_from(MESSAGES).flatmap(changed), min_size=1, max_size=4))
def test_any_message_is_answered_in_words(client: TestClient, said: list[Any]) -> None:
    with client.websocket_connect("/api/v1/donor/socket") as socket:
        socket.send_text(json.dumps(HELLO))
        assert socket.receive_json()["type"] == "welcome"
        for message in said:
            socket.send_text(written(message).decode())
            answer = socket.receive_json()
            assert answer.get("error", {}).get("code") != "internal", message
