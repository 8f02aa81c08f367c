"""Open what a coordinator keeps: its folder, for itself alone, and its database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from obstore.exceptions import BaseError
from sqlalchemy import Engine
from sqlalchemy.exc import ArgumentError
from sqlmodel import Session

from potluck_coordinator.core.errors import CannotStart
from potluck_coordinator.storage.artifacts import ArtifactStore
from potluck_coordinator.storage.condition import revision_of, shown
from potluck_coordinator.storage.engine import make_engine
from potluck_coordinator.storage.folder_lock import held
from potluck_coordinator.storage.private import tighten_database
from potluck_coordinator.storage.schema import known_revisions
from potluck_coordinator.storage.upgrade import bring_up_to_date
from potluck_coordinator.storage.vacuum import make_shrinkable


@contextmanager
def opened(data: Path, url: str) -> Iterator[Engine]:
    """Hold a data folder, and give an engine on its up-to-date database.

    Args:
        data: The data folder.
        url: The database's address.

    Raises:
        CannotStart: One sentence that says why it cannot be, and what to do.
    """
    with held(data):
        engine = engine_for(url)
        try:
            tighten_database(engine)
            bring_up_to_date(engine)
            if engine.url.database and engine.dialect.name == "sqlite":
                make_shrinkable(engine, Path(engine.url.database))
            yield engine
        finally:
            engine.dispose()


@contextmanager
def open_beside(engine: Engine) -> Iterator[Session]:
    """Give one transaction on a database that is up to date, whether a coordinator uses it or not.

    It commits where nothing was raised, and the engine is disposed of.

    Raises:
        CannotStart: `database.missing` where there is none yet, `database.older` where a
            coordinator has to upgrade it first, and what `revision_of` raises.
    """
    try:
        revision, newest = revision_of(engine), known_revisions()[-1]
        if revision is None:
            raise CannotStart(
                "database.missing",
                f"There is no coordinator's database at {shown(engine)}: name the data folder "
                "with --data, as for `potluck serve`.",
            )
        if revision != newest:
            raise CannotStart(
                "database.older",
                f"The database {shown(engine)} is of revision {revision}, and this Potluck needs "
                f"{newest}: start the coordinator once, which upgrades it.",
            )
        with Session(engine, expire_on_commit=False) as session, session.begin():
            yield session
    finally:
        engine.dispose()


def engine_for(url: str) -> Engine:
    """Make an engine. Raises `CannotStart` `database.address` or `database.driver`."""
    try:
        return make_engine(url)
    except (ValueError, ArgumentError) as error:
        raise CannotStart(
            "database.address",
            "The database's address cannot be used: expected sqlite:///PATH to a file, or "
            "postgresql://USER@HOST/NAME.",
        ) from error


def store_at(place: str, *, make: bool) -> ArtifactStore:
    """Open an artifact store; without `make`, a folder must be there already.

    Raises:
        CannotStart: `artifacts.place` for a place that cannot be one.
    """
    there = make or "://" in place or Path(place).is_dir()
    try:
        if there:
            return ArtifactStore(place)
        why = "there is no such folder"
    except (BaseError, ValueError, OSError) as error:
        why = str(error).split("\n")[0][:200]
    raise CannotStart(
        "artifacts.place",
        f"The artifact store {place} cannot be opened ({why}): "
        "expected a folder, or an address such as s3://bucket/prefix.",
    )
