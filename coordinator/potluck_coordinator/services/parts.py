"""The encoded rows of a study's parts: made when units need them, dropped when the study ends.

They can be made again from the dataset and the plan, byte for byte; what is kept of a dropped part
is which rows it has, its encoder, and the hashes that its rows must have again.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from potluck_coordinator.core.errors import BadInput, Conflict, NotFound, TooLarge
from potluck_coordinator.core.records import REFIT_PART, Part, Study
from potluck_coordinator.services.endings import fail_study, trials_to_come
from potluck_coordinator.services.events import WORK
from potluck_coordinator.services.jobs import EncodedPart, encode_parts, hash_of
from potluck_coordinator.services.leftovers import forget
from potluck_coordinator.services.memory import encoded_bytes, stored_bytes
from potluck_coordinator.services.planning import SECONDS_TO_PREPARE
from potluck_coordinator.services.reading import on_dataset
from potluck_coordinator.services.room import must_have_room
from potluck_coordinator.services.site import Site
from potluck_coordinator.services.working import keep_made
from potluck_coordinator.storage import datasets, parts, studies, units
from potluck_coordinator.storage.ledger import record
from potluck_coordinator.storage.transaction import Transaction, after_commit


async def provide(site: Site, study: Study) -> bool:
    """Encode what a running study's units need now and is not there.

    Args:
        site: The coordinator.
        study: The study, as it was read a moment ago.

    Returns:
        Whether the study can go on: False where it has ended, or fails because its rows cannot be
        encoded.

    Raises:
        NoRoom: `disk.full`; it can be tried again later.
    """
    wanted = await site.writer.read(lambda tx: _needed(tx, study.id))
    if wanted is None:
        return False
    try:
        made = await _encoded(site, study, wanted) if wanted else []
    except (BadInput, Conflict, NotFound, TooLarge) as error:
        reason = f"Its rows could not be encoded: {error.message}"
        await site.writer.run(lambda tx: fail_study(site, tx, study.id, reason))
        return False

    def act(tx: Transaction) -> bool:
        _keep(site, tx, study.id, made)
        still = _needed(tx, study.id)
        if still is None:
            return False
        parts.mark(tx, study.id, encoded=not still)
        after_commit(tx, lambda: site.hub.publish(study.id, WORK))
        return not still

    return await site.writer.run(act)


async def provided(site: Site, study_id: str, number: int) -> Part:
    """Give a part whose encoded rows are there; they are made again where they were dropped.

    Call it under `ArtifactStore.naming`, which keeps them while they are worked with.

    Args:
        site: The coordinator.
        study_id: Its study, which may have ended.
        number: The part.

    Raises:
        NotFound: `study.part_not_found`; the study was deleted.
        Conflict: `dataset.deleted`, `study.rows_changed`.
        NoRoom: `disk.full`.
    """

    def look(tx: Transaction) -> tuple[Study, Part]:
        return studies.get(tx, study_id), parts.get(tx, study_id, number)

    study, part = await site.writer.read(look)
    if part.kept:
        with suppress(NotFound):  # lost with its disk
            await site.artifacts.adopt(part.names)
            return part
    made = await _encoded(site, study, [part])

    def act(tx: Transaction) -> Part:
        _keep(site, tx, study_id, made)
        return parts.get(tx, study_id, number)

    return await site.writer.run(act)


async def drop_unneeded(site: Site) -> None:
    """Delete the encoded rows of studies that have ended, once all came in that was returned."""
    for study_id in await site.writer.read(parts.no_longer_needed):
        rows = await site.writer.read(partial(_names, study_id=study_id))
        with site.artifacts.watching(rows) as watch:
            if watch.spared:  # somebody works with them: the next round looks again
                continue

        def act(tx: Transaction, study_id: str = study_id) -> set[str]:
            current = studies.find(tx, study_id)
            if current is None or current.state == "running":
                return set()
            return parts.drop(tx, study_id)

        await forget(site, await site.writer.run(act))


def _names(tx: Transaction, study_id: str) -> set[str]:
    return {name for part in parts.of_study(tx, study_id) for name in part.names}


def check_rows_are_there(tx: Transaction, study: Study) -> None:
    """Refuse to let a study go on whose rows were dropped and can no longer be made.

    Raises:
        Conflict: `dataset.deleted`.
    """
    if datasets.get(tx, study.dataset_id).deleted_at is None:
        return
    if not parts.all_kept(tx, study.id):
        raise _no_dataset()


def _no_dataset() -> Conflict:
    return Conflict(
        "dataset.deleted",
        "The dataset was deleted, and the study's rows went with it.",
        expected="a dataset that is still there",
        got="one that was deleted",
        hint="Upload it again, and make a new study of it.",
    )


def _needed(tx: Transaction, study_id: str) -> list[Part] | None:
    """List the parts that are needed and not kept; None where the study does not run.

    Trials need all parts but the refit's, which is needed when they have ended.
    """
    study = studies.find(tx, study_id)
    if study is None or study.state != "running":
        return None
    searching = trials_to_come(tx, study)
    opened = units.open_parts(tx, study_id)
    return [
        part
        for part in parts.of_study(tx, study_id)
        if not part.kept and (part.part in opened or (part.part == REFIT_PART) != searching)
    ]


async def _encoded(site: Site, study: Study, wanted: Sequence[Part]) -> list[EncodedPart]:
    """Encode parts in a worker. Raises BadInput, Conflict, NotFound, TooLarge, NoRoom."""
    dataset = await site.writer.read(lambda tx: datasets.get(tx, study.dataset_id))
    if dataset.deleted_at is not None:
        raise _no_dataset()
    numbers = [part.part for part in wanted]
    found = await site.writer.read(lambda tx: parts.rows_of(tx, study.id, numbers))
    if len(found) < len(wanted):
        raise NotFound("study.not_found", "There is no such study.", got=study.id)
    rows = [found[number] for number in numbers]
    sizes = [len(part.train_rows) + len(part.held_rows) for part in rows]
    writes = stored_bytes(study.plan, sum(sizes))
    must_have_room(site, writes)

    async def encode() -> list[EncodedPart]:
        return await on_dataset(
            site,
            dataset.hash,
            dataset.filename,
            encode_parts,
            study.plan,
            rows,
            site.artifacts.shelf(),
            account=study.owner,
            more=encoded_bytes(study.plan, max(sizes)),
            writes=writes,
            timeout_s=SECONDS_TO_PREPARE,
        )

    made = await keep_made(site, encode, lambda made: {sha for one in made for sha in one.names})
    before = {part.part: part for part in wanted}
    for one in made:
        known = before[one.part]
        if known.train is not None and one.names != (known.train, known.held):
            await forget(site, one.names)
            raise Conflict(
                "study.rows_changed",
                "The rows are encoded differently from when the study was made.",
                expected="the hashes that the ledger has",
                got=f"others for part {one.part}",
                hint="Another version of Potluck or of its libraries may be the cause: make a new "
                "study.",
            )
    return made


def _keep(site: Site, tx: Transaction, study_id: str, made: Sequence[EncodedPart]) -> None:
    """Name what was encoded, as far as the study is still there and lacks it."""
    new = []
    for one in made:
        known = parts.get(tx, study_id, one.part)
        parts.keep(tx, study_id, one.part, train=one.train, held=one.held, encoder=one.encoder)
        if known.train is None:
            new.append(one)
    if new:
        record_encoded(site, tx, study_id, new)


def record_encoded(site: Site, tx: Transaction, study_id: str, made: Sequence[EncodedPart]) -> None:
    """Put the hashes of a study's encoded rows into its ledger.

    Args:
        site: The coordinator.
        tx: The transaction that keeps them for the first time.
        study_id: Their study.
        made: What was encoded.
    """
    told = [
        {"part": one.part, "train": one.train, "held": one.held, "encoder": hash_of(one.encoder)}
        for one in made
    ]
    record(tx, study_id, "encoded", {"parts": told}, site.now())
