"""Submitting from Python and the command line: what is said, what is left behind, what goes on."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import numpy as np
import pandas as pd
import pytest

import potluck
from potluck.cli import main
from tests.support.coordinator import Coordinator
from tests.support.keras_files import dense_h5
from tests.support.scripted_donor import ScriptedDonor, random_result
from tests.support.visiting import bearer, users_key
from tests.support.waiting import PATIENCE_S, until

RNG = np.random.default_rng(8)
CARS = "mpg,cylinders,weight,model_year\n" + "".join(
    ",".join(f"{value:.4f}" for value in row) + "\n" for row in RNG.normal(size=(60, 4))
)


def rows(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Make rows for `dense_h5`: four numbers, three classes."""
    return np.random.default_rng(seed).normal(size=(60, 4)), np.arange(60) % 3


@pytest.fixture
def client(coordinator: Coordinator) -> Iterator[potluck.Client]:
    with potluck.Client(coordinator.url) as found:
        yield found


def kept(coordinator: Coordinator) -> tuple[list[str], list[str], set[str]]:
    """List models, datasets, and the bytes on disk."""
    with potluck.Client(coordinator.url) as client:
        models = [model.id for model in client.models()]
        datasets = [dataset.id for dataset in client.datasets()]
    folder = coordinator.data / "artifacts"
    assert folder.is_dir()
    return models, datasets, {path.name for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("model", "data", "options", "code"),
    [
        (b"\x89HDF\r\n\x1a\nno model", rows(1), {}, "model."),
        (dense_h5(), {"x": rows(2)[0]}, {}, "dataset."),
        (dense_h5(), rows(3), {"metric": "r2"}, "pipeline."),
        (dense_h5(), rows(4), {"loss": "mean_squared_error"}, "pipeline."),
        (dense_h5(), CARS.encode(), {}, "pipeline."),
        (dense_h5(), b"a,b\n1\n", {}, "dataset."),
    ],
)
def test_a_refused_submit_leaves_nothing_behind(
    coordinator: Coordinator,
    client: potluck.Client,
    model: bytes,
    data: object,
    options: dict[str, object],
    code: str,
) -> None:
    before = kept(coordinator)
    with pytest.raises(potluck.BadInput) as caught:
        client.submit(model, data, **options)  # type: ignore[arg-type]  # passed on
    assert caught.value.code.startswith(code)
    assert kept(coordinator) == before


def test_what_was_there_before_a_refused_submit_stays(
    coordinator: Coordinator, client: potluck.Client
) -> None:
    network = dense_h5()
    model, dataset = client.upload_model(network), client.upload_data(rows(5))
    before = kept(coordinator)
    for given in ((network, rows(5)), (model, dataset)):
        with pytest.raises(potluck.BadInput):
            client.submit(*given, target="y", metric="r2")
    assert kept(coordinator) == before


class Interrupted(httpx2.HTTPTransport):
    """A person presses Ctrl-C while the study is asked for."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "POST" and request.url.path.endswith("/studies"):
            raise KeyboardInterrupt
        return super().handle_request(request)


def test_ctrl_c_in_a_submit_leaves_nothing_behind(coordinator: Coordinator) -> None:
    before = kept(coordinator)
    with (
        potluck.Client(coordinator.url, transport=Interrupted()) as client,
        pytest.raises(KeyboardInterrupt),
    ):
        client.submit(dense_h5(), rows(6))
    assert kept(coordinator) == before


def test_an_upload_whose_sender_has_gone_is_not_kept(coordinator: Coordinator) -> None:
    before = kept(coordinator)
    table = b"a,y\n" + b"".join(b"%d,%d\n" % (i * i, i % 2) for i in range(50_000))
    body = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
        + table
        + b"\r\n--b--\r\n"
    )
    address = urlsplit(coordinator.url)
    with socket.create_connection((address.hostname or "", address.port or 0)) as gone:
        head = (
            f"POST /api/v1/datasets HTTP/1.1\r\nHost: {address.netloc}\r\n"
            f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        gone.sendall(head.encode() + body)
    with potluck.Client(coordinator.url) as client:
        for seed in range(70, 73):  # one worker reads them in turn, after the one that was left
            client.delete_dataset(client.upload_data(rows(seed)))
    until(lambda: kept(coordinator) == before, what="nothing that was left behind")


def test_the_same_bytes_are_one_entry(client: potluck.Client) -> None:
    network = dense_h5()
    models = {client.upload_model(network, name).id for name in ("one", "two")}
    datasets = {client.upload_data(rows(7), name).id for name in ("one", "two")}
    assert (len(models), len(datasets)) == (1, 1)
    assert [model.id for model in client.models()].count(*models) == 1
    other = client.upload_data(rows(8))
    assert other.id not in datasets


def test_a_model_that_a_study_uses_cannot_be_deleted(
    coordinator: Coordinator, client: potluck.Client
) -> None:
    study = client.submit(dense_h5(), rows(9), trials=1, epochs=1)
    mine = bearer(users_key(coordinator.url))
    address = f"{coordinator.url}/api/v1/models/{study.spec.model_id}"
    answer = httpx2.delete(address, headers=mine)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "model.in_use")
    address = f"{coordinator.url}/api/v1/datasets/{study.spec.dataset_id}?unused=true"
    study.stop()
    answer = httpx2.delete(address, headers=mine)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "dataset.in_use")
    study.delete()


def test_what_was_understood_is_said_in_five_lines(
    client: potluck.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    x, y = rows(10)
    arrays = {"image": x, "age": x[:, 0], "label": y}
    search = {"learning_rate": [0.1, 0.01]}
    study = client.submit(dense_h5(), arrays, search, trials=2, epochs=3, rungs=2)
    said = capsys.readouterr().err.splitlines()
    assert said[:5] == [
        "Target: label (classification, 3 classes: 0, 1, 2)",
        "Features: 1 (image), as an input of 4",
        "Rows: 36 train, 12 validate, 12 are sealed to test",
        "Loss: sparse_categorical_crossentropy; trials are ranked by accuracy, larger is better",
        "Search: 2 trials of 3 epochs, 4 units in all",
    ]
    assert any(line.startswith("Warning: age was left out") for line in said)
    study.delete()
    client.submit(dense_h5(), arrays, trials=2, quiet=True).delete()
    assert capsys.readouterr().err == ""


def test_a_bundled_datasets_target_is_known(client: potluck.Client) -> None:
    study = client.submit(dense_h5(), "iris", trials=1, quiet=True)
    assert study.spec.pipeline.target == "species"
    study.delete()


def test_an_index_that_was_left_out_is_said(
    client: potluck.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    x, y = rows(14)
    frame = pd.DataFrame(x, columns=list("abcd"), index=pd.Index(np.arange(60), name="day"))
    client.submit(dense_h5(), (frame, y), trials=1).delete()
    assert 'The index "day" was left out' in capsys.readouterr().err
    client.submit(dense_h5(), (frame, y), trials=1, quiet=True).delete()
    assert capsys.readouterr().err == ""


def test_a_folder_of_a_bundled_datasets_name_is_not_taken_for_it(
    coordinator: Coordinator,
    client: potluck.Client,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "iris").mkdir()
    (tmp_path / "m.h5").write_bytes(dense_h5())
    (tmp_path / "study.yaml").write_text("model: m.h5\ndata: iris\ntrials: 1\n")
    where = ("--url", coordinator.url)
    assert run("submit", str(tmp_path / "study.yaml"), *where) == 2
    said = capsys.readouterr().err
    assert "is a folder" in said
    assert "'bundled:iris'" in said
    monkeypatch.chdir(tmp_path)
    with pytest.raises(potluck.BadArgument, match="is a folder") as refusal:
        client.submit(dense_h5(), "iris")
    assert "'bundled:iris'" in str(refusal.value)
    client.submit(dense_h5(), "bundled:iris", trials=1, quiet=True).delete()
    with pytest.raises(potluck.BadArgument, match="is a folder"):
        client.upload_data("iris")


def run(*arguments: str) -> int:
    """Run the command line here; give its exit status."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    code = caught.value.code
    assert code is None or isinstance(code, int)
    return code or 0


def test_after_ctrl_c_the_command_line_names_a_command_that_goes_on(
    coordinator: Coordinator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m.h5").write_bytes(dense_h5())
    written = "model: m.h5\ndata: iris\ntrials: 1\nepochs: 1\n"
    (tmp_path / "study.yaml").write_text(written)
    command = [sys.executable, "-m", "potluck", "submit", str(tmp_path / "study.yaml"), "--wait"]
    waiter = subprocess.Popen(
        [*command, "--url", coordinator.url],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert waiter.stdout is not None
    said = ""
    while "units, " not in said:  # the first line of progress
        line = waiter.stdout.readline()
        assert line, said
        said += line
    waiter.send_signal(signal.SIGINT)
    said += waiter.communicate(timeout=PATIENCE_S)[0]
    assert waiter.returncode == 130
    assert "Traceback" not in said
    study = said.partition("Study ")[2].partition(":")[0]
    where = ("--url", coordinator.url)
    assert f"potluck wait {study} --url {coordinator.url}" in said
    assert "0/1 units" in said

    assert run("save", study, str(tmp_path / "best.keras"), *where) == 1  # nothing is scored yet
    assert run("stop", study, *where) == 0
    assert f"potluck resume {study} --url {coordinator.url}" in capsys.readouterr().out
    assert run("wait", study, *where) == 1
    assert "stopped" in capsys.readouterr().err
    assert run("stop", study, *where) == 1
    assert run("resume", study, *where) == 0
    assert run("wait", study, "--timeout", "0", *where) == 1
    with ScriptedDonor(coordinator.url) as donor:
        lease = donor.await_lease()
        donor.complete(lease, random_result(donor, lease))
        capsys.readouterr()
        assert run("wait", study, "--timeout", str(PATIENCE_S), *where) == 0
    assert "completed" in capsys.readouterr().out
    assert run("save", study, str(tmp_path / "best.keras"), *where) == 0
    assert (tmp_path / "best.keras").stat().st_size > 1000
    assert run("wait", "st_none", *where) == 1


def test_units_are_counted_as_planned(
    client: potluck.Client, coordinator: Coordinator, capsys: pytest.CaptureFixture[str]
) -> None:
    search = {"learning_rate": potluck.Float(0.001, 0.1)}
    study = client.submit(
        dense_h5(), rows(12), search, trials=30, epochs=4, rungs=2, repeats=2, quiet=True
    )
    assert study.refresh().record.units_planned == study.plan.units == 120
    assert run("status", study.id, "--url", coordinator.url) == 0
    assert "Units: 0 of 120 scored" in capsys.readouterr().out
    assert study.extend(2).record.units_planned == study.plan.units == 128
    assert study.stop().record.units_planned == 0
    study.delete()
    folded = client.submit(dense_h5(), rows(13), search, trials=3, folds=2, epochs=1, quiet=True)
    assert folded.refresh().record.units_planned == folded.plan.units == 7
    folded.delete()
