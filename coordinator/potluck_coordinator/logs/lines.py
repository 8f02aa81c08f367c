"""The two ways of writing an event: one JSON object a line, and a line for people."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime

from potluck_coordinator.logs.about import ACCESS, KNOWN, is_id, now_about
from potluck_coordinator.logs.faults import chain_of

OURS = "potluck"


def message_of(record: logging.LogRecord) -> str:
    """Give what was said. Of other libraries only their own words, without what they fill in."""
    if record.name.partition(".")[0].startswith(OURS):
        return record.getMessage()
    words = str(record.msg).splitlines()
    return words[0] if words else ""


def fields_of(record: logging.LogRecord) -> dict[str, object]:
    """Give the ids and the numbers of an event, by name."""
    known: Mapping[str, object] = {**now_about(), **record.__dict__}
    named = {name: known[name] for name in KNOWN if is_id(known.get(name)) or _number(known, name)}
    return {n: known[n] for n in ACCESS if known.get(n) is not None} | named


def _number(known: Mapping[str, object], name: str) -> bool:
    return isinstance(known.get(name), int)  # a trial's


def time_of(record: logging.LogRecord) -> str:
    """Give when it was, in UTC, to the millisecond."""
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, ids, and errors without their words."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one event."""
        told: dict[str, object] = {
            "time": time_of(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": message_of(record),
            **fields_of(record),
        }
        if record.exc_info and record.exc_info[1] is not None:
            told["errors"] = [
                {"kind": kind, "frames": frames} for kind, frames in chain_of(record.exc_info[1])
            ]
        return json.dumps(told, default=str)


class Readable(logging.Formatter):
    """A line for people; errors follow on lines of their own."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one event."""
        clock = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        known = "".join(f" {name}={_plain(value)}" for name, value in fields_of(record).items())
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        lines = [f"{clock} {level}{_plain(message_of(record))}{known}"]
        if record.exc_info and record.exc_info[1] is not None:
            for kind, frames in chain_of(record.exc_info[1]):
                lines += [f"  {kind}", *(f"    {frame}" for frame in frames)]
        return "\n".join(lines)


def _plain(value: object) -> str:
    """Write a value so that it neither breaks the line nor moves a terminal's cursor."""
    return "".join(c if c.isprintable() else "?" for c in str(value))
