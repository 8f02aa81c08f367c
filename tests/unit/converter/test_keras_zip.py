"""`.keras` archives that are broken or hostile, and pairs of architecture and weights."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from potluck_converter import (
    ConversionError,
    Limits,
    convert,
    read_model,
    write_keras_zip,
    write_tfjs,
)
from tests.unit.converter.oracles import CASES, oracle


@cache
def members() -> dict[str, bytes]:
    content = write_keras_zip(read_model({"m.h5": oracle("branches").content}))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(
    entries: dict[str, bytes] | list[tuple[str, bytes]], how: int = zipfile.ZIP_STORED
) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", how) as archive:
        for name, content in entries.items() if isinstance(entries, dict) else entries:
            archive.writestr(name, content)
    return target.getvalue()


def code(content: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(ConversionError) as caught:
        read_model({"m.keras": content}, limits or Limits())
    return caught.value.code


@pytest.mark.parametrize("how", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_archive_that_the_others_are_changed_from_is_good(how: int) -> None:
    model = read_model({"m.keras": packed(members(), how)})
    assert model.graph == read_model({"m.h5": oracle("branches").content}).graph


def test_a_member_that_unpacks_into_too_much_is_refused_unread() -> None:
    bomb = {**members(), "metadata.json": b" " * 10_000_000}
    assert code(packed(bomb, zipfile.ZIP_DEFLATED)) == "model.too_large"


def test_a_member_longer_than_a_file_may_be_is_refused() -> None:
    assert code(packed(members()), Limits(file_bytes=20_000)) == "model.too_large"


@pytest.mark.parametrize("name", ["../config.json", "evil.py", "words/assets/words.txt"])
def test_other_members_are_refused(name: str) -> None:
    assert code(packed({**members(), name: b"x"})) == "model.unreadable"


def test_many_members_are_refused() -> None:
    assert code(packed([(f"assets/{n}", b"") for n in range(100)])) == "model.too_large"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_twice_is_refused() -> None:
    twice = [*members().items(), ("config.json", b"{}")]
    assert code(packed(twice)) == "model.unreadable"


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5"])
def test_a_missing_member_is_named(name: str) -> None:
    left = {k: v for k, v in members().items() if k != name}
    with pytest.raises(ConversionError) as caught:
        read_model({"m.keras": packed(left)})
    assert name in caught.value.got


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.999])
def test_a_cut_off_archive_is_called_truncated(kept: float) -> None:
    whole = packed(members())
    assert code(whole[: int(len(whole) * kept)]) == "model.truncated"


def test_what_only_begins_like_an_archive_is_no_cut_off_one() -> None:
    assert code(b"PK is how this begins, and no archive") == "model.unreadable"


def test_weights_of_another_model_are_refused() -> None:
    other = write_keras_zip(read_model({"m.h5": oracle("dense").content}))
    with zipfile.ZipFile(io.BytesIO(other)) as archive:
        swapped = {**members(), "model.weights.h5": archive.read("model.weights.h5")}
    assert code(packed(swapped)) == "model.weights_mismatch"


@pytest.mark.parametrize("name", ["branches", "lstm", "batch_norm_flat"])
def test_an_architecture_and_its_weights_are_one_model(name: str) -> None:
    model, whole = CASES[name](), read_model({"m.h5": oracle(name).content})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.weights.h5"
        model.save_weights(path)
        pair = {"m.json": model.to_json().encode(), "m.weights.h5": path.read_bytes()}
    found = read_model(pair)
    assert [layer.class_name for layer in found.graph.layers] == [
        layer.class_name for layer in whole.graph.layers
    ]
    given = [np.asarray(w) for w in model.weights if "seed" not in w.path]
    assert sorted(w.tobytes() for w in given) == sorted(w.tobytes() for w in found.weights.values())


@pytest.mark.parametrize(
    ("how", "width", "most"), [("float16", 2, 1e-3), ("uint16", 2, 1e-4), ("uint8", 1, 1e-2)]
)
def test_quantized_weights_are_read_as_nearly_what_they_were(
    how: str, width: int, most: float
) -> None:
    model = read_model({"m.h5": oracle("branches").content})
    files = write_tfjs(model, quantize=how)  # type: ignore[arg-type]
    count = sum(value.size for value in model.weights.values())
    assert sum(len(v) for name, v in files.items() if name.endswith(".bin")) == width * count
    again = read_model(files)
    far = max(float(np.abs(again.weights[n] - w).max()) for n, w in model.weights.items())
    assert 0 < far < most
    head = json.loads(files["model.json"])
    head["weightsManifest"][0]["weights"][0]["quantization"]["dtype"] = "uint4"
    with pytest.raises(ConversionError):
        read_model({**files, "model.json": json.dumps(head).encode()})


def test_the_path_from_keras_to_the_web_and_back_loses_nothing(tmp_path: Path) -> None:
    model = read_model({"m.h5": oracle("branches").content})
    (tmp_path / "a.keras").write_bytes(write_keras_zip(replace(model, training_config=None)))
    told: list[int] = []
    convert(tmp_path / "a.keras", tmp_path / "web", progress=lambda done, _: told.append(done))
    found = convert(tmp_path / "web", tmp_path / "b.h5")
    again = read_model({"b.h5": (tmp_path / "b.h5").read_bytes()})
    assert again.weights.keys() == model.weights.keys()
    assert all(np.array_equal(again.weights[n], w) for n, w in model.weights.items())
    assert told[-1] == sum(w.nbytes for w in model.weights.values())
    assert found["written"] == [str(tmp_path / "b.h5")]
    with pytest.raises(ConversionError):
        convert(tmp_path / "b.h5", tmp_path / "c.keras", quantize="uint8")
