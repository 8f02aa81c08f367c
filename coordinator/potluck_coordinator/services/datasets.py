"""Take datasets in, show them, delete their bytes."""

from __future__ import annotations

import asyncio

from potluck.protocol import records as wire
from potluck_coordinator.core.errors import Conflict, OverQuota
from potluck_coordinator.core.ledger import SITE_CHAIN
from potluck_coordinator.core.names import MOST_CHARACTERS
from potluck_coordinator.core.records import Dataset
from potluck_coordinator.pipeline import bundled_file
from potluck_coordinator.services.access import Asker
from potluck_coordinator.services.drawn import drawn_one, told_rows
from potluck_coordinator.services.jobs import describe_dataset
from potluck_coordinator.services.leftovers import forget
from potluck_coordinator.services.making import making
from potluck_coordinator.services.quotas import may_keep
from potluck_coordinator.services.reading import on_dataset
from potluck_coordinator.services.room import writing
from potluck_coordinator.services.sharing import note_network
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage import datasets, studies
from potluck_coordinator.storage.ledger import record
from potluck_coordinator.storage.pages import MOST_LISTED
from potluck_coordinator.storage.transaction import Transaction, after_commit

SECONDS_TO_READ = 300.0


async def add_dataset(
    site: Site, asker: Asker, artifact: str, filename: str, name: str | None
) -> tuple[Dataset, bool]:
    """Read an upload that lies in the store under `artifact`, and keep it as a dataset.

    Gives the dataset, and whether it is new: the same bytes are the same dataset, under the name
    that they got first. Bytes that cannot be read are not kept.
    """
    asker.must_submit()
    label = (name or filename).strip()[:MOST_CHARACTERS] or "dataset"
    found = await site.writer.read(lambda tx: datasets.same(tx, asker.owner, filename, artifact))
    if found is not None:
        return found, False
    size = await site.artifacts.size(artifact)
    try:
        await site.writer.read(lambda tx: may_keep(site, tx, asker, size))
        profile = await on_dataset(
            site,
            artifact,
            filename,
            describe_dataset,
            account=asker.turn,
            timeout_s=SECONDS_TO_READ,
        )
    except Exception:
        await forget(site, [artifact])
        raise

    def act(tx: Transaction) -> tuple[Dataset, bool]:
        meanwhile = datasets.same(tx, asker.owner, filename, artifact)
        if meanwhile is not None:
            return meanwhile, False
        may_keep(site, tx, asker, size)
        dataset = Dataset(
            id=site.new_id("ds"),
            name=label,
            version=datasets.next_version(tx, asker.owner, label),
            owner=asker.owner,
            hash=artifact,
            filename=filename,
            bytes=size,
            profile=profile,
            created_at=site.now(),
        )
        datasets.add(tx, dataset)
        note_network(site, asker, dataset.owner, dataset.id)
        body = {"dataset": dataset.id, "hash": artifact, "bytes": dataset.bytes}
        record(tx, SITE_CHAIN, "dataset", body, dataset.created_at)
        return dataset, True

    try:
        made = await site.writer.run(act)
    except OverQuota:  # others of the same owner came first
        await forget(site, [artifact])
        raise
    if not await site.artifacts.exists(artifact):
        await _delete(site, asker, made[0], unused=True)
        raise Conflict(
            "dataset.deleted",
            "The same bytes were deleted while they were read.",
            expected="bytes that stay",
            got="a deletion of a dataset with the same bytes",
            hint="Upload it again.",
        )
    return made


async def add_bundled(site: Site, asker: Asker, name: str) -> tuple[Dataset, bool]:
    """Take one of the real datasets that come with scikit-learn. It counts as an upload.

    Raises NotFound; TooOften `rate.*`; NoRoom `disk.full`.
    """
    asker.must_submit()
    filename, content = await asyncio.to_thread(bundled_file, name)
    with making(site, asker, len(content)) as made, writing(site, len(content)):
        artifact = await site.artifacts.put(content)
        dataset, new = await add_dataset(site, asker, artifact, filename, name)
        made.kept = len(content) if new else 0
    return dataset, new


async def dataset_view(site: Site, asker: Asker, dataset_id: str) -> wire.Dataset:
    """Give what the wire tells of a dataset that the asker owns. Raises NotFound.

    Args:
        site: The coordinator.
        asker: Who asks.
        dataset_id: Which one.
    """
    found = await get_dataset(site, asker, dataset_id)
    return await asyncio.to_thread(drawn_one, found, to_wire)


async def get_dataset(site: Site, asker: Asker, dataset_id: str) -> Dataset:
    """Give a dataset that the asker owns. Raises NotFound."""
    dataset = await site.writer.read(lambda tx: datasets.get(tx, dataset_id))
    asker.must_own(dataset.owner, "dataset.not_found")
    return dataset


async def list_datasets(
    site: Site, asker: Asker, *, limit: int = MOST_LISTED, offset: int = 0
) -> bytes:
    """List the asker's datasets, newest first: a page of them, as JSON. The admin sees all.

    Args:
        site: The coordinator.
        asker: Who asks.
        limit: How many at most; where their descriptions are large there are fewer.
        offset: How many the pages before had.
    """

    def look(tx: Transaction) -> bytes:
        return told_rows(
            datasets.page(tx, owners=asker.seen_owners, limit=limit, offset=offset), to_wire
        )

    return await site.writer.read(look)


async def delete_dataset(
    site: Site, asker: Asker, dataset_id: str, *, unused: bool = False
) -> None:
    """Delete a dataset's bytes, names and examples; the ledger keeps their hash, and that it was.

    Raises Conflict where a running study uses it, and with `unused` where any study does.
    """
    await _delete(site, asker, await get_dataset(site, asker, dataset_id), unused=unused)


async def take_back(site: Site, asker: Asker, dataset: Dataset) -> None:
    """Delete what a request has just made for somebody who has gone, also one without a key.

    Args:
        site: The coordinator.
        asker: Who made it.
        dataset: The dataset.

    Raises:
        Conflict: A study uses it by now.
    """
    await _delete(site, asker, dataset, unused=True)


async def _delete(site: Site, asker: Asker, dataset: Dataset, *, unused: bool) -> None:
    def act(tx: Transaction) -> None:
        if studies.uses_dataset(tx, dataset.id, *(() if unused else ("running",))):
            raise Conflict(
                "dataset.in_use",
                f"A {'' if unused else 'running '}study uses this dataset.",
                expected=f"no {'' if unused else 'running '}study",
                got="one or more",
                hint="" if unused else "Stop the study first.",
            )
        now = site.now()
        if datasets.mark_deleted(tx, dataset.id, now):
            body = {"dataset": dataset.id, "hash": dataset.hash, "by": asker.name}
            record(tx, SITE_CHAIN, "dataset_deleted", body, now)
            datasets.drop_unnamed(tx, dataset.id)
            after_commit(tx, lambda: site.whence.forget(dataset.id))

    await site.writer.run(act)
    await forget(site, [dataset.hash])


def to_wire(dataset: Dataset) -> wire.Dataset:
    """Give what the wire tells of a dataset."""
    return wire.Dataset(
        id=dataset.id,
        name=dataset.name if dataset.deleted_at is None else datasets.DELETED,
        version=dataset.version,
        hash=dataset.hash,
        bytes=dataset.bytes,
        created_at=dataset.created_at,
        deleted=dataset.deleted_at is not None,
        profile=wire.DatasetProfile.model_validate(dataset.profile),
    )
