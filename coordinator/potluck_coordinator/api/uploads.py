"""Models and datasets: upload, list, download, delete."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

from fastapi import APIRouter, File, Form, Request, Response, UploadFile

from potluck.protocol.records import BundledDataset, Dataset, Model, ModelFit
from potluck_coordinator.api.deps import StillWanted, SubmittersRoute, TheAsker, TheSite
from potluck_coordinator.api.downloads import rendered
from potluck_coordinator.api.paging import MostListed, Offset
from potluck_coordinator.api.told import JSON, told_one
from potluck_coordinator.core.errors import BadModel, TooLarge
from potluck_coordinator.core.names import check_name
from potluck_coordinator.pipeline import bundled
from potluck_coordinator.services import datasets, fitting, models
from potluck_coordinator.services.renderings import ModelFile
from potluck_coordinator.storage.pages import MOST_LISTED

router = APIRouter()
large = APIRouter(route_class=SubmittersRoute)

CHUNK = 1 << 20


def plain_name(given: str | None, otherwise: str) -> str:
    """Give an upload's file name without its folders, and not too long for a file system.

    Raises BadInput `name.blank` or `name.characters`.
    """
    name = (given or otherwise).replace("\\", "/").rsplit("/", 1)[-1][-60:]
    return check_name(name, of="a file", where="file", most=None) if name else name


def given_name(name: str | None, of: str) -> str | None:
    """Give the name that a form gives to what it uploads; None where its field was left empty.

    Raises BadInput `name.*`.
    """
    return check_name(name, of=of) if name else None


async def chunks(upload: UploadFile) -> AsyncIterator[bytes]:
    """Give an upload piece by piece."""
    while piece := await upload.read(CHUNK):
        yield piece


@router.get("/models", tags=["models"], response_model=list[Model])
async def list_models(
    site: TheSite, asker: TheAsker, limit: MostListed = MOST_LISTED, offset: Offset = 0
) -> Response:
    """List your models, newest first: a page of them.

    A page has at most `limit`, fewer where reports are large; the next one begins at `offset` and
    how many this one has. After the last model it is empty.
    """
    found = await models.list_models(site, asker, limit=limit, offset=offset)
    return Response(found, media_type=JSON)


@large.post("/models", status_code=201, tags=["models"], responses={200: {"model": Model}})
async def post_model(
    site: TheSite,
    asker: TheAsker,
    still_wanted: StillWanted,
    response: Response,
    files: Annotated[
        list[UploadFile],
        File(description="`.h5`, `.keras`, `.json` + weights `.h5`, or `model.json` + shards"),
    ],
    name: Annotated[str | None, Form()] = None,
) -> Model:
    """Upload a model; the answer is its report. 200: these bytes were there before."""
    name = given_name(name, "a model")
    left = site.settings.max_model_bytes
    with TemporaryDirectory(prefix="potluck-upload-") as folder:
        for upload in files:
            left -= await spool(upload, Path(folder), left)
        with site.artifacts.naming():
            model, new = await models.add_model(site, asker, Path(folder), name)
    if not new:
        response.status_code = 200
    elif not await still_wanted():
        await models.take_back(site, asker, model)
    return models.to_wire(model)


async def spool(upload: UploadFile, folder: Path, left: int) -> int:
    """Copy an upload into a folder under its own name; give its size in bytes.

    Raises BadModel `model.file_names`, and TooLarge `size.upload` for more than is left.
    """
    name, size = plain_name(upload.filename, ""), 0
    try:
        with (folder / name).open("xb") as file:
            async for piece in chunks(upload):
                size += len(piece)
                if size > left:
                    raise TooLarge(
                        "size.upload",
                        "The model is larger than this coordinator takes.",
                        expected=f"at most {left} bytes more",
                        got="more",
                    )
                await asyncio.to_thread(file.write, piece)
    except (FileExistsError, IsADirectoryError, ValueError) as error:
        raise BadModel(
            "model.file_names",
            "Every file needs a name of its own.",
            expected="different file names",
            got=name or "no name",
        ) from error
    return size


@router.get("/models/{model_id}", tags=["models"], response_model=Model)
async def get_model(site: TheSite, asker: TheAsker, model_id: str) -> Response:
    """Give a model's report."""
    return await told_one(await models.model_view(site, asker, model_id))


@router.post(
    "/models/{model_id}/fitted",
    status_code=201,
    tags=["models"],
    responses={200: {"model": Model}},
)
async def post_fitted(
    site: TheSite,
    asker: TheAsker,
    still_wanted: StillWanted,
    response: Response,
    model_id: str,
    body: ModelFit,
) -> Model:
    """Make the same model for rows of another width: its first layer starts anew.

    200: this model was there before. A fitted model is made again from the one that was uploaded.
    """
    with site.artifacts.naming():
        model, new = await fitting.fit_model(site, asker, model_id, body.width)
    if not new:
        response.status_code = 200
    elif not await still_wanted():
        await models.take_back(site, asker, model)
    return models.to_wire(model)


@router.get("/models/{model_id}/file", tags=["models"], response_class=Response)
async def get_model_file(
    site: TheSite,
    asker: TheAsker,
    request: Request,
    model_id: str,
    format: Literal["h5", "keras", "tfjs"] = "h5",
) -> Response:
    """Download a model as `.h5`, as `.keras` or as a zip of TF.js files."""
    model = await models.get_model(site, asker, model_id)
    return await rendered(request, asker, ModelFile(model.graph, model.weights, format))


@router.get("/datasets", tags=["datasets"], response_model=list[Dataset])
async def list_datasets(
    site: TheSite, asker: TheAsker, limit: MostListed = MOST_LISTED, offset: Offset = 0
) -> Response:
    """List your datasets, newest first: a page of them.

    A page has at most `limit`, fewer where profiles are large; the next one begins at `offset` and
    how many this one has. After the last dataset it is empty.
    """
    found = await datasets.list_datasets(site, asker, limit=limit, offset=offset)
    return Response(found, media_type=JSON)


@router.delete("/models/{model_id}", tags=["models"], status_code=204)
async def delete_model(site: TheSite, asker: TheAsker, model_id: str) -> None:
    """Delete a model that no study uses."""
    await models.delete_model(site, asker, model_id)


@large.post("/datasets", status_code=201, tags=["datasets"], responses={200: {"model": Dataset}})
async def post_dataset(
    site: TheSite,
    asker: TheAsker,
    still_wanted: StillWanted,
    response: Response,
    file: Annotated[UploadFile, File(description="CSV, TSV or .npz")],
    name: Annotated[str | None, Form()] = None,
) -> Dataset:
    """Upload a dataset; the answer is its profile. 200: these bytes were there before."""
    asker.must_submit()
    limit = site.settings.max_dataset_bytes
    name = given_name(name, "a dataset")
    label = plain_name(file.filename, "data.csv")
    with site.artifacts.naming():
        artifact, _size = await site.artifacts.put_stream(chunks(file), limit)
        dataset, new = await datasets.add_dataset(site, asker, artifact, label, name)
    if not new:
        response.status_code = 200
    elif not await still_wanted():
        await datasets.take_back(site, asker, dataset)
    return datasets.to_wire(dataset)


@router.get("/datasets/bundled", tags=["datasets"])
async def list_bundled(_asker: TheAsker) -> list[BundledDataset]:
    """List the real datasets that come along."""
    return list(bundled())


@router.post(
    "/datasets/bundled/{name}",
    status_code=201,
    tags=["datasets"],
    responses={200: {"model": Dataset}},
)
async def post_bundled(site: TheSite, asker: TheAsker, response: Response, name: str) -> Dataset:
    """Take a dataset that comes along. 200: it was taken before."""
    with site.artifacts.naming():
        dataset, new = await datasets.add_bundled(site, asker, name)
    if not new:
        response.status_code = 200
    return datasets.to_wire(dataset)


@router.get("/datasets/{dataset_id}", tags=["datasets"], response_model=Dataset)
async def get_dataset(site: TheSite, asker: TheAsker, dataset_id: str) -> Response:
    """Give a dataset's profile."""
    return await told_one(await datasets.dataset_view(site, asker, dataset_id))


@router.delete("/datasets/{dataset_id}", tags=["datasets"], status_code=204)
async def delete_dataset(
    site: TheSite, asker: TheAsker, dataset_id: str, unused: bool = False
) -> None:
    """Delete a dataset's bytes. Studies keep their scores; the ledger keeps the hash.

    With `unused` only where no study uses it.
    """
    await datasets.delete_dataset(site, asker, dataset_id, unused=unused)


router.include_router(large)
