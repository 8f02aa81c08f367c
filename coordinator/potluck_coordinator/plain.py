"""What a command cannot work with is said in one plain line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import ValidationError

from potluck.errors import PotluckError
from potluck_coordinator.core.errors import CannotStart
from potluck_coordinator.settings import Settings, settings_from

OPTIONS = ("host", "port", "data", "workers", "own_donor", "tls_cert", "tls_key", "log_format")
"""Settings that a command line gives, too."""


@contextmanager
def plainly() -> Iterator[None]:
    """Let the command line say in one line why the coordinator cannot work here."""
    try:
        yield
    except CannotStart as error:
        raise PotluckError(error.message) from error


def read_settings(**given: Any) -> Settings:
    """Make settings of a command line and the environment.

    Args:
        given: What the command line gave, by the settings' names; None where it gave nothing.

    Raises:
        PotluckError: A value is none that its setting can have: in a sentence.
    """
    try:
        return settings_from(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        option = f"--{name.replace('_', '-')} or " if name in OPTIONS else ""
        shown = repr(first.get("input"))[:100]
        told = f"{option}POTLUCK_{name.upper()} cannot be {shown}: {first['msg']}."
        raise PotluckError(told) from error
