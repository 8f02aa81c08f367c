"""What outlives the process: the donor's secret, its lease tokens, and the newest states.

One folder for each coordinator: a secret that one coordinator knows is of no use at another. Each
process keeps a folder of its own in it, locked while it lives; what a dead one left is taken over.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from platformdirs import user_state_path

try:
    import fcntl
except ImportError:  # without locks, what a dead process left stays where it is
    fcntl = None  # type: ignore[assignment]

KEY_BYTES = 32


def default_folder() -> Path:
    """Give the platform's folder for a user's state."""
    return user_state_path("potluck", appauthor=False) / "donor"


class Memory:
    """The memory of one process. Raises OSError where the folder cannot be written."""

    def __init__(self, folder: Path, origin: str, *, fresh: bool = False) -> None:
        home = folder / hashlib.sha256(origin.encode()).hexdigest()[:16]
        runs = home / "runs"
        runs.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.donor_key = _identity(home / "identity.json", origin, fresh)
        self._group_keys = home / "groups.json"
        self._own = runs / secrets.token_hex(8)
        (self._own / "states").mkdir(parents=True, mode=0o700)
        self._lock = (self._own / "lock").open("w")
        _try_lock(self._lock)
        self.tokens: list[str] = []
        """Tokens of leases that may still be held."""
        if not fresh:
            self._take_over(runs)
        self.remember(self.tokens)

    def group_keys(self) -> dict[str, str]:
        """Give the keys of the groups that this user's donors joined here, by group."""
        with suppress(OSError, ValueError, AttributeError):
            found = json.loads(_read(self._group_keys))
            return {str(group): str(key) for group, key in found.items()}
        return {}

    def keep_group_key(self, group: str, key: str) -> None:
        """Keep the key of a group that was joined. Raises OSError."""
        kept = {**self.group_keys(), group: key}
        _write(self._group_keys, json.dumps(kept).encode())

    def remember(self, tokens: list[str]) -> None:
        """Replace the tokens."""
        self.tokens = list(tokens)
        _write(self._own / "tokens.json", json.dumps(tokens).encode())

    def save_state(self, unit_id: str, content: bytes) -> None:
        """Keep a unit's newest state; a full disk costs only what a crash would lose."""
        with suppress(OSError):
            _write(self._state(unit_id), content)

    def load_state(self, unit_id: str) -> bytes | None:
        """Give a unit's newest state, if there is one."""
        with suppress(OSError):
            return self._state(unit_id).read_bytes()
        return None

    def remove_state(self, unit_id: str) -> None:
        """Forget a unit's state."""
        with suppress(OSError):
            self._state(unit_id).unlink(missing_ok=True)

    def close(self) -> None:
        """Leave nothing but the identity, unless leases may still be held."""
        self._lock.close()
        if not self.tokens:
            shutil.rmtree(self._own, ignore_errors=True)

    def _state(self, unit_id: str) -> Path:
        name = hashlib.sha256(unit_id.encode()).hexdigest()[:32]
        return self._own / "states" / f"{name}.safetensors"

    def _take_over(self, runs: Path) -> None:
        for other in runs.iterdir():
            if other == self._own or fcntl is None:
                continue
            with suppress(OSError, ValueError), (other / "lock").open("w") as lock:
                if not _try_lock(lock):
                    continue
                self.tokens += [str(token) for token in json.loads(_read(other / "tokens.json"))]
                for state in (other / "states").glob("*.safetensors"):
                    state.replace(self._own / "states" / state.name)
                shutil.rmtree(other, ignore_errors=True)


def _identity(path: Path, origin: str, fresh: bool) -> str:
    if not fresh:
        with suppress(OSError, ValueError, KeyError, TypeError):
            found = json.loads(_read(path))["donor_key"]
            if isinstance(found, str) and len(found) >= KEY_BYTES:
                return found
    key = secrets.token_hex(KEY_BYTES)
    _write(path, json.dumps({"coordinator": origin, "donor_key": key}).encode())
    return key


def _try_lock(lock: IO[Any]) -> bool:
    if fcntl is None:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _read(path: Path) -> bytes:
    return path.read_bytes()


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, for the user's eyes alone."""
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    partial.replace(path)
