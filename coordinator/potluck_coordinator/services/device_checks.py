"""A device's first unit: a small training whose answer the coordinator knows, and checks itself.

It finds broken devices before they cost anybody anything, and does not believe what a donor says of
its own self-test. In memory: after a restart a donor that delivered nothing yet does it again.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass

from potluck.protocol import donor as wire
from potluck.protocol.base import ErrorDetail
from potluck_coordinator.core.trust import TOLERANCE
from potluck_coordinator.training.checkpoint import BadTensors
from potluck_coordinator.training.fresh_answers import FreshAnswer, judge_answer
from potluck_coordinator.training.known_answer import STEPS, Reference, known_answer_reference

MOST_OPEN = 2_000
MOST_REMEMBERED = 20_000
MOST_BYTES = 16 * 1024
"""A state of the known network takes a quarter of it."""
SECONDS = 120.0
WRONG = ErrorDetail(
    code="donor.wrong_answer",
    message="This device trained a small network whose end is known, and came to another one.",
    expected="the weights that its start state leads to",
    got="other weights",
    hint="Update the browser and the graphics driver, or choose another backend.",
    where="",
)


@dataclass
class _Open:
    lease_id: str
    backend: str
    token: str
    answer: FreshAnswer
    given_at: float
    result: bytes = b""


class DeviceChecks:
    """Gives out known trainings as leases, and judges what comes back. All sizes are bounded."""

    def __init__(self) -> None:
        self.wanted = False
        """Somebody came who is to be checked, and there is nothing to ask."""
        self._answers: list[FreshAnswer] = []
        self._open: OrderedDict[str, _Open] = OrderedDict()
        """By donor: one each."""
        self._donors: dict[str, str] = {}
        """By token."""
        self._passed: OrderedDict[tuple[str, str], None] = OrderedDict()
        reference = known_answer_reference()
        self._reference = reference
        self._common = {_sha(b): b for b in (reference.topology, reference.tensors)}

    def prepare(self, answers: list[FreshAnswer]) -> None:
        """Take what to ask from now on."""
        self._answers = answers
        self.wanted = False

    def due(self, donor_id: str, backend: str) -> bool:
        """Say whether a donor that has delivered nothing is to be checked now.

        Where nothing is prepared it is not: all that it hands in is trained again anyway.
        """
        if (donor_id, backend) in self._passed:
            return False
        self.wanted = self.wanted or not self._answers
        return bool(self._answers)

    def under_way(self, donor_id: str, now: float) -> bool:
        """Say whether a donor has a check in hand: it gets neither work nor another one."""
        found = self._open.get(donor_id)
        return found is not None and now < found.given_at + SECONDS

    def lease(
        self, lease_id: str, token: str, donor_id: str, backend: str, now: float
    ) -> wire.Lease:
        """Give a known training out, as a unit of no study. One is open for each donor."""
        self.forget(donor_id)
        while len(self._open) >= MOST_OPEN:
            self.forget(next(iter(self._open)))
        answer = secrets.choice(self._answers)
        self._open[donor_id] = _Open(lease_id, backend, token, answer, now)
        self._donors[token] = donor_id
        unit = _unit(self._reference, lease_id, _sha(answer.start))
        return wire.Lease(id=lease_id, token=token, expires_in_s=SECONDS, unit=unit)

    def holds(self, lease_id: str, donor_id: str) -> bool:
        """Say whether this is a check that this donor has under way."""
        found = self._open.get(donor_id)
        return found is not None and found.lease_id == lease_id

    def blob(self, token: str, sha: str) -> bytes | None:
        """Give the bytes that a check's token may fetch; None where it is no check's."""
        found = self._by_token(token)
        if found is None:
            return None
        return {**self._common, _sha(found.answer.start): found.answer.start}.get(sha)

    def takes(self, token: str) -> bool:
        """Say whether a token is a check's."""
        return self._by_token(token) is not None

    def keep(self, token: str, data: bytes) -> None:
        """Keep the state that a check's donor uploaded last."""
        found = self._by_token(token)
        if found is not None:
            found.result = data

    def settle(self, done: wire.Completed, donor_id: str) -> wire.Settlement | None:
        """Judge what a check came to; None where the lease is no check of this donor's."""
        found = self._open.get(donor_id)
        if found is None or (found.lease_id, found.token) != (done.lease_id, done.token):
            return None
        self.forget(donor_id)
        try:
            same = _sha(found.result) == done.artifact and not done.diverged
            right = same and judge_answer(found.answer, found.result) <= TOLERANCE
        except BadTensors:
            right = False
        if not right:
            return wire.Settlement(lease_id=done.lease_id, outcome="refused", error=WRONG)
        self._passed[donor_id, found.backend] = None
        while len(self._passed) > MOST_REMEMBERED:
            self._passed.popitem(last=False)
        return wire.Settlement(lease_id=done.lease_id, outcome="accepted")

    def drop(self, lease_id: str, token: str) -> bool:
        """Forget a check that was handed back; False where it is none."""
        found = self._by_token(token)
        if found is None or found.lease_id != lease_id:
            return False
        self.forget(self._donors[token])
        return True

    def forget(self, donor_id: str) -> None:
        """Drop what a donor has in hand: it is gone."""
        found = self._open.pop(donor_id, None)
        if found is not None:
            del self._donors[found.token]

    def _by_token(self, token: str) -> _Open | None:
        donor = self._donors.get(token)
        return None if donor is None else self._open[donor]


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _unit(reference: Reference, lease_id: str, start: str) -> wire.Unit:
    spe = reference.steps_per_epoch
    return wire.Unit.model_validate(
        {
            "id": f"check-{lease_id}",
            "kind": "check",
            "study_id": "",
            "study_name": "A check of this device",
            "submitter": "this coordinator",
            "trial": 0,
            "fold": None,
            "repeat": 0,
            "rung": 0,
            "from_epoch": 0,
            "to_epoch": STEPS // spe,
            "epochs": STEPS // spe,
            "rows": reference.rows,
            "batch_size": reference.batch_size,
            "steps_per_epoch": spe,
            "topology": _sha(reference.topology),
            "start": start,
            "tensors": _sha(reference.tensors),
            "optimizer": reference.optimizer,
            "loss": reference.loss,
            "loss_options": reference.loss_options,
            "from_logits": reference.from_logits,
            "seed": reference.seed,
            "commit_steps": [STEPS],
            "flops": "0",
            "limits": {"seconds": int(SECONDS), "upload_bytes": MOST_BYTES},
        }
    )
