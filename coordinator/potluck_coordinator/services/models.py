"""Take models in, and give them back in other forms."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from potluck.protocol import records as wire
from potluck_converter import (
    DEFAULT_LIMITS,
    ConversionError,
    Limits,
    convert_into,
    memory_for,
)
from potluck_converter.isolation import ADDRESSES
from potluck_coordinator.core.errors import BadModel, Conflict, OverQuota
from potluck_coordinator.core.ledger import SITE_CHAIN
from potluck_coordinator.core.names import MOST_CHARACTERS
from potluck_coordinator.core.records import Model
from potluck_coordinator.core.turns import Kind
from potluck_coordinator.services.access import Asker
from potluck_coordinator.services.describing import describe_model
from potluck_coordinator.services.drawn import drawn_one, told_rows
from potluck_coordinator.services.leftovers import forget
from potluck_coordinator.services.quotas import may_keep
from potluck_coordinator.services.room import must_have_room, room_left, writing
from potluck_coordinator.services.sharing import note_network
from potluck_coordinator.services.site import Site
from potluck_coordinator.services.working import Job, refusing, run_job
from potluck_coordinator.storage import models, studies
from potluck_coordinator.storage.ledger import record
from potluck_coordinator.storage.pages import MOST_LISTED
from potluck_coordinator.storage.transaction import Transaction, after_commit

SECONDS_TO_DESCRIBE = 120.0
TIMES_DESCRIBED = 3
"""A worker reads the weights, and copies them into arrays, once for each use."""
BESIDE = 64 * 2**20
"""Bytes that a conversion may write beside four times what it reads."""


async def add_model(site: Site, asker: Asker, folder: Path, name: str | None) -> tuple[Model, bool]:
    """Convert a folder of uploads in a limited process, and keep its graph and weights.

    Gives the model, and whether it is new: the same bytes are the same model, under the name that
    they got first.

    Raises BadModel; TooLarge `size.memory`; OverQuota `quota.bytes`; NoRoom `disk.full`.
    """
    asker.must_submit()
    label = name if name else _main([path.name for path in folder.iterdir()])
    with TemporaryDirectory(prefix="potluck-model-") as scratch:
        out = Path(scratch)
        await _convert(site, asker, folder, out)
        graph_file, weight_file = out / "graph.json", out / "weights.safetensors"
        report, facts = await _described(site, asker, out, weight_file.stat().st_size)
        size = graph_file.stat().st_size + weight_file.stat().st_size
        with writing(site, size):
            graph, weights = await asyncio.gather(
                site.artifacts.put_file(graph_file), site.artifacts.put_file(weight_file)
            )
        model = Model(
            id=site.new_id("md"),
            name=label.strip()[:MOST_CHARACTERS] or "model",
            owner=asker.owner,
            hash=model_hash(graph, weights),
            graph=graph,
            weights=weights,
            report=report,
            facts=facts,
            created_at=site.now(),
        )
        made = await keep_model(site, asker, model, size)
        for artifact, file in ((graph, graph_file), (weights, weight_file)):
            if not await site.artifacts.exists(artifact):  # deleted, as others' same bytes were
                with writing(site, file.stat().st_size):
                    await site.artifacts.put_file(file)
        return made


async def _described(
    site: Site, asker: Asker, out: Path, size: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    need = TIMES_DESCRIBED * size
    job = Job(Kind.ENCODE, asker.turn, need, SECONDS_TO_DESCRIBE, "The model")
    too_large = BadModel(
        "model.too_large",
        "Looking at the model took too much time or memory.",
        expected=f"at most {SECONDS_TO_DESCRIBE:g} seconds in a worker's memory",
        got=f"{size} bytes of weights",
        hint="Use a smaller model.",
    )
    with refusing(too_large, lambda _: too_large):
        return await run_job(site, job, describe_model, str(out))


async def _convert(site: Site, asker: Asker, folder: Path, out: Path) -> None:
    size = sum(path.stat().st_size for path in folder.iterdir())
    room = site.memory.budget + ADDRESSES
    limits = replace(DEFAULT_LIMITS, memory_bytes=min(DEFAULT_LIMITS.memory_bytes, room))
    need, writes = memory_for(size, limits).need, mostly_written(size, limits)
    must_have_room(site, writes)  # before it waits for its turn
    limits = replace(limits, output_bytes=min(limits.output_bytes, max(writes, room_left(site))))
    try:
        await site.converters.run(
            need,
            "The model",
            convert_into,
            folder,
            out,
            limits,
            account=asker.turn,
            holding=lambda: writing(site, writes),
        )
    except ConversionError as error:
        raise as_bad_model(error) from error


def mostly_written(size: int, limits: Limits) -> int:
    """Say what a conversion writes at most, but for one whose numbers were packed very tightly.

    Half numbers become twice as long. What unfolds to more is bounded by what there is room for.

    Args:
        size: Bytes of the files that are read.
        limits: The conversion's.
    """
    return min(limits.output_bytes, limits.unfolded(2 * size), 4 * size + BESIDE)


async def keep_model(
    site: Site,
    asker: Asker,
    model: Model,
    size: int,
    told: Mapping[str, Any] | None = None,
) -> tuple[Model, bool]:
    """Keep a model whose bytes were put; give the kept one, and whether it is new.

    `size` is that of its graph and weights in bytes; `told` is more for the ledger.

    Raises OverQuota `quota.bytes`; then nothing of it stays.
    """
    body = {
        "model": model.id,
        "hash": model.hash,
        "graph": model.graph,
        "weights": model.weights,
        **(told or {}),
    }

    def act(tx: Transaction) -> tuple[Model, bool]:
        found = models.same(tx, model)
        if found is not None:
            return found, False
        may_keep(site, tx, asker, size)
        models.add(tx, model)
        note_network(site, asker, model.owner, model.id)
        record(tx, SITE_CHAIN, "model", body, model.created_at)
        return model, True

    try:
        return await site.writer.run(act)
    except OverQuota:
        await forget(site, [model.graph, model.weights])
        raise


def model_hash(graph: str, weights: str) -> str:
    """Give the hash of a model, from those of its graph and weights."""
    return hashlib.sha256(f"{graph}\n{weights}\n".encode()).hexdigest()


async def delete_model(site: Site, asker: Asker, model_id: str) -> None:
    """Delete a model that no study uses. Raises NotFound, Conflict `model.in_use`."""
    await take_back(site, asker, await get_model(site, asker, model_id))


async def take_back(site: Site, asker: Asker, model: Model) -> None:
    """Delete what a request has just made for somebody who has gone, also one without a key.

    Args:
        site: The coordinator.
        asker: Who made it.
        model: The model.

    Raises:
        Conflict: `model.in_use` where a study uses it by now.
    """

    def act(tx: Transaction) -> None:
        if studies.uses_model(tx, model.id):
            raise Conflict(
                "model.in_use",
                "A study uses this model.",
                expected="no study",
                got="one or more",
                hint="Delete the study first.",
            )
        models.remove(tx, model.id)
        body = {"model": model.id, "hash": model.hash, "by": asker.name}
        record(tx, SITE_CHAIN, "model_deleted", body, site.now())
        after_commit(tx, lambda: site.whence.forget(model.id))

    await site.writer.run(act)
    await forget(site, [model.graph, model.weights])


def _main(names: list[str]) -> str:
    """Give the file that a model is named after: its architecture, and no shard of its weights."""
    heads = [name for name in names if name.lower().endswith(".json")]
    return min(heads or [name for name in names if not name.lower().endswith(".bin")] or names)


def as_bad_model(error: ConversionError) -> BadModel:
    """Give the converter's refusal as one of ours."""
    return BadModel(
        error.code,
        error.message,
        expected=error.expected,
        got=error.got,
        hint=error.hint,
        where=": ".join(dict.fromkeys(part for part in (error.file, error.where) if part)),
    )


def to_wire(model: Model) -> wire.Model:
    """Give what the wire tells of a model."""
    return wire.Model(
        id=model.id,
        name=model.name,
        hash=model.hash,
        created_at=model.created_at,
        report=wire.ModelReport.model_validate(model.report),
    )


async def model_view(site: Site, asker: Asker, model_id: str) -> wire.Model:
    """Give what the wire tells of a model that the asker owns. Raises NotFound.

    Args:
        site: The coordinator.
        asker: Who asks.
        model_id: Which one.
    """
    found = await get_model(site, asker, model_id)
    return await asyncio.to_thread(drawn_one, found, to_wire)


async def get_model(site: Site, asker: Asker, model_id: str) -> Model:
    """Give a model that the asker owns. Raises NotFound."""
    model = await site.writer.read(lambda tx: models.get(tx, model_id))
    asker.must_own(model.owner, "model.not_found")
    return model


async def usable_model(site: Site, asker: Asker, model_id: str) -> Model:
    """Give a model that the asker may make a study of. Raises NotFound."""
    model = await site.writer.read(lambda tx: models.get(tx, model_id))
    asker.must_use(model.owner, "model.not_found")
    return model


async def list_models(
    site: Site, asker: Asker, *, limit: int = MOST_LISTED, offset: int = 0
) -> bytes:
    """List the asker's models, newest first: a page of them, as JSON. The admin sees all.

    Args:
        site: The coordinator.
        asker: Who asks.
        limit: How many at most; where their descriptions are large there are fewer.
        offset: How many the pages before had.
    """

    def look(tx: Transaction) -> bytes:
        return told_rows(
            models.page(tx, owners=asker.seen_owners, limit=limit, offset=offset), to_wire
        )

    return await site.writer.read(look)
