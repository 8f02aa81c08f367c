"""What an operator can set. Environment variables are `POTLUCK_` + the upper-case name."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_data_path
from pydantic_settings import BaseSettings, SettingsConfigDict


def default_data_folder() -> Path:
    """Give the platform's user data folder for Potluck."""
    return user_data_path("potluck", appauthor=False)


class Settings(BaseSettings):
    """A coordinator's settings; the defaults suit a laptop."""

    model_config = SettingsConfigDict(env_prefix="POTLUCK_", extra="ignore")

    data: Path = default_data_folder()
    """Folder for the database and the artifacts."""
    database: str | None = None
    """SQLAlchemy URL; by default an SQLite file in `data`."""
    artifacts: str | None = None
    """Folder or object-store URL; by default a folder in `data`."""
    open: bool = False
    """Anybody may submit, without a token."""
    workers: int = 2
    """Processes that encode and score."""
    max_model_bytes: int = 512 * 2**20
    max_dataset_bytes: int = 512 * 2**20
    lease_seconds: float = 120.0
    heartbeat_seconds: float = 15.0
    sweep_seconds: float = 2.0
    """How often expired leases are looked for."""
    secure_cookies: bool = False
    """Set by `--tls-cert`; behind a TLS proxy set it by hand."""

    def database_url(self) -> str:
        """Give the database's URL."""
        return self.database or f"sqlite:///{self.data / 'potluck.sqlite3'}"

    def artifact_place(self) -> str:
        """Give the artifact store's place."""
        return self.artifacts or str(self.data / "artifacts")
