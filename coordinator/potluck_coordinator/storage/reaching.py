"""Whether a database can be reached at all, before anything is built on it."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from potluck_coordinator.storage.engine import make_engine


class Unreachable(Exception):
    """Says in a sentence why no database can be used. It names no password."""


def reach(url: str) -> None:
    """Open a database and close it again.

    Args:
        url: SQLAlchemy's, for SQLite or PostgreSQL.

    Raises:
        Unreachable: It is no such address, or nothing that is a database answers there.
    """
    try:
        engine = make_engine(url)
    except ModuleNotFoundError as error:
        raise Unreachable(f"This database needs the Python package {error.name}.") from error
    except (ArgumentError, ValueError) as error:
        raise Unreachable(
            "The database's address cannot be used: expected sqlite:///PATH or "
            f"postgresql://USER@HOST/NAME ({_line(error)})."
        ) from error
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except DBAPIError as error:
        shown = make_url(url).render_as_string(hide_password=True)
        raise Unreachable(f"The database {shown} cannot be used: {_line(error.orig)}.") from error
    finally:
        engine.dispose()


def _line(error: BaseException | None) -> str:
    return " ".join(str(error).split())[:200].rstrip(".")
