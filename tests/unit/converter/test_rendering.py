from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from potluck_converter import (
    ConversionError,
    Limits,
    Model,
    from_files,
    memory_for,
    read_model,
    render_isolated,
    to_files,
    write_tfjs,
)
from potluck_converter.isolation import ADDRESSES
from tests.unit.converter.oracles import keras2


@pytest.fixture(scope="module")
def model() -> Model:
    """Give a model as a coordinator keeps it."""
    return from_files(*to_files(read_model({"m.h5": keras2("cnn").content})))


@pytest.fixture
def kept(model: Model, tmp_path: Path) -> tuple[Path, Path]:
    """Give the files that a coordinator keeps of a model."""
    paths = tmp_path / "graph", tmp_path / "weights"
    for path, content in zip(paths, to_files(model), strict=True):
        path.write_bytes(content)
    return paths


@pytest.mark.parametrize("kind", ["h5", "keras", "tfjs"])
def test_the_file_of_a_subprocess_is_the_same_model(
    kind: str, model: Model, kept: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / f"model.{kind}"
    render_isolated(*kept, kind, out)
    files = {out.name: out.read_bytes()}
    if kind == "tfjs":
        with zipfile.ZipFile(io.BytesIO(files[out.name])) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        assert files == write_tfjs(model)
    read = read_model(files)
    assert all(np.array_equal(read.weights[name], model.weights[name]) for name in model.weights)


def test_of_a_checkpoint_the_averages_are_written_in_the_weights_place(
    model: Model, kept: tuple[Path, Path], tmp_path: Path
) -> None:
    averages = {name: value + 1 for name, value in model.weights.items()}
    tensors = {f"weights/{name}": value for name, value in model.weights.items()}
    tensors |= {f"optimizer/average/{name}": value for name, value in averages.items()}
    kept[1].write_bytes(save(tensors))
    out = tmp_path / "model.h5"
    render_isolated(*kept, "h5", out)
    read = read_model({"m.h5": out.read_bytes()})
    assert all(np.array_equal(read.weights[name], averages[name]) for name in averages)


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(seconds=0.01), "model.too_slow"),
        (Limits(memory_bytes=64 << 20), "model.too_large"),
        (Limits(output_bytes=64), "model.too_large"),
    ],
    ids=["time", "memory", "output"],
)
def test_a_subprocess_that_passes_its_limits_ends_with_an_error(
    limits: Limits, code: str, kept: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "model.h5"
    with pytest.raises(ConversionError) as caught:
        render_isolated(*kept, "h5", out, limits)
    assert caught.value.code == code
    assert caught.value.hint
    assert not out.exists()


def test_the_limit_of_a_subprocess_grows_with_the_file_as_far_as_the_limits_say() -> None:
    small, large, most = (memory_for(size) for size in (0, 10 << 20, 1 << 40))
    assert small.hard < large.hard < most.hard == Limits().memory_bytes
    assert all(one.need == one.hard - ADDRESSES for one in (small, large, most))
