"""On an open coordinator a study is its submitter's and the operator's, and nobody else's."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from potluck_coordinator.core.visitors import owner_of
from tests.support.coordinator import Coordinator
from tests.support.earlier import make_private
from tests.support.keras_files import dense_h5
from tests.support.programs import child_environment
from tests.support.scripted_donor import ScriptedDonor, random_result
from tests.support.visiting import (
    CSRF,
    ask_who,
    bearer,
    code,
    first_event,
    key_of,
    open_page,
    sign_in,
    somebody,
    submit,
    upload,
    users_key,
)
from tests.support.waiting import until

NOT_YOURS = (403, "access.not_yours")


@dataclass(frozen=True)
class People:
    """Whoever is at one open coordinator."""

    ann: httpx2.Client
    bob: httpx2.Client
    plain: httpx2.Client
    operator: httpx2.Client

    @property
    def others(self) -> tuple[httpx2.Client, httpx2.Client]:
        """Give those who did not make Ann's things: another browser, and curl."""
        return self.bob, self.plain


@pytest.fixture
def people(coordinator: Coordinator) -> Iterator[People]:
    """Give two browsers that nobody knows yet, plain curl, and the operator."""
    url = coordinator.url
    with ExitStack() as stack:
        operator = somebody(url, coordinator.operator_token())
        made = (open_page(url), open_page(url), somebody(url), operator)
        yield People(*(stack.enter_context(one) for one in made))
        for study in operator.get("/studies").json():  # the next test's donor must get its own
            assert operator.delete(f"/studies/{study['id']}").status_code == 204


@pytest.fixture
def scored(coordinator: Coordinator, people: People) -> Any:
    """Give Ann's study, public and completed."""
    study = submit(people.ann)
    address = f"/studies/{study['id']}"
    with ScriptedDonor(coordinator.url) as donor:
        lease = donor.await_lease()
        assert lease.unit.submitter == "anyone"
        donor.complete(lease, random_result(donor, lease))
    until(lambda: people.plain.get(address).json()["state"] == "completed", what="the study's end")
    return people.plain.get(address).json()


ACTS = [
    ("POST", "/stop", None),
    ("POST", "/resume", None),
    ("POST", "/extend", {"trials": 1}),
    ("POST", "/test-looks", None),
    ("GET", "/best/predictions", None),
    ("GET", "/best/inputs.npz", None),
    ("DELETE", "", None),
]


def test_no_other_visitor_may_do_what_the_submitter_may(people: People, scored: Any) -> None:
    address = f"/studies/{scored['id']}"
    for other in people.others:
        for method, act, body in ACTS:
            answer = other.request(method, address + act, json=body)
            assert code(answer) == NOT_YOURS, (method, act)
    kept = people.plain.get(address).json()
    assert (kept["state"], kept["test_looks"]) == ("completed", 0)
    assert kept["plan"]["trials"] == 1


@pytest.mark.parametrize("who", ["ann", "operator"])
def test_the_submitter_and_the_operator_may_do_it_all(
    people: People, scored: Any, who: str
) -> None:
    client = getattr(people, who)
    address = f"/studies/{scored['id']}"
    assert client.get(f"{address}/best/predictions").status_code == 200
    assert client.get(f"{address}/best/inputs.npz").status_code == 200
    assert client.post(f"{address}/test-looks").status_code == 201
    assert client.post(f"{address}/extend", json={"trials": 1}).status_code == 200
    assert client.post(f"{address}/stop").json()["state"] == "stopped"
    assert client.post(f"{address}/resume").json()["state"] == "running"
    assert client.delete(address).status_code == 204


def test_each_is_told_whether_a_study_is_theirs(people: People, scored: Any) -> None:
    study_id = scored["id"]
    for client, mine in (
        (people.ann, True),
        (people.operator, True),
        (people.bob, False),
        (people.plain, False),
    ):
        listed = next(s for s in client.get("/studies").json() if s["id"] == study_id)
        told = json.loads(first_event(client, study_id).removeprefix("data:"))
        alone = client.get(f"/studies/{study_id}").json()
        assert [s["may_edit"] for s in (listed, told, alone)] == [mine] * 3


def test_models_and_datasets_are_their_uploaders(people: People, scored: Any) -> None:
    model = f"/models/{scored['spec']['model_id']}"
    dataset = f"/datasets/{scored['spec']['dataset_id']}"
    running = submit(people.ann)  # an ended study's rows are deleted sooner or later
    entries = people.ann.get(f"/studies/{running['id']}/ledger").json()["entries"]
    parts = next(e for e in entries if e["kind"] == "encoded")["body"]["parts"]
    train = parts[0]["train"]
    spec = scored["spec"]
    for other in people.others:
        for address in ("/models", "/datasets"):
            assert other.get(address).json() == []
        for address in (model, f"{model}/file"):
            assert code(other.get(address)) == (404, "model.not_found")
        assert code(other.get(dataset)) == (404, "dataset.not_found")
        assert code(other.delete(model)) == (404, "model.not_found")
        assert code(other.delete(dataset)) == (404, "dataset.not_found")
        assert code(other.get(f"/artifacts/{train}")) == (404, "artifact.not_found")
        for address in ("/studies", "/studies/plan"):
            assert code(other.post(address, json=spec)) == (404, "model.not_found")
    for mine in (people.ann, people.operator):
        assert scored["spec"]["model_id"] in [m["id"] for m in mine.get("/models").json()]
        assert scored["spec"]["dataset_id"] in [d["id"] for d in mine.get("/datasets").json()]
        assert mine.get(f"{model}/file").status_code == 200
        assert mine.get(f"/artifacts/{train}").status_code == 200
    assert people.ann.delete(f"/studies/{running['id']}").status_code == 204
    assert people.ann.delete(dataset).status_code == 204


def test_the_same_bytes_are_each_visitors_own(people: People) -> None:
    first, second = upload(people.ann), upload(people.bob)
    assert first["model_id"] != second["model_id"]
    assert first["dataset_id"] != second["dataset_id"]
    assert people.ann.delete(f"/datasets/{first['dataset_id']}").status_code == 204
    assert people.bob.get(f"/datasets/{second['dataset_id']}").json()["deleted"] is False


def test_no_study_is_private_on_an_open_coordinator(people: People) -> None:
    study = submit(people.ann)
    private = {**study["spec"], "visibility": "private"}
    assert people.ann.post("/studies/plan", json=study["spec"]).status_code == 200
    for client in (people.ann, people.operator):
        for address in ("/studies", "/studies/plan"):
            refused = client.post(address, json=private)
            assert code(refused) == (422, "study.private_on_open")
            error = refused.json()["error"]
            assert error["where"] == "visibility"
            assert error["hint"]
    assert len(people.operator.get("/studies").json()) == 1


def test_a_private_study_of_before_is_seen_by_its_submitter_also_when_it_is_deleted(
    coordinator: Coordinator, people: People
) -> None:
    study = submit(people.ann)
    make_private(coordinator.data, study["id"])
    address = f"/studies/{study['id']}"
    assert study["may_edit"] is True
    for part in ("", "/ledger", "/leaderboard", "/events"):
        for other in people.others:
            assert code(other.get(address + part)) == (404, "study.not_found")
    assert study["id"] not in people.bob.get("/studies").text
    assert study["id"] in people.ann.get("/studies").text
    assert people.ann.delete(address).status_code == 204
    for other in people.others:
        assert code(other.get(f"{address}/ledger")) == (404, "study.not_found")
    for mine in (people.ann, people.operator):
        assert mine.get(f"{address}/ledger").json()["entries"][-1]["kind"] == "delete"
    assert people.ann.delete(f"/datasets/{study['spec']['dataset_id']}").status_code == 204
    # Nothing says whose it was any more.
    assert code(people.ann.get(f"{address}/ledger")) == (404, "study.not_found")
    assert people.operator.get(f"{address}/ledger").status_code == 200


def test_a_browsers_changes_need_its_own_secret(coordinator: Coordinator, people: People) -> None:
    study = submit(people.ann)
    stop = f"/studies/{study['id']}/stop"
    for wrong in ("", "no such secret", people.bob.headers[CSRF]):
        assert code(people.ann.post(stop, headers={CSRF: wrong})) == (403, "access.csrf")
    with somebody(coordinator.url) as bare:
        bare.cookies.update(people.ann.cookies)
        assert code(bare.post(stop)) == (403, "access.csrf")
    assert people.ann.post(stop).status_code == 200


def test_a_key_lasts_a_year_from_the_last_visit_and_no_script_reads_it(
    coordinator: Coordinator,
) -> None:
    with open_page(coordinator.url) as page:
        first = key_of(page)
        answer = page.get("/session")
        cookie = answer.headers["set-cookie"].lower()
        assert key_of(page) == first
        assert first not in answer.text
        assert answer.headers["cache-control"] == "no-store"
        for word in ("httponly", "samesite=lax", "max-age=31536000", "path=/"):
            assert word in cookie
        assert "secure" not in cookie


def test_a_cookie_that_is_no_key_is_replaced(coordinator: Coordinator) -> None:
    good = "potluck_visitor_" + "a" * 43
    for odd in (good[:-1], good + "a", "a" * 59, good[:-1] + "!", "anyone", "x" * 5000, ""):
        with somebody(coordinator.url) as page:
            page.cookies.set("potluck_visitor", odd, domain="127.0.0.1")
            session = page.get("/session")
            assert session.status_code == 200
            assert "potluck_visitor=potluck_visitor_" in session.headers["set-cookie"]
            assert odd == "" or f"potluck_visitor={odd};" not in session.headers["set-cookie"]


def test_a_forged_key_is_refused_and_not_repeated(coordinator: Coordinator, people: People) -> None:
    study = submit(people.ann)
    forged = ["potluck_visitor_short", "potluck_visitor_" + "a" * 44, "potluck_visitor_"]
    for key in forged:
        answer = people.plain.get("/session", headers=bearer(key))
        assert code(answer) == (401, "access.visitor_key")
        assert key not in answer.text.replace("potluck_visitor_ and 43", "")
    owner = owner_of(key_of(people.ann))
    for key in ("anyone", owner, owner.partition(":")[2]):
        answer = people.plain.post(f"/studies/{study['id']}/stop", headers=bearer(key))
        assert code(answer) == (401, "access.token_unknown")
    with somebody(coordinator.url, "potluck_visitor_" + "a" * 43) as stranger:
        assert code(stranger.post(f"/studies/{study['id']}/stop")) == NOT_YOURS
    with somebody(coordinator.url, key_of(people.ann)) as program:
        assert program.post(f"/studies/{study['id']}/stop").status_code == 200


def test_nothing_tells_a_submitters_key_or_owner(
    coordinator: Coordinator, people: People, scored: Any
) -> None:
    address = f"/studies/{scored['id']}"
    told = [
        client.get(place).text
        for client in (people.ann, people.bob, people.plain, people.operator)
        for place in (
            address,
            "/studies",
            f"{address}/leaderboard",
            f"{address}/curves",
            f"{address}/trials/0",
            f"{address}/ledger",
            f"{address}/best",
            f"{address}/test-looks",
            "/ledger",
            "/models",
            "/datasets",
            "/status",
        )
    ]
    told += [first_event(client, scored["id"]) for client in (people.ann, people.bob)]
    told += [people.bob.post(f"{address}/stop").text, people.plain.delete(address).text]
    people.ann.post(f"{address}/extend", json={"trials": 1})
    told += [people.ann.post(f"{address}/stop").text, people.bob.get(f"{address}/ledger").text]
    key = key_of(people.ann)
    for secret in (key, key[-43:], owner_of(key), owner_of(key)[7:23], people.ann.headers[CSRF]):
        assert not any(secret in text for text in told)
        assert not any(secret in line for line in coordinator.lines)
    entries = people.bob.get(f"{address}/ledger").json()["entries"]
    acts = {e["kind"]: e["body"] for e in entries}
    assert acts["study"]["submitter"] == scored["submitter"] == "anyone"
    assert acts["stop"]["by"] == acts["extend"]["by"] == "anyone"


def test_what_comes_without_a_key_is_the_operators_alone(people: People) -> None:
    study = submit(people.plain)
    address = f"/studies/{study['id']}"
    assert study["may_edit"] is False
    assert people.plain.get("/datasets").json() == []
    dataset = f"/datasets/{study['spec']['dataset_id']}"
    for client in (people.plain, people.ann):
        refused = client.post(f"{address}/stop")
        assert code(refused) == NOT_YOURS
        assert "operator" in refused.json()["error"]["expected"]
        assert code(client.delete(dataset)) == (404, "dataset.not_found")
    # Nor may a key's holder look at such rows by a study of their own.
    assert code(people.ann.post("/studies", json=study["spec"])) == (404, "model.not_found")
    assert people.operator.post(f"{address}/stop").status_code == 200
    assert people.operator.delete(dataset).status_code == 204


def test_a_browser_that_signs_in_keeps_what_it_made_before(
    coordinator: Coordinator, people: People
) -> None:
    token = people.operator.post("/tokens", json={"name": "ann"}).json()["token"]
    before = submit(people.ann)
    assert sign_in(people.ann, token)["signed_in"] is True
    after = submit(people.ann)
    assert (before["submitter"], after["submitter"]) == ("anyone", "ann")
    mine = {d["id"] for d in people.ann.get("/datasets").json()}
    assert mine == {before["spec"]["dataset_id"], after["spec"]["dataset_id"]}
    stop = "/studies/{}/stop"
    with open_page(coordinator.url) as elsewhere:
        sign_in(elsewhere, token)
        assert code(elsewhere.post(stop.format(before["id"]))) == NOT_YOURS
        assert elsewhere.get(f"/studies/{after['id']}").json()["may_edit"] is True
    wrong = people.ann.post(stop.format(before["id"]), headers={CSRF: people.bob.headers[CSRF]})
    assert code(wrong) == (403, "access.csrf")
    assert people.ann.post(stop.format(before["id"])).status_code == 200
    assert people.ann.delete("/session").status_code == 200
    ask_who(people.ann)
    assert people.ann.get(f"/studies/{before['id']}").json()["may_edit"] is True
    assert code(people.ann.post(stop.format(after["id"]))) == NOT_YOURS


def test_no_account_goes_by_a_visitors_name(people: People) -> None:
    for name in ("anyone", owner_of(key_of(people.ann))):
        refused = people.operator.post("/tokens", json={"name": name})
        assert code(refused) == (400, "access.name_reserved")


def test_visits_leave_no_rows(coordinator: Coordinator) -> None:
    def rows() -> int:
        with sqlite3.connect(coordinator.data / "potluck.sqlite3") as found:
            return int(found.execute("SELECT count(*) FROM browser_session").fetchone()[0])

    before = rows()
    keys = set()
    for _ in range(20):
        with open_page(coordinator.url) as page:
            keys.add(key_of(page))
    assert len(keys) == 20
    assert rows() == before


def test_a_user_stops_in_another_process_what_they_submitted(
    coordinator: Coordinator,
    people: People,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def potluck_stop(study_id: str, user: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "potluck", "stop", study_id, "--url", coordinator.url]
        environment = child_environment({"POTLUCK_CONFIG": str(tmp_path / user)})
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    monkeypatch.setenv("POTLUCK_CONFIG", str(tmp_path / "ann"))
    client = coordinator.client()
    study = client.submit(dense_h5(), "iris", {"learning_rate": [0.1, 0.2]})
    make_private(coordinator.data, study.id)
    key = users_key(coordinator.url)
    monkeypatch.setenv("POTLUCK_CONFIG", str(tmp_path / "bob"))
    assert [client.studies(), client.models(), client.datasets()] == [[], [], []]
    public = coordinator.client().submit(dense_h5(), "iris", {"learning_rate": [0.1, 0.2]})

    refused = potluck_stop(public.id, "ann")
    assert refused.returncode == 1
    assert "access.not_yours" in refused.stderr
    assert "study.not_found" in potluck_stop(study.id, "bob").stderr
    stopped = potluck_stop(study.id, "ann")
    assert (stopped.returncode, stopped.stderr) == (0, "")
    assert people.operator.get(f"/studies/{study.id}").json()["state"] == "stopped"
    assert not any(key in text for text in (refused.stderr, stopped.stdout, *coordinator.lines))
