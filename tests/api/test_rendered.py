"""A model's file is written once and kept, within bounds, for those who may have it."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlmodel import select

from potluck_coordinator.core.records import Rendering
from potluck_coordinator.core.turns import Kind
from potluck_coordinator.core.visitors import new_visitor_key
from potluck_coordinator.services.collection import collect
from potluck_coordinator.storage import renderings
from potluck_coordinator.storage.rendered_tables import RenderedRow
from potluck_coordinator.storage.rows import fact
from tests.support.inside import Inside, inside
from tests.support.keras_files import dense_h5, saved
from tests.support.visiting import bearer
from tests.support.waiting import PATIENCE_S, until

FORMATS = ("h5", "keras", "tfjs")


class Here:
    """A coordinator in this process, and a visitor's client on it."""

    def __init__(self, found: Inside, stack: ExitStack, key: str) -> None:
        self.inside = found
        self.site = found.site
        self._stack = stack
        self.http = self.visitor(key)

    def visitor(self, key: str | None = None) -> httpx2.Client:
        """Give a client with a visitor's key, a new one by default."""
        client = httpx2.Client(
            base_url=f"{self.inside.url}/api/v1",
            headers=bearer(key or new_visitor_key(secrets.token_bytes(32))),
            timeout=PATIENCE_S,
        )
        return self._stack.enter_context(client)

    def upload(self, content: bytes, client: httpx2.Client | None = None) -> str:
        """Upload a model; give where its file is."""
        files = [("files", ("m.keras" if content[:2] == b"PK" else "m.h5", content))]
        answer = (client or self.http).post("/models", files=files)
        assert answer.status_code == 201, answer.text
        return f"/models/{answer.json()['id']}/file"

    def get(self, address: str, format: str = "h5", **headers: str) -> httpx2.Response:
        return self.http.get(address, params={"format": format}, headers=headers)

    def rows(self) -> list[Rendering]:
        """List the files that are kept, those that were not used for longest first."""

        def look(tx: Any) -> list[Rendering]:
            return [fact(Rendering, row) for row in tx.exec(select(RenderedRow))]

        return sorted(self.site.writer.read_sync(look), key=lambda row: row.used_at)

    def stored(self) -> set[str]:
        folder = Path(self.site.settings.artifact_place())
        return {path.name for path in folder.rglob("*") if path.is_file()}

    @contextmanager
    def nothing_is_written(self) -> Iterator[None]:
        """Hold all the memory that processes beside the server may take: none can begin."""
        memory = self.site.memory
        room = self.inside.asked(memory.take(memory.budget, "The test", kind=Kind.ENCODE))
        try:
            yield
        finally:
            self.inside.asked(self._give(room))

    async def _give(self, room: Any) -> None:
        self.site.memory.give(room)


@pytest.fixture
def begin(tmp_path: Path) -> Any:
    """Give what starts a coordinator and ends it, on one data folder, with one visitor's key."""
    key = new_visitor_key(secrets.token_bytes(32))

    @contextmanager
    def on(**settings: Any) -> Iterator[Here]:
        with ExitStack() as stack:
            found = stack.enter_context(inside(tmp_path / "data", workers=1, **settings))
            yield Here(found, stack, key)

    return on


@pytest.fixture
def here(begin: Any) -> Iterator[Here]:
    with begin() as found:
        yield found


def other_h5(units: int = 5) -> bytes:
    """Save another network than `dense_h5`."""
    import keras

    return saved(keras.Sequential([keras.Input((4,)), keras.layers.Dense(units, name="out")]))


def told(answer: httpx2.Response) -> dict[str, str | None]:
    names = ("content-type", "content-length", "content-disposition", "etag", "accept-ranges")
    return {name: answer.headers.get(name) for name in names}


def test_the_second_download_starts_no_process_and_brings_the_same(here: Here) -> None:
    address = here.upload(dense_h5())
    first = {format: here.get(address, format) for format in FORMATS}
    with here.nothing_is_written():
        again = {format: here.get(address, format) for format in FORMATS}
        heads = {format: here.http.head(address, params={"format": format}) for format in FORMATS}
    names = ("model.h5", "model.keras", "model-tfjs.zip")
    for format, name in zip(FORMATS, names, strict=True):
        answer = first[format]
        assert answer.status_code == 200
        assert again[format].content == answer.content
        assert heads[format].content == b""
        assert told(answer) == told(again[format]) == told(heads[format])
        assert told(answer) == {
            "content-type": f"application/{'zip' if format == 'tfjs' else 'octet-stream'}",
            "content-length": str(len(answer.content)),
            "content-disposition": f'attachment; filename="{name}"',
            "etag": f'"{hashlib.sha256(answer.content).hexdigest()}"',
            "accept-ranges": "bytes",
        }
    assert [row.format for row in here.rows()] == list(FORMATS)
    assert {row.artifact for row in here.rows()} <= here.stored()


def test_with_nothing_kept_the_same_file_is_written_anew(begin: Any) -> None:
    with begin() as here:
        address = here.upload(dense_h5())
        kept = {format: here.get(address, format).content for format in FORMATS}
    with begin(rendered_bytes=0) as here:
        before = here.stored()
        for format in FORMATS:
            for _ in range(2):
                answer = here.get(address, format)
                assert answer.content == kept[format]
                assert answer.headers["content-disposition"].startswith("attachment; filename=")
        with here.nothing_is_written():
            waiting = ThreadPoolExecutor(1).submit(here.get, address, "h5")
            until(lambda: here.site.memory.waiting(Kind.RENDER) == 1, "a process that is asked for")
        assert waiting.result(PATIENCE_S).content == kept["h5"]
        assert here.stored() == before
        here.inside.asked(collect(here.site))  # what was kept with another setting goes
        assert here.rows() == []
        assert len(here.stored()) == len(before) - len(FORMATS)


def test_downloads_at_the_same_time_wait_for_one_process(here: Here) -> None:
    address = here.upload(dense_h5())
    with ThreadPoolExecutor(6) as pool:
        with here.nothing_is_written():
            waiting: list[Future[httpx2.Response]] = [
                pool.submit(here.get, address, "keras") for _ in range(6)
            ]
            until(lambda: here.site.downloads.total() == 6, "six downloads")
            until(lambda: here.site.memory.waiting(Kind.RENDER) == 1, "a process that is asked for")
            assert here.rows() == []
        answers = [one.result(PATIENCE_S) for one in waiting]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert len(here.rows()) == 1
    until(lambda: here.site.downloads.total() == 0, "all of them to end")


def test_who_closes_the_connection_ends_it_for_nobody_else(here: Here) -> None:
    address = here.upload(dense_h5())
    leaving = here.visitor(here.http.headers["authorization"].removeprefix("Bearer "))
    with ThreadPoolExecutor(2) as pool:
        with here.nothing_is_written():
            gone = pool.submit(leaving.get, address, timeout=0.2)
            until(lambda: here.site.downloads.total() == 1, "who will go")
            stays = pool.submit(here.get, address)
            until(lambda: here.site.downloads.total() == 2, "who will stay")
            with pytest.raises(httpx2.TransportError):
                gone.result(PATIENCE_S)
        assert stays.result(PATIENCE_S).status_code == 200
    until(lambda: here.site.downloads.total() == 0, "both to end")
    assert len(here.rows()) == 1


def test_a_kept_file_is_given_in_parts_and_only_once(here: Here) -> None:
    address = here.upload(dense_h5())
    whole = here.get(address).content
    etag = here.get(address).headers["etag"]
    size = len(whole)

    def part(asked: str, **more: str) -> httpx2.Response:
        return here.get(address, Range=asked, **more)

    for asked, start, end in (
        ("bytes=0-99", 0, 100),
        ("bytes=100-", 100, size),
        ("bytes=-7", size - 7, size),
    ):
        answer = part(asked)
        assert answer.status_code == 206
        assert answer.content == whole[start:end]
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
    assert part(f"bytes={size}-").status_code == 416
    assert part(f"bytes={size}-").headers["content-range"] == f"bytes */{size}"
    assert part("bytes=0-1,5-6").content == whole
    assert part("bytes=0-9", **{"If-Range": etag}).content == whole[:10]
    assert part("bytes=0-9", **{"If-Range": '"another"'}).content == whole
    same = here.get(address, **{"If-None-Match": etag})
    assert (same.status_code, same.content) == (304, b"")


def test_beyond_the_bound_those_that_nobody_asks_for_go_first(begin: Any) -> None:
    with begin() as here:
        addresses = [here.upload(content) for content in (dense_h5(), other_h5(5), other_h5(6))]
        sizes = [len(here.get(address).content) for address in addresses]
    with begin(rendered_bytes=sum(sizes) - 1) as here:
        here.get(addresses[0])
        before = here.stored()
        oldest = here.rows()[0]
        assert len(here.rows()) == 3  # the bound holds from the next one that is written
        here.get(addresses[0], "tfjs")
        assert oldest.artifact not in here.stored()
        kept = here.rows()
        assert sum(row.bytes for row in kept) < sum(sizes)
        assert (kept[-2].format, kept[-1].format) == ("h5", "tfjs")
        assert kept[-2].artifact in before
    with begin(rendered_bytes=min(sizes) - 1) as here:
        here.inside.asked(collect(here.site))
        assert sum(row.bytes for row in here.rows()) < min(sizes)
        before = here.stored()
        assert here.get(addresses[0]).status_code == 200  # larger than all that may be kept
        assert here.stored() == before


def test_files_that_nobody_asked_for_again_are_collected(begin: Any) -> None:
    with begin() as here:
        address = here.upload(dense_h5())
        here.get(address)
        here.inside.asked(collect(here.site))
        [row] = here.rows()
    with begin(forget_rendered_after=0) as here:
        here.inside.asked(collect(here.site))
        assert here.rows() == []
        assert row.artifact not in here.stored()
        assert here.get(address).status_code == 200


def test_files_go_with_the_last_model_that_they_are_of(here: Here) -> None:
    somebody = here.visitor()
    mine, theirs = here.upload(dense_h5()), here.upload(dense_h5(), somebody)
    content = here.get(mine).content
    with here.nothing_is_written():
        assert somebody.get(theirs).content == content  # the same bytes were written before
    [row] = here.rows()
    assert here.http.delete(mine.removesuffix("/file")).status_code == 204
    assert here.get(mine).status_code == 404
    assert row.artifact in here.stored()
    assert somebody.delete(theirs.removesuffix("/file")).status_code == 204
    assert here.rows() == []
    assert here.stored() == set()
    again = here.upload(dense_h5())
    assert here.get(again).content == content


def test_a_file_whose_model_goes_while_it_is_written_is_not_kept(here: Here) -> None:
    address = here.upload(dense_h5())
    with ThreadPoolExecutor(1) as pool:
        with here.nothing_is_written():
            waiting = pool.submit(here.get, address)
            until(lambda: here.site.memory.waiting(Kind.RENDER) == 1, "a process that is asked for")
            assert here.http.delete(address.removesuffix("/file")).status_code == 204
        waiting.result(PATIENCE_S)
    assert here.rows() == []
    assert here.stored() == set()


@pytest.mark.parametrize("loss", ["gone", "cut"])
def test_a_kept_file_that_was_lost_is_written_again(here: Here, loss: str) -> None:
    address = here.upload(dense_h5())
    content = here.get(address).content
    [row] = here.rows()
    path = here.site.artifacts.local_path(row.artifact)
    assert path is not None
    path.unlink() if loss == "gone" else path.write_bytes(content[:-1])
    assert here.get(address).content == content
    assert path.read_bytes() == content
    assert [one.artifact for one in here.rows()] == [row.artifact]


def test_files_are_kept_in_a_store_that_is_no_folder_too(begin: Any, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    with begin(artifacts=f"file://{tmp_path / 'elsewhere'}") as here:
        address = here.upload(dense_h5())
        first = here.get(address)
        with here.nothing_is_written():
            again = here.get(address)
        assert (again.content, told(again)) == (first.content, told(first))
        assert here.http.delete(address.removesuffix("/file")).status_code == 204
        assert not [path for path in (tmp_path / "elsewhere").rglob("*") if path.is_file()]


def test_what_another_version_wrote_is_written_anew(here: Here) -> None:
    address = here.upload(dense_h5())
    content = here.get(address).content
    [row] = here.rows()
    put = here.inside.asked(here.site.artifacts.put(b"an older version's"))
    older = replace(row, artifact=put, bytes=18, potluck="0.0.1")
    here.inside.asked(here.site.writer.run(lambda tx: renderings.keep(tx, older)))
    assert here.get(address).content == content
    assert [one.artifact for one in here.rows()] == [row.artifact]
    assert put not in here.stored()


def test_a_kept_file_is_had_by_its_model_alone(here: Here) -> None:
    address = here.upload(dense_h5())
    here.get(address)
    [row] = here.rows()
    for client in (here.http, here.visitor()):
        assert client.get(f"/artifacts/{row.artifact}").status_code == 404
    assert here.visitor().get(address).status_code == 404
    assert here.http.get(f"/donor/artifacts/{row.artifact}").status_code == 404


def test_a_file_that_cannot_hold_the_model_is_refused_each_time(here: Here) -> None:
    import keras
    import numpy as np

    layer: Any = keras.layers.Normalization(name="standard")
    layer.adapt(np.random.default_rng(1).normal(5.0, 2.0, (40, 4)).astype(np.float32))
    model = keras.Sequential([keras.Input((4,)), layer, keras.layers.Dense(3)])
    address = here.upload(saved(model, ".keras"))
    answers = [here.get(address) for _ in range(2)]
    assert {answer.status_code for answer in answers} == {400}
    assert answers[0].json()["error"]["code"] == answers[1].json()["error"]["code"]
    assert here.rows() == []
    assert here.get(address, "keras").status_code == 200


def test_without_room_on_the_disk_a_file_is_given_and_not_kept(begin: Any) -> None:
    with begin() as here:
        address = here.upload(dense_h5())
        kept = here.get(address).content
        other = here.upload(other_h5())
    with begin(disk_floor=2**62) as here:
        before = here.stored()
        assert here.get(other).status_code == 200
        assert here.stored() == before
        with here.nothing_is_written():
            assert here.get(address).content == kept


def test_kept_files_count_against_nobodys_quota(begin: Any) -> None:
    with begin(quota_bytes=2 * 4_000) as here:
        address = here.upload(dense_h5())
        for format in FORMATS:
            here.get(address, format)
        assert sum(row.bytes for row in here.rows()) > 2 * 4_000
        here.upload(other_h5())
