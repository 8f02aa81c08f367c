"""What every use case works with: one coordinator's rooms, its clock and its dice."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from dataclasses import dataclass, field

from potluck_coordinator.core.ids import spell
from potluck_coordinator.core.manners import Manners
from potluck_coordinator.core.quotas import Whose
from potluck_coordinator.scoring import Workers
from potluck_coordinator.services.admission import Admission
from potluck_coordinator.services.converters import Converters
from potluck_coordinator.services.deviations import Deviations
from potluck_coordinator.services.device_checks import DeviceChecks
from potluck_coordinator.services.events import CONDUCTOR, Hub
from potluck_coordinator.services.incoming import Incoming
from potluck_coordinator.services.pace import OwnPace
from potluck_coordinator.services.presence import Presence
from potluck_coordinator.services.rates import Rates
from potluck_coordinator.services.shared_files import SharedFiles, Written
from potluck_coordinator.services.stalls import StudyPaces
from potluck_coordinator.services.standings import TopTrials
from potluck_coordinator.services.state_shares import StateShares
from potluck_coordinator.services.totals import Totals
from potluck_coordinator.services.whence import Whence
from potluck_coordinator.settings import Settings
from potluck_coordinator.storage.artifacts import ArtifactStore
from potluck_coordinator.storage.writer import Writer

STATES_AT_ONCE = 3
BYTES_OF_CHECKS = 128 * 2**20


def _state_checks() -> Admission:
    return Admission(BYTES_OF_CHECKS, STATES_AT_ONCE)


@dataclass(frozen=True)
class Site:
    """One running coordinator."""

    settings: Settings
    writer: Writer
    artifacts: ArtifactStore
    workers: Workers
    hub: Hub
    presence: Presence
    own_donor: Workers
    """One process that trains again what donors trained; it starts with the first replay."""
    memory: Admission
    """Bytes that conversions and the workers' jobs take together."""
    converters: Converters
    rates: Rates
    downloads: Counter[str] = field(default_factory=Counter)
    """Files that are being read, by network."""
    manners: Manners = field(default_factory=Manners)
    device_checks: DeviceChecks = field(default_factory=DeviceChecks)
    deviations: Deviations = field(default_factory=Deviations)
    own_pace: OwnPace = field(default_factory=OwnPace)
    state_shares: StateShares = field(default_factory=StateShares)
    study_paces: StudyPaces = field(default_factory=StudyPaces)
    making: set[str] = field(default_factory=set)
    """Studies whose rows are being encoded, or whose trials are being made."""
    superseded: set[str] = field(default_factory=set)
    """States that newer ones took the place of, and results that were taken back:
    `services.leftovers` looks whether they may go."""
    guesses: Manners = field(default_factory=Manners)
    """Networks from which codes came that no group has."""
    states_kept: dict[Whose, tuple[float, int]] = field(default_factory=dict)
    """When what bytes of states were counted."""
    whence: Whence = field(default_factory=Whence)
    top_trials: TopTrials = field(default_factory=TopTrials)
    totals: Totals = field(default_factory=Totals)
    state_checks: Admission = field(default_factory=_state_checks)
    """Bytes that looking at donors' states takes, of the server's own: apart from `memory`, whose
    jobs take minutes."""
    incoming: Incoming = field(default_factory=Incoming)
    renderings: SharedFiles[Written] = field(default_factory=SharedFiles)
    """Models' files that are being written."""

    def now(self) -> float:
        """Give the time in seconds since 1970."""
        return time.time()

    def new_id(self, prefix: str) -> str:
        """Make a fresh id."""
        return spell(prefix, secrets.token_bytes(10))

    def new_token(self) -> str:
        """Make an unguessable token."""
        return secrets.token_urlsafe(32)

    def poke(self) -> None:
        """Wake the conductor, from any thread."""
        self.hub.publish(CONDUCTOR)
