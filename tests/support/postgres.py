"""A real PostgreSQL for the tests: a throw-away cluster on a socket in a temporary folder."""

from __future__ import annotations

import glob
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from potluck_coordinator.storage.engine import make_engine, migrate
from tests.support.waiting import PATIENCE_S

SETTINGS = (
    "listen_addresses=",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=60",
)
NEW_CLUSTER = ("-U", "potluck", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
TEMPLATE = "potluck_template"


class PostgresServer:
    """A running cluster. Each test takes a database of its own from a migrated template."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._execute(f"CREATE DATABASE {TEMPLATE}")
        engine = make_engine(self._url(TEMPLATE))
        migrate(engine)
        engine.dispose()

    def new_database(self, *, migrated: bool = True) -> str:
        """Make a database; give its SQLAlchemy address."""
        name = f"potluck_{next(self._numbers)}"
        template = TEMPLATE if migrated else "template0"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self._url(name)

    def _url(self, database: str) -> str:
        return f"postgresql://potluck@/{database}?host={self._socket}"

    def _execute(self, statement: str) -> None:
        with psycopg.connect(
            host=str(self._socket), user="potluck", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(statement)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Start PostgreSQL for this run of the tests; skip where its programs are not installed."""
    programs = find_programs()
    if programs is None:
        pytest.skip("PostgreSQL's initdb and pg_ctl are not installed")
    folder = Path(tempfile.mkdtemp(prefix="potluck-pg-"))
    cluster = folder / "data"
    user = None
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        user = _ordinary_user()
        shutil.chown(folder, user)
    try:
        _run([programs / "initdb", "-D", cluster, *NEW_CLUSTER], folder, user)
        settings = (*SETTINGS, f"unix_socket_directories={folder}")
        options = " ".join(f"-c {setting}" for setting in settings)
        control = [programs / "pg_ctl", "-D", cluster, "-w", "-s"]
        _run([*control, "-l", folder / "log", "-o", options, "start"], folder, user)
        try:
            yield PostgresServer(folder)
        finally:
            _run([*control, "-m", "immediate", "stop"], folder, user)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def find_programs() -> Path | None:
    """Give the folder of PostgreSQL's server programs."""
    folders = [Path(path) for path in sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)]
    if found := shutil.which("initdb"):
        folders.insert(0, Path(found).parent)
    if config := shutil.which("pg_config"):
        told = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=True)
        folders.insert(0, Path(told.stdout.strip()))
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "pg_ctl").exists():
            return folder
    return None


def _ordinary_user() -> str:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _run(command: list[object], folder: Path, user: str | None) -> None:
    # Output goes to a file: the server inherits it, and a pipe would stay open as long as it runs.
    with (folder / "setup.log").open("ab") as log:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=folder,
            user=user,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            timeout=PATIENCE_S,
            check=False,
        )
    if done.returncode:
        raise RuntimeError((folder / "setup.log").read_text())
