from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from potluck_coordinator.core.errors import BadDataset
from potluck_coordinator.pipeline import ReadLimits, profile, read_dataset
from potluck_coordinator.pipeline.dataset import Array, Categorical, Numeric
from tests.unit.pipeline.cases import arrays, npz


def refuse(content: bytes, limits: ReadLimits | None = None) -> str:
    with pytest.raises(BadDataset) as caught:
        read_dataset(content, "a.npz", limits)
    assert caught.value.expected
    return caught.value.code


def archive(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        for name, content in members:
            file.writestr(name, content)
    return out.getvalue()


def npy(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def test_arrays_labels_and_words_are_read_as_they_were_saved() -> None:
    x = np.arange(24, dtype=">f4").reshape(3, 4, 2)
    found = arrays(x=x, y=np.array([[1], [0], [1]]), name=np.array(["b", "a", "b"])).columns
    assert isinstance(found["x"], Array)
    assert np.array_equal(found["x"].values, x)
    assert isinstance(found["y"], Numeric)
    assert found["y"].values.tolist() == [1, 0, 1]
    assert isinstance(found["name"], Categorical)
    assert found["name"].vocabulary == ("a", "b")


def test_an_array_in_fortran_order_keeps_its_places() -> None:
    x = np.asfortranarray(np.arange(12.0).reshape(3, 4))
    found = arrays(x=x, y=[0, 1, 0]).columns["x"]
    assert isinstance(found, Array)
    assert np.array_equal(found.values, x)


def test_the_one_plain_array_is_the_likeliest_target() -> None:
    found = profile(arrays(pictures=np.zeros((2, 3, 3)), digit=[1, 2]))
    assert found.suggested_target == "digit"
    assert [column.shape for column in found.columns] == [[3, 3], []]


def test_pickled_objects_are_never_opened() -> None:
    out = io.BytesIO()
    np.save(out, np.array([{"a": 1}, None], dtype=object), allow_pickle=True)
    assert refuse(archive(("x.npy", out.getvalue()))) == "dataset.dtype"


def test_a_bomb_is_refused_by_what_it_says_of_itself() -> None:
    bomb = archive(("x.npy", npy(np.zeros((4096, 1024)))))
    assert len(bomb) < 100_000
    assert refuse(bomb, ReadLimits(unpacked_bytes=2**20)) == "dataset.too_large"
    assert refuse(bomb, ReadLimits(ratio=100)) == "dataset.too_large"


def test_a_bomb_that_lies_about_its_size_is_not_unfolded() -> None:
    bomb = bytearray(archive(("x.npy", npy(np.zeros((4096, 1024))))))
    directory = bomb.rindex(b"PK\x01\x02")
    bomb[directory + 24 : directory + 28] = (4096).to_bytes(4, "little")
    assert refuse(bytes(bomb), ReadLimits(unpacked_bytes=2**20)) == "dataset.not_npz"


def test_many_members_are_refused() -> None:
    many = archive(*((f"a{i}.npy", npy(np.zeros(1))) for i in range(9)))
    assert refuse(many, ReadLimits(members=8)) == "dataset.too_large"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"no zip at all", "dataset.not_npz"),
        (npz(x=np.zeros((3, 2)))[:-30], "dataset.not_npz"),
        (archive(("x.txt", b"text")), "dataset.not_npz"),
        (archive(("x.npy", b"not an array")), "dataset.not_npz"),
        (archive(("x.npy", npy(np.zeros(9))[:-8])), "dataset.not_npz"),
        (archive(("x.npy", npy(np.zeros(9)) + b"more")), "dataset.not_npz"),
        (archive(("x.npy", npy(np.zeros(9))), method=zipfile.ZIP_LZMA), "dataset.not_npz"),
        (archive(), "dataset.no_rows"),
        (npz(x=np.zeros((0, 4)), y=np.zeros(0)), "dataset.no_rows"),
        (npz(x=np.zeros((3, 4)), y=np.zeros(2)), "dataset.ragged"),
        (npz(x=np.float64(3)), "dataset.ragged"),
        (npz(x=np.zeros(3, dtype=np.complex64)), "dataset.dtype"),
    ],
)
def test_a_bad_archive_is_refused_with_its_code(content: bytes, code: str) -> None:
    assert refuse(content) == code


def test_a_flipped_bit_is_noticed() -> None:
    content = bytearray(archive(("x.npy", npy(np.arange(999.0))), method=zipfile.ZIP_STORED))
    content[4000] ^= 1
    assert refuse(bytes(content)) == "dataset.not_npz"
