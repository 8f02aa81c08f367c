"""Pages of a test's own, bundled with the web client's TF.js."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.support.waiting import PATIENCE_S

CLIENT = Path(__file__).parents[2] / "client_web"
OURS = CLIENT / "dist" / "potluck-tfjs.js"


def build_page(page: Path, built: Path) -> None:
    """Bundle a page's folder into another, unless it is fresh. Raises AssertionError."""
    if not (CLIENT / "node_modules" / "@tensorflow").is_dir() or not OURS.exists():
        raise AssertionError("the web client is not built: run `make setup`")
    newest = max(path.stat().st_mtime for path in [*page.iterdir(), CLIENT / "package-lock.json"])
    index = built / "index.html"
    if index.exists() and index.stat().st_mtime > newest:
        return
    done = subprocess.run(
        [
            *(str(CLIENT / "node_modules/.bin/vite"), "build"),
            *("--config", str(page / "vite.config.mjs"), "--outDir", str(built)),
        ],
        cwd=CLIENT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        env={**os.environ, "NODE_ENV": "production"},
    )
    if done.returncode != 0:
        raise AssertionError(f"{page} did not build: {done.stderr or done.stdout}")
