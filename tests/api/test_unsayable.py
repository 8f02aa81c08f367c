"""What cannot be said again is not taken in, whoever says it: and nothing is stored."""

from __future__ import annotations

import io
import json
import sqlite3
import zipfile
from contextlib import closing
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from tests.api.conftest import spec, stored_files, upload_data, upload_model
from tests.api.test_bad_input import assert_refused
from tests.support.keras_files import dense_h5

LABELS = np.tile(["a", "b"], 60)
ROWS = np.arange(480.0).reshape(120, 4)


def npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def beyond_unicode() -> Any:
    """Give text that NumPy holds and Python's own text cannot."""
    found = LABELS.copy()
    found.view(np.uint32)[7] = 0x110000
    return found


def with_shape(shape: str, kind: str = "<f8", body: int = 64) -> bytes:
    """Write an `.npz` whose arrays state a shape that they need not have."""
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    array = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + bytes(body)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("X.npy", array)
        archive.writestr("y.npy", array)
    return buffer.getvalue()


def bad_member_name() -> bytes:
    """Write an `.npz` with a member whose name says that it is UTF-8, and is none."""
    content = npz(X=ROWS, yé=LABELS)
    assert "yé".encode() in content
    return content.replace("yé".encode(), b"y\xff\xfe")


ARRAYS = {
    "a lone surrogate in a label": (npz(X=ROWS, y=np.tile(["a", "\ud800"], 60)), "not_text"),
    "a low surrogate in a label": (npz(X=ROWS, y=np.tile(["a", "b\udc80"], 60)), "not_text"),
    "NUL inside of a label": (npz(X=ROWS, y=np.tile(["a", "b\0c"], 60)), "not_text"),
    "a label beyond Unicode": (npz(X=ROWS, y=beyond_unicode()), "not_text"),
    "a label beyond Unicode, big-endian": (
        npz(X=ROWS, y=beyond_unicode().astype(">U1")),
        "not_text",
    ),
    "a blank column name": (npz(**{"X": ROWS, " \u200b": LABELS}), "column_name"),
    "a column name that turns": (npz(**{"X": ROWS, "a\u202eb": LABELS}), "column_name"),
    "a column name with a bell": (npz(**{"X": ROWS, "a\x07b": LABELS}), "column_name"),
    "a column name without an end": (npz(**{"X": ROWS, "a" * 600: LABELS}), "column_name"),
    "a member name that is no UTF-8": (bad_member_name(), "not_npz"),
    "a negative shape": (with_shape("(-1, -8)"), "not_npz"),
    "a shape with one negative axis": (with_shape("(8, -1)"), "not_npz"),
    "a vast shape of nothing": (with_shape("(0, 10000000000000000000000)", body=0), "not_npz"),
    "a vast shape of empty text": (with_shape("(1000000000000,)", "<U0", 0), "not_npz"),
    "forty axes": (with_shape("(" + "1, " * 40 + ")", body=8), "not_npz"),
}


@pytest.mark.parametrize("what", ARRAYS)
def test_arrays_that_cannot_be_said_again_are_refused(client: TestClient, what: str) -> None:
    content, code = ARRAYS[what]
    before = stored_files(client)
    assert_refused(upload_data(client, content, "data.npz"), f"dataset.{code}")
    assert stored_files(client) == before
    assert client.get("/api/v1/datasets").status_code == 200


def test_labels_of_every_script_are_taken(client: TestClient) -> None:
    labels = np.tile(["naïve", "日本", "עברית", "\U0001f600", "", "ab\u200f"], 20)
    answer = upload_data(client, npz(X=ROWS, y=labels), "scripts.npz")
    assert answer.status_code == 201, answer.text
    table = '"a\nb",c\n1,x\n2,y\n3,x\n'
    assert upload_data(client, table.encode(), "line.csv").status_code == 201


def test_a_table_with_a_name_that_turns_is_refused(client: TestClient) -> None:
    before = stored_files(client)
    answer = upload_data(client, "a,b\u202ec\n1,2\n3,4\n".encode())
    assert_refused(answer, "dataset.column_name")
    assert stored_files(client) == before


BODIES = {
    "half a character": (b'{"name": "\\ud800"}', "request.unsayable"),
    "half a character as a name": (b'{"\\udfff": 1}', "request.unsayable"),
    "half a character in bytes": (b'{"name": "\xed\xa0\x80"}', "request.unsayable"),
    "bytes that are no UTF-8": (b'{"name": "\xff"}', "request.unsayable"),
    "another encoding": ('{"name": "x"}'.encode("utf-16"), "request.unsayable"),
    "NUL": (b'{"name": "a\\u0000b"}', "request.unsayable"),
    "NaN": (b'{"name": NaN}', "request.number"),
    "infinity": (b'{"name": -Infinity}', "request.number"),
    "a number that overflows": (b'{"name": 1e999}', "request.number"),
    "a number of many digits": (b'{"name": ' + b"9" * 5000 + b"}", "request.number"),
    "a number that readers round": (b'{"name": 9007199254740993}', "request.number"),
    "lists in lists": (b"[" * 100 + b"]" * 100, "request.too_deep"),
    "lists that never end": (b"[" * 40_000, "request.too_deep"),
    "very many values": (b"[" + b"," * 60_000, "request.too_many"),
}
CHANGING = (
    ("POST", "/api/v1/studies"),
    ("POST", "/api/v1/studies/plan"),
    ("POST", "/api/v1/studies/st_1/extend"),
    ("POST", "/api/v1/models/md_1/fitted"),
    ("POST", "/api/v1/session"),
    ("POST", "/api/v1/donor/abort"),
)


@pytest.mark.parametrize("what", BODIES)
def test_json_that_cannot_be_said_again_is_refused(client: TestClient, what: str) -> None:
    body, code = BODIES[what]
    for method, address in CHANGING:
        answer = client.request(
            method, address, content=body, headers={"Content-Type": "application/json"}
        )
        assert_refused(answer, code)


WORDS = '{"token": "\\ud800", "type": "abort", "leases": []}'
ENCODINGS = {
    "with a byte order mark": b"\xef\xbb\xbf" + WORDS.encode(),
    "in UTF-16": WORDS.encode("utf-16"),
    "in UTF-16 without a mark": WORDS.encode("utf-16-be"),
    "in UTF-16 without a mark, the other way round": WORDS.encode("utf-16-le"),
    "in UTF-32": WORDS.encode("utf-32"),
    "in UTF-32 without a mark": WORDS.encode("utf-32-le"),
}


@pytest.mark.parametrize("how", ENCODINGS)
def test_json_in_another_encoding_is_refused(client: TestClient, how: str) -> None:
    for method, address in CHANGING:
        answer = client.request(
            method, address, content=ENCODINGS[how], headers={"Content-Type": "application/json"}
        )
        assert_refused(answer, "request.unsayable")


def test_what_is_no_json_is_left_to_its_reader(client: TestClient) -> None:
    for body in (b'{"token": ', b"token", b'{"token": "\x01"}', b"{'token': 1}"):
        answer = client.post(
            "/api/v1/session", content=body, headers={"Content-Type": "application/json"}
        )
        assert_refused(answer, "request.invalid", 422)


def test_a_message_with_a_byte_order_mark_is_answered(client: TestClient) -> None:
    with client.websocket_connect("/api/v1/donor/socket") as socket:
        socket.send_text("\ufeff" + WORDS)
        answer = socket.receive_json()
        assert (answer["type"], answer["error"]["code"]) == ("problem", "request.unsayable")


def test_json_that_can_be_said_is_taken_as_before(client: TestClient) -> None:
    for body in (
        b'{"token": "\\ud83d\\ude00 \\\\u0000 \\\\ud800"}',
        '{"token": "naïve 😀"}'.encode(),
    ):
        answer = client.post(
            "/api/v1/session", content=body, headers={"Content-Type": "application/json"}
        )
        assert answer.json()["error"]["code"] == "access.token_unknown"


# Sockets carry UTF-8: no other text reaches the coordinator.
@pytest.mark.parametrize("what", [what for what in BODIES if BODIES[what][0].isascii()])
def test_a_message_that_cannot_be_said_again_is_answered(client: TestClient, what: str) -> None:
    body, code = BODIES[what]
    with client.websocket_connect("/api/v1/donor/socket") as socket:
        socket.send_text(body.decode())
        answer = socket.receive_json()
        assert (answer["type"], answer["error"]["code"]) == ("problem", code)


@pytest.mark.parametrize(
    "address",
    [
        "/api/v1/studies/%ff",
        "/api/v1/studies/a%00b",
        "/api/v1/models/%ed%a0%80",
        "/api/v1/artifacts/%00",
    ],
)
def test_an_address_that_is_no_text_is_not_found(client: TestClient, address: str) -> None:
    assert_refused(client.get(address), "address.not_found", 404)


@pytest.mark.parametrize("query", ["format=%ff", "format=%00", "format=%ed%a0%80", "%00=1"])
def test_a_query_that_is_no_text_is_refused(client: TestClient, query: str) -> None:
    assert_refused(client.get(f"/api/v1/models/md_1/file?{query}"), "request.unsayable")


def test_a_number_that_no_database_holds_is_refused(client: TestClient) -> None:
    for number in ("99999999999999999999", "-1", "9" * 5000):
        answer = client.get(f"/api/v1/studies/st_1/trials/{number}")
        assert_refused(answer, "request.invalid", 422)


def test_the_codec_of_a_form_cannot_bring_in_half_a_character(client: TestClient) -> None:
    before = stored_files(client)
    for field in ("name", "file"):
        name = "\\ud800" if field == "name" else "plain"
        filename = "\\ud800.csv" if field == "file" else "a.csv"
        body = (
            f'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\n{name}\r\n--x\r\n'
            f'Content-Disposition: form-data; name="file"; filename="{filename}"\r\n\r\n'
            "a,b\n1,2\n3,4\n\r\n--x--\r\n"
        ).encode()
        kind = "multipart/form-data; boundary=x; charset=unicode_escape"
        answer = client.post("/api/v1/datasets", content=body, headers={"Content-Type": kind})
        assert_refused(answer, "request.form")
    assert stored_files(client) == before


def change_database(client: TestClient, statement: str, *values: str) -> None:
    """Do what no version of today would do to the database."""
    folder = client.app.state.site.settings.data  # type: ignore[attr-defined]
    with closing(sqlite3.connect(folder / "potluck.sqlite3", timeout=30)) as connection:
        assert connection.execute(statement, values).rowcount == 1
        connection.commit()


def test_one_bad_row_never_breaks_a_list(client: TestClient) -> None:
    whole = upload_data(client, b"a,b\n1,2\n3,4\n5,6\n", "whole.csv").json()["id"]
    half = upload_data(client, b"a,half\n1,2\n3,4\n5,7\n", "half.csv").json()["id"]
    broken = upload_data(client, b"a,c\n1,2\n3,4\n5,8\n", "broken.csv").json()["id"]
    change_database(
        client,
        "UPDATE dataset SET profile = replace(profile, '\"half\"', '\"\\ud800\"') WHERE id = ?",
        half,
    )
    change_database(client, "UPDATE dataset SET profile = '[]' WHERE id = ?", broken)
    answer = client.get("/api/v1/datasets")
    assert answer.status_code == 200
    found = {dataset["id"]: dataset for dataset in answer.json()}
    assert whole in found
    assert [column["name"] for column in found[half]["profile"]["columns"]] == ["a", "\ufffd"]
    assert broken not in found
    assert client.get(f"/api/v1/datasets/{half}").json() == found[half]
    for dataset in (whole, half, broken):
        assert client.delete(f"/api/v1/datasets/{dataset}").status_code == 204


def test_one_bad_model_never_breaks_a_list(client: TestClient, model_id: str) -> None:
    other = upload_model(client, dense_h5(activation="sigmoid")).json()["id"]
    change_database(client, "UPDATE model SET report = '{}' WHERE id = ?", other)
    found = [model["id"] for model in client.get("/api/v1/models").json()]
    assert model_id in found
    assert other not in found
    assert client.delete(f"/api/v1/models/{other}").status_code == 204


def test_one_bad_study_never_breaks_a_list(client: TestClient, model_id: str, iris_id: str) -> None:
    made = [
        client.post("/api/v1/studies", json=spec(model_id, iris_id, name=name)).json()["id"]
        for name in ("Whole", "Half", "Broken")
    ]
    change_database(
        client,
        "UPDATE study SET spec = json_set(spec, '$.description', json('\"\\ud800\"')) WHERE id = ?",
        made[1],
    )
    change_database(client, "UPDATE study SET spec = '{}' WHERE id = ?", made[2])
    found = {study["id"]: study for study in client.get("/api/v1/studies").json()}
    assert found[made[0]]["name"] == "Whole"
    assert found[made[1]]["description"] == "\ufffd"
    assert made[2] not in found
    for study in made:
        assert client.delete(f"/api/v1/studies/{study}").status_code == 204


def json_h5(change: Any) -> bytes:
    """Write a good `.h5` with another text for its architecture."""
    import h5py

    buffer = io.BytesIO(dense_h5())
    with h5py.File(buffer, "r+") as file:
        config = file.attrs["model_config"]
        text = config if isinstance(config, str) else config.decode()
        del file.attrs["model_config"]
        file.attrs["model_config"] = change(text)
    return buffer.getvalue()


def layer_names_h5() -> bytes:
    import h5py

    buffer = io.BytesIO(dense_h5())
    with h5py.File(buffer, "r+") as file:
        file["model_weights"].attrs["layer_names"] = np.array([b"hidden\xff", b"out"])
    return buffer.getvalue()


MODELS = {
    "half a character in a name": lambda: json_h5(lambda t: t.replace('"hidden"', '"\\ud800"')),
    "NUL in a name": lambda: json_h5(lambda t: t.replace('"hidden"', '"hid\\u0000den"')),
    "bytes that are no UTF-8": lambda: json_h5(
        lambda t: np.bytes_(t.encode().replace(b'"hidden"', b'"h\xff"'))
    ),
    "a list of names that is no UTF-8": layer_names_h5,
}


@pytest.mark.parametrize("what", MODELS)
def test_a_model_whose_words_cannot_be_said_again_is_refused(client: TestClient, what: str) -> None:
    before = stored_files(client)
    assert_refused(upload_model(client, MODELS[what]()), "model.unreadable")
    assert stored_files(client) == before


def test_a_tfjs_model_whose_words_cannot_be_said_again_is_refused(client: TestClient) -> None:
    before = stored_files(client)
    text = json.dumps({"modelTopology": {"model_config": {"class_name": "\ud800"}}})
    assert_refused(upload_model(client, text.encode(), "model.json"), "model.unreadable")
    raw = b'{"modelTopology": {"model_config": {"class_name": "\xff"}}}'
    assert_refused(upload_model(client, raw, "model.json"), "model.unreadable")
    assert stored_files(client) == before
