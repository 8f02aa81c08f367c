"""Which page of a chain is asked for."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

MOST_ENTRIES = 1000
LAST_ENTRY = 2**53

Before = Annotated[int | None, Query(ge=0, le=LAST_ENTRY)]
"""Entries before this number; none: up to the chain's end."""
Limit = Annotated[int | None, Query(ge=1, le=MOST_ENTRIES)]
"""How many entries at most; none: all."""
