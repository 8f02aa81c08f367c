"""A unit's way through this donor: brought, trained, saved, handed in, or given back."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

import httpx2

from potluck.protocol import donor as wire
from potluck_coordinator.donor.artifacts import ArtifactRefused, Artifacts
from potluck_coordinator.donor.bench import Bench, Seat
from potluck_coordinator.donor.frames import Frame
from potluck_coordinator.donor.holding import Holding, Reason, Snapshot
from potluck_coordinator.donor.line import Send
from potluck_coordinator.donor.memory import Memory
from potluck_coordinator.training.checkpoint import BadTensors, read_checkpoint

RETRY_HAND_IN_S = 3.0
CHALLENGE_TRIES = 20


class Office(Protocol):
    """What the session does for its work."""

    def line(self) -> Send | None:
        """Give the present connection once it is welcomed."""

    def ask_along(self) -> wire.Request | None:
        """Give the request that may go with a result; the session counts it as asked."""

    def gave_up(self, holding: Holding, detail: str) -> None:
        """Hear that a unit could not be finished here."""

    def changed(self) -> None:
        """Hear that something changed."""


class Work:
    """The leases in hand, and everything that is done with them."""

    def __init__(self, memory: Memory, artifacts: Artifacts, bench: Bench, office: Office) -> None:
        self.held: dict[str, Holding] = {}
        self.bringing = 0
        """Challenges whose states are being uploaded."""
        self._memory = memory
        self._artifacts = artifacts
        self._bench = bench
        self._office = office
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def under_way(self) -> bool:
        """Say whether there is anything in hand, or to be brought."""
        return bool(self.held) or self.bringing > 0

    def begin(self, act: Coroutine[Any, Any, None]) -> None:
        """Do something in the background; `close` waits for no such thing."""
        task = asyncio.create_task(act)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (problem := task.exception()) is not None:
            task.get_loop().call_exception_handler({"message": "donor", "exception": problem})

    async def close(self) -> None:
        """Break off what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def add(self, lease: wire.Lease) -> None:
        """Hold a lease; one that is held already only gets its new token."""
        if lease.id in self.held:
            self.held[lease.id].lease = lease
        else:
            self.held[lease.id] = Holding(lease)
        self._remember()

    def tokens(self) -> list[str]:
        """Give tokens of what is held, and of what was held before a crash."""
        own = [holding.lease.token for holding in self.held.values()]
        return list(dict.fromkeys([*own, *self._memory.tokens]))[: wire.MOST_REMEMBERED]

    def forget(self, lease_id: str) -> None:
        """Let go of a unit, in its engine as well."""
        self._bench.release(lease_id)
        if self.held.pop(lease_id, None) is not None:
            self._remember()

    def _remember(self) -> None:
        self._memory.remember([holding.lease.token for holding in self.held.values()])

    def bring(self, holding: Holding, seat: Seat) -> None:
        """Download what a unit needs, and give it to an engine."""
        holding.stage = "downloading"
        seat.lease_id = holding.id
        self.begin(self._bring(holding, seat))

    async def _bring(self, holding: Holding, seat: Seat) -> None:
        lease, token = holding.lease, holding.lease.token
        try:
            topology, start, tensors = await asyncio.gather(
                *(
                    self._artifacts.fetch(sha, token)
                    for sha in (lease.unit.topology, lease.unit.start, lease.unit.tensors)
                )
            )
        except (ArtifactRefused, httpx2.HTTPError) as problem:
            detail = f"What it needs could not be downloaded: {problem or type(problem).__name__}."
            await self.give_up(holding, "error", detail)
            return
        if self.held.get(holding.id) is not holding or holding.stage != "downloading":
            return
        blobs = {
            "topology": topology,
            "checkpoint": self._newest(holding, start),
            "tensors": tensors,
        }
        holding.stage = "training"
        unit = lease.unit.model_dump(mode="json")
        seat.host.post(Frame({"type": "train", "lease": holding.id, "unit": unit}, blobs))
        self._office.changed()

    def _newest(self, holding: Holding, start: bytes) -> bytes:
        """Give the newest state that there is: of this process, of one before it, or the start."""
        found = holding.latest.content if holding.latest is not None else None
        found = found or self._memory.load_state(holding.lease.unit.id)
        try:
            if found is not None and read_checkpoint(found).step > read_checkpoint(start).step:
                return found
        except BadTensors:
            self._memory.remove_state(holding.lease.unit.id)
        return start

    def keep(self, holding: Holding, snapshot: Snapshot) -> None:
        """Keep a state here, and upload it by the way where the budget allows."""
        holding.keep(snapshot)
        self.begin(
            asyncio.to_thread(self._memory.save_state, holding.lease.unit.id, snapshot.content)
        )
        if self._office.line() is not None and self._artifacts.allowed:
            self.begin(self.save(holding))

    async def save(self, holding: Holding) -> None:
        """Upload the newest state and name it. After a failure a newer one follows."""
        snapshot = holding.latest
        if snapshot is None or snapshot.step <= holding.saved_step:
            return
        uploaded = await self._artifacts.upload(snapshot, holding.lease.token)
        line = self._office.line()
        if uploaded != "through" or line is None or holding.id not in self.held:
            return
        named = wire.Checkpointed(
            lease_id=holding.id,
            artifact=snapshot.sha256,
            epoch=snapshot.epoch,
            step=snapshot.step,
        )
        line(wire.Checkpoint(leases=[named]))
        holding.saved_step = snapshot.step

    async def hand_in(self, holding: Holding) -> None:
        """Upload a result and hand it in; tries as long as this connection stands."""
        line = self._office.line()
        while line is not None and self._office.line() is line and holding.id in self.held:
            assert holding.latest is not None
            uploaded = await self._artifacts.upload(holding.latest, holding.lease.token)
            if uploaded == "too_large":
                detail = "Its result is larger than the unit allows."
                await self.give_up(holding, "over_limit", detail)
                return
            if self._office.line() is not line or holding.id not in self.held:
                return
            # Refused for its lease: the coordinator's answer to the result says why, calmly.
            if uploaded != "failed":
                holding.stage = "handed_in"
                self.held[holding.id] = self.held.pop(holding.id)  # answers come in this order
                request = self._office.ask_along()
                line(wire.Complete(leases=[holding.completed()], next=request))
                self._office.changed()
                return
            await asyncio.sleep(RETRY_HAND_IN_S)

    async def give_up(self, holding: Holding, reason: Reason, detail: str) -> None:
        """Hand one unit back because it cannot be finished here; what there is is saved first."""
        await self.save(holding)
        self.hand_back([holding], reason, detail)
        self._office.gave_up(holding, detail)

    def hand_back(self, given: list[Holding], reason: Reason, detail: str = "") -> None:
        """Give leases back, if anybody hears it, and let go of them."""
        line = self._office.line()
        if given and line is not None:
            line(wire.Abort(leases=[one.handback(reason, detail) for one in given]))
        for holding in given:
            self.forget(holding.id)

    def settled(self, lease_id: str, challenge: wire.Challenge | None) -> None:
        """Forget a unit for good, once the committed states are up that are asked for."""
        holding = self.held.get(lease_id)
        if holding is not None:
            if challenge is not None:
                self.bringing += 1
                self.begin(self._bring_committed(holding, challenge))
            self._memory.remove_state(holding.lease.unit.id)
            self.forget(lease_id)

    async def _bring_committed(self, holding: Holding, challenge: wire.Challenge) -> None:
        """Upload committed states. Without them the unit earns no credit, nothing else."""
        token = holding.lease.token
        asked = [one for one in holding.states.values() if one.sha256 in challenge.states]
        try:
            for state in asked:
                for _ in range(CHALLENGE_TRIES):
                    if await self._artifacts.upload(state, token) != "failed":
                        break
                    await asyncio.sleep(RETRY_HAND_IN_S)
        finally:
            self.bringing -= 1
            self._office.changed()
