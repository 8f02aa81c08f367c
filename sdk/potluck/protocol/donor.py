"""Every message between a donor and the coordinator: one WebSocket, bulk over HTTP.

donor                                   coordinator
hello                              ->
                                   <-   welcome
request                            ->
                                   <-   grant | wait
heartbeat (every 15 s)             ->
                                   <-   heard
PUT /api/v1/donor/artifacts/{sha256} ->      (lease token in a header)
checkpoint                         ->
                                   <-   heard
complete (may ask for more)        ->
                                   <-   settled (perhaps with a challenge), then grant | wait
PUT the challenge's states         ->
abort                              ->
                                   <-   settled
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from potluck.protocol.base import Backend, BigCount, ErrorDetail, Sha256, UInt32, Wire, one_line
from potluck.protocol.optimizers import Optimizer
from potluck.protocol.study import LossName, LossOptions

MOST_LEASES = 16
"""Leases that one message speaks of."""
MOST_REMEMBERED = 64
"""Lease tokens that a returning donor may show."""
NOTE_CHARACTERS = 500

# What donors say is bounded: a coordinator keeps it, and 32 bits are what its tables give a count.
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Speed = Annotated[float, Field(ge=0, allow_inf_nan=False)]
LeaseId = Annotated[str, Field(max_length=64)]
LeaseToken = Annotated[str, Field(max_length=128)]
ClaimName = Annotated[str, Field(max_length=64)]
Commitments = Annotated[dict[Count, Sha256], Field(max_length=8)]


def _cut(note: object) -> object:
    """Shorten a driver's message to one line: it may be pages long, and turns no donor away."""
    return one_line(note, NOTE_CHARACTERS) if isinstance(note, str) else note


Note = Annotated[str, BeforeValidator(_cut), Field(max_length=NOTE_CHARACTERS)]


class BackendReport(Wire):
    """One backend as this device measured it."""

    backend: Backend
    samples_per_second: Speed
    right: bool = Field(description="The known-answer micro-training agreed.")
    note: Note = ""


class UnitLimits(Wire):
    """What a donor may spend on a unit before it must hand it back."""

    seconds: int
    upload_bytes: int


class Unit(Wire):
    """Train one network from one rung to the next. Self-contained: hashes and numbers only.

    `topology` is TF.js layers JSON; `start` a checkpoint (docs/protocol.md); `tensors` holds `x`
    and `y`, the training rows of this fold, and `w` where rows are weighted. Steps are numbered
    over the whole trial: `step = epoch * steps_per_epoch + batch`. `commit_steps` count finished
    steps, the last one is the unit's end.
    """

    id: str
    kind: Literal["trial", "refit", "check"] = Field(
        description="`check`: of no study; its answer is known, and finds devices that train wrong."
    )
    study_id: str
    study_name: str
    submitter: str
    trial: int
    fold: int | None
    repeat: int
    rung: int
    from_epoch: int
    to_epoch: int
    epochs: int = Field(description="Epochs of the whole trial.")
    rows: int
    batch_size: int
    steps_per_epoch: int
    topology: Sha256
    start: Sha256
    tensors: Sha256
    optimizer: Optimizer
    loss: LossName
    loss_options: LossOptions = Field(default_factory=LossOptions)
    from_logits: bool
    seed: UInt32
    commit_steps: list[int] = Field(max_length=8)
    flops: BigCount
    stack: str | None = Field(
        None, description="Units with the same value can train together as one batched graph."
    )
    memory_bytes: int = Field(
        0, ge=0, description="What training it takes, estimated; 0: not known."
    )
    limits: UnitLimits


class Lease(Wire):
    """One unit, held by one donor until it expires."""

    id: str
    token: str = Field(description="Unguessable, single use; authorises this lease's artifacts.")
    expires_in_s: float
    unit: Unit


class Progress(Wire):
    """What a donor says of one lease. Claims are shown as claims and never rank anything."""

    lease_id: LeaseId
    epoch: Count = Field(description="Epochs finished, counted over the whole trial.")
    step: Count = Field(description="Steps finished, counted over the whole trial.")
    loss: Finite | None = Field(None, description="Mean training loss of the last whole epoch.")
    samples_per_second: Speed | None = None
    commitments: Commitments = Field(
        default_factory=dict, description="Commit step -> SHA-256 of the checkpoint at that step."
    )


class Hello(Wire):
    """Opens the conversation. `donor_key` is the browser profile's secret; its hash names it."""

    type: Literal["hello"] = "hello"
    protocol: int
    client: str = Field(max_length=64, description="Bundle version.")
    donor_key: str = Field(min_length=16, max_length=128)
    backends: list[BackendReport] = Field(max_length=8)
    backend: Backend = Field(description="The one that this session trains on.")
    memory_bytes: int | None = Field(
        None,
        ge=0,
        le=2**53,
        description="What a unit may take here at most; null: no limit is known.",
    )
    leases: list[LeaseToken] = Field(
        default_factory=list,
        max_length=MOST_REMEMBERED,
        description="Tokens of leases that this donor still holds.",
    )
    cached: list[Sha256] = Field(default_factory=list, max_length=512)


class Request(Wire):
    """Asks for work."""

    type: Literal["request"] = "request"
    most: int = Field(1, ge=1, le=16, description="At most this many leases.")
    cached: list[Sha256] = Field(default_factory=list, max_length=512)


class Heartbeat(Wire):
    """Keeps leases alive and carries progress."""

    type: Literal["heartbeat"] = "heartbeat"
    leases: list[Progress] = Field(max_length=MOST_LEASES)


class Checkpointed(Wire):
    """One lease's newest uploaded state."""

    lease_id: LeaseId
    artifact: Sha256
    epoch: Count
    step: Count


class Checkpoint(Wire):
    """Names uploaded states from which anybody could go on."""

    type: Literal["checkpoint"] = "checkpoint"
    leases: list[Checkpointed] = Field(max_length=MOST_LEASES)


class Completed(Wire):
    """One finished unit."""

    lease_id: LeaseId
    token: LeaseToken
    artifact: Sha256
    step: Count
    claims: dict[ClaimName, Finite] = Field(default_factory=dict, max_length=16)
    commitments: Commitments = Field(default_factory=dict)
    diverged: bool = Field(False, description="The loss became NaN or infinite; a result as well.")
    stacked: bool = Field(False, description="Trained with others as one batched graph.")
    backend: Backend | None = Field(
        None, description="What trained it, where that is not the backend named in `hello`."
    )


class Complete(Wire):
    """Hands in results, and may ask for the next work in the same breath."""

    type: Literal["complete"] = "complete"
    leases: list[Completed] = Field(max_length=MOST_LEASES)
    next: Request | None = None


class Handback(Wire):
    """One lease that a donor gives back, and why."""

    lease_id: LeaseId
    token: LeaseToken
    reason: Literal["closing", "paused", "stopped", "error", "over_limit"] = "closing"
    detail: Note = ""


class Abort(Wire):
    """Hands leases back; also the body of `POST /api/v1/donor/abort` (`sendBeacon`)."""

    type: Literal["abort"] = "abort"
    leases: list[Handback] = Field(max_length=MOST_LEASES)


DonorMessage = Annotated[
    Hello | Request | Heartbeat | Checkpoint | Complete | Abort, Field(discriminator="type")
]


class DonorRecord(Wire):
    """What has come of a donor's help."""

    name: str = Field(examples=["quiet-otter"])
    units: int
    credit_flops: BigCount
    seconds: float
    best_trials: int = Field(description="Trials now in a top ten that this donor trained on.")


class Welcome(Wire):
    """Answers `hello`. `resumed` are leases still held."""

    type: Literal["welcome"] = "welcome"
    protocol: int
    server: str
    donor_id: str
    record: DonorRecord
    heartbeat_every_s: float
    resumed: list[Lease]


class Grant(Wire):
    """Work."""

    type: Literal["grant"] = "grant"
    leases: list[Lease] = Field(min_length=1, max_length=16)


WaitReason = Literal["no_work", "scoring", "busy", "shutting_down", "paused"]


class Wait(Wire):
    """No work now. The donor asks again after `seconds`, or sooner when `work` arrives.

    `scoring`: results are being scored, or a study's rows or trials are being made: more work may
    follow soon. `paused`: several of this donor's attempts came to nothing; it gets work again
    after a pause, which grows.
    """

    type: Literal["wait"] = "wait"
    seconds: float
    reason: WaitReason


class Work(Wire):
    """Tells idle donors that units became ready."""

    type: Literal["work"] = "work"


class Heard(Wire):
    """Answers `heartbeat` and `checkpoint`: leases still held, and those to stop, and why."""

    type: Literal["heard"] = "heard"
    held: list[str]
    stop: dict[str, Literal["cancelled", "superseded", "expired", "unknown"]] = Field(
        default_factory=dict
    )


class Challenge(Wire):
    """States that the donor committed to, to be uploaded with the lease's token.

    What was trained between them is trained again. Who does not bring them in time gets no credit
    for the unit.
    """

    states: list[Sha256] = Field(min_length=1, max_length=2)
    within_s: float


class Settlement(Wire):
    """What became of one result or hand-back. `refused` carries the reason, calmly."""

    lease_id: str
    outcome: Literal["accepted", "handed_back", "duplicate", "refused"]
    error: ErrorDetail | None = None
    challenge: Challenge | None = None


class Settled(Wire):
    """Answers `complete` and `abort`."""

    type: Literal["settled"] = "settled"
    leases: list[Settlement]
    record: DonorRecord


class Problem(Wire):
    """Answers a message that could not be understood or followed. Never silence."""

    type: Literal["problem"] = "problem"
    error: ErrorDetail


CoordinatorMessage = Annotated[
    Welcome | Grant | Wait | Work | Heard | Settled | Problem, Field(discriminator="type")
]
