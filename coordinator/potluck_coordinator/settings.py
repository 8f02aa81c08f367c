"""What an operator can set. Environment variables are `POTLUCK_` + the upper-case name."""

from __future__ import annotations

import contextlib
import ipaddress
import os
from pathlib import Path
from typing import Annotated, Any

from platformdirs import user_data_path
from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from potluck_coordinator.core.leases import (
    HEARTBEAT_SECONDS,
    LEASE_SECONDS,
    STALLED_SECONDS,
    UNHEARD_SECONDS,
)
from potluck_coordinator.logs import LogFormat, LogLevel

CONTAINER_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
UNKNOWN_MEMORY = 8 * 2**30
MOST = 2**62
"""Of anything that is counted; no database counts much further."""
MOST_SECONDS = 1e9
"""Thirty years: clocks and timers take no more."""
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


def default_data_folder() -> Path:
    """Give the platform's user data folder for Potluck."""
    return user_data_path("potluck", appauthor=False)


def half_of_memory() -> int:
    """Give half of the bytes of memory that this machine, or its container, has."""
    try:
        have = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # a system that does not say
        have = UNKNOWN_MEMORY
    for path in CONTAINER_LIMITS:
        with contextlib.suppress(OSError, ValueError):
            have = min(have, int(path.read_text()))
    return have // 2


class Settings(BaseSettings):
    """A coordinator's settings; the defaults suit a laptop."""

    model_config = SettingsConfigDict(env_prefix="POTLUCK_", extra="ignore", allow_inf_nan=False)

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 8000
    """Port to listen on; 0 takes a free one. Listening says which cannot be."""
    allowed_hosts: Annotated[tuple[str, ...] | None, NoDecode] = None
    """Names that it answers to, with commas between; `*` is any. By default any, but only this
    machine's own (`localhost`, `127.0.0.1`, `[::1]`) where `host` is one of them."""
    data: Path = default_data_folder()
    """Folder for the database and the artifacts."""
    database: str | None = None
    """SQLAlchemy URL; by default an SQLite file in `data`."""
    artifacts: str | None = None
    """Folder or object-store URL; by default a folder in `data`."""
    open: bool = False
    """Anybody may submit, without a token."""
    workers: int = Field(default=2, ge=1, le=1_000)
    """Jobs of one kind at once: that convert, write downloads, encode, score or look. Encoding,
    scoring and looking share processes; so many of those stay."""
    memory: int = Field(default_factory=half_of_memory, gt=0, le=MOST)
    """Bytes that conversions, the jobs of the workers and replays may take together; half of the
    machine's by default. A job waits until there is room; one that needs more than all is
    refused."""
    own_donor: float = Field(default=0.5, ge=0.0, le=1.0)
    """Share of one processor core with which the coordinator trains again what donors handed in,
    from 0 to 1. With 0 nothing is trained again: results are *scored*, and never *confirmed*."""
    own_donor_seconds: float = Field(default=600.0, gt=0.0, le=MOST_SECONDS)
    """Seconds that one training of a replay may take of that core; where it finds a difference, a
    second one follows. What takes longer is not confirmed."""
    own_donor_whole_seconds: float = Field(default=600.0, ge=0.0, le=MOST_SECONDS)
    """Samples of what donors hand in are trained again as a whole where that takes no longer on
    that core; of longer units one interval between two committed states is."""
    challenge_seconds: float = Field(default=600.0, gt=0.0, le=MOST_SECONDS)
    """So long a donor has to bring the states between which it is trained again."""
    max_model_bytes: int = Field(default=512 * 2**20, ge=1, le=MOST)
    max_dataset_bytes: int = Field(default=512 * 2**20, ge=1, le=MOST)
    max_encoded_bytes: int = Field(default=8 * 2**30, ge=0, le=MOST)
    """Bytes that the encoded rows of one study may take, in all its folds; 0: any number."""
    max_fold_rows: int = Field(default=8_000_000, ge=0, le=MOST)
    """Row numbers that all folds of one study may name; 0: any number."""
    max_plan_bytes: int = Field(default=4 * 2**20, ge=0, le=MOST)
    """Bytes that a study's specification and plans may take, as JSON; 0: any number."""
    rate_requests: int = Field(default=12_000, ge=0, le=MOST)
    """Requests a minute of one account, or, without one, of one address (an IPv6 network of /64).
    This one and all other rates and bounds: 0 is none."""
    rate_uploads: int = Field(default=240, ge=0, le=MOST)
    """Models and datasets that one of these may upload in a minute."""
    rate_upload_bytes: int = Field(default=2 * 2**30, ge=0, le=MOST)
    """Bytes of these in a minute."""
    rate_sign_ins: int = Field(default=60, ge=0, le=MOST)
    """Unknown tokens in a minute from one address."""
    rate_new_sockets: int = Field(default=3_000, ge=0, le=MOST)
    """Donor sockets that may be opened in a minute from one address."""
    rate_lease_requests: int = Field(default=60_000, ge=0, le=MOST)
    """Requests a minute with lease tokens, of all donors behind one address."""
    rate_lease_bytes: int = Field(default=8 * 2**30, ge=0, le=MOST)
    """Bytes of states that these may upload in a minute."""
    rate_lease_states: int = Field(default=30, ge=0, le=MOST)
    """States that one lease may upload in a minute."""
    rate_messages: int = Field(default=3_000, ge=0, le=MOST)
    """Messages a minute on one donor's socket; who says more is heard more slowly."""
    rate_address_messages: int = Field(default=120_000, ge=0, le=MOST)
    """Messages a minute on all sockets of one account, or of one address: forty of these."""
    sockets_per_address: int = Field(default=500, ge=0, le=MOST)
    """Donor sockets open at a time from one address."""
    sockets: int = Field(default=5_000, ge=0, le=MOST)
    """Donor sockets open at a time."""
    quota_bytes: int = Field(default=20 * 2**30, ge=0, le=MOST)
    """Bytes of models and datasets that an account, or a visitor, may keep, and of what its studies
    keep in the database, in whatever state they are. As in all quotas, 0 is any number."""
    quota_uploads: int = Field(default=2_000, ge=0, le=MOST)
    """Models and datasets that one of them may keep: what is told of each is kept, too."""
    quota_kept_studies: int = Field(default=1_000, ge=0, le=MOST)
    """Studies that one of them may keep, those that ended included."""
    quota_studies: int = Field(default=200, ge=0, le=MOST)
    """Studies that one of them may have running."""
    quota_units: int = Field(default=200_000, ge=0, le=MOST)
    """Units that those may plan."""
    quota_states: int | None = Field(default=None, ge=0, le=MOST)
    """Bytes of start states, results and predictions that its studies may keep; by default a
    quarter of the disk that they are on. A study that would pass it stops, and can be resumed."""
    quota_admins: bool = False
    """Quotas hold for admins, too."""
    visitors_bytes: int = Field(default=50 * 2**30, ge=0, le=MOST)
    """Bytes that all visitors of an open coordinator may keep together: keys cost them nothing."""
    visitors_uploads: int = Field(default=10_000, ge=0, le=MOST)
    visitors_kept_studies: int = Field(default=5_000, ge=0, le=MOST)
    visitors_studies: int = Field(default=1_000, ge=0, le=MOST)
    visitors_groups: int = Field(default=1_000, ge=0, le=MOST)
    """Groups of donors that these may have together."""
    visitors_units: int = Field(default=1_000_000, ge=0, le=MOST)
    visitors_states: int | None = Field(default=None, ge=0, le=MOST)
    """By default half of the disk."""
    visitors_share: float = Field(default=0.2, ge=0.0, le=1.0)
    """Share of each of these that the visitors of one network (an address, an IPv6 network of /64)
    may have; 0 or 1: all of it."""
    rate_visitor_bytes: int = Field(default=10 * 2**30, ge=0, le=MOST)
    """Bytes of models and datasets that may come in a day from one address without an account."""
    rate_changes: int = Field(default=10_000, ge=0, le=MOST)
    """Things that may be made, changed, stopped, resumed or deleted in a day by one account, or
    from one address without one: studies, models, datasets, groups and tokens."""
    disk_floor: int = Field(default=2**30, ge=0, le=MOST)
    """Free bytes of the disk below which uploads are refused, those of donors too."""
    connections: int = Field(default=10_000, ge=0, le=MOST)
    """Connections and sockets open at a time; fewer where the system gives fewer files."""
    connections_per_address: int = Field(default=1_000, ge=0, le=MOST)
    """HTTP connections open from one address; those of trusted proxies are not counted."""
    header_seconds: float = Field(default=20.0, ge=0, le=MOST_SECONDS)
    """Within which a request's head must be whole. As of the next two, 0 is any time."""
    body_seconds: float = Field(default=30.0, ge=0, le=MOST_SECONDS)
    """How often is looked whether a request's body, or the reading of an answer, comes on."""
    least_bytes_per_second: float = Field(default=256.0, ge=0, le=MOST)
    """What these must come on by, on average."""
    socket_idle_seconds: float = Field(default=3600.0, ge=0, le=MOST_SECONDS)
    """After which a donor's socket is closed on which nothing was said; it may connect again."""
    lease_seconds: float = Field(default=LEASE_SECONDS, gt=0, le=MOST_SECONDS)
    unheard_seconds: float = Field(default=UNHEARD_SECONDS, gt=0, le=MOST_SECONDS)
    heartbeat_seconds: float = Field(default=HEARTBEAT_SECONDS, gt=0, le=MOST_SECONDS)
    stalled_seconds: float = Field(default=STALLED_SECONDS, gt=0, le=MOST_SECONDS)
    """A unit that is held so long, and three times as long as others took, is given out twice."""
    collect_seconds: float = Field(default=600.0, ge=0, le=MOST_SECONDS)
    """How often bytes that nothing names, strangers' records and the database's free pages are
    collected; 0: never."""
    collect_after: float = Field(default=3600.0, ge=0, le=MOST_SECONDS)
    """Seconds for which they stay at least. Artifacts at another place than in the data folder are
    not collected: others may keep theirs there."""
    forget_donors_after: float = Field(default=3600.0, ge=0, le=MOST_SECONDS)
    """Seconds after which the record of a donor who never held a lease is deleted."""
    rendered_bytes: int = Field(default=2 * 2**30, ge=0, le=MOST)
    """Bytes of models' files (`.h5`, `.keras`, TF.js) that are kept once somebody has downloaded
    them, the operator's own and in nobody's quota. Beyond it those go that were not downloaded for
    longest; 0: each download has its file written anew."""
    forget_rendered_after: float = Field(default=7 * 86_400.0, ge=0, le=MOST_SECONDS)
    """Seconds after which such a file goes that nobody has downloaded again."""
    clean_seconds: float = Field(default=30.0, gt=0, le=MOST_SECONDS)
    """How often states that newer ones took the place of are deleted."""
    sweep_seconds: float = Field(default=2.0, gt=0, le=MOST_SECONDS)
    """How often expired leases are looked for."""
    secure_cookies: bool = False
    """Cookies go over HTTPS only. Set by `tls_cert`; behind a TLS proxy set it by hand."""
    tls_cert: Path | None = None
    """Certificate, for HTTPS."""
    tls_key: Path | None = None
    """The certificate's key."""

    log_format: LogFormat = LogFormat.AUTO
    """`json`: one object a line. `text`: for people. `auto`: `text` on a terminal."""
    log_level: LogLevel = LogLevel.AUTO
    """`debug`, `info`, `warning` or `error`; `auto`: `warning` on a terminal, else `info`."""

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """Read `a.example, b.example` as two names."""
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value

    def names(self) -> tuple[str, ...] | None:
        """Give the names that requests may use; None where any may."""
        if self.allowed_hosts is not None:
            return None if "*" in self.allowed_hosts else self.allowed_hosts
        return (*LOOPBACK, self.host) if _is_loopback(self.host) else None

    def database_url(self) -> str:
        """Give the database's URL."""
        return self.database or f"sqlite:///{self.data / 'potluck.sqlite3'}"

    def owns_artifacts(self) -> bool:
        """Say whether the artifacts are in the data folder, which has one coordinator."""
        return self.artifacts is None

    def artifact_place(self) -> str:
        """Give the artifact store's place."""
        return self.artifacts or str(self.data / "artifacts")


def settings_from(**given: Any) -> Settings:
    """Make settings of what a command line gave; None was not given and leaves the environment's.

    HTTPS makes cookies secure, unless somebody said otherwise.
    """
    settings = Settings(**{name: value for name, value in given.items() if value is not None})
    if settings.tls_cert is not None and "secure_cookies" not in settings.model_fields_set:
        return settings.model_copy(update={"secure_cookies": True})
    return settings


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
