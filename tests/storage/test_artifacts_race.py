"""Deletion while the same bytes are put and named, in any order: nothing that is named is lost."""

from __future__ import annotations

import asyncio
import hashlib
import random
from contextvars import Context
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from potluck_coordinator.core.errors import NotFound
from potluck_coordinator.storage.artifacts import ArtifactStore

CONTENTS = [b"one", b"two"]
ROUNDS = 12


async def _steps(dice: random.Random) -> None:
    """Let others go first, for a few turns."""
    for _ in range(dice.randrange(4)):
        await asyncio.sleep(0)


async def _upload(store: ArtifactStore, facts: set[str], dice: random.Random) -> None:
    for _ in range(ROUNDS):
        with store.naming():
            sha = await store.put(dice.choice(CONTENTS))
            await _steps(dice)
            facts.add(sha)
        await _steps(dice)


async def _work(store: ArtifactStore, facts: set[str], dice: random.Random) -> None:
    """Name what a worker has put, which knows nothing of this process's deletions."""
    shelf = store.shelf()
    for _ in range(ROUNDS):
        with store.naming():
            sha = shelf.put(dice.choice(CONTENTS))
            await _steps(dice)
            try:
                await store.adopt([sha])
            except NotFound:
                continue  # to be made again
            await _steps(dice)
            facts.add(sha)
        await _steps(dice)


async def _delete(store: ArtifactStore, facts: set[str], dice: random.Random) -> None:
    names = {hashlib.sha256(content).hexdigest() for content in CONTENTS}
    for _ in range(ROUNDS):
        facts.discard(dice.choice(sorted(names)))
        await _steps(dice)
        with store.watching(names) as watch:
            unnamed = names - facts
            await _steps(dice)
            for sha in sorted(unnamed):
                await store.delete_unless_put(sha, watch)
        for sha in sorted(facts):
            assert await store.exists(sha)


@settings(max_examples=30)
@given(st.integers(0, 2**32))
def test_what_is_named_is_there_whatever_is_deleted_at_that_moment(seed: int) -> None:
    async def run(folder: str) -> None:
        store, facts = ArtifactStore(Path(folder)), set[str]()
        acts = [_upload, _work, _work, _delete]
        async with asyncio.TaskGroup() as group:
            for number, act in enumerate(acts):
                group.create_task(act(store, facts, random.Random(seed + number)))
        for sha in facts:
            assert await store.get(sha) in CONTENTS

    with TemporaryDirectory() as folder:
        asyncio.run(run(folder))


def test_what_is_put_and_not_yet_named_is_not_deleted(tmp_path: Path) -> None:
    async def run() -> None:
        store = ArtifactStore(tmp_path)
        with store.naming():
            sha = await store.put(b"one")
            somebody = asyncio.create_task(_forget(store, sha), context=Context())
            assert not await somebody
        assert await store.exists(sha)
        assert await _forget(store, sha)
        assert not await store.exists(sha)

    asyncio.run(run())


async def _forget(store: ArtifactStore, sha: str) -> bool:
    with store.watching({sha}) as watch:
        return await store.delete_unless_put(sha, watch)
