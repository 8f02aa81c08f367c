"""Artifacts over HTTP by hash, with a lease's token; kept in memory so that none comes twice."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import time
from collections import OrderedDict
from typing import Literal

import httpx2

from potluck_coordinator.donor.cadence import UploadBudget
from potluck_coordinator.donor.holding import Snapshot

MOST_KEPT_BYTES = 512 * 2**20
MOST_TOLD = 512
TRIES = 4
FIRST_RETRY_S = 1.0
PASSING = (408, 429)
"""Too slow, too often: what nobody has looked at may be sent again."""
TIMEOUT_S = 120.0
CONNECT_TIMEOUT_S = 20.0

Uploaded = Literal["through", "too_large", "refused", "failed"]
"""`failed` is the network's or the coordinator's momentary trouble."""


class ArtifactRefused(Exception):
    """The coordinator does not give an artifact for this token, or gives other bytes."""


class Artifacts:
    """Bytes of leases, down and up."""

    def __init__(self, origin: str) -> None:
        timeout = httpx2.Timeout(TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        self._http = httpx2.AsyncClient(base_url=f"{origin}/api/v1/donor/", timeout=timeout)
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._budget = UploadBudget()
        self._uploading = asyncio.Lock()

    @property
    def cached(self) -> list[str]:
        """Give hashes of what needs no download."""
        return list(self._kept)[-MOST_TOLD:]

    @property
    def allowed(self) -> bool:
        """Say whether an upload by the way would stay within 5% of the uplink."""
        return not self._uploading.locked() and self._budget.allows(time.monotonic())

    async def fetch(self, sha: str, token: str) -> bytes:
        """Give an artifact. Raises ArtifactRefused, or HTTPError after several tries."""
        if sha not in self._kept:
            self._kept[sha] = await self._download(sha, token)
            while len(self._kept) > 1 and sum(map(len, self._kept.values())) > MOST_KEPT_BYTES:
                self._kept.popitem(last=False)
        self._kept.move_to_end(sha)
        return self._kept[sha]

    async def upload(self, snapshot: Snapshot, token: str) -> Uploaded:
        """Upload a state after those before it."""
        async with self._uploading:
            begun = time.monotonic()
            try:
                return await self._put(snapshot, token)
            finally:
                self._budget.spent(begun, time.monotonic())

    async def abort(self, body: str) -> None:
        """Hand leases back without a socket, as far as the coordinator can be reached."""
        try:
            await self._http.post("abort", content=body, timeout=3.0)
        except httpx2.HTTPError:
            return  # they expire

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _download(self, sha: str, token: str) -> bytes:
        for attempt in range(TRIES):
            try:
                answer = await self._http.get(
                    f"artifacts/{sha}", headers={"X-Potluck-Lease": token}
                )
                if answer.status_code < 500 and answer.status_code not in PASSING:
                    break
                problem: Exception = ArtifactRefused(f"status {answer.status_code}")
            except httpx2.HTTPError as error:
                problem = error
            if attempt == TRIES - 1:
                raise problem
            await asyncio.sleep(FIRST_RETRY_S * 2**attempt)
        if answer.status_code != 200:
            raise ArtifactRefused(f"artifact {sha} was refused with status {answer.status_code}")
        if hashlib.sha256(answer.content).hexdigest() != sha:
            raise ArtifactRefused(f"artifact {sha} came with other bytes")
        return answer.content

    async def _put(self, snapshot: Snapshot, token: str) -> Uploaded:
        body = await asyncio.to_thread(gzip.compress, snapshot.content, 1)
        headers = {
            "X-Potluck-Lease": token,
            "Content-Type": "application/octet-stream",
            "Content-Encoding": "gzip",
        }
        try:
            answer = await self._http.put(
                f"artifacts/{snapshot.sha256}", content=body, headers=headers
            )
        except httpx2.HTTPError:
            return "failed"
        if answer.is_success:
            return "through"
        if answer.status_code >= 500 or answer.status_code in PASSING:
            return "failed"
        return "too_large" if answer.status_code == 413 else "refused"
