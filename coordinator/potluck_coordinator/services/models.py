"""Take models in, and give them back in other forms."""

from __future__ import annotations

import asyncio
import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from potluck.protocol import records as wire
from potluck_converter import (
    ConversionError,
    convert_isolated,
    from_files,
    report,
    to_files,
    write_keras_h5,
    write_keras_zip,
    write_tfjs,
)
from potluck_converter import Model as Converted
from potluck_coordinator.core.errors import BadModel, Conflict
from potluck_coordinator.core.ledger import SITE_CHAIN
from potluck_coordinator.core.names import MOST_CHARACTERS
from potluck_coordinator.core.records import Model
from potluck_coordinator.services.access import Asker
from potluck_coordinator.services.facts import facts_of, facts_to_json
from potluck_coordinator.services.leftovers import forget
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage import models, studies
from potluck_coordinator.storage.ledger import record
from potluck_coordinator.storage.transaction import Transaction


async def add_model(site: Site, asker: Asker, folder: Path, name: str | None) -> tuple[Model, bool]:
    """Convert a folder of uploads in a limited process, and keep its graph and weights.

    Gives the model, and whether it is new: the same bytes are the same model, under the name that
    they got first.
    """
    asker.must_submit()
    converted = await asyncio.to_thread(_convert, folder)
    label = name if name else _main([path.name for path in folder.iterdir()])
    graph_bytes, weight_bytes = await asyncio.to_thread(to_files, converted)
    graph, weights = await asyncio.gather(
        site.artifacts.put(graph_bytes), site.artifacts.put(weight_bytes)
    )
    model = Model(
        id=site.new_id("md"),
        name=label.strip()[:MOST_CHARACTERS] or "model",
        owner=asker.owner,
        hash=model_hash(graph, weights),
        graph=graph,
        weights=weights,
        report=await asyncio.to_thread(report, converted),
        facts=facts_to_json(await asyncio.to_thread(facts_of, converted)),
        created_at=site.now(),
    )
    return await keep_model(site, model, graph_bytes, weight_bytes)


async def keep_model(
    site: Site,
    model: Model,
    graph_bytes: bytes,
    weight_bytes: bytes,
    told: Mapping[str, Any] | None = None,
) -> tuple[Model, bool]:
    """Keep a model whose bytes were put; give the kept one, and whether it is new.

    `graph_bytes` and `weight_bytes` are its artifacts; `told` is more to write into the ledger.
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
        models.add(tx, model)
        record(tx, SITE_CHAIN, "model", body, model.created_at)
        return model, True

    made = await site.writer.run(act)
    for artifact, content in ((model.graph, graph_bytes), (model.weights, weight_bytes)):
        if not await site.artifacts.exists(artifact):
            await site.artifacts.put(content)  # a deletion of the same bytes came between
    return made


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

    await site.writer.run(act)
    await forget(site, [model.graph, model.weights])


def _main(names: list[str]) -> str:
    """Give the file that a model is named after: its architecture, and no shard of its weights."""
    heads = [name for name in names if name.lower().endswith(".json")]
    return min(heads or [name for name in names if not name.lower().endswith(".bin")] or names)


def _convert(folder: Path) -> Converted:
    try:
        return convert_isolated(folder)
    except ConversionError as error:
        raise as_bad_model(error) from error


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


async def list_models(site: Site, asker: Asker) -> list[Model]:
    """List the asker's models; the admin sees all."""
    owners = None if asker.role == "admin" else asker.owners
    return await site.writer.read(lambda tx: models.by_owners(tx, owners))


async def render(site: Site, model: Model, kind: str) -> bytes:
    """Give a model as `h5`, `keras` or a zip of TF.js files (`tfjs`). Raises BadModel."""
    graph = await site.artifacts.get(model.graph)
    weights = await site.artifacts.get(model.weights)
    try:
        return await asyncio.to_thread(lambda: rendering(from_files(graph, weights), kind))
    except ConversionError as error:
        raise as_bad_model(error) from error


def rendering(model: Converted, kind: str) -> bytes:
    """Render a model: `h5` and `keras` for Keras 3, `tfjs` as a zip. Raises ConversionError."""
    if kind == "h5":
        return write_keras_h5(model)
    if kind == "keras":
        return write_keras_zip(model)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in write_tfjs(model).items():
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), data)
    return buffer.getvalue()
