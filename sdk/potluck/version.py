"""One version for the library, the coordinator and the web client."""

from __future__ import annotations

from importlib.metadata import version

VERSION = version("potluck")
