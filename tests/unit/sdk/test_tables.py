"""A leaderboard as a table of the library at hand."""

from __future__ import annotations

import subprocess
import sys

import pytest

from potluck.protocol.records import LeaderboardRow
from potluck.tables import leaderboard_rows

ROWS = [
    LeaderboardRow(
        rank=1, trial=3, state="completed", rung=2, epochs=8, mean=0.9, spread=None, n=1,
        claim_loss=0.1, parameters={"learning_rate": 0.1, "optimizer": "adam"}, reason="",
    ),
    LeaderboardRow(
        rank=None, trial=4, state="failed", rung=None, epochs=0, mean=None, spread=None, n=0,
        claim_loss=None, parameters={"learning_rate": 1}, reason="It diverged.",
    ),
]  # fmt: skip


def test_every_parameter_of_any_trial_is_a_column() -> None:
    first, second = leaderboard_rows(ROWS)
    assert list(first) == list(second)
    assert (first["optimizer"], second["optimizer"]) == ("adam", None)
    assert (first["mean"], second["reason"]) == (0.9, "It diverged.")


@pytest.mark.parametrize(
    ("missing", "kind"),
    [([], "pandas"), (["pandas"], "polars"), (["pandas", "polars"], "builtins")],
)
def test_the_table_is_of_a_library_that_is_installed(missing: list[str], kind: str) -> None:
    # In a process of its own: libraries that others have loaded would be preferred.
    code = f"""
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name in {missing} else found(name, *rest)
from potluck.tables import table
made = table([{{"a": 1, "b": "x"}}, {{"a": 2.5, "b": 3}}])
print(type(made).__module__.partition(".")[0], len(made))
"""
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True
    )
    assert answer.stdout.split() == [kind, "2"]
