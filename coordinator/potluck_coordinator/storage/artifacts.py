"""The artifact store: immutable bytes, named by their SHA-256, in a folder or a bucket."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Collection, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

import obstore
from obstore.exceptions import AlreadyExistsError
from obstore.store import LocalStore, ObjectStore, from_url

from potluck_coordinator.core.errors import BadInput, BadResult, NotFound, TooLarge

STAGING = ".incoming"
CHUNK = 1 << 20
LISTED_AT_ONCE = 1000
STAGED_SECONDS = 300.0
"""What another process is writing was written to within this time."""


class Watch:
    """What may be deleted, and which of it was put meanwhile or waits for its name."""

    def __init__(self, candidates: Collection[str], spared: set[str]) -> None:
        self.candidates = candidates
        self.spared = spared


_HOLD: ContextVar[set[str] | None] = ContextVar("artifacts about to be named", default=None)


@dataclass(frozen=True)
class Kept:
    """An artifact by its store's place and its hash, for a worker that reads it itself."""

    place: str
    sha: str

    def read(self) -> bytes:
        """Give the bytes. Raises `NotFound` (`artifact.not_found`)."""
        return ArtifactStore(self.place).get_sync(self.sha)

    @contextlib.contextmanager
    def reading(self) -> Iterator[tuple[Opened, int]]:
        """Open it in a thread, and give it with its size. Raises `NotFound`."""
        with ArtifactStore(self.place).reading(self.sha) as found:
            yield found


class Opened(Protocol):
    """An artifact that is read from its beginning."""

    def read(self, size: int, /) -> Any:
        """Give so many bytes, or fewer at the end."""

    def close(self) -> None:
        """Let go of it."""


@dataclass(frozen=True)
class Shelf:
    """A store's place, for a worker that keeps what it made itself."""

    place: str

    def put(self, data: bytes) -> str:
        """Keep bytes; give their SHA-256."""
        return ArtifactStore(self.place).put_sync(data)


class ArtifactStore:
    """Bytes by hash. `place`: a folder, or an address such as `s3://bucket/prefix`."""

    def __init__(self, place: str | Path) -> None:
        self._place = str(place)
        self._folder: Path | None = None
        self._store: ObjectStore
        if isinstance(place, str) and "://" in place:
            self._store = from_url(place)
            self._staging = Path(tempfile.gettempdir())
        else:
            self._folder = Path(place).resolve()
            self._staging = self._folder / STAGING
            self._staging.mkdir(parents=True, exist_ok=True)
            self._store = LocalStore(self._folder, mkdir=True)
        self._changed = threading.Condition()
        self._holds: list[set[str]] = []
        self._watches: list[Watch] = []
        self._deleting: set[str] = set()
        self._stages: set[Path] = set()
        """What this process is writing."""

    @contextlib.contextmanager
    def naming(self) -> Iterator[None]:
        """Keep whatever is put here until the end, when a fact names it or nobody will."""
        hold: set[str] = set()
        token = _HOLD.set(hold)
        with self._changed:
            self._holds.append(hold)
        try:
            yield
        finally:
            _HOLD.reset(token)
            with self._changed:
                self._holds = [other for other in self._holds if other is not hold]

    async def adopt(self, made: Collection[str]) -> None:
        """Hold what a worker has put, as if it had been put here: call it under `naming`.

        Raises NotFound where one of them was deleted before: then it is to be made again.
        """
        for sha in made:
            await asyncio.to_thread(self._is_put, sha)
        for sha in made:
            await self.size(sha)

    @contextlib.contextmanager
    def watching(self, candidates: Collection[str]) -> Iterator[Watch]:
        """Watch what is to be deleted. First watch, then look which of it no fact names.

        What this task itself has put under `naming` is its own to delete.
        """
        mine = _HOLD.get()
        with self._changed:
            held: set[str] = set().union(*(hold for hold in self._holds if hold is not mine))
            watch = Watch(candidates, held.intersection(candidates))
            self._watches.append(watch)
        try:
            yield watch
        finally:
            with self._changed:
                self._watches = [other for other in self._watches if other is not watch]

    async def delete_unless_put(self, sha: str, watch: Watch) -> bool:
        """Delete an artifact unless somebody has put it meanwhile; say whether it went."""
        with self._changed:
            if sha in watch.spared or sha in self._deleting:
                return False
            self._deleting.add(sha)
        try:
            await self.delete(sha)
        finally:
            with self._changed:
                self._deleting.discard(sha)
                self._changed.notify_all()
        return True

    def _is_put(self, sha: str) -> None:
        """Tell those who may be deleting these bytes, in the thread that is to put them."""
        with self._changed:
            while sha in self._deleting:
                self._changed.wait()
            hold = _HOLD.get()
            if hold is not None:
                hold.add(sha)
            for watch in self._watches:
                if sha in watch.candidates:
                    watch.spared.add(sha)

    async def put(self, data: bytes) -> str:
        """Keep bytes; give their SHA-256. Putting them again changes nothing."""
        return await asyncio.to_thread(self.put_sync, data)

    def put_sync(self, data: bytes) -> str:
        """Do what `put` does, in a worker's process or thread."""
        sha = hashlib.sha256(data).hexdigest()
        if self._folder is None:
            self._is_put(sha)
            self._upload(sha, data)
        else:
            with self._staged() as (path, file):
                file.write(data)
                self._settle(path, file, sha)
        return sha

    async def put_file(self, source: Path) -> str:
        """Keep a copy of a file, piece by piece; give its SHA-256."""
        return await asyncio.to_thread(self._copy_in, source)

    def _copy_in(self, source: Path) -> str:
        digest = hashlib.sha256()
        with self._staged() as (path, file), source.open("rb") as content:
            while piece := content.read(CHUNK):
                digest.update(piece)
                file.write(piece)
            self._settle(path, file, digest.hexdigest())
        return digest.hexdigest()

    async def to_file(self, sha: str, folder: Path) -> Path:
        """Give a file that holds an artifact: its own, or a copy in `folder`. Raises `NotFound`."""
        await self.size(sha)
        if (own := self.local_path(sha)) is not None:
            return own
        path = folder / sha
        with path.open("wb") as file:
            async for piece in await self.stream(sha):
                await asyncio.to_thread(file.write, piece)
        return path

    async def put_stream(
        self, chunks: AsyncIterable[bytes], limit: int, *, expected: str | None = None
    ) -> tuple[str, int]:
        """Keep a stream of at most `limit` bytes; give its SHA-256 and its size.

        Raises `TooLarge` (`size.upload`) as soon as the limit is passed, and `BadResult`
        (`result.hash`) where the bytes are not those `expected`. Nothing stays behind when the
        stream ends early or is refused, and nothing that was here before is touched.
        """
        digest, size = hashlib.sha256(), 0
        with self._staged() as (path, file):
            async for chunk in chunks:
                size += len(chunk)
                if size > limit:
                    raise TooLarge(
                        "size.upload",
                        "The upload is larger than this coordinator takes.",
                        expected=f"at most {limit} bytes",
                        got="more",
                    )
                digest.update(chunk)
                await asyncio.to_thread(file.write, chunk)
            sha = digest.hexdigest()
            if expected not in (None, sha):
                raise BadResult(
                    "result.hash",
                    "The bytes do not have the hash that they were named by.",
                    expected=str(expected),
                    got=sha,
                )
            await asyncio.to_thread(self._settle, path, file, sha)
        return sha, size

    async def get(self, sha: str, *, check: bool = False) -> bytes:
        """Read an artifact. Raises `NotFound` (`artifact.not_found`).

        With `check`, bytes that no longer have their name's hash are `BadInput`
        (`artifact.damaged`).
        """
        return await asyncio.to_thread(self.get_sync, sha, check=check)

    def get_sync(self, sha: str, *, check: bool = False) -> bytes:
        """Do what `get` does, in a worker's process or thread."""
        with _missing(sha):
            data = obstore.get(self._store, key(sha)).bytes().to_bytes()
        if check and hashlib.sha256(data).hexdigest() != sha:
            raise BadInput(
                "artifact.damaged",
                "Stored bytes no longer match their name.",
                expected=sha,
                got=hashlib.sha256(data).hexdigest(),
                hint="Restore this artifact from a backup.",
            )
        return data

    def open_sync(self, sha: str, chunk: int = CHUNK) -> tuple[int, Iterator[bytes]]:
        """Give an artifact's size and its bytes piece by piece. Raises `NotFound` here."""
        with _missing(sha):
            found = obstore.get(self._store, key(sha))
        return found.meta["size"], (bytes(piece) for piece in found.stream(min_chunk_size=chunk))

    @contextlib.contextmanager
    def reading(self, sha: str) -> Iterator[tuple[Opened, int]]:
        """Open an artifact in a thread, and give it with its size. Raises `NotFound`."""
        size = self.size_sync(sha)
        with _missing(sha):
            if self._folder is not None:
                found: Opened = (self._folder / key(sha)).open("rb", buffering=CHUNK)
            else:
                found = obstore.open_reader(self._store, key(sha), buffer_size=CHUNK, size=size)
        with contextlib.closing(found):
            yield found, size

    def is_empty(self) -> bool:
        """Say whether the store holds nothing."""
        return not any(len(found) for found in obstore.list(self._store, chunk_size=1))

    def kept(self, sha: str) -> Kept:
        """Name an artifact for a worker, so that its bytes do not pass through this process."""
        return Kept(self._place, sha)

    def shelf(self) -> Shelf:
        """Name this store for a worker, so that what it makes does not pass through this process.

        Whoever lets it work sees to it that what no fact names in the end is forgotten.
        """
        return Shelf(self._place)

    async def get_range(self, sha: str, start: int, end: int) -> bytes:
        """Read the bytes `[start, end)`; fewer where the artifact ends before."""
        end = min(end, await self.size(sha))
        if end <= start:
            return b""
        with _missing(sha):
            found = await obstore.get_range_async(self._store, key(sha), start=start, end=end)
        return found.to_bytes()

    async def stream(
        self, sha: str, chunk: int = CHUNK, *, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        """Open an artifact and give its bytes `[start, end)`, or all, piece by piece.

        A missing one is `NotFound` here.
        """
        options: obstore.GetOptions | None = None if end is None else {"range": (start, end)}
        with _missing(sha):
            found = await obstore.get_async(self._store, key(sha), options=options)

        async def pieces() -> AsyncIterator[bytes]:
            async for piece in found.stream(min_chunk_size=chunk):
                yield bytes(piece)

        return pieces()

    async def size(self, sha: str) -> int:
        """Give an artifact's size in bytes. Raises `NotFound`."""
        with _missing(sha):
            return (await obstore.head_async(self._store, key(sha)))["size"]

    async def put_at(self, sha: str) -> float:
        """Give the Unix time at which somebody put an artifact last; 0 where it is not here."""
        try:
            with _missing(sha):
                found = await obstore.head_async(self._store, key(sha))
        except NotFound:
            return 0.0
        return found["last_modified"].timestamp()

    def older_than(self, at: float) -> set[str]:
        """Give the artifacts that nobody has put since a Unix time, in a thread.

        What an upload that was cut off by a crash left half-written before then is deleted, unless
        it was written to lately: workers put what they make, too.
        """
        found: set[str] = set()
        for some in obstore.list(self._store, chunk_size=LISTED_AT_ONCE):
            for one in some:
                name = one["path"].rsplit("/", 1)[-1]
                if len(name) == 64 and one["last_modified"].timestamp() < at:
                    found.add(name)
        if self._folder is not None:
            at = min(at, time.time() - STAGED_SECONDS)
            for path in self._staging.iterdir():
                with contextlib.suppress(FileNotFoundError):  # settled meanwhile
                    if path not in self._stages and path.stat().st_mtime < at:
                        path.unlink()
        return found

    def size_sync(self, sha: str) -> int:
        """Do what `size` does, in a thread. Raises `NotFound`."""
        with _missing(sha):
            return obstore.head(self._store, key(sha))["size"]

    def free_bytes(self) -> int | None:
        """Give the free bytes of the disk that it is on; None where the store is no folder."""
        if self._folder is None:
            return None
        return shutil.disk_usage(self._folder).free

    def disk_bytes(self) -> int | None:
        """Give the bytes of the disk that it is on, free or not; None where it is no folder."""
        if self._folder is None:
            return None
        return shutil.disk_usage(self._folder).total

    async def exists(self, sha: str) -> bool:
        """Say whether these bytes are here."""
        try:
            await self.size(sha)
        except NotFound:
            return False
        return True

    async def delete(self, sha: str) -> None:
        """Delete an artifact; one that is not here is fine."""
        with contextlib.suppress(NotFound), _missing(sha):
            await obstore.delete_async(self._store, key(sha))

    def local_path(self, sha: str) -> Path | None:
        """Give the file that holds an artifact, or None where the store is no folder."""
        return None if self._folder is None else self._folder / key(sha)

    @contextlib.contextmanager
    def _staged(self) -> Iterator[tuple[Path, IO[bytes]]]:
        path = self._staging / f"potluck-{uuid.uuid4().hex}"
        self._stages.add(path)
        try:
            with path.open("xb") as file:
                yield path, file
        finally:
            path.unlink(missing_ok=True)
            self._stages.discard(path)

    def _settle(self, path: Path, file: IO[bytes], sha: str) -> None:
        """Give staged bytes their name, durably: a fact may name them in the next commit."""
        file.flush()
        self._is_put(sha)
        if self._folder is None:
            self._upload(sha, path)
            return
        os.fsync(file.fileno())
        target = self._folder / key(sha)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
        for folder in (target.parent, target.parent.parent, self._folder):
            _sync_folder(folder)

    def _upload(self, sha: str, content: bytes | Path) -> None:
        with contextlib.suppress(AlreadyExistsError):
            obstore.put(self._store, key(sha), content)


def key(sha: str) -> str:
    """Give where an artifact lies in its store: `ab/cd/<sha>`. Raises `NotFound` for no hash."""
    if len(sha) != 64 or not set(sha) <= set("0123456789abcdef"):
        raise _not_found(sha)
    return f"{sha[:2]}/{sha[2:4]}/{sha}"


def _not_found(sha: str) -> NotFound:
    return NotFound("artifact.not_found", "There is no such artifact.", got=sha[:64])


@contextlib.contextmanager
def _missing(sha: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise _not_found(sha) from error


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
