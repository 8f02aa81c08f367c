from __future__ import annotations

import io
import json
import os
import re
import shutil
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from potluck.protocol.records import ModelReport
from potluck_converter import (
    ConversionError,
    commands,
    read_model,
    write_keras_h5,
    write_tfjs,
)
from potluck_converter.commands import add_to
from potluck_converter.sources import read_path
from tests.unit.converter.oracles import FIXTURES, L, chain, keras2, save_h5


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


def run(*arguments: str | Path) -> tuple[int, str, str]:
    """Run the command as `potluck convert` does; give its status, output and errors."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = commands.run([str(argument) for argument in arguments])
    return status, out.getvalue(), err.getvalue()


CNN = FIXTURES / "keras2_cnn.h5"


def test_the_report_is_printed_as_json(tmp_path: Path) -> None:
    status, out, err = run(CNN, tmp_path / "m.keras", "--json")
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert found.pop("written") == [str(tmp_path / "m.keras")]
    assert ModelReport.model_validate(found).source == "Keras 2 .h5"


@pytest.mark.parametrize("form", ["h5", "keras"])
def test_to_says_what_to_write_where_the_name_does_not(form: str, tmp_path: Path) -> None:
    assert run(CNN, tmp_path / "out", "--to", form)[0] == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == [f"keras2_cnn.{form}"]
    again = read_path(tmp_path / "out")  # a folder with one model is that model
    assert again.weights.keys() == read_path(CNN).weights.keys()


@pytest.mark.parametrize(
    ("how", "step"), [("float16", 2**-11), ("uint16", 2**-15), ("uint8", 2**-7)]
)
def test_quantized_weights_are_near_the_others_and_smaller(
    how: str, step: float, tmp_path: Path
) -> None:
    assert run(CNN, tmp_path / "plain")[0] == 0
    assert run(CNN, tmp_path / "small", "--quantize", how)[0] == 0
    plain, small = read_path(tmp_path / "plain"), read_path(tmp_path / "small")
    for name, value in plain.weights.items():
        largest = max(1.0, float(np.abs(value).max()))
        assert np.abs(value - small.weights[name]).max() <= step * largest
    weighed = [
        sum(p.stat().st_size for p in (tmp_path / name).glob("*.bin"))
        for name in ("plain", "small")
    ]
    assert weighed[1] * (4 if how == "uint8" else 2) == weighed[0]


@pytest.mark.parametrize("how", ["float16", "uint8"])
@pytest.mark.parametrize("value", [1e6, np.inf, np.nan])
def test_values_that_quantizing_would_change_are_refused_by_name(how: Any, value: float) -> None:
    model = read_path(CNN)
    name, kept = next(iter(model.weights.items()))
    weights = {**model.weights, name: np.full_like(kept, value)}
    if value == 1e6 and how == "uint8":
        read = read_model(write_tfjs(replace(model, weights=weights), quantize=how))
        assert np.allclose(read.weights[name], 1e6)
        return
    with pytest.raises(ConversionError) as caught:
        write_tfjs(replace(model, weights=weights), quantize=how)
    assert (caught.value.code, caught.value.where) == ("model.not_quantizable", name)


def blocked(folder: Path, kind: str) -> Path:
    """Make a target that cannot be written."""
    (folder / "file").write_text("here first")
    (folder / "dir.h5").mkdir()
    return {
        "a file where a folder should be": folder / "file",
        "a parent that is a file": folder / "file" / "m.h5",
        "a folder where a file should be": folder / "dir.h5",
        "a folder in a file": folder / "file" / "web",
        "a name too long": folder / ("m" * 300 + ".keras"),
    }[kind]


@pytest.mark.parametrize(
    "kind",
    [
        "a file where a folder should be",
        "a parent that is a file",
        "a folder where a file should be",
        "a folder in a file",
        "a name too long",
    ],
)
def test_what_cannot_be_written_is_refused_with_what_to_do(kind: str, tmp_path: Path) -> None:
    status, out, err = run(CNN, blocked(tmp_path, kind))
    assert (status, out) == (1, "")
    assert "model.unwritable" in err
    assert "what to do" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dir.h5", "file"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["m.onnx"],
        ["m.h5", "--to", "keras"],
        ["m.h5", "--to", "tfjs"],
        [""],
        ["m.onnx", "--to", "h5"],
    ],
)
def test_a_mistyped_ending_writes_nothing(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, err = run(CNN, *arguments)
    assert status == 1
    assert "model.unknown_ending" in err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_may_have_a_dot_in_its_name_where_it_is_meant(tmp_path: Path) -> None:
    assert run(CNN, f"{tmp_path}/web.v1/")[0] == 0
    assert run(CNN, tmp_path / "web.v2", "--to", "tfjs")[0] == 0
    assert run(CNN, tmp_path / "web.v2")[0] == 0
    assert (tmp_path / "web.v1" / "model.json").is_file()


def test_a_folder_with_a_saved_model_is_named_as_one(tmp_path: Path) -> None:
    (tmp_path / "variables").mkdir()
    (tmp_path / "saved_model.pb").write_bytes(b"\x08\x01\x12\x02ab")
    err = run(tmp_path, tmp_path / "out")[2]
    assert "SavedModel" in err
    assert "save the keras model" in err.lower()


def test_a_folder_without_a_model_or_with_two_is_refused(tmp_path: Path) -> None:
    assert "no model in this folder" in run(tmp_path, tmp_path / "out")[2]
    for name in ("a.h5", "b.h5"):
        shutil.copy(CNN, tmp_path / name)
    assert "a.h5, b.h5" in run(tmp_path, tmp_path / "out")[2]
    (tmp_path / "a.h5").unlink()
    (tmp_path / "labels.json").write_text('["cat", "dog"]')
    assert run(tmp_path, tmp_path / "out")[0] == 0


def test_pipes_and_devices_are_no_models(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.h5")
    for source in (tmp_path / "pipe.h5", Path("/dev/zero")):
        assert "no regular file" in run(source, tmp_path / "out")[2]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    shutil.copy(CNN, tmp_path / "m.h5")
    (tmp_path / "m.h5").chmod(0)
    assert "model.unreadable" in run(tmp_path / "m.h5", tmp_path / "out")[2]


def test_empty_and_misnamed_files_are_called_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "a.keras").touch()
    assert "The file is empty" in run(tmp_path / "a.keras", tmp_path / "out")[2]
    (tmp_path / "a.keras").write_text("hello there")
    assert "a text file" in run(tmp_path / "a.keras", tmp_path / "out")[2]
    (tmp_path / "a.keras").write_bytes(b"\x01\x02\x03")
    assert "a ZIP archive" in run(tmp_path / "a.keras", tmp_path / "out")[2]


def test_an_architecture_takes_its_own_weights_and_no_shards(tmp_path: Path) -> None:
    built = chain((5,), L.Dense(3, name="one"))()
    (tmp_path / "arch.json").write_text(built.to_json())
    alone = run(tmp_path / "arch.json", tmp_path / "m.h5")
    assert "model.weights_missing" in alone[2]
    (tmp_path / "group1-shard1of1.bin").write_bytes(bytes(8))
    assert "model.weights_missing" in run(tmp_path / "arch.json", tmp_path / "m.h5")[2]
    built.save_weights(tmp_path / "arch.weights.h5")
    for source in (tmp_path / "arch.json", tmp_path):
        status, _, err = run(source, tmp_path / "out" / "m.h5")
        assert status == 0, err
    kernel = read_path(tmp_path / "out" / "m.h5").weights["one/kernel"]
    assert np.array_equal(kernel, np.asarray(built.layers[0].kernel))


def test_another_model_takes_a_folder_over_and_leaves_no_old_shards(tmp_path: Path) -> None:
    web = tmp_path / "web"
    big = read_model({"m.h5": save_h5(chain((1500,), L.Dense(1500))())})
    (tmp_path / "big.h5").write_bytes(write_keras_h5(big))
    assert run(tmp_path / "big.h5", web)[0] == 0
    assert len(list(web.glob("*.bin"))) == 3
    (web / "index.html").write_text("mine")
    (web / "group9-shard1of1.bin").write_bytes(b"mine")
    assert run(CNN, web)[0] == 0
    names = ["group1-shard1of1.bin", "group9-shard1of1.bin", "index.html", "model.json"]
    assert sorted(path.name for path in web.iterdir()) == names
    assert read_path(web).weights.keys() == read_path(CNN).weights.keys()


def test_a_conversion_that_fails_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    web = tmp_path / "web"
    assert run(CNN, web)[0] == 0
    before = {path.name: path.read_bytes() for path in web.iterdir()}
    huge = save_h5(chain((2,), L.Dense(2, kernel_initializer=keras.initializers.Constant(1e6)))())
    (tmp_path / "huge.h5").write_bytes(huge)
    for target in (web, tmp_path / "new"):
        assert "not_quantizable" in run(tmp_path / "huge.h5", target, "--quantize", "float16")[2]
    assert {path.name: path.read_bytes() for path in web.iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["huge.h5", "web"]


def test_a_refused_layer_is_named_with_its_file(tmp_path: Path) -> None:
    content = save_h5(chain((2,), L.Dense(2, name="the_one"))())
    (tmp_path / "odd.h5").write_bytes(content.replace(b'"Dense"', b'"Dance"'))
    err = run(tmp_path / "odd.h5", tmp_path / "out")[2]
    assert "file: odd.h5" in err
    assert "where: the_one" in err
    assert "what to do" in err


def test_every_refusal_says_what_to_do() -> None:
    sources = Path(commands.__file__).parent.rglob("*.py")
    codes = {
        code for path in sources for code in re.findall(r'"(model\.[a-z_0-9]+)"', path.read_text())
    }
    codes -= {"model.json", "model.h5", "model.keras"}
    assert "model.too_large" in codes
    assert [code for code in sorted(codes) if not ConversionError(code, "No.").hint] == []
