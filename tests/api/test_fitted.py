"""A model's first layer fitted to the width of the rows: the offer, the act, and who may."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from potluck_converter import read_model
from potluck_coordinator.app import create_app
from potluck_coordinator.services.fitting import fitted_name
from potluck_coordinator.settings import Settings
from tests.api.conftest import spec, stored_files, upload_data, upload_model
from tests.api.test_access import bearer
from tests.support.fresh import fresh
from tests.support.keras_files import dense_h5, digits_h5, saved

TOWNS = b"town,size,kind\n" + b"".join(b"t%d,%d,%d\n" % (i % 40, i, i % 3) for i in range(240))
FEWER = b"town,size,kind\n" + b"".join(b"t%d,%d,%d\n" % (i % 30, i, i % 3) for i in range(240))


def fit(client: TestClient, model: str, width: Any, **options: Any) -> Any:
    return client.post(f"/api/v1/models/{model}/fitted", json={"width": width}, **options)


def refused(client: TestClient, model: str, dataset: str) -> Any:
    """Plan a study that cannot be; give the refusal."""
    pipeline = {"target": "kind", "features": ["town", "size"]}
    answer = client.post("/api/v1/studies/plan", json=spec(model, dataset, pipeline=pipeline))
    assert answer.status_code == 400, answer.text
    return answer.json()["error"]


def planned(client: TestClient, model: str, dataset: str) -> Any:
    pipeline = {"target": "kind", "features": ["town", "size"]}
    answer = client.post("/api/v1/studies/plan", json=spec(model, dataset, pipeline=pipeline))
    assert answer.status_code == 200, answer.text
    return answer.json()


def weights(client: TestClient, model: str) -> dict[str, Any]:
    content = client.get(f"/api/v1/models/{model}/file?format=keras").content
    return dict(read_model({"m.keras": content}).weights)


def test_a_refused_width_carries_the_offer_that_mends_it(client: TestClient, model_id: str) -> None:
    data = upload_data(client, TOWNS).json()["id"]
    before = stored_files(client)
    error = refused(client, model_id, data)
    assert stored_files(client) == before
    assert error["code"] == "pipeline.input_mismatch"
    offer = error["offer"]
    assert (offer["model_id"], offer["width"], offer["was"]) == (model_id, 41, 4)
    assert offer["layers"] == ["hidden"]
    assert offer["text"].startswith("The first layer, hidden, starts anew: 41 × 8 weights")

    answer = fit(client, offer["model_id"], offer["width"])
    assert answer.status_code == 201, answer.text
    model = answer.json()
    assert model["name"] == "m, 41 inputs"
    assert list(model["report"]["input_shapes"].values()) == [[41]]
    told = model["report"]["fitted"]
    assert (told["model_id"], told["model_name"], told["was"]) == (model_id, "m.h5", 4)
    assert told["text"] == offer["text"]
    assert planned(client, model["id"], data)["input_shape"] == [41]

    old, new = weights(client, model_id), weights(client, model["id"])
    assert new["hidden/kernel"].shape == (41, 8)
    same = [name for name in old if np.array_equal(old[name], new[name])]
    assert same == [name for name in old if name != "hidden/kernel"]


def test_the_same_model_and_width_are_one_entry(client: TestClient, model_id: str) -> None:
    first = fit(client, model_id, 12)
    again = fit(client, model_id, 12)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    own = fit(client, model_id, 4)
    assert (own.status_code, own.json()["id"]) == (200, model_id)


def test_a_fitted_model_is_fitted_again_from_the_uploaded_one(
    client: TestClient, model_id: str
) -> None:
    fitted = fit(client, model_id, 41).json()["id"]
    data = upload_data(client, FEWER).json()["id"]
    offer = refused(client, fitted, data)["offer"]
    assert (offer["model_id"], offer["width"], offer["was"]) == (model_id, 31, 4)
    assert fit(client, fitted, 31).json() == fit(client, model_id, 31).json()
    assert fit(client, fitted, 4).json()["id"] == model_id
    four = b"a,b,c,d,kind\n" + b"".join(
        b"%d,%d,%d,%d,%d\n" % (i, i * i % 7, i % 5, i * 3 % 11, i % 3) for i in range(90)
    )
    narrow = upload_data(client, four).json()["id"]
    pipeline = {"target": "kind", "features": ["a", "b", "c", "d"]}
    answer = client.post("/api/v1/studies/plan", json=spec(fitted, narrow, pipeline=pipeline))
    back = answer.json()["error"]["offer"]
    assert (back["model_id"], back["width"], back["layers"]) == (model_id, 4, [])


def test_where_the_uploaded_model_is_gone_the_fitted_one_is_fitted(client: TestClient) -> None:
    first = upload_model(client, dense_h5(6)).json()["id"]
    fitted = fit(client, first, 9).json()["id"]
    assert client.delete(f"/api/v1/models/{first}").status_code == 204
    answer = fit(client, fitted, 10)
    assert answer.status_code == 201
    assert answer.json()["report"]["fitted"]["model_id"] == fitted


def test_a_study_is_refused_with_the_offer_as_its_plan_is(
    client: TestClient, model_id: str
) -> None:
    data = upload_data(client, TOWNS).json()["id"]
    pipeline = {"target": "kind", "features": ["town", "size"]}
    answer = client.post("/api/v1/studies", json=spec(model_id, data, pipeline=pipeline))
    assert answer.status_code == 400
    assert answer.json()["error"]["offer"]["width"] == 41


def reshaped() -> bytes:
    import keras

    layers = [keras.Input((4,)), keras.layers.Reshape((2, 2)), keras.layers.Flatten()]
    return saved(keras.Sequential([*layers, keras.layers.Dense(3, activation="softmax")]))


def frozen() -> bytes:
    import keras

    first = keras.layers.Dense(8, trainable=False)
    last = keras.layers.Dense(3, activation="softmax")
    return saved(keras.Sequential([keras.Input((4,)), first, last]))


@pytest.mark.parametrize("build", [reshaped, frozen, digits_h5])
def test_no_offer_is_made_that_could_not_be_kept(client: TestClient, build: Any) -> None:
    model = upload_model(client, build()).json()["id"]
    data = upload_data(client, TOWNS).json()["id"]
    if build is not digits_h5:
        assert "offer" not in refused(client, model, data)
    before = stored_files(client), client.get("/api/v1/models").json()
    answer = fit(client, model, 41)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] == "model.cannot_fit"
    assert error["expected"]
    assert error["got"]
    assert error["hint"]
    assert (stored_files(client), client.get("/api/v1/models").json()) == before


def test_no_other_refusal_carries_an_offer(client: TestClient, model_id: str) -> None:
    out = io.BytesIO()
    np.savez(out, x=np.random.default_rng(0).normal(size=(60, 3, 2)), y=np.arange(60) % 3)
    data = upload_data(client, out.getvalue(), "a.npz").json()["id"]
    answer = client.post("/api/v1/studies/plan", json=spec(model_id, data))
    assert answer.json()["error"]["code"] == "pipeline.input_mismatch"
    assert "offer" not in answer.json()["error"]


@pytest.mark.parametrize("width", [0, -1, 1_000_001, "7", 2.5, True, None])
def test_a_width_is_a_whole_number_within_bounds(
    client: TestClient, model_id: str, width: Any
) -> None:
    answer = fit(client, model_id, width)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "request.invalid")


def test_a_fitted_model_is_no_larger_than_an_upload(client: TestClient, model_id: str) -> None:
    answer = fit(client, model_id, 900_000)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "size.upload")


def test_what_was_compiled_is_a_fitted_models_default_too(client: TestClient) -> None:
    import keras

    network = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(5, activation="relu"),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    network.compile(optimizer=keras.optimizers.Adam(0.0125), loss="sparse_categorical_crossentropy")
    model = upload_model(client, saved(network, ".keras"), "net.keras").json()["id"]
    fitted = fit(client, model, 41).json()
    data = upload_data(client, TOWNS).json()["id"]
    plan = planned(client, fitted["id"], data)
    assert plan["compiled"]["learning_rate"] == pytest.approx(0.0125)


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Give a coordinator on which submitting needs a token."""
    data = tmp_path_factory.mktemp("closed")
    settings = Settings(data=fresh(data), allowed_hosts=("testserver",), workers=1)
    with TestClient(create_app(settings)) as found:
        yield found


def test_only_a_models_owner_may_fit_it(closed: TestClient) -> None:
    admin = bearer(closed.app.state.admin_token)  # type: ignore[attr-defined]

    def submitter(name: str) -> dict[str, str]:
        answer = closed.post("/api/v1/tokens", json={"name": name}, headers=admin)
        return bearer(answer.json()["token"])

    ada, bob = submitter("ada"), submitter("bob")
    files = [("files", ("m.h5", dense_h5()))]
    model = closed.post("/api/v1/models", files=files, headers=ada).json()["id"]
    closed.cookies.clear()
    nobody = fit(closed, model, 7)
    assert (nobody.status_code, nobody.json()["error"]["code"]) == (401, "access.token_needed")
    other = fit(closed, model, 7, headers=bob)
    assert (other.status_code, other.json()["error"]["code"]) == (404, "model.not_found")
    fitted = fit(closed, model, 7, headers=ada)
    assert fitted.status_code == 201
    address = f"/api/v1/models/{fitted.json()['id']}"
    assert closed.get(address, headers=bob).status_code == 404
    assert closed.get(address, headers=ada).status_code == 200
    gone = fit(closed, "md_nothing", 7, headers=ada)
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "model.not_found")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("iris-net.keras", "iris-net, 192 inputs"),
        ("Net.H5", "Net, 192 inputs"),
        ("v1.2", "v1.2, 192 inputs"),
        (".h5", "model, 192 inputs"),
    ],
)
def test_a_fitted_model_is_named_after_the_uploaded_one(name: str, expected: str) -> None:
    assert fitted_name(name, 192) == expected
    assert len(fitted_name("x" * 120, 1_000_000)) <= 120
