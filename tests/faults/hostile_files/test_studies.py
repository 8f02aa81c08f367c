"""Studies and tables that ask for much, at small size: what the server takes, who else waits."""

from __future__ import annotations

from tests.faults.hostile_files.table import served_by_a_coordinator
from tests.support.peak_memory import needs_peaks

SHARE = 0.05
MOST_MB = 100.0
"""Of the server's own memory, for what would be some hundred MB in its workers."""


@needs_peaks
def test_what_asks_for_much_takes_little_of_the_server_and_others_go_on() -> None:
    found = dict(served_by_a_coordinator(SHARE))
    assert set(found) == {"1,000 folds on 1 MB", "two wide tables at once"}
    for name, served in found.items():
        assert served.server_mb < MOST_MB, (name, served)
        assert served.slowest_s > 0, "somebody else was served meanwhile"
    assert found["1,000 folds on 1 MB"].outcome == "taken, and gone when it was deleted"
