"""Bad input: a clear error with a stable code, and nothing stored."""

from __future__ import annotations

import io
import json
import os
import zipfile
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from tests.api.conftest import SMALL, spec, stored_files, upload_data, upload_model
from tests.support.keras_files import dense_h5, saved

IRIS_HEADER = "a,b,c,d,kind\n"
IRIS_ROWS = "".join(f"{i % 7},{i % 5},{i % 3},{i % 11}.5,{'xyz'[i % 3]}\n" for i in range(60))


def assert_refused(answer: Any, code: str, status: int = 400) -> None:
    """Check an error's form: code, what was expected or what to do, and what came."""
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["code"] == code, error
    assert error["message"]
    assert error["expected"] or error["hint"], error


def lambda_h5() -> bytes:
    import keras

    double = keras.layers.Lambda(lambda x: x * 2, name="double")
    return saved(keras.Sequential([keras.Input((4,)), double, keras.layers.Dense(3)]))


def custom_h5() -> bytes:
    import keras

    @keras.saving.register_keras_serializable(package="mine")
    class Strange(keras.layers.Dense):  # type: ignore[misc]  # Keras is untyped
        pass

    return saved(keras.Sequential([keras.Input((4,)), Strange(3, name="strange")]))


def weights_only_h5() -> bytes:
    import tempfile
    from pathlib import Path

    import keras

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "only.weights.h5"
        model.save_weights(path)
        return path.read_bytes()


def linked_h5() -> bytes:
    import h5py

    buffer = io.BytesIO(dense_h5())
    with h5py.File(buffer, "r+") as file:
        place = "model_weights/hidden"
        del file[place]
        file[place] = h5py.ExternalLink("/etc/hostname", "/secret")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("make", "code", "where"),
    [
        (lambda: b"age,city\n" * 20, "model.other_format", "a text file"),
        (lambda: dense_h5()[: len(dense_h5()) // 2], "model.truncated", ""),
        (weights_only_h5, "model.weights_only", ""),
        (lambda_h5, "model.unsupported_layer", "double"),
        (custom_h5, "model.unsupported_layer", "strange"),
        (linked_h5, "model.external_link", ""),
    ],
)
def test_a_model_that_cannot_be_used_is_refused(
    client: TestClient, make: Any, code: str, where: str
) -> None:
    before = stored_files(client)
    answer = upload_model(client, make())
    assert_refused(answer, code)
    if where:
        assert where in answer.text
    assert stored_files(client) == before


def test_a_model_over_the_limit_is_refused(client: TestClient) -> None:
    before = stored_files(client)
    assert_refused(upload_model(client, os.urandom(SMALL * 2)), "size.upload", 413)
    assert_refused(upload_model(client, os.urandom(SMALL + 1000)), "size.upload", 413)
    assert stored_files(client) == before


def tfjs_files(client: TestClient, model: str) -> dict[str, bytes]:
    """Download a good TF.js rendering to spoil."""
    answer = client.get(f"/api/v1/models/{model}/file", params={"format": "tfjs"})
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_tfjs_files_round_trip_and_spoilt_shards_are_refused(
    client: TestClient, model_id: str
) -> None:
    files = tfjs_files(client, model_id)
    shard = next(name for name in files if name.endswith(".bin"))

    def post(content: dict[str, bytes]) -> Any:
        return client.post("/api/v1/models", files=[("files", (n, c)) for n, c in content.items()])

    assert post(files).status_code == 201
    before = stored_files(client)
    assert_refused(post({"model.json": files["model.json"]}), "model.shards_missing")
    assert_refused(post({**files, shard: files[shard][:-4]}), "model.shard_length")
    assert stored_files(client) == before


def bomb_npz() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_BZIP2) as archive:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {"descr": "<f4", "fortran_order": False, "shape": (15 * 2**20,)}
        )
        archive.writestr("x.npy", header.getvalue() + bytes(60 * 2**20))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        (IRIS_HEADER, "data.csv", "dataset.no_rows"),
        (IRIS_HEADER + IRIS_ROWS + "1,2\n", "data.csv", "dataset.ragged"),
        (IRIS_HEADER + IRIS_ROWS + "1,2,3,4,x,6\n", "data.csv", "dataset.ragged"),
        (bomb_npz(), "data.npz", "dataset.too_large"),
        (b"PK no zip", "data.npz", "dataset.not_npz"),
    ],
)
def test_data_that_cannot_be_read_is_refused(
    client: TestClient, content: str | bytes, name: str, code: str
) -> None:
    before = stored_files(client)
    data = content.encode() if isinstance(content, str) else content
    assert_refused(upload_data(client, data, name), code)
    assert stored_files(client) == before


def test_data_over_the_limit_is_refused_while_it_streams(client: TestClient) -> None:
    before = stored_files(client)
    assert_refused(upload_data(client, b"1,2\n" * SMALL), "size.upload", 413)
    assert stored_files(client) == before


def kept(client: TestClient, text: str) -> str:
    answer = upload_data(client, text.encode())
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


CHANGES: list[tuple[str, dict[str, Any], str]] = [
    ("a target that is not there", {"pipeline": {"target": "nope"}}, "dataset.target_missing"),
    ("more folds than rows", {"pipeline": {"split": {"folds": 200}}}, "pipeline.too_many_folds"),
    (
        "an override that names no layer",
        {"parameters": {"layers.nope.units": {"kind": "choice", "choices": [4, 8]}}},
        "model.override_unknown_layer",
    ),
    (
        "an override that changes the output",
        {"parameters": {"layers.out.units": {"kind": "choice", "choices": [3, 8]}}},
        "search.changes_output",
    ),
    (
        "low above high",
        {"parameters": {"learning_rate": {"kind": "float", "low": 0.1, "high": 0.01}}},
        "search.range_empty",
    ),
    ("rungs that do not ascend", {"rungs": [4, 2]}, "study.rungs"),
    ("rows that are not public", {"rows_are_public": False}, "study.rows_not_public"),
]


@pytest.mark.parametrize(("what", "changes", "code"), CHANGES, ids=[c[0] for c in CHANGES])
def test_a_study_that_cannot_be_is_refused(
    client: TestClient, model_id: str, iris_id: str, what: str, changes: dict[str, Any], code: str
) -> None:
    before = stored_files(client)
    answer = client.post("/api/v1/studies", json=spec(model_id, iris_id, **changes))
    assert_refused(answer, code)
    assert client.get("/api/v1/studies").json() == [], what
    assert stored_files(client) == before


ONE_CLASS = IRIS_HEADER + "".join(f"{i},{i},{i},{i},x\n" for i in range(30))
WITH_NAN = IRIS_HEADER + IRIS_ROWS.replace("1,1,1,1.5,y", "nan,1,1,1.5,y")
FOUR_KINDS = IRIS_HEADER + IRIS_ROWS.replace("x\n", "w\n", 6)
THREE_FEATURES = "a,b,c,kind\n" + "".join(
    f"{i},{i % 5},{i % 3},{'xyz'[i % 3]}\n" for i in range(60)
)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (ONE_CLASS, "dataset.one_class"),
        (WITH_NAN, "dataset.missing_values"),
        (FOUR_KINDS, "pipeline.output_mismatch"),
        (THREE_FEATURES, "pipeline.input_mismatch"),
    ],
)
def test_data_that_does_not_suit_the_model_is_refused(
    client: TestClient, model_id: str, text: str, code: str
) -> None:
    dataset = kept(client, text)
    before = stored_files(client)
    answer = client.post(
        "/api/v1/studies", json=spec(model_id, dataset, pipeline={"target": "kind"})
    )
    assert_refused(answer, code)
    assert client.get("/api/v1/studies").json() == []
    assert stored_files(client) == before


def test_a_request_that_is_no_specification_is_refused(client: TestClient) -> None:
    answer = client.post("/api/v1/studies", json={"name": "x"})
    assert_refused(answer, "request.invalid", 422)
    assert client.get("/api/v1/nothing").json()["error"]["code"] == "address.not_found"
    assert client.post("/healthz").json()["error"]["code"] == "address.method"


def test_the_error_of_an_unknown_field_names_it(
    client: TestClient, model_id: str, iris_id: str
) -> None:
    answer = client.post("/api/v1/studies", json=spec(model_id, iris_id, epochz=3))
    assert "epochz" in json.dumps(answer.json()["error"])
