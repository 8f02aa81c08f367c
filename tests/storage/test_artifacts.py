from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from potluck_coordinator.core.errors import BadInput, NotFound, TooLarge
from potluck_coordinator.storage.artifacts import ArtifactStore

DATA = bytes(range(256)) * 4000
SHA = hashlib.sha256(DATA).hexdigest()
NOBODY = "0" * 64


@pytest.fixture(params=["folder", "bucket"])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ArtifactStore:
    """Give a store in a folder, and one that reaches its bytes as a bucket's are reached."""
    if request.param == "folder":
        return ArtifactStore(tmp_path / "artifacts")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return ArtifactStore("memory:///")


async def chunks(*parts: bytes, then: Exception | None = None) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
    if then is not None:
        raise then


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_bytes_come_back_by_their_hash(store: ArtifactStore) -> None:
    async def act() -> None:
        assert await store.put(DATA) == SHA
        assert await store.get(SHA, check=True) == DATA
        assert await store.size(SHA) == len(DATA)
        assert await store.exists(SHA)
        assert b"".join([piece async for piece in await store.stream(SHA, 1000)]) == DATA
        for start, end in ((0, 1), (5, 900_000), (900_000, len(DATA) + 7)):
            found = [piece async for piece in await store.stream(SHA, start=start, end=end)]
            assert b"".join(found) == DATA[start:end]

    asyncio.run(act())
    assert store.put_sync(DATA) == SHA
    assert store.get_sync(SHA) == DATA


def test_a_worker_keeps_what_it_made(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        assert pool.submit(store.shelf().put, DATA).result() == SHA
    assert store.get_sync(SHA, check=True) == DATA


def test_no_bytes_are_an_artifact_too(store: ArtifactStore) -> None:
    sha = store.put_sync(b"")
    assert store.get_sync(sha, check=True) == b""
    assert asyncio.run(store.put_stream(chunks(), 0)) == (sha, 0)


def test_a_stream_is_kept_up_to_its_limit_inclusive(store: ArtifactStore) -> None:
    halves = DATA[:300_000], DATA[300_000:]
    assert asyncio.run(store.put_stream(chunks(*halves), len(DATA))) == (SHA, len(DATA))
    assert store.get_sync(SHA, check=True) == DATA


def test_a_stream_over_its_limit_is_refused_before_it_is_read_to_its_end(
    store: ArtifactStore, tmp_path: Path
) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1000
            yield b"x" * 1000

    with pytest.raises(TooLarge) as refusal:
        asyncio.run(store.put_stream(endless(), 5500))
    assert refusal.value.code == "size.upload"
    assert read == 6000
    assert files(tmp_path) == []


def test_a_stream_that_breaks_off_leaves_nothing(store: ArtifactStore, tmp_path: Path) -> None:
    with pytest.raises(ConnectionError):
        asyncio.run(store.put_stream(chunks(DATA, then=ConnectionError()), 10**9))
    assert files(tmp_path) == []
    assert not asyncio.run(store.exists(SHA))


def test_a_folder_holds_an_artifact_once_at_its_place_and_nothing_else(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(store.put_sync, [DATA] * 24)) == {SHA}
    asyncio.run(store.put_stream(chunks(DATA), len(DATA)))
    assert files(tmp_path) == [tmp_path / SHA[:2] / SHA[2:4] / SHA]
    assert store.local_path(SHA) == files(tmp_path)[0]


@pytest.mark.parametrize(
    ("start", "end"), [(0, 10), (5, 6), (0, len(DATA)), (1_000_000, 2_000_000), (7, 7)]
)
def test_a_range_is_the_same_as_a_slice(store: ArtifactStore, start: int, end: int) -> None:
    store.put_sync(DATA)
    assert asyncio.run(store.get_range(SHA, start, end)) == DATA[start:end]


def test_damage_is_found_when_asked_for(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    store.put_sync(DATA)
    place = store.local_path(SHA)
    assert place is not None
    place.write_bytes(DATA[:-1])
    assert store.get_sync(SHA) == DATA[:-1]
    with pytest.raises(BadInput) as refusal:
        store.get_sync(SHA, check=True)
    assert refusal.value.code == "artifact.damaged"


def test_putting_again_mends_what_was_damaged_in_a_folder(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    store.put_sync(DATA)
    place = store.local_path(SHA)
    assert place is not None
    place.write_bytes(b"")
    store.put_sync(DATA)
    assert store.get_sync(SHA, check=True) == DATA


def test_what_was_deleted_is_gone_and_may_come_again(store: ArtifactStore) -> None:
    store.put_sync(DATA)
    asyncio.run(store.delete(SHA))
    asyncio.run(store.delete(SHA))
    with pytest.raises(NotFound):
        store.get_sync(SHA)
    assert store.put_sync(DATA) == SHA
    assert store.get_sync(SHA) == DATA


@pytest.mark.parametrize(
    "name", [NOBODY, "", "../../etc/passwd", "a" * 63, "A" * 64, "/" * 64, "a" * 64 + "\n"]
)
def test_a_name_that_nothing_has_is_not_found_in_every_way(store: ArtifactStore, name: str) -> None:
    for asking in (store.get(name), store.size(name), store.stream(name)):
        with pytest.raises(NotFound) as refusal:
            asyncio.run(asking)
        assert refusal.value.code == "artifact.not_found"
    with pytest.raises(NotFound):
        asyncio.run(store.get_range(name, 0, 1))
    with pytest.raises(NotFound):
        store.get_sync(name)
    assert not asyncio.run(store.exists(name))
