"""Which page of a list or of a chain is asked for."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from potluck_coordinator.storage.pages import MOST_LISTED

MOST_ENTRIES = 1000
LAST_ENTRY = 2**53
LAST_ROW = 2**31 - 1

Before = Annotated[int | None, Query(ge=0, le=LAST_ENTRY)]
"""Entries before this number; none: up to the chain's end."""
Limit = Annotated[int | None, Query(ge=1, le=MOST_ENTRIES)]
"""How many entries at most; none: all, which are sent some at a time."""

MostListed = Annotated[int, Query(ge=1, le=MOST_LISTED)]
"""How many a page of a list has at most."""
Offset = Annotated[int, Query(ge=0, le=LAST_ROW)]
"""How many the pages before had."""
