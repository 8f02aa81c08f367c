"""What services work with, on a new SQLite file: without a server, and without the loops."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from potluck_coordinator.scoring import Workers
from potluck_coordinator.services.admission import Admission
from potluck_coordinator.services.converters import Converters
from potluck_coordinator.services.events import Hub
from potluck_coordinator.services.presence import Presence
from potluck_coordinator.services.rates import Rates
from potluck_coordinator.services.site import Site
from potluck_coordinator.settings import Settings
from potluck_coordinator.storage.artifacts import ArtifactStore
from potluck_coordinator.storage.engine import make_engine, migrate
from potluck_coordinator.storage.writer import Writer


@contextmanager
def bare_site(folder: Path) -> Iterator[tuple[Site, Engine]]:
    """Give a site and its database's engine; none of its workers' processes has started.

    Args:
        folder: An empty folder.
    """
    settings = Settings(data=folder, workers=1)
    engine = make_engine(f"sqlite:///{folder / 'potluck.db'}")
    migrate(engine)
    memory = Admission(settings.memory, settings.workers)
    site = Site(
        settings=settings,
        writer=Writer(engine),
        artifacts=ArtifactStore(settings.artifact_place()),
        workers=Workers(1),
        hub=Hub(),
        presence=Presence(),
        own_donor=Workers(1),
        memory=memory,
        converters=Converters(memory, settings.workers),
        rates=Rates(settings),
    )
    try:
        yield site, engine
    finally:
        site.writer.close()
        site.converters.close()
        site.workers.close()
        site.own_donor.close()
        engine.dispose()
