"""Bring a database to the newest tables, and compare the two."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from potluck_coordinator.storage.metadata import metadata

FOLDER = Path(__file__).parent / "migrations"
MIGRATION_LOCK = 0x506F744D  # several coordinators may start at once


def migrate(engine: Engine, revision: str = "head") -> None:
    """Bring a database to a revision, the newest by default, in one transaction.

    Needs no `alembic.ini`. A database that is further already stays as it is.
    """
    with migrated(engine, revision):
        pass


@contextmanager
def migrated(engine: Engine, revision: str) -> Iterator[Connection]:
    """Do what `migrate` does, and give the transaction, to be gone on with.

    Raises `RuntimeError` where a row refers at its end to one that is not there.
    """
    with _connection(engine) as connection:
        command.upgrade(_config(connection), revision)
        yield connection


def known_revisions() -> tuple[str, ...]:
    """List the revisions that this Potluck knows, the oldest first."""
    found = ScriptDirectory.from_config(_scripts()).walk_revisions()
    return tuple(script.revision for script in found)[::-1]


def differences(engine: Engine) -> list[Any]:
    """List what a migrated database lacks or has too much, compared with the table classes."""
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        return list(compare_metadata(context, metadata))


def write_revision(engine: Engine, message: str, name: str | None = None) -> None:
    """Write the revision that leads from the newest one to the table classes.

    Developers run it by `python -m potluck_coordinator.storage.migrations MESSAGE`.
    """
    with _connection(engine) as connection:
        config = _config(connection)
        command.upgrade(config, "head")
        command.revision(config, message, autogenerate=True, rev_id=name)


def _config(connection: Connection) -> Config:
    config = _scripts()
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    config.attributes["connection"] = connection
    return config


def _scripts() -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


@contextmanager
def _connection(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        connection.detach()  # what is set on it here must not come back from the pool
        if connection.dialect.name == "sqlite":
            # Altering a table replaces it, which must not cascade. Has no effect once begun.
            driver: Any = connection.connection.dbapi_connection
            driver.execute("PRAGMA foreign_keys = OFF")
        with connection.begin():
            if connection.dialect.name == "postgresql":
                connection.execute(
                    text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK}
                )
            yield connection
            if connection.dialect.name == "sqlite":
                broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
                if broken is not None:
                    raise RuntimeError(f"A row refers to none: {tuple(broken)}.")
