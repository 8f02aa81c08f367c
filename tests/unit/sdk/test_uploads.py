"""What may be passed as a model or as data, and the bytes that leave."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import sklearn.datasets
import sklearn.utils
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from potluck import BadArgument
from potluck.arrays import npz
from potluck.data_upload import data_file
from potluck.frames import index_left_out
from potluck.model_upload import model_files
from potluck_converter import read_model
from potluck_coordinator.pipeline import read_dataset

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"


def sent(data: object) -> tuple[str, bytes, str | None]:
    with data_file(data) as (_, (field, (name, content)), target):
        assert field == "file"
        return name, content if isinstance(content, bytes) else content.read(), target


def arrays_of(content: bytes) -> dict[str, np.ndarray[Any, Any]]:
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


@given(
    hnp.arrays(
        st.sampled_from([np.float32, np.float64, np.int8, np.int64, np.uint8, np.bool_]),
        hnp.array_shapes(min_dims=1, max_dims=4, max_side=4),
    )
)
def test_arrays_arrive_as_they_were_and_never_as_objects(array: np.ndarray[Any, Any]) -> None:
    found = arrays_of(npz({"file": array}))["file"]
    assert found.dtype.kind != "O"
    assert np.array_equal(found, array, equal_nan=array.dtype.kind == "f")


def test_the_same_arrays_give_the_same_bytes() -> None:
    assert npz({"x": np.arange(9.0)}) == npz({"x": np.arange(9.0)})
    assert npz({"x": np.arange(9.0)}) != npz({"x": np.arange(1.0, 10.0)})


def test_a_pair_of_arrays_is_an_npz_whose_target_is_y() -> None:
    name, content, target = sent(([[1.0, 2.0], [3.0, 4.0]], ["a", "b"]))
    assert (name, target) == ("data.npz", "y")
    found = arrays_of(content)
    assert found["x"].dtype == np.float64
    assert found["y"].tolist() == ["a", "b"]


def test_text_kept_as_objects_becomes_text() -> None:
    found = arrays_of(npz({"y": np.array(["ab", "c"], dtype=object)}))["y"]
    assert found.dtype.kind == "U"


@pytest.mark.parametrize(
    "data",
    [
        (np.zeros(3), np.zeros(4)),
        {"x": np.array([1, "a", None], dtype=object)},
        {"x": np.zeros(3, dtype=complex)},
        {"x": np.float32(1)},
        {"x": [[1, 2], [3]]},
        {},
        3,
        "no such file.csv",
        (pd.DataFrame({"a": [1, 2]}), [1, 2, 3]),
        (pd.DataFrame({"target": [1, 2]}), [1, 2]),
    ],
)
def test_data_that_cannot_be_sent_is_refused(data: object) -> None:
    with pytest.raises(BadArgument):
        sent(data)


@pytest.mark.parametrize("library", [pd, pl])
def test_a_frame_is_a_csv_that_reads_back_the_same(library: Any) -> None:
    frame = library.DataFrame({"a": [1.5, 2.0], "b": ["x,y", 'z"']})
    name, content, target = sent(frame)
    assert (name, target) == ("data.csv", None)
    assert library.read_csv(io.BytesIO(content)).equals(frame)


@pytest.mark.parametrize("library", [pd, pl])
def test_a_frame_and_a_column_are_a_csv_with_a_target(library: Any) -> None:
    frame = library.DataFrame({"a": [1.5, 2.0]})
    labels = library.Series(name="kind", data=["x", "y"]) if library is pd else pl.Series(
        "kind", ["x", "y"]
    )  # fmt: skip
    _, content, target = sent((frame, labels))
    assert target == "kind"
    assert content.decode().splitlines() == ["a,kind", "1.5,x", "2.0,y"]
    assert frame.shape == (2, 1)


def read(content: bytes) -> Any:
    return read_dataset(content, "data.csv").columns


@pytest.mark.parametrize("library", [pd, pl])
@pytest.mark.parametrize("word", ["NA", "null", "NULL", "nan", "NaN", "N/A", "None"])
def test_a_word_of_a_frame_stays_a_word(library: Any, word: str) -> None:
    frame = library.DataFrame({"a": [1.5, 2.0, None], "region": [word, "EU", None]})
    _, content, _ = sent(frame)
    column = read(content)["region"]
    assert column.vocabulary == tuple(sorted([word, "EU"]))
    assert column.codes[2] == -1
    assert np.array_equal(read(content)["a"].values, [1.5, 2.0, np.nan], equal_nan=True)


def test_missing_values_of_a_file_stay_missing() -> None:
    columns = read(b'a,b,c\n1,"NA",NA\n2,3,x\n,"",y\n')
    assert np.array_equal(columns["a"].values, [1, 2, np.nan], equal_nan=True)
    assert np.array_equal(columns["b"].values, [np.nan, 3, np.nan], equal_nan=True)
    assert (columns["c"].vocabulary, columns["c"].codes.tolist()) == (("x", "y"), [-1, 0, 1])


@pytest.mark.parametrize("kind", ["csr_matrix", "csc_array", "coo_matrix"])
def test_a_sparse_matrix_is_sent_with_its_zeros(kind: str) -> None:
    dense = np.array([[0.0, 1.0], [2.0, 0.0]])
    _, content, _ = sent((getattr(scipy.sparse, kind)(dense), [0, 1]))
    assert np.array_equal(arrays_of(content)["x"], dense)


def test_a_sparse_matrix_too_large_to_write_out_is_refused() -> None:
    large = scipy.sparse.csr_matrix((10**6, 10**6))
    with pytest.raises(BadArgument, match="1000000 x 1000000"):
        sent((large, np.zeros(10**6)))


@pytest.mark.parametrize("as_frame", [False, True])
def test_a_bunch_is_its_data_and_target(as_frame: bool) -> None:
    bunch = sklearn.datasets.load_iris(as_frame=as_frame)
    name, content, _ = sent(bunch)
    if as_frame:
        assert name == "data.csv"
        assert read(content)["target"].values.tolist() == bunch.target.tolist()
    else:
        assert np.array_equal(arrays_of(content)["x"], bunch.data)
        assert np.array_equal(arrays_of(content)["y"], bunch.target)


@pytest.mark.parametrize(
    "column",
    [
        pd.DataFrame({"kind": ["x", "y"]}),
        pl.DataFrame({"kind": ["x", "y"]}),
        pd.Series(["x", "y"], name="kind", index=[7, 9]),
        pd.Series(["x", "y"], name="kind", dtype="category"),
        pd.Series(["x", "y"], name="kind", dtype="string"),
    ],
)
def test_a_target_of_one_column_is_that_column(column: Any) -> None:
    library = pl if isinstance(column, pl.DataFrame) else pd
    _, content, target = sent((library.DataFrame({"a": [1.5, 2.0]}), column))
    assert target == "kind"
    assert read(content)["kind"].vocabulary == ("x", "y")
    _, content, _ = sent((np.zeros((2, 3)), column))
    assert arrays_of(content)["y"].tolist() == ["x", "y"]


def test_a_target_of_the_shape_n_1_is_one_column() -> None:
    _, content, _ = sent((np.zeros((2, 3)), np.array([[1], [2]])))
    assert arrays_of(content)["y"].tolist() == [1, 2]
    _, content, _ = sent((pd.DataFrame({"a": [1, 2]}), np.array([[1.5], [2.5]])))
    assert read(content)["target"].values.tolist() == [1.5, 2.5]


def test_nullable_columns_keep_their_numbers_and_what_is_missing() -> None:
    whole = pd.array([1, None, 3], dtype="Int64")
    frame = pd.DataFrame({"a": whole, "b": pd.array([True, None, False], dtype="boolean")})
    _, content, _ = sent((frame, pd.Series(whole, name="y")))
    for name in ("a", "y"):
        assert np.array_equal(read(content)[name].values, [1, np.nan, 3], equal_nan=True)
    found = arrays_of(npz({"a": pd.Series(whole)}))["a"]
    assert np.array_equal(found, [1, np.nan, 3], equal_nan=True)


@pytest.mark.parametrize("library", [pd, pl])
def test_dates_become_days(library: Any) -> None:
    times = np.array(["1970-01-02", "1970-01-01T12:00", "NaT"], dtype="datetime64[us]")
    frame = library.DataFrame({"when": times, "took": times - times[1]})
    _, content, _ = sent(frame)
    assert np.array_equal(read(content)["when"].values, [1, 0.5, np.nan], equal_nan=True)
    assert np.array_equal(read(content)["took"].values, [0.5, 0, np.nan], equal_nan=True)
    assert np.array_equal(arrays_of(npz({"t": times}))["t"], [1, 0.5, np.nan], equal_nan=True)
    zoned = pd.DataFrame({0: pd.to_datetime(["1970-01-02", "1970-01-03"], utc=True)})
    assert read(sent(zoned)[1])["0"].values.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (((np.zeros(2), np.zeros(2)), (np.zeros(1), np.zeros(1))), "one pair"),
        ((pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1], "c": [2]})), "one value a row"),
        (pd.DataFrame({"a": [[1, 2], [3]]}), "'a' holds"),
        (pl.DataFrame({"a": [[1, 2], [3]]}), "'a' holds"),
        (pd.DataFrame({("a", "b"): [1], ("a", "c"): [2]}), "several levels"),
        (pd.DataFrame({"a": [1j]}), "complex"),
        (pd.DataFrame({"a": [1j, "x"]}), "'a' holds"),
        (pd.DataFrame({"a": [b"x", b"y"]}), "'a' holds bytes.*decode"),
        (pd.DataFrame({"a": [None, bytearray(b"y")]}), "'a' holds bytes.*decode"),
        (pd.DataFrame({"a": pd.Categorical([b"x", b"y"])}), "'a' holds bytes.*decode"),
        (pl.DataFrame({"a": [b"x", b"y"]}), r"'a' holds Binary.*cast\(pl.String\)"),
        (pl.DataFrame({"a": [{"b": 1}]}), "'a' holds Struct"),
        (pl.DataFrame({"a": pl.Series([[1]], dtype=pl.Array(pl.Int8, 1))}), "'a' holds Array"),
        (pl.DataFrame({"a": pl.Series([object()], dtype=pl.Object)}), "'a' holds Object"),
        (sklearn.utils.Bunch(text=[1]), "needs data and target"),
    ],
)
def test_data_of_another_form_is_refused_with_what_to_do(data: object, words: str) -> None:
    with pytest.raises(BadArgument, match=words):
        sent(data)


SALES = pd.DataFrame({"shop": ["a", "b"], "day": [1, 2], "sold": [3, 4]})


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (SALES, ""),
        (SALES[SALES.sold > 3], ""),
        (SALES.set_index("shop"), '"shop"'),
        (SALES.set_index("shop", drop=False), ""),
        (SALES.groupby(["shop", "day"]).mean(), '"shop", "day"'),
        (pl.DataFrame({"a": [1]}), ""),
    ],
)
def test_a_named_index_that_is_not_sent_is_told(frame: Any, said: str) -> None:
    for data in (frame, (frame, [0, 1]), {"x": frame}):
        found = index_left_out(data)
        assert found == (
            f"The index {said} was left out; df.reset_index() makes it columns." if said else ""
        )


def test_a_file_is_sent_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"a,b\n1,2\n")
    assert sent(path) == ("rows.csv", b"a,b\n1,2\n", None)


def model_sent(model: object) -> tuple[str, dict[str, bytes]]:
    with model_files(model) as (name, files):
        assert {field for field, _ in files} == {"files"}
        return name, {
            file: content if isinstance(content, bytes) else content.read()
            for _, (file, content) in files
        }


def tfjs_folder(folder: Path, shards: list[str]) -> Path:
    folder.mkdir()
    manifest = {"weightsManifest": [{"paths": shards, "weights": []}]}
    (folder / "model.json").write_text(json.dumps(manifest))
    return folder


def test_weight_files_of_a_browser_s_download_lie_beside_the_model(tmp_path: Path) -> None:
    folder = tfjs_folder(tmp_path / "net", ["./model.weights.bin"])
    (folder / "model.weights.bin").write_bytes(b"1")
    assert set(model_sent(folder)[1]) == {"model.json", "model.weights.bin"}
    for outside in ("./../secret.bin", "././../secret.bin", "./a/b.bin", "/etc/hosts", "./"):
        folder = tfjs_folder(tmp_path / outside.replace("/", "_"), [outside])
        with pytest.raises(BadArgument):
            model_sent(folder)


def test_an_h5_file_and_its_bytes_are_models(tmp_path: Path) -> None:
    path = tmp_path / "cnn.h5"
    path.write_bytes(HDF5_MAGIC + b"rest")
    assert model_sent(path) == ("cnn", {"cnn.h5": HDF5_MAGIC + b"rest"})
    assert model_sent(path.read_bytes()) == ("model", {"model.h5": HDF5_MAGIC + b"rest"})


def test_a_keras_file_and_its_bytes_are_models(tmp_path: Path) -> None:
    path = tmp_path / "cnn.keras"
    path.write_bytes(b"PK\x03\x04rest")
    assert model_sent(path) == ("cnn", {"cnn.keras": b"PK\x03\x04rest"})
    assert model_sent(path.read_bytes()) == ("model", {"model.keras": b"PK\x03\x04rest"})


def test_an_architecture_is_sent_with_its_weights(tmp_path: Path) -> None:
    paths = [tmp_path / "net.json", tmp_path / "net.weights.h5"]
    for path in paths:
        path.write_text(path.name)
    name, files = model_sent([str(paths[0]), paths[1]])
    assert name == "net"
    assert files == {path.name: path.name.encode() for path in paths}
    with pytest.raises(BadArgument, match="as a list"):
        model_sent(paths[0])


def test_a_tfjs_folder_is_sent_with_its_weight_files(tmp_path: Path) -> None:
    folder = tfjs_folder(tmp_path / "net", ["a.bin", "b.bin"])
    (folder / "a.bin").write_bytes(b"1")
    (folder / "b.bin").write_bytes(b"2")
    (folder / "private.txt").write_bytes(b"3")
    for given_path in (folder, folder / "model.json"):
        name, files = model_sent(given_path)
        assert name == "net"
        assert set(files) == {"model.json", "a.bin", "b.bin"}


@pytest.mark.parametrize("name", ["full.keras", "full.h5", "old.hdf5"])
def test_the_one_model_of_a_folder_is_sent(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"model")
    (tmp_path / "labels.json").write_text('["cat", "dog"]')
    (tmp_path / "notes.txt").write_text("private")
    assert model_sent(tmp_path) == (name.partition(".")[0], {name: b"model"})
    (tmp_path / "second.h5").write_bytes(b"model")
    with pytest.raises(BadArgument, match=r"several models .*second\.h5"):
        model_sent(tmp_path)


def test_a_download_of_tfjs_s_is_found_under_its_own_name(tmp_path: Path) -> None:
    folder = tfjs_folder(tmp_path / "net", ["./my-model.weights.bin"])
    (folder / "model.json").rename(folder / "my-model.json")
    (folder / "my-model.weights.bin").write_bytes(b"1")
    name, files = model_sent(folder)
    assert (name, set(files)) == ("my-model", {"my-model.json", "my-model.weights.bin"})


def test_an_architecture_in_a_folder_is_sent_with_its_weights(tmp_path: Path) -> None:
    (tmp_path / "net.json").write_text('{"class_name": "Sequential"}')
    (tmp_path / "net.weights.h5").write_bytes(b"1")
    assert set(model_sent(tmp_path)[1]) == {"net.json", "net.weights.h5"}


def test_an_unzipped_keras_file_is_sent_as_what_it_holds(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    network.save(tmp_path / "whole.keras")
    folder = tmp_path / "cnn"
    with zipfile.ZipFile(tmp_path / "whole.keras") as archive:
        archive.extractall(folder)
    name, files = model_sent(folder)
    assert name == "cnn"
    whole = read_model({"m.keras": (tmp_path / "whole.keras").read_bytes()})
    found = read_model(files)
    assert found.graph == whole.graph
    assert all(np.array_equal(found.weights[key], whole.weights[key]) for key in whole.weights)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["saved_model.pb", "keras_metadata.pb"], "a TensorFlow SavedModel"),
        (["notes.txt"], "no model in the folder"),
        ([], "no model in the folder"),
    ],
)
def test_a_folder_without_a_model_is_named_for_what_it_is(
    tmp_path: Path, names: list[str], words: str
) -> None:
    for name in names:
        (tmp_path / name).write_text('{"class_name": "Sequential"}')
    with pytest.raises(BadArgument, match=words):
        model_sent(tmp_path)


def test_a_manifest_cannot_make_other_files_leave(tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(b"s")
    folder = tfjs_folder(tmp_path / "net", ["../secret.bin"])
    with pytest.raises(BadArgument, match="outside"):
        model_sent(folder)


def test_an_empty_path_and_a_folder_without_a_model_are_told(tmp_path: Path) -> None:
    for model in ("", [""]):
        with pytest.raises(BadArgument, match="path is empty"):
            model_sent(model)
    with pytest.raises(BadArgument, match=r"no model in the folder"):
        model_sent(tmp_path)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text("[]")
    missing = tfjs_folder(tmp_path / "net", ["gone.bin"])
    for model in (
        b"PK",
        3,
        tmp_path / "none.h5",
        tmp_path / "model.json",
        missing,
        [],
        [3],
        [tmp_path / "no"],
    ):
        with pytest.raises(BadArgument):
            model_sent(model)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_keras_model_is_saved_as_h5_under_its_own_name(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    keras = pytest.importorskip("keras")
    network = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(2, name="dense")], name="small_one"
    )
    name, files = model_sent(network)
    assert name == "small_one"
    assert files["model.h5"].startswith(HDF5_MAGIC)
    assert "legacy" not in capfd.readouterr().err
