"""The donor socket: words of docs/protocol.md, one at a time, each answered."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any
from weakref import WeakSet

from fastapi import APIRouter, FastAPI, Request, WebSocket, WebSocketDisconnect, status
from pydantic import ValidationError
from starlette.websockets import WebSocketState

from potluck.protocol import donor as wire
from potluck.protocol.base import PROTOCOL_VERSION, ErrorDetail
from potluck.version import VERSION
from potluck_coordinator.api.cookies import COOKIE, GROUPS_COOKIE, VISITOR_COOKIE, cookie_of
from potluck_coordinator.api.deps import (
    TheSite,
    bearer_word,
    check_origin,
    get_site,
    network,
)
from potluck_coordinator.api.errors import detail_of
from potluck_coordinator.api.messages import LARGEST_MESSAGE, Said, first_fault, read_message
from potluck_coordinator.api.plain_words import check_words
from potluck_coordinator.api.rates import counted_for
from potluck_coordinator.core.errors import BadInput, Busy, PotluckError
from potluck_coordinator.core.groups import Reach
from potluck_coordinator.core.manners import network_of
from potluck_coordinator.logs import about
from potluck_coordinator.services import granting, leases, results
from potluck_coordinator.services.donors import record_of
from potluck_coordinator.services.events import ACCESS, SITE, WORK
from potluck_coordinator.services.leases import DonorSession
from potluck_coordinator.services.rates import Rate
from potluck_coordinator.services.reach import Credentials, credentials_of, reach_of
from potluck_coordinator.services.site import Site

router = APIRouter(prefix="/donor", tags=["donor"])

Answer = (
    wire.Welcome | wire.Grant | wire.Wait | wire.Work | wire.Heard | wire.Settled | wire.Problem
)

SECONDS_TO_SAY_HELLO = 30.0
WAIT_SECONDS = 20.0
LONGEST_WAIT_S = 60.0
FAREWELL_SECONDS = 1.0
CROWD_SECONDS = 0.2
ASKED_AGAIN_S = 30.0
"""A token may expire, or be revoked beside this process: who donates is asked for so often."""
TOKEN_ENDED = 4401
"""What a connection ends with when a token ended that it came with."""
UNEXPECTED = ErrorDetail(
    code="internal",
    message="Something went wrong inside the coordinator; nothing of yours was changed.",
    hint="Try again; tell the operator if it stays.",
    where="",
)

_log = logging.getLogger(__name__)


async def say_farewell(app: FastAPI) -> None:
    """Tell every donor, as far as it can be reached, that this coordinator shuts down."""
    talks: WeakSet[_Conversation] = getattr(app.state, "conversations", WeakSet())
    with suppress(TimeoutError):
        async with asyncio.timeout(FAREWELL_SECONDS):
            await asyncio.gather(*(talk.part() for talk in talks), return_exceptions=True)
    talks.clear()


@router.websocket("/socket")
async def donor_socket(socket: WebSocket) -> None:
    """Speak with one donor until it goes."""
    site = get_site(socket)
    try:
        check_origin(socket)
    except PotluckError:
        await socket.close(code=4403)
        return
    await socket.accept()
    with suppress(WebSocketDisconnect):
        talk = _Conversation(site, socket)
        try:
            await talk.run()
        finally:
            _conversations(socket).discard(talk)
    if WebSocketState.DISCONNECTED not in (socket.client_state, socket.application_state):
        await socket.close()


def _conversations(socket: WebSocket) -> WeakSet[_Conversation]:
    """Give the app's conversations under way."""
    state = socket.app.state
    if not hasattr(state, "conversations"):
        state.conversations = WeakSet()
    found: WeakSet[_Conversation] = state.conversations
    return found


class _Conversation:
    def __init__(self, site: Site, socket: WebSocket) -> None:
        self._site = site
        self._socket = socket
        self._who = counted_for(site.rates, socket)
        self._idle = asyncio.Event()
        self._news = asyncio.Event()
        self._unheard: set[str] = set()
        """Leases granted here that the donor has not spoken of yet."""
        self._granted: set[str] = set()
        """Device checks that went over this line."""
        self._present: set[str] = set()
        """Leases that the donor named last, and holds."""
        self._gone = False
        self._went_away = False
        self._answered_at = 0.0

    async def run(self) -> None:
        hello = await self._hello()
        if hello is None:
            return
        try:
            credentials = await self._credentials()
            donor, resumed = await leases.welcome(self._site, hello, self._network(), credentials)
            reach = await self._reach(donor)
        except Exception as error:
            await self._explain(error)
            return
        self._present = {lease.id for lease in resumed}
        self._answered_at = self._site.now()
        _conversations(self._socket).add(self)
        with self._site.presence.connected(
            donor.id,
            donor.memory_bytes,
            donor.network,
            known=donor.delivered > 0,
            reach=reach,
        ):
            self._site.hub.publish(SITE)
            self._site.poke()
            try:
                await self._say(
                    wire.Welcome(
                        protocol=PROTOCOL_VERSION,
                        server=VERSION,
                        donor_id=donor.id,
                        record=await record_of(self._site, donor),
                        heartbeat_every_s=self._site.settings.heartbeat_seconds,
                        resumed=resumed,
                    )
                )
                async with (
                    self._meanwhile(self._tell_of_work(donor)),
                    self._meanwhile(self._end_with_access(donor, reach)),
                ):
                    while True:
                        said = await self._hear()
                        if said is not None:
                            with about(donor=donor.id, lease=_lease_of(said)):
                                await self._answer(donor, said)
            finally:
                self._site.presence.waits_no_more(self)
                if any(self._site.device_checks.holds(one, donor.id) for one in self._granted):
                    self._site.device_checks.forget(donor.id)
                self._site.hub.publish(SITE)
                left = self._unheard | (self._present if self._went_away else set())
                if left:
                    with suppress(Busy):  # then they end at their time
                        await leases.left_behind(self._site, left, self._answered_at)

    def _network(self) -> str | None:
        client = self._socket.client
        return None if client is None else network_of(client.host)

    async def _credentials(self) -> Credentials:
        return await credentials_of(
            self._site,
            bearer=bearer_word(self._socket),
            session=cookie_of(self._socket, COOKIE),
            visitor=cookie_of(self._socket, VISITOR_COOKIE),
            keys=cookie_of(self._socket, GROUPS_COOKIE),
        )

    async def _reach(self, donor: DonorSession) -> Reach:
        now = self._site.now()
        return await self._site.writer.read(lambda tx: reach_of(tx, donor.credentials, now))

    async def _hello(self) -> wire.Hello | None:
        try:
            async with asyncio.timeout(SECONDS_TO_SAY_HELLO):
                said = await self._hear()
        except TimeoutError:
            return None
        if not isinstance(said, wire.Hello):
            if said is not None:
                await self._refuse("protocol.hello_first", "The first message must be `hello`.")
            return None
        if said.protocol != PROTOCOL_VERSION:
            await self._refuse(
                "protocol.too_old",
                "This page is from another version of the coordinator.",
                expected=str(PROTOCOL_VERSION),
                got=str(said.protocol),
                hint="Reload the page.",
            )
            return None
        return said

    async def _hear(self) -> Said | None:
        """Read one message; one that cannot be understood is answered and gives None."""
        await self._wait_turn()
        try:
            async with asyncio.timeout(self._site.settings.socket_idle_seconds or None):
                message = await self._socket.receive()
        except TimeoutError:
            await self._socket.close(code=status.WS_1001_GOING_AWAY)
            raise WebSocketDisconnect(status.WS_1001_GOING_AWAY) from None
        if message["type"] == "websocket.disconnect":
            # What a browser says for a page that is closed or left; a lost network says nothing.
            self._went_away = message.get("code") == status.WS_1001_GOING_AWAY
            raise WebSocketDisconnect(message.get("code", 1000))
        text = message.get("text")
        if text is None or len(text) > LARGEST_MESSAGE:
            await self._refuse(
                "protocol.unreadable",
                "Messages are JSON text of at most 256 KiB.",
                got="binary data" if text is None else f"{len(text)} characters",
            )
            return None
        try:
            await check_words(text, "The message")
        except BadInput as error:
            await self._explain(error)
            return None
        try:
            return read_message(text)
        except ValidationError as error:
            await self._refuse(
                "protocol.unknown_message",
                first_fault(error),
                expected="a message of docs/protocol.md",
                got=text[:200],
            )
            return None

    async def _wait_turn(self) -> None:
        """Let who says too much wait, on this socket and on all of the same account or address."""
        rates = self._site.rates
        while pause := rates.pause_before(Rate.MESSAGES, f"socket {id(self)}"):
            await asyncio.sleep(pause)
        while pause := rates.pause_before(Rate.ADDRESS_MESSAGES, self._who):
            # A crowd that waits for the same next place must not ask for it all the time.
            await asyncio.sleep(max(pause, CROWD_SECONDS * random.uniform(0.5, 1.0)))

    async def _answer(self, donor: DonorSession, said: Said) -> None:
        try:
            await self._act(donor, said)
        except Busy as error:
            asks = isinstance(said, wire.Request)
            await (self._wait(_why_busy(error)) if asks else self._explain(error))
        except Exception as error:
            await self._explain(error)
        finally:
            self._answered_at = self._site.now()

    async def _explain(self, error: Exception) -> None:
        """Answer a refusal, or an error that nobody expected: never silence."""
        if isinstance(error, PotluckError):
            await self._say(wire.Problem(error=detail_of(error)))
        else:
            _log.error("unexpected error at a donor's message", exc_info=error)
            await self._say(wire.Problem(error=UNEXPECTED))

    async def _act(self, donor: DonorSession, said: Said) -> None:
        if isinstance(said, wire.Heartbeat | wire.Checkpoint | wire.Complete | wire.Abort):
            self._unheard.difference_update(lease.lease_id for lease in said.leases)
        if isinstance(said, wire.Request):
            await self._grant(donor, said)
        elif isinstance(said, wire.Heartbeat):
            heard = await leases.heartbeat(self._site, donor, said.leases)
            self._present = set(heard.held)
            await self._say(heard)
        elif isinstance(said, wire.Checkpoint):
            heard = await leases.checkpoint(self._site, donor, said.leases)
            self._present.update(heard.held)
            await self._say(heard)
        elif isinstance(said, wire.Complete):
            checked = any(
                self._site.device_checks.holds(one.lease_id, donor.id) for one in said.leases
            )
            settled = await results.complete(self._site, donor, said.leases)
            await self._settle(donor, settled)
            if checked:
                self._news.set()  # it got no work meanwhile; now it may ask again
            if said.next is not None:
                await self._answer(donor, said.next)
        elif isinstance(said, wire.Abort):
            await self._settle(donor, await results.hand_back(self._site, said.leases, donor))
        else:
            await self._refuse("protocol.hello_twice", "`hello` was said before.")

    async def _settle(self, donor: DonorSession, settled: list[wire.Settlement]) -> None:
        record = await record_of(self._site, donor)
        await self._say(wire.Settled(leases=settled, record=record))

    async def _grant(self, donor: DonorSession, request: wire.Request) -> None:
        if self._gone:
            return
        self._idle.clear()
        self._site.presence.waits_no_more(self)
        self._news.clear()  # what comes from now on may be missed by the look that follows
        pause = await granting.pause_left(self._site, donor)
        if pause > 0:
            # Not idle: news of work would only let it ask in vain.
            await self._say(wire.Wait(seconds=min(pause, LONGEST_WAIT_S) + 1.0, reason="paused"))
            return
        granted = await granting.grant(self._site, donor, request)
        if granted.leases:
            self._unheard.update(lease.id for lease in granted.leases)
            self._granted |= {one.id for one in granted.leases if one.unit.kind == "check"}
            await self._say(wire.Grant(leases=granted.leases))
        else:
            more = await granting.more_follows(self._site, donor)
            seconds = await self._wait("scoring" if more else "no_work")
            if granted.nothing_ready:
                self._site.presence.waits(self, donor.id, donor.memory_bytes, seconds=seconds)
            self._idle.set()  # only now: `work` must not overtake the `wait` that it ends

    async def _wait(self, reason: wire.WaitReason) -> float:
        seconds = WAIT_SECONDS * random.uniform(0.5, 1.0)
        await self._say(wire.Wait(seconds=seconds, reason=reason))
        return seconds

    async def part(self) -> None:
        """Tell this donor that the coordinator shuts down; it connects again by itself."""
        await self._wait("shutting_down")

    @asynccontextmanager
    async def _meanwhile(self, act: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
        """Let something go on as long as the donor is heard."""
        task = asyncio.create_task(act)
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _tell_of_work(self, donor: DonorSession) -> None:
        """Wake this donor, while it is idle, when units became ready that it may get."""
        with self._site.hub.listen(WORK) as self._news:
            while True:
                await self._news.wait()
                await self._idle.wait()
                if not self._news.is_set():  # taken back by a request meanwhile
                    continue
                self._news.clear()
                try:
                    anything = await granting.anything_for(self._site, donor)
                except Exception:  # the database is away: the donor asks by itself in a while
                    _log.warning("units for an idle donor could not be looked for", exc_info=True)
                    continue
                if anything and self._idle.is_set():
                    self._idle.clear()
                    self._site.presence.was_told(self)
                    await self._say(wire.Work())

    async def _end_with_access(self, donor: DonorSession, reach: Reach) -> None:
        """End this connection when a token ends that it came with; the donor may come without."""
        if not reach.tokens():
            return
        with self._site.hub.listen(ACCESS) as ended:
            lost: frozenset[str] = frozenset()
            while not lost:
                with suppress(TimeoutError):
                    await asyncio.wait_for(ended.wait(), ASKED_AGAIN_S)
                ended.clear()
                try:
                    lost = reach.tokens() - (await self._reach(donor)).tokens()
                except Exception:  # the database is away: every grant reads it, too
                    _log.warning("a donor's tokens could not be looked for", exc_info=True)
        self._gone = True
        await self._socket.close(code=TOKEN_ENDED)

    async def _refuse(
        self, code: str, message: str, *, expected: str = "", got: str = "", hint: str = ""
    ) -> None:
        detail = ErrorDetail(
            code=code, message=message, expected=expected, got=got, hint=hint, where=""
        )
        await self._say(wire.Problem(error=detail))

    async def _say(self, answer: Answer) -> None:
        """Send an answer. Whoever went without waiting for it is still heard to the end.

        What it said last, and how it went, may lie unread: only reading ends a conversation.
        """
        if self._gone:
            return
        try:
            await self._socket.send_text(answer.model_dump_json())
        except (WebSocketDisconnect, RuntimeError):  # the second: the server itself gave it up
            self._gone = True


def _lease_of(said: Said) -> str | None:
    """Give the lease that a message is about, where it is about one: a stranger's word."""
    if isinstance(said, wire.Hello | wire.Request) or len(said.leases) != 1:
        return None
    return said.leases[0].lease_id


def _why_busy(error: Busy) -> wire.WaitReason:
    return "shutting_down" if error.code == "busy.closing" else "busy"


@router.post("/abort", status_code=200)
async def post_abort(site: TheSite, request: Request) -> list[wire.Settlement]:
    """Hand leases back without a socket (`sendBeacon`, any content type). Body: `Abort`."""
    body = await request.body()
    try:
        abort = wire.Abort.model_validate_json(body)
    except ValidationError as error:
        raise BadInput(
            "protocol.unknown_message",
            "The body is no `abort`.",
            expected='{"type": "abort", "leases": [...]}',
            got=json.dumps(body[:100].decode(errors="replace")),
        ) from error
    return await results.hand_back(site, abort.leases, network=network(request))
