"""Submitting a model of another width: the refusal names the way out, and it can be taken."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import potluck
from tests.api.test_submitting import kept, run
from tests.support.coordinator import Coordinator
from tests.support.keras_files import dense_h5

TOWNS = "town,size,kind\n" + "".join(f"t{i % 40},{i},{i % 3}\n" for i in range(240))
OPTIONS = {"target": "kind", "features": ["town", "size"], "trials": 1, "epochs": 1}


@pytest.fixture
def client(coordinator: Coordinator) -> Iterator[potluck.Client]:
    with potluck.Client(coordinator.url) as found:
        yield found


@pytest.fixture(scope="module")
def towns(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("towns") / "towns.csv"
    path.write_text(TOWNS)
    return path


def test_the_refusal_names_the_argument_and_the_flag(
    coordinator: Coordinator, client: potluck.Client, towns: Path
) -> None:
    before = kept(coordinator)
    with pytest.raises(potluck.BadInput) as caught:
        client.submit(dense_h5(), str(towns), **OPTIONS)  # type: ignore[arg-type]  # passed on
    assert "fit_first_layer=True" in caught.value.hint
    assert "--fit-first-layer" in str(caught.value)
    assert "41 numbers" in caught.value.hint
    assert kept(coordinator) == before


def test_a_fitted_model_is_submitted_in_its_place_and_it_is_said(
    client: potluck.Client, towns: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = client.submit(dense_h5(), str(towns), fit_first_layer=True, **OPTIONS)  # type: ignore[arg-type]  # passed on
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("Fitted: model, 41 inputs. The first layer, hidden, starts anew: 41")
    assert said[0].endswith("The study itself begins with fresh weights (init: fresh).")
    assert said[1] == "Target: kind (classification, 3 classes: 0, 1, 2)"
    assert study.plan.input_shape == [41]
    model = next(one for one in client.models() if one.id == study.spec.model_id)
    assert model.report.fitted is not None
    assert model == client.fit_model(model.report.fitted.model_id, 41)
    study.delete()


def test_a_model_that_fits_is_left_alone(
    client: potluck.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    model = client.upload_model(dense_h5())
    study = client.submit(model, "iris", fit_first_layer=True, trials=1)
    assert study.spec.model_id == model.id
    assert "Fitted" not in capsys.readouterr().err
    study.delete()


def test_a_submit_that_is_refused_after_the_fit_leaves_nothing_behind(
    coordinator: Coordinator, client: potluck.Client, towns: Path
) -> None:
    before = kept(coordinator)
    search = {"layers.hidden.units": [2], "layers.nowhere.units": [3]}
    with pytest.raises(potluck.BadInput) as caught:
        client.submit(dense_h5(6), str(towns), search, fit_first_layer=True, **OPTIONS)  # type: ignore[arg-type]  # passed on
    assert caught.value.code == "model.override_unknown_layer"
    assert kept(coordinator) == before


@pytest.mark.parametrize("width", [0, 2.5, "7", True])
def test_a_width_that_is_none_is_refused_here(client: potluck.Client, width: object) -> None:
    with pytest.raises(potluck.BadArgument, match="width must be a whole number"):
        client.fit_model("md_1", width)  # type: ignore[arg-type]  # what is tested


@pytest.mark.parametrize("said_by", ["flag", "file"])
def test_the_command_line_and_the_study_file_can_ask_for_it(
    coordinator: Coordinator,
    client: potluck.Client,
    towns: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    said_by: str,
) -> None:
    (tmp_path / "net.h5").write_bytes(dense_h5())
    (tmp_path / "towns.csv").write_bytes(towns.read_bytes())
    written = (
        "model: net.h5\ndata: towns.csv\ntarget: kind\nfeatures: [town, size]\n"
        "trials: 1\nepochs: 1\n"
    )
    path = tmp_path / "study.yaml"
    path.write_text(written)
    where = ("--url", coordinator.url)
    assert run("submit", str(path), *where) == 1
    assert "--fit-first-layer" in capsys.readouterr().err
    if said_by == "file":
        path.write_text(f"{written}fit_first_layer: true\n")
    flag = ("--fit-first-layer",) if said_by == "flag" else ()
    assert run("submit", str(path), *flag, *where) == 0
    said = capsys.readouterr().err
    assert said.startswith("Fitted: ")
    assert ", 41 inputs. The first layer, hidden, starts anew: 41 × 8 weights" in said
    client.studies()[0].delete()
