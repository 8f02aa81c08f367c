"""A donor that a test drives word by word over the real socket. It trains nothing by itself."""

from __future__ import annotations

import hashlib
import json
import secrets
import socket
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import httpx2
import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter
from safetensors.numpy import load, save
from websockets.sync.client import connect

from potluck.protocol import donor as wire
from tests.support.hello import HELLO
from tests.support.waiting import PATIENCE_S

Answer = (
    wire.Welcome | wire.Grant | wire.Wait | wire.Work | wire.Heard | wire.Settled | wire.Problem
)
_ANSWER: TypeAdapter[Answer] = TypeAdapter(wire.CoordinatorMessage)

CLOSE_WITHIN_S = 0.1
"""A browser does not wait either: a page that closes says so, and is gone."""


class ScriptedDonor:
    """Connects, says hello, and then says what the test tells it to.

    `address`: of this machine, to come from; on Linux all of 127.0.0.0/8 are.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        held: list[str] | None = None,
        address: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.url = url
        self._address = address
        self._headers = headers or {}
        self.key = key or secrets.token_hex(16)
        self._held = held or []
        self._stack = ExitStack()
        way = httpx2.HTTPTransport(local_address=address)
        self.http = self._stack.enter_context(
            httpx2.Client(base_url=url, timeout=PATIENCE_S, transport=way)
        )
        self.fetched: dict[str, bytes] = {}
        self.welcome: wire.Welcome

    def __enter__(self) -> ScriptedDonor:
        address = self.url.replace("http", "ws", 1) + "/api/v1/donor/socket"
        place = urlsplit(self.url)
        there = (place.hostname or "", place.port or 80)
        source = (self._address, 0) if self._address is not None else None
        self._socket = self._stack.enter_context(
            connect(
                address,
                sock=socket.create_connection(there, PATIENCE_S, source),
                open_timeout=PATIENCE_S,
                compression=None,
                additional_headers=self._headers,
            )
        )
        self.say(
            {
                **HELLO,
                "donor_key": self.key,
                "leases": self._held,
                "cached": [],
            }
        )
        welcome = self.hear()
        assert isinstance(welcome, wire.Welcome), welcome
        self.welcome = welcome
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def go_away(self, code: int = 1001) -> None:
        """End the connection, with the code that a browser says when a page is closed."""
        self._socket.close_timeout = CLOSE_WITHIN_S
        self._socket.close(code=code)

    def say(self, message: dict[str, Any] | str) -> None:
        """Send a message, or any text."""
        self._socket.send(message if isinstance(message, str) else json.dumps(message))

    def hear(self) -> Answer:
        """Read the next answer; `work` is news for idle donors, not an answer."""
        while True:
            answer = _ANSWER.validate_json(self._socket.recv(timeout=PATIENCE_S))
            if not isinstance(answer, wire.Work):
                return answer

    def request(self, most: int = 1) -> list[wire.Lease]:
        """Ask for work once; an empty list where there is none. A newcomer's check is passed."""
        leases = self.ask(most)
        if leases and leases[0].unit.kind == "check":
            return self.request(most) if self.pass_check(leases[0]) else []
        return leases

    def ask(self, most: int = 1) -> list[wire.Lease]:
        """Ask for work once; give what comes, a newcomer's check as well."""
        self.say({"type": "request", "most": most, "cached": []})
        answer = self.hear()
        if isinstance(answer, wire.Wait):
            return []
        assert isinstance(answer, wire.Grant), answer
        return answer.leases

    def pass_check(self, lease: wire.Lease) -> bool:
        """Train what every newcomer trains first, and hand it in; say whether it was right."""
        from tests.support.honest_donor import trained

        return self.complete(lease, trained(self, lease)).outcome == "accepted"

    def why_wait(self) -> str:
        """Ask for work where there is none; give the reason."""
        self.say({"type": "request", "most": 1, "cached": []})
        answer = self.hear()
        assert isinstance(answer, wire.Wait), answer
        return answer.reason

    def await_lease(self) -> wire.Lease:
        """Ask until there is work; the coordinator's own `work` message says when to ask again."""
        while True:
            leases = self.request()
            if leases:
                return leases[0]
            self.await_work()

    def await_work(self) -> None:
        """Wait until the coordinator says that units became ready."""
        while True:
            answer = _ANSWER.validate_json(self._socket.recv(timeout=PATIENCE_S))
            if isinstance(answer, wire.Work):
                return

    def listen(self, seconds: float) -> None:
        """Wait until the coordinator says something, but no longer."""
        with suppress(TimeoutError):
            self._socket.recv(timeout=seconds)

    def get(self, sha: str, token: str) -> httpx2.Response:
        """Ask for an artifact with a lease's token."""
        address = f"/api/v1/donor/artifacts/{sha}"
        response = self.http.get(address, headers={"X-Potluck-Lease": token})
        if response.status_code == 200:
            self.fetched[sha] = response.content
        return response

    def put(self, data: bytes, token: str, **headers: str) -> tuple[str, httpx2.Response]:
        """Upload bytes with a lease's token; give their hash and the answer."""
        sha = hashlib.sha256(data).hexdigest()
        address = f"/api/v1/donor/artifacts/{sha}"
        sent = {"X-Potluck-Lease": token, **headers}
        return sha, self.http.put(address, content=data, headers=sent)

    def begin(self) -> wire.Lease:
        """Wait for a lease, and say a first word about it."""
        lease = self.await_lease()
        self.heartbeat(lease)
        return lease

    def say_heartbeat(self, lease: wire.Lease, **progress: Any) -> None:
        """Tell how far a lease is, and wait for no answer."""
        beat = {"lease_id": lease.id, "epoch": 0, "step": 0, **progress}
        self.say({"type": "heartbeat", "leases": [beat]})

    def heartbeat(self, lease: wire.Lease, **progress: Any) -> wire.Heard:
        """Keep a lease alive."""
        self.say_heartbeat(lease, **progress)
        answer = self.hear()
        assert isinstance(answer, wire.Heard), answer
        return answer

    def checkpoint(self, lease: wire.Lease, data: bytes, step: int) -> wire.Heard:
        """Upload a state and name it."""
        sha, response = self.put(data, lease.token)
        assert response.status_code == 204, response.text
        epoch = step // lease.unit.steps_per_epoch
        state = {"lease_id": lease.id, "artifact": sha, "epoch": epoch, "step": step}
        self.say({"type": "checkpoint", "leases": [state]})
        answer = self.hear()
        assert isinstance(answer, wire.Heard), answer
        return answer

    def complete(
        self,
        lease: wire.Lease,
        data: bytes,
        *,
        claims: dict[str, float] | None = None,
        **changes: Any,
    ) -> wire.Settlement:
        """Upload a result and hand it in."""
        sha, response = self.put(data, lease.token)
        if response.status_code != 204:
            sha = changes.pop("artifact", sha)
        done = {
            "lease_id": lease.id,
            "token": lease.token,
            "artifact": sha,
            "step": end_step(lease.unit),
            "claims": claims or {},
            **changes,
        }
        self.say({"type": "complete", "leases": [done], "next": None})
        answer = self.hear()
        assert isinstance(answer, wire.Settled), answer
        return answer.leases[0]

    def say_handback(self, lease: wire.Lease, reason: str) -> None:
        """Give a lease back, and wait for no answer."""
        back = {"lease_id": lease.id, "token": lease.token, "reason": reason}
        self.say({"type": "abort", "leases": [back]})

    def hand_back(self, lease: wire.Lease, reason: str = "closing") -> wire.Settlement:
        """Give a lease back."""
        self.say_handback(lease, reason)
        answer = self.hear()
        assert isinstance(answer, wire.Settled), answer
        return answer.leases[0]

    def start_weights(self, lease: wire.Lease) -> dict[str, NDArray[Any]]:
        """Fetch the start state's weights by name."""
        response = self.get(lease.unit.start, lease.token)
        assert response.status_code == 200, response.text
        tensors = load(response.content)
        return {k: v for k, v in tensors.items() if k.startswith("weights/")}


def end_step(unit: wire.Unit) -> int:
    """Give the step at which a unit ends."""
    return unit.to_epoch * unit.steps_per_epoch


def state(weights: dict[str, NDArray[Any]], unit: wire.Unit, step: int) -> bytes:
    """Write a checkpoint as docs/protocol.md has it."""
    return save(
        weights,
        metadata={
            "format": "potluck.checkpoint.v1",
            "epoch": str(step // unit.steps_per_epoch),
            "step": str(step),
        },
    )


def random_result(donor: ScriptedDonor, lease: wire.Lease, seed: int = 0) -> bytes:
    """Make random weights of the right shapes: what a lazy or lying donor would send."""
    return random_state(donor, lease, end_step(lease.unit), seed)


def random_state(
    donor: ScriptedDonor, lease: wire.Lease, step: int, seed: int | None = None
) -> bytes:
    """Make a state of a step that no training came to; each step's is another one.

    Args:
        donor: Who holds the lease.
        lease: The lease.
        step: The step.
        seed: Of the numbers (default: the step).
    """
    rng = np.random.default_rng(step if seed is None else seed)
    start = donor.start_weights(lease)
    weights = {k: rng.normal(size=v.shape).astype(np.float32) for k, v in start.items()}
    return state(weights, lease.unit, step)


def hand_in(url: str, units: int) -> None:
    """Hand in so many units of a coordinator as a donor would, with random weights."""
    with ScriptedDonor(url) as donor:
        for number in range(units):
            lease = donor.await_lease()
            donor.heartbeat(lease, samples_per_second=100.0)
            done = random_result(donor, lease, number)
            assert donor.complete(lease, done, claims={"loss": 0.5}).outcome == "accepted"
