"""The wide part of parity (`make test-oracle`): drawn options, whole networks, GPUs, TensorFlow."""

from __future__ import annotations

import json
import math
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from potluck_converter import read_model, write_tfjs
from tests.parity.answers import TOLERANCE, compare, compared
from tests.parity.applications import APPLICATIONS
from tests.parity.browser import ROOT, ParityPage
from tests.parity.case import draw_inputs
from tests.parity.cases import CASES, FAMILIES
from tests.parity.generated import KINDS
from tests.parity.make_keras2_oracles import KERAS2_ARCHIVE, KERAS2_CASES
from tests.parity.make_oracles import archive_of
from tests.parity.oracle import (
    Oracle,
    difference,
    load,
    made_by_keras3,
    names_in,
    predict,
)

pytestmark = [pytest.mark.oracle, pytest.mark.timeout(3600)]

TENSORFLOW = ROOT / ".venv-oracle" / "bin" / "python"
GPUS = ("webgl", "webgpu")


@pytest.mark.parametrize("kind", KINDS)
@settings(
    max_examples=25,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_options_at_random_agree_with_keras(
    page: ParityPage, kind: str, data: st.DataObject
) -> None:
    case = data.draw(KINDS[kind])
    oracle = made_by_keras3(case)
    model = read_model({"m.h5": oracle.h5})
    for backend in ("cpu", "wasm"):
        found = compare(page, backend, model, oracle, training=True)
        assert found.predictions <= TOLERANCE[backend]
        assert max(found.gradients.values()) <= TOLERANCE[backend], found.gradients
        assert found.twin > TOLERANCE[backend] or not np.any(oracle.outputs[0])


@pytest.mark.parametrize(
    ("backend", "name"),
    [(backend, name) for backend in GPUS for name in CASES],
)
def test_gpus_agree_with_keras(page: ParityPage, backend: str, name: str) -> None:
    found = compared(page, backend, name)
    assert found.predictions <= TOLERANCE[backend]
    assert found.twin > TOLERANCE[backend]
    assert all(error <= TOLERANCE[backend] for error in found.gradients.values()), found.gradients
    assert found.gradient_twins > TOLERANCE[backend] or not found.gradients


def network(name: str) -> Oracle:
    """Build one of keras.applications with weights that keep its numbers near one."""
    import tempfile

    import keras

    case = APPLICATIONS[name]
    keras.utils.set_random_seed(case.seed)
    model = case.build(keras)
    random = np.random.default_rng(case.seed)
    ranges = {"gamma": (0.8, 1.2), "variance": (0.7, 1.3), "beta": (-0.1, 0.1)}
    ranges |= {"moving_mean": (-0.1, 0.1), "bias": (-0.1, 0.1)}
    for variable in model.weights:
        for part, (low, high) in ranges.items():
            if part in variable.path.rsplit("/", 1)[-1]:
                variable.assign(random.uniform(low, high, variable.shape))
    inputs = draw_inputs(model, case)
    outputs = predict(model, inputs)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.h5"
        model.save(path)
        return Oracle(path.read_bytes(), b"", inputs, outputs, [], {})


@pytest.mark.parametrize("name", APPLICATIONS)
def test_whole_networks_agree_with_keras(page: ParityPage, name: str) -> None:
    oracle = network(name)
    assert float(np.std(oracle.outputs[0])) > 1e-2  # numbers too small would agree by themselves
    model = read_model({"m.h5": oracle.h5})
    for backend in ("cpu", "wasm", *GPUS):
        found = compare(page, backend, model, oracle, training=False)
        assert found.predictions <= TOLERANCE[backend], backend
        assert found.twin > TOLERANCE[backend], backend


def with_tensorflow(*arguments: str) -> None:
    """Run a module or script in the environment that has TensorFlow."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(
        [str(TENSORFLOW), *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def assert_afresh(fresh: Path, kept: Path) -> None:
    """Insist that what was checked in is what Keras says now."""
    assert names_in(fresh) == names_in(kept)
    for name in sorted(names_in(kept)):
        new, old = load(fresh, name), load(kept, name)
        assert difference(new.inputs, old.inputs) == 0, name
        assert difference(new.outputs, old.outputs) <= 1e-5, name
        assert new.gradients.keys() == old.gradients.keys(), name
        keys = sorted(old.gradients)
        found = difference([new.gradients[k] for k in keys], [old.gradients[k] for k in keys])
        assert found <= 1e-4, name


# Some cases are about exactly that.
@pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask")
@pytest.mark.parametrize("family", FAMILIES)
def test_oracles_of_keras_3_made_afresh_are_those_checked_in(family: str, tmp_path: Path) -> None:
    from tests.parity.make_oracles import make

    make(family, tmp_path / "fresh.zip")
    assert_afresh(tmp_path / "fresh.zip", archive_of(family))


def test_oracles_of_keras_2_made_afresh_are_those_checked_in(tmp_path: Path) -> None:
    with_tensorflow("-m", "tests.parity.make_keras2_oracles", str(tmp_path / "fresh.zip"))
    assert_afresh(tmp_path / "fresh.zip", KERAS2_ARCHIVE)


def test_weight_bytes_are_those_of_the_official_converter(tmp_path: Path) -> None:
    for name in KERAS2_CASES:
        (tmp_path / f"{name}.h5").write_bytes(load(KERAS2_ARCHIVE, name).h5)
    with_tensorflow(str(Path(__file__).with_name("official_converter.py")), str(tmp_path))
    done = [name for name in KERAS2_CASES if (tmp_path / name / "model.json").exists()]
    assert len(done) > len(KERAS2_CASES) / 2
    for name in done:
        folder = tmp_path / name
        theirs = {path.name: path.read_bytes() for path in folder.iterdir()}
        mine = write_tfjs(read_model({"m.h5": (tmp_path / f"{name}.h5").read_bytes()}))
        assert tensors(mine) == tensors(theirs), name


def tensors(files: dict[str, bytes]) -> list[tuple[int, bytes]]:
    """Give every weight's bytes, in an order that does not depend on names."""
    found = []
    for group in json.loads(files["model.json"])["weightsManifest"]:
        content, at = b"".join(files[path] for path in group["paths"]), 0
        for weight in group["weights"]:
            size = 4 * math.prod(weight["shape"])
            found.append((size, content[at : at + size]))
            at += size
    return sorted(found)
