"""Fit models to the width of a table: the first layer starts anew, the others stay."""

from __future__ import annotations

import asyncio

from potluck.protocol.records import FittedFrom
from potluck_converter import ConversionError
from potluck_coordinator.core.errors import FitOffer, NotFound
from potluck_coordinator.core.records import Model
from potluck_coordinator.core.turns import WORKER_LEAST, Kind
from potluck_coordinator.services.access import Asker
from potluck_coordinator.services.facts import facts_from_json
from potluck_coordinator.services.fit_job import FittedModel, fit_job, offer_job
from potluck_coordinator.services.making import making
from potluck_coordinator.services.models import as_bad_model, keep_model, model_hash, usable_model
from potluck_coordinator.services.room import must_have_room
from potluck_coordinator.services.site import Site
from potluck_coordinator.services.working import Job, in_worker, keep_made

SECONDS_TO_FIT = 120.0
TIMES_FITTED = 4
"""A worker reads the weights, changes a copy, writes both and checks what it wrote."""
TIMES_A_GRAPH = 64
"""A graph's JSON as objects, and a changed copy."""
OVERHEAD = 64 * 1024
"""More of a graph and of the weights' header: numbers in them have more digits."""
LONGEST_NAME = 90
ENDINGS = (".keras", ".h5", ".hdf5", ".json")


async def fit_model(site: Site, asker: Asker, model_id: str, width: int) -> tuple[Model, bool]:
    """Make a model for rows of `width` numbers; give it, and whether it is new.

    A fitted model is made again from the one that was uploaded, where that is still there, so that
    columns can change often and nothing but the first layer is lost. The same model and width
    again give the same entry; the model's own width gives the model itself.

    Its weights never pass through this process: a worker reads, changes and keeps them. They count
    as if they had been uploaded.

    Raises NotFound, BadModel `model.cannot_fit` or `model.too_large`, TooLarge `size.upload`,
    TooOften `rate.*`, NoRoom `disk.full`, OverQuota `quota.bytes`.
    """
    asker.must_submit()
    source = await _uploaded(site, asker, await usable_model(site, asker, model_id))
    was = input_width(source)
    if was == width:
        return source, False
    graph, weights = await asyncio.gather(
        site.artifacts.size(source.graph), site.artifacts.size(source.weights)
    )
    limit = site.settings.max_model_bytes
    most = _most_bytes(graph, weights, was, width, limit)
    job = _job(asker, TIMES_FITTED * _fitted_bytes(weights, was, width, limit), most)

    async def fit() -> FittedModel:
        return await in_worker(
            site,
            job,
            fit_job,
            site.artifacts.kept(source.graph),
            site.artifacts.kept(source.weights),
            source.report,
            source.facts,
            width,
            limit,
            site.artifacts.shelf(),
        )

    with making(site, asker, most) as made:
        must_have_room(site, most)  # before it waits for its turn
        try:
            fitted = await keep_made(site, fit, lambda found: (found.graph, found.weights))
        except ConversionError as error:
            raise as_bad_model(error) from error
        kept = await _keep(site, asker, source, fitted, width)
        made.kept = fitted.size if kept[1] else 0
    return kept


async def _keep(
    site: Site, asker: Asker, source: Model, fitted: FittedModel, width: int
) -> tuple[Model, bool]:
    origin = FittedFrom(
        model_id=source.id,
        model_name=source.name,
        was=input_width(source) or 0,
        width=width,
        layers=list(fitted.layers),
        text=fitted.text,
    )
    model = Model(
        id=site.new_id("md"),
        name=fitted_name(source.name, width),
        owner=asker.owner,
        hash=model_hash(fitted.graph, fitted.weights),
        graph=fitted.graph,
        weights=fitted.weights,
        report={**fitted.report, "fitted": origin.model_dump()},
        facts=fitted.facts,
        created_at=site.now(),
    )
    told = {"fitted_from": source.hash, "width": width}
    return await keep_model(site, asker, model, fitted.size, told)


async def fit_offer(site: Site, asker: Asker, model: Model, width: int) -> FitOffer | None:
    """Say how a model could be fitted to rows of `width` numbers; None where it cannot be."""
    source = await _uploaded(site, asker, model)
    was = input_width(source)
    if was is None:
        return None
    if was == width:
        text = f"The model “{source.name}”, as it was uploaded, takes {width} numbers."
        return FitOffer(model_id=source.id, width=width, was=was, layers=(), text=text)
    most = site.settings.max_model_bytes
    job = _job(asker, TIMES_A_GRAPH * await site.artifacts.size(source.graph))
    graph = site.artifacts.kept(source.graph)
    found = await in_worker(site, job, offer_job, graph, width, most)
    if found is None:
        return None
    layers, text = found
    return FitOffer(model_id=source.id, width=width, was=was, layers=layers, text=text)


def _job(asker: Asker, need: int, writes: int = 0) -> Job:
    whole, what = WORKER_LEAST + need, "Fitting the model"
    return Job(Kind.ENCODE, asker.turn, whole, SECONDS_TO_FIT, what, writes)


def _most_bytes(graph: int, weights: int, was: int | None, width: int, limit: int) -> int:
    """Bound the bytes of a fitted model's files: nothing but its weights grows, up to the limit."""
    return graph + min(limit, _fitted_bytes(weights, was, width, limit)) + OVERHEAD


def _fitted_bytes(size: int, was: int | None, width: int, most: int) -> int:
    """Bound the weights of a fitted model: its first layer may be all of them, and grows most."""
    return size + min(most, size * width // max(1, was or 1))


def input_width(model: Model) -> int | None:
    """Give the last axis of a model's one input; None for several inputs or an open length."""
    shapes = list(facts_from_json(model.facts).input_shapes.values())
    return shapes[0][-1] if len(shapes) == 1 and shapes[0] else None


def fitted_name(name: str, width: int) -> str:
    """Name a fitted model after the one that it was made of, without the file's ending."""
    stem = next((name[: -len(end)] for end in ENDINGS if name.lower().endswith(end)), name)
    return f"{stem[:LONGEST_NAME] or 'model'}, {width} input{'s' if width != 1 else ''}"


async def _uploaded(site: Site, asker: Asker, model: Model) -> Model:
    """Give the model that a fitted one was made of, as far as it is there and the asker's."""
    while fitted := model.report.get("fitted"):
        try:
            model = await usable_model(site, asker, fitted["model_id"])
        except NotFound:
            break
    return model
