from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from potluck_converter import read_model
from potluck_converter.commands import add_to
from potluck_converter.conversion import read_path
from tests.unit.converter.oracles import FIXTURES, keras2


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.callback()(lambda: None)
    add_to(app)
    return app


def test_an_h5_becomes_tfjs_and_an_h5_again(app: typer.Typer, tmp_path: Path) -> None:
    source = str(FIXTURES / "keras2_cnn.h5")
    first = CliRunner().invoke(app, ["convert", source, str(tmp_path / "web")])
    assert first.exit_code == 0, first.output
    assert "Conv2D" in first.output
    back = CliRunner().invoke(
        app, ["convert", str(tmp_path / "web"), str(tmp_path / "back"), "--to", "h5"]
    )
    assert back.exit_code == 0, back.output
    written = read_path(tmp_path / "back" / "model.h5")
    assert written.graph == read_model({"m.h5": keras2("cnn").content}).graph


def test_a_refusal_ends_with_status_1_and_the_reason(app: typer.Typer, tmp_path: Path) -> None:
    source = str(FIXTURES / "keras2_weights_only.h5")
    done = CliRunner().invoke(app, ["convert", source, str(tmp_path / "out")])
    assert done.exit_code == 1
    assert "model.weights_only" in done.output
    assert not (tmp_path / "out").exists()


def test_a_missing_file_is_said_to_be_missing(app: typer.Typer, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["convert", str(tmp_path / "no.h5"), str(tmp_path)])
    assert done.exit_code == 1
    assert "no such file" in done.output
