"""Write a revision for the tables as they are now: `python -m ...migrations MESSAGE [NAME]`."""

from __future__ import annotations

import sys
import tempfile

from potluck_coordinator.storage.engine import make_engine
from potluck_coordinator.storage.schema import write_revision

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        engine = make_engine(f"sqlite:///{folder}/draft.db")
        write_revision(engine, sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
        engine.dispose()
