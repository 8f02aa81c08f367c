"""A donor's whole conversation: what is asked, granted, told, handed in and given back.

Training goes on while there is no line. The first word to stop finishes the present steps, uploads
checkpoints and hands everything back.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

from potluck.protocol import donor as wire
from potluck.protocol.base import PROTOCOL_VERSION
from potluck.version import VERSION
from potluck_coordinator.donor.artifacts import Artifacts
from potluck_coordinator.donor.asking import Asking
from potluck_coordinator.donor.bench import Bench, Seat
from potluck_coordinator.donor.frames import Frame
from potluck_coordinator.donor.holding import Holding, Snapshot
from potluck_coordinator.donor.line import Answer, Send
from potluck_coordinator.donor.memory import Memory
from potluck_coordinator.donor.options import Options
from potluck_coordinator.donor.show import Show
from potluck_coordinator.donor.work import Work

STOP_S = 20.0
"""For finishing steps and uploading checkpoints; a batch system's patience is often 30 s."""
FAREWELL_S = 3.0
PROBLEM_WAIT_S = 10.0
SOON_S = 0.3
ONCE_ASKS_S = 2.0
HEARTBEAT_AT_MOST_EVERY_S = 1.0
MOST_RESTARTS = 4
UNREACHED_S = 60.0
MOMENTARY = "busy."
"""How codes of problems begin that pass: what was said meets a better moment."""
FINAL_PROBLEMS = frozenset(
    {"protocol.too_old", "donor.paused", "access.token_unknown", "access.visitor_key"}
)
PUT_DOWN = {
    "cancelled": "the study was stopped",
    "superseded": "somebody else was faster",
    "expired": "its lease expired",
    "unknown": "the coordinator does not know its lease",
}

ENDS_ONCE = ("no_work", "paused")
"""Reasons to wait at which `--once` ends."""


class Session:
    """One donor. `run` beside `keep_talking(url, session)`; see `run.py`."""

    def __init__(self, options: Options, memory: Memory, artifacts: Artifacts, show: Show) -> None:
        self._options = options
        self._memory = memory
        self._artifacts = artifacts
        self._show = show
        self._bench = Bench(options.workers, options.platform, self._hear)
        self._work = Work(memory, artifacts, self._bench, self)
        self._send: Send | None = None
        self._welcomed = False
        self._hello_due = False
        self._asking = Asking(self._work_on)
        self._heartbeat_s = 15.0
        self._heartbeat_at = float("-inf")
        self._restarts = 0
        self._unreached_since: float | None = None
        """Since when there was nobody to greet; None before all engines are ready to be told of."""
        self._reports: dict[Seat, wire.BackendReport] = {}
        self._changed = asyncio.Event()
        self._stopping = False
        self._end: int | None = None
        self.units = 0

    # ---- its life ----

    async def run(self) -> int:
        """Donate until the end; gives the exit status."""
        beating = asyncio.create_task(self._beat())
        try:
            for seat in self._bench.seats:
                await self._bench.start(seat)
            await self._until(lambda: self._end is not None)
            assert self._end is not None
            return self._end
        finally:
            beating.cancel()
            self._asking.close()
            await self._work.close()
            await self._bench.close()

    def stop(self) -> None:
        """Finish the present steps, upload checkpoints, hand back, and end."""
        if not self._stopping:
            self._stopping = True
            self._show.say("Stopping: checkpoints are uploaded, and units handed back.")
            self._work.begin(self._stop())

    async def _stop(self) -> None:
        for holding in self._work.held.values():
            seat = self._bench.of(holding.id)
            if holding.stage == "training" and seat is not None:
                seat.host.post(Frame({"type": "stop", "lease": holding.id}))
        busy = ("training", "stopped", "handing_in", "handed_in")
        try:
            async with asyncio.timeout(STOP_S):
                await self._until(
                    lambda: (
                        not self._work.bringing
                        and not any(h.stage in busy for h in self._work.held.values())
                    )
                )
        except TimeoutError:
            self._show.say("Not everything could be uploaded in time.")
        left = list(self._work.held.values())
        if left and self.line() is None:
            abort = wire.Abort(leases=[holding.handback("closing") for holding in left])
            await self._artifacts.abort(abort.model_dump_json())
        elif left:
            leases = [holding.handback("closing") for holding in left]
            self._say(wire.Abort(leases=leases))
            try:
                async with asyncio.timeout(FAREWELL_S):
                    await self._until(lambda: not self._work.held)
            except TimeoutError:
                self._show.say("The coordinator did not answer; the leases will expire.")
        for holding in left:
            self._work.forget(holding.id)
        self._finish(0)

    def _finish(self, status: int, message: str = "") -> None:
        if message:
            self._show.say(message)
        if self._end is None:
            self._end = status
        self._changed.set()

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    # ---- the line ----

    def connected(self, send: Send) -> None:
        """Say hello, as soon as it is known what this machine can do."""
        self._send = send
        self._welcomed = self._asking.open = False
        self._hello_due = True
        self._hello()

    @property
    def _ready(self) -> bool:
        return len(self._reports) == len(self._bench.seats)

    def _hello(self) -> None:
        if not self._hello_due or self._send is None or not self._ready:
            return
        self._hello_due = False
        reports = list(self._reports.values())
        speed = sum(report.samples_per_second for report in reports)
        report = reports[0].model_copy(update={"samples_per_second": speed})
        self._send(
            wire.Hello(
                protocol=PROTOCOL_VERSION,
                client=f"potluck-{VERSION}",
                donor_key=self._memory.donor_key,
                backends=[report],
                backend="jax",
                memory_bytes=self._options.memory_bytes,
                leases=self._work.tokens(),
                cached=self._artifacts.cached,
            )
        )

    def disconnected(self, why: str) -> None:
        """Train on; the line tries by itself to come back."""
        if self._welcomed:
            self._show.say(f"The connection is gone ({why}); training goes on meanwhile.")
            self._unreached_since = time.monotonic()
        elif self._ready or self._send is None:  # else it waited for a greeting long enough
            self._show.again(f"{self._options.url} cannot be reached ({why}); trying again.")
        self._send = None
        self._welcomed = self._asking.open = False
        now, patience = time.monotonic(), max(UNREACHED_S, self._options.patience_s)
        if self._options.once and now - (self._unreached_since or now) > patience:
            self._finish(1, "The coordinator was not there for too long.")
        self.changed()

    def puzzled(self, text: str) -> None:
        """Say that a newer coordinator speaks."""
        self._show.again(f"The coordinator said something that this version does not know: {text}")

    def received(self, answer: Answer) -> None:
        """Follow a message."""
        if self._end is not None:
            return
        match answer:
            case wire.Welcome():
                self._on_welcome(answer)
            case wire.Grant():
                self._on_grant(answer)
            case wire.Wait():
                self._on_wait(answer)
            case wire.Work():
                if not self._asking.open:
                    self._asking.pause(SOON_S * random.random())
            case wire.Heard():
                for lease_id, reason in answer.stop.items():
                    if lease_id in self._work.held:
                        self._put_down(lease_id, PUT_DOWN[reason])
                self._work_on()
            case wire.Settled():
                self._on_settled(answer)
            case wire.Problem():
                self._on_problem(answer)
        self.changed()

    def _on_welcome(self, welcome: wire.Welcome) -> None:
        self._welcomed = True
        self._heartbeat_s = welcome.heartbeat_every_s
        record = welcome.record
        self._show.say(f"Donating as {record.name}; {record.units} units so far.")
        resumed = {lease.id for lease in welcome.resumed}
        for holding in list(self._work.held.values()):
            # A finished unit may still count, so it is handed in all the same.
            if holding.diverged is None and holding.id not in resumed:
                self._put_down(holding.id, "it went to somebody else meanwhile")
        for lease in welcome.resumed:
            self._work.add(lease)
        self._memory.remember([holding.lease.token for holding in self._work.held.values()])
        for holding in self._work.held.values():
            if holding.diverged is not None:
                self._work.begin(self._work.hand_in(holding))
        self._work_on()

    def _on_grant(self, grant: wire.Grant) -> None:
        self._asking.got_work()
        for lease in grant.leases:
            self._work.add(lease)
        if self._stopping:
            given = [self._work.held[lease.id] for lease in grant.leases]
            self._work.hand_back(given, "closing")
        for lease in grant.leases:
            self._refuse_if_too_large(lease)
        self._work_on()

    def _refuse_if_too_large(self, lease: wire.Lease) -> None:
        """Hand back what this machine does not allow, should it be offered all the same."""
        holding, allowed = self._work.held.get(lease.id), self._options.memory_bytes
        if holding is None or allowed is None or lease.unit.memory_bytes <= allowed:
            return
        holding.stage = "stopped"  # nobody begins with it meanwhile
        detail = f"It takes about {lease.unit.memory_bytes} bytes of memory; {allowed} are allowed."
        self._work.begin(self._work.give_up(holding, "over_limit", detail))

    def _on_wait(self, wait: wire.Wait) -> None:
        self._asking.open = False
        # With jitter: a thousand idle donors must not come back in the same second.
        seconds = wait.seconds * random.uniform(0.75, 1.25)
        if wait.reason == "scoring":
            self._asking.may_follow()
            if self._options.once:  # nobody says when there is nothing more to come
                seconds = min(seconds, ONCE_ASKS_S)
        elif self._options.once and wait.reason in ENDS_ONCE and not self._work.under_way:
            left = self._options.patience_s - self._asking.idle_s()
            if left <= 0:
                self._finish(0, f"There is no work. {self.units} units were trained.")
            seconds = min(seconds, max(left, 0.0))
        self._asking.pause(seconds)

    def _on_settled(self, settled: wire.Settled) -> None:
        for one in settled.leases:
            holding = self._work.held.get(one.lease_id)
            if holding is None:
                continue
            if one.outcome in ("accepted", "duplicate"):
                self._asking.went_well()
                self._restarts = 0
            if one.outcome == "accepted" and holding.lease.unit.kind != "check":
                self.units += 1
                self._show.finished(holding)
            elif one.outcome == "refused":
                why = one.error.message if one.error is not None else "No reason was given."
                self._show.say(f"A result was not taken. {why}")
            self._work.settled(one.lease_id, one.challenge)
        self._work_on()

    def _on_problem(self, problem: wire.Problem) -> None:
        error = problem.error
        text = f"{error.message} {error.hint}".strip()
        if error.code in FINAL_PROBLEMS:
            self._work.hand_back(list(self._work.held.values()), "stopped")
            self._finish(1, text)
            return
        self._show.again(f"The coordinator says: {text}")
        unanswered = [h for h in self._work.held.values() if h.stage == "handed_in"]
        for holding in unanswered[:1]:
            if error.code.startswith(MOMENTARY):
                holding.stage = "handing_in"
                self._work.begin(self._hand_in_again(holding))
            else:
                self._work.forget(holding.id)
        if self._asking.open or unanswered:
            self._asking.pause(PROBLEM_WAIT_S)
        self._asking.open = False

    async def _hand_in_again(self, holding: Holding) -> None:
        """Bring a result to a coordinator that was too busy for it, over this line."""
        line = self.line()
        await asyncio.sleep(PROBLEM_WAIT_S * random.uniform(0.5, 1.5))
        if line is not None and line is self.line():  # the next greeting brings it otherwise
            await self._work.hand_in(holding)

    # ---- the engines ----

    def _hear(self, seat: Seat, frame: Frame) -> None:
        if self._end is not None:
            return
        if frame.type == "prepared":
            self._on_prepared(seat, frame)
        elif frame.type == "failed":
            self._on_failed(seat, frame)
        else:
            holding = self._work.held.get(frame.head["lease"])
            if holding is not None and holding.stage == "training":
                self._on_trained(seat, frame, holding)
        self.changed()

    def _on_prepared(self, seat: Seat, frame: Frame) -> None:
        head = frame.head
        seat.ready = bool(head["right"])
        self._reports[seat] = wire.BackendReport(
            backend="jax",
            samples_per_second=head["samples_per_second"],
            right=seat.ready,
            note=head["note"],
        )
        if not seat.ready:
            self._finish(1, "This machine does not train rightly: a small known training came out "
                         f"wrong on {head['note']}.")  # fmt: skip
            return
        if self._ready and self._unreached_since is None:
            self._unreached_since = time.monotonic()
            self._show.say(f"Ready: {head['note']}.")
        self._hello()
        self._work_on()

    def _on_trained(self, seat: Seat, frame: Frame, holding: Holding) -> None:
        before = holding.epoch
        holding.advance(frame.head)
        state = frame.blobs.get("state")
        snapshot = Snapshot.of(state, frame.head) if state is not None else None
        if frame.type == "snapshot" and snapshot is not None:
            self._work.keep(holding, snapshot)
        elif snapshot is not None:
            holding.keep(snapshot)
            seat.lease_id = None
            if frame.type == "finished":
                holding.stage = "handing_in"
                holding.diverged = bool(frame.head["diverged"])
                self._work.begin(self._work.hand_in(holding))
            else:
                holding.stage = "stopped"
                self._work.begin(self._save_and_hand_back(holding))
        quiet = time.monotonic() - self._heartbeat_at
        # A finished epoch is told soon: somebody may be watching the curve.
        if holding.epoch != before and quiet >= HEARTBEAT_AT_MOST_EVERY_S:
            self._heartbeat()

    async def _save_and_hand_back(self, holding: Holding) -> None:
        await self._work.save(holding)
        self._heartbeat()  # how far it came
        line = self.line()
        if line is not None and holding.id in self._work.held:
            line(wire.Abort(leases=[holding.handback("closing")]))
            self._show.handed_back(holding)
        else:
            holding.stage = "queued"  # goes back without a socket
        self.changed()

    def _on_failed(self, seat: Seat, frame: Frame) -> None:
        code, message = str(frame.head["code"]), str(frame.head["message"])
        holding = self._work.held.get(seat.lease_id or "")
        seat.lease_id = None
        if code in ("unsupported", "over_limit"):
            if holding is not None:
                reason = "over_limit" if code == "over_limit" else "error"
                self._work.begin(self._work.give_up(holding, reason, message))  # type: ignore[arg-type]
            return
        self._restarts += 1
        seat.ready = False
        if holding is not None and holding.failures > 0:
            self._work.begin(self._work.give_up(holding, "error", message))
        elif holding is not None:
            holding.failures += 1
            holding.stage = "queued"
        if self._restarts > MOST_RESTARTS:
            self._work.hand_back(list(self._work.held.values()), "error", message)
            self._finish(1, f"Training keeps failing on this machine. {message}")
            return
        self._show.say(f"Training was interrupted and goes on from its last state. {message}")
        self._work.begin(self._bench.start(seat))

    # ---- asking and telling ----

    def line(self) -> Send | None:
        """Give the present connection once it is welcomed."""
        return self._send if self._welcomed else None

    def ask_along(self) -> wire.Request | None:
        """Give the request that may go with a result."""
        if self._stopping or self._asking.open or self._asking.early_s > 0:
            return None
        self._asking.open = True
        return wire.Request(most=1, cached=self._artifacts.cached)

    def gave_up(self, holding: Holding, detail: str) -> None:
        """Ask more and more rarely: the same unit may come again."""
        self._show.say(f"A unit of {holding.lease.unit.study_name} was handed back. {detail}")
        self._asking.gave_up()
        self._work_on()

    def changed(self) -> None:
        """Show what is new, and wake who waits for it."""
        self._changed.set()
        self._show.update(list(self._work.held.values()), self.line() is not None)

    def _put_down(self, lease_id: str, why: str) -> None:
        name = self._work.held[lease_id].lease.unit.study_name
        self._show.say(f"A unit of {name} was put down: {why}.")
        self._work.forget(lease_id)

    def _work_on(self) -> None:
        if self._stopping or self._end is not None:
            return
        for holding in self._work.held.values():
            seat = self._bench.free() if holding.stage == "queued" else None
            if seat is not None:
                self._work.bring(holding, seat)
        busy = sum(h.stage not in ("handing_in", "handed_in") for h in self._work.held.values())
        free = sum(seat.ready for seat in self._bench.seats) - busy
        if free > 0 and not self._asking.open and not self._asking.pausing:
            self._ask(free)

    def _ask(self, most: int) -> None:
        if self._asking.early_s > 0:
            self._asking.pause(self._asking.early_s)
        elif self._welcomed:
            self._asking.open = True
            self._say(wire.Request(most=most, cached=self._artifacts.cached))

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._heartbeat_s)
            self._heartbeat()

    def _heartbeat(self) -> None:
        if self._work.held and self._welcomed:
            self._heartbeat_at = time.monotonic()
            self._say(wire.Heartbeat(leases=[h.progress() for h in self._work.held.values()]))

    def _say(self, said: wire.Request | wire.Heartbeat | wire.Abort) -> None:
        if self._send is not None:
            self._send(said)
