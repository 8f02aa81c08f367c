"""What a coordinator says when it begins to listen, and whom it tells its admin token."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import typer

TOKEN_FILE = "admin-token"


def greet(address: str, data: Path, admin_token: str | None) -> None:
    """Say where the coordinator listens and keeps things, and how to come by a new admin token.

    A terminal is told the token itself, once. Anything else (a log, a pipe, a service manager)
    would keep it where others may read it, and is told of a file that only this user may read.

    Args:
        address: Where it listens.
        data: The data folder.
        admin_token: The token of the admin that this start made; None where there was one.
    """
    typer.echo(f"Potluck is listening on {address}")
    typer.echo(f"Everything is kept in {data}")
    if admin_token is not None and sys.stdout.isatty():
        typer.echo(f"Admin token, shown this once: {admin_token}")
    elif admin_token is not None:
        typer.echo(f"Admin token, for this user's eyes only: {keep_token(data, admin_token)}")
    sys.stdout.flush()


def keep_token(data: Path, token: str) -> Path:
    """Write a token where only this user may read it; give the file's path."""
    path = data / TOKEN_FILE
    part = data / f"{TOKEN_FILE}.part"
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        os.fchmod(file.fileno(), 0o600)  # whatever the umask
        file.write(f"{token}\n")
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    return path
