"""Models as files: each is written once, by a process of its own, and kept for who comes next."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from potluck.version import VERSION
from potluck_converter import DEFAULT_LIMITS, ConversionError, memory_for, render_isolated
from potluck_converter.isolation import ADDRESSES
from potluck_coordinator.core.errors import Busy, NotFound
from potluck_coordinator.core.records import Rendering
from potluck_coordinator.core.turns import Kind
from potluck_coordinator.services.access import Asker
from potluck_coordinator.services.leftovers import forget
from potluck_coordinator.services.models import as_bad_model
from potluck_coordinator.services.room import (
    has_room,
    must_pass_through,
    passing_through,
    writing,
)
from potluck_coordinator.services.shared_files import SharedFile, Written
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage import renderings
from potluck_coordinator.storage.transaction import Transaction

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelFile:
    """A model as a file.

    `graph` and `weights` are its artifacts; a checkpoint stands for the weights that are scored.
    `format`: `h5`, `keras`, or `tfjs` for a zip of TF.js files.
    """

    graph: str
    weights: str
    format: str


async def kept(site: Site, file: ModelFile) -> Rendering | None:
    """Give a file that is kept, and note that it is used; None where it is to be written.

    Args:
        site: The coordinator.
        file: The file; the asker's right to it was looked at.
    """
    if not site.settings.rendered_bytes:
        return None
    found = await site.writer.read(
        lambda tx: renderings.find(tx, file.graph, file.weights, file.format)
    )
    if found is None or found.potluck != VERSION:
        return None
    try:
        whole = await site.artifacts.size(found.artifact) == found.bytes
    except NotFound:
        whole = False
    if not whole:  # lost with its disk
        await site.writer.run(lambda tx: renderings.remove(tx, [found]))
        await forget(site, [found.artifact])
        return None
    with suppress(Busy):  # a file that is there can be read all the same
        await site.writer.run(lambda tx: renderings.use(tx, found, site.now()))
    return found


def being_written(site: Site, asker: Asker, file: ModelFile) -> SharedFile[Written]:
    """Join whoever has this file written just now, or begin it; `leave` it afterwards.

    Nothing of it is held here: a process of its own reads and writes the files.

    Args:
        site: The coordinator.
        asker: Who waits for it: the work counts for whoever began it.
        file: The file.

    Returns:
        The work; waiting for it raises BadModel, TooLarge `size.memory`, NoRoom `disk.full`.
    """

    async def write(folder: Path) -> Written:
        path = await _write(site, asker.turn, file, folder)
        return Written(path, await _keep(site, file, path))

    return site.renderings.join(file, write)


async def _write(site: Site, account: str, file: ModelFile, folder: Path) -> Path:
    size = await site.artifacts.size(file.weights) + await site.artifacts.size(file.graph)
    copied = 0 if site.artifacts.local_path(file.weights) else size
    must_pass_through(site, copied + size)  # before it waits for its turn
    graph = await site.artifacts.to_file(file.graph, folder)
    weights = await site.artifacts.to_file(file.weights, folder)
    room = site.memory.budget + ADDRESSES
    limits = replace(DEFAULT_LIMITS, memory_bytes=min(DEFAULT_LIMITS.memory_bytes, room))
    need = memory_for(weights.stat().st_size, limits).need
    out = folder / f"rendered.{file.format}"
    try:
        await site.converters.run(
            need,
            "The file",
            render_isolated,
            graph,
            weights,
            file.format,
            out,
            limits,
            kind=Kind.RENDER,
            account=account,
            holding=lambda: passing_through(site, size),
        )
    except ConversionError as error:
        raise as_bad_model(error) from error
    return out


async def _keep(site: Site, file: ModelFile, path: Path) -> str | None:
    """Keep a file where there is room; give its hash, or None where it is not kept.

    Whatever goes wrong here: it was written, and can be sent.
    """
    size = path.stat().st_size
    if size > site.settings.rendered_bytes or not has_room(site, size):
        return None
    try:
        with writing(site, size), site.artifacts.naming():
            return await _put(site, file, path, size)
    except Exception:
        _log.warning("a model's file could not be kept", exc_info=True)
        return None


async def _put(site: Site, file: ModelFile, path: Path, size: int) -> str | None:
    sha = await site.artifacts.put_file(path)
    new = Rendering(
        graph=file.graph,
        weights=file.weights,
        format=file.format,
        artifact=sha,
        bytes=size,
        potluck=VERSION,
        used_at=site.now(),
    )
    before: set[str] | None = None
    try:
        before = await site.writer.run(lambda tx: renderings.keep(tx, new))
    finally:
        if before is None:
            await forget(site, [sha])
    if before is None:  # its model was deleted meanwhile
        return None
    await forget(site, before)
    await _drop(site, before=0.0)
    return sha


async def sweep(site: Site) -> int:
    """Delete the files that nobody has downloaded for long, and those of models that are gone.

    Args:
        site: The coordinator.

    Returns:
        How many artifacts went.
    """
    gone = await _drop(site, before=site.now() - site.settings.forget_rendered_after)
    orphans = await site.writer.read(renderings.of_no_model)
    if orphans:
        await site.writer.run(lambda tx: renderings.remove(tx, orphans))
    return gone + await forget(site, {one.artifact for one in orphans})


async def _drop(site: Site, before: float) -> int:
    """Delete what is beyond the bound, and what was not used since a time."""

    def act(tx: Transaction) -> set[str]:
        return renderings.drop_beyond(tx, site.settings.rendered_bytes, before)

    gone = 0
    while artifacts := await site.writer.run(act):
        gone += await forget(site, artifacts)
    return gone
