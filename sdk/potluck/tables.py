"""Rows as the kind of table that the reader has at hand."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable
from typing import Any

from potluck.protocol.records import LeaderboardRow

LIBRARIES = ("pandas", "polars")


def leaderboard_rows(rows: Iterable[LeaderboardRow]) -> list[dict[str, Any]]:
    """Flatten a leaderboard: one dict a trial, one key a parameter."""
    ranked = list(rows)
    names = sorted({name for row in ranked for name in row.parameters})
    flat = []
    for row in ranked:
        entry: dict[str, Any] = {
            "rank": row.rank,
            "trial": row.trial,
            "state": row.state,
            "mean": row.mean,
            "spread": row.spread,
            "n": row.n,
            "rung": row.rung,
            "epochs": row.epochs,
        }
        entry |= {name: row.parameters.get(name) for name in names}
        entry |= {"claim_loss": row.claim_loss, "reason": row.reason}
        flat.append(entry)
    return flat


def table(rows: list[dict[str, Any]]) -> Any:
    """Give a DataFrame of the library in use, else of one that is installed, else `rows`."""
    loaded = [name for name in LIBRARIES if name in sys.modules]
    found = [name for name in LIBRARIES if importlib.util.find_spec(name) is not None]
    for name in (*loaded, *found):
        frame = importlib.import_module(name).DataFrame
        # polars must look at every row: a parameter may be a number in one trial, text in another.
        options = {"infer_schema_length": None, "strict": False} if name == "polars" else {}
        return frame(rows, **options)
    return rows
