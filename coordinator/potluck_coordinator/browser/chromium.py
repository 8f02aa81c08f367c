"""Find a Chromium for donor tabs, or install one.

`python -m potluck_coordinator.browser.chromium` prints its path.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Say = Callable[[str], None]

ENVIRONMENT = "POTLUCK_CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
MAC_PATHS = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
PLAYWRIGHT_PATTERNS = (
    "chromium-*/chrome-linux*/chrome",
    "chromium-*/chrome-mac*/*.app/Contents/MacOS/*",
    "chromium-*/chrome-win*/chrome.exe",
)
# A closed network must not make a tab wait for services that it does not need.
CLOSED_NETWORK_FLAGS = (
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WEBGPU_FLAG = "--enable-unsafe-webgpu"
VERSION_TIMEOUT_S = 60.0


class NoChromium(Exception):
    """No browser was found, and none could be installed."""


def find_chromium() -> Path | None:
    """Give the first Chromium that starts, or None.

    Looks at POTLUCK_CHROMIUM, the usual names on the path, the usual places on a Mac, then at what
    Playwright has installed. Raises `NoChromium` if POTLUCK_CHROMIUM names none.
    """
    named = os.environ.get(ENVIRONMENT)
    if named:
        if not starts(Path(named)):
            raise NoChromium(f"{ENVIRONMENT} is {named}, which is no browser that starts.")
        return Path(named)
    return next((path for path in _candidates() if starts(path)), None)


def ensure_chromium(say: Say) -> Path:
    """Give a Chromium, installing it where there is none. Raises `NoChromium`.

    As root with apt-get it is the distribution's package, else Playwright's own build.
    """
    found = find_chromium()
    if found is not None:
        return found
    if os.name == "posix" and os.geteuid() == 0 and shutil.which("apt-get"):
        say("No Chromium found. Installing the distribution's package (apt-get install chromium).")
        _run(say, "apt-get", "update")
        _run(say, "apt-get", "install", "-y", "--no-install-recommends", "chromium")
        found = find_chromium()
    if found is None:
        say("No Chromium found. Installing Playwright's own (playwright install chromium).")
        _run(say, sys.executable, "-m", "playwright", "install", "chromium")
        found = find_chromium()
    if found is None:
        raise NoChromium(
            "No Chromium could be found or installed. Install Chromium or Google Chrome, or set "
            f"{ENVIRONMENT} to the path of one."
        )
    return found


def launch_options(executable: Path, *, webgpu: bool = False) -> dict[str, Any]:
    """Give Playwright's launch() arguments for a headless Chromium in a closed network."""
    flags = [*CLOSED_NETWORK_FLAGS]
    if os.name == "posix" and os.geteuid() == 0:
        flags.append("--no-sandbox")  # Chromium refuses to sandbox root
    if webgpu:
        flags.append(WEBGPU_FLAG)
    return {"executable_path": str(executable), "headless": True, "args": flags}


def starts(path: Path) -> bool:
    """Say whether a browser answers `--version`; some distributions ship a mere pointer to one."""
    try:
        answer = subprocess.run(
            [str(path), "--version"],
            capture_output=True,
            timeout=VERSION_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and b"chrom" in answer.stdout.lower()


def _candidates() -> Iterator[Path]:
    for name in NAMES:
        found = shutil.which(name)
        if found:
            yield Path(found)
    yield from (Path(path) for path in MAC_PATHS if Path(path).exists())
    folder = _playwright_folder()
    for pattern in PLAYWRIGHT_PATTERNS:
        yield from sorted(folder.glob(pattern), reverse=True)


def _playwright_folder() -> Path:
    given = os.environ.get("PLAYWRIGHT_BROWSERS_PATH")
    if given and given != "0":
        return Path(given)
    places = {"darwin": "Library/Caches", "win32": "AppData/Local"}
    return Path.home() / places.get(sys.platform, ".cache") / "ms-playwright"


def _run(say: Say, *command: str) -> None:
    say(f"  $ {' '.join(command)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    status = subprocess.run(command, env=environment, check=False).returncode
    if status != 0:
        say(f"  It ended with status {status}.")


def main() -> int:
    """Print the path of a Chromium, installing it first where there is none."""

    def say(text: str) -> None:
        sys.stderr.write(f"{text}\n")

    try:
        path = ensure_chromium(say)
    except NoChromium as error:
        say(str(error))
        return 1
    sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
