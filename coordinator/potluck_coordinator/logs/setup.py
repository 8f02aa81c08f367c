"""Set logging up once, in `potluck serve` and in each process that it starts."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from enum import StrEnum
from typing import TextIO

from potluck_coordinator.logs.lines import OURS, JsonLines, Readable


class LogFormat(StrEnum):
    """How lines are written; `auto` is `text` on a terminal, else `json`."""

    AUTO = "auto"
    JSON = "json"
    TEXT = "text"


class LogLevel(StrEnum):
    """From which weight on lines are written; `auto` is `warning` on a terminal, else `info`."""

    AUTO = "auto"
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


IN_CHILDREN = "POTLUCK_LOG_OF_PARENT"
"""What the parent decided: a child's own error output says nothing of who reads it."""

_warnings = logging.getLogger(f"{OURS}.warnings")


def set_up(form: LogFormat, level: LogLevel) -> None:
    """Write the log to standard error; processes that are started from now on do the same."""
    terminal = sys.stderr.isatty()
    if form is LogFormat.AUTO:
        form = LogFormat.TEXT if terminal else LogFormat.JSON
    if level is LogLevel.AUTO:
        level = LogLevel.WARNING if terminal else LogLevel.INFO
    os.environ[IN_CHILDREN] = f"{form.value} {level.value}"
    _apply(form, level)


def set_up_child() -> None:
    """Log as the parent does; where that was not set up, as Python does."""
    told = os.environ.get(IN_CHILDREN, "").split()
    if len(told) == 2:
        _apply(LogFormat(told[0]), LogLevel(told[1]))


def _apply(form: LogFormat, level: LogLevel) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form is LogFormat.JSON else Readable())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # What libraries say below a warning holds messages, statements and their values.
    root.setLevel(logging.WARNING)
    for name in (OURS, "potluck_coordinator", "potluck_converter"):
        logging.getLogger(name).setLevel(level.value.upper())
    warnings.showwarning = _show_warning


def _show_warning(
    message: Warning | str,  # noqa: ARG001
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,  # noqa: ARG001
    line: str | None = None,  # noqa: ARG001
) -> None:
    """Tell a library's warning by its kind and place: its words may quote a cell."""
    _warnings.warning("%s at %s:%d", category.__name__, filename, lineno)
