"""What a submit sends ahead of the study; taken back where the submit is refused or broken off."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType

from potluck.errors import PotluckError
from potluck.protocol import records
from potluck.protocol.base import FitOffer
from potluck.transport import Transport, Upload

MODELS = "/api/v1/models"
DATASETS = "/api/v1/datasets"


class Uploads:
    """Uploads that stay only where the `with` block ends well.

    What the coordinator had before is never taken back, and what a study uses stays.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._new: list[str] = []

    def model(self, name: str, files: Sequence[Upload]) -> records.Model:
        """Upload a model's files."""
        found, new = self._transport.upload(records.Model, MODELS, files, name)
        if new:
            self._new.append(f"{MODELS}/{found.id}")
        return found

    def fitted(self, offer: FitOffer) -> records.Model:
        """Have the coordinator make the model that a refusal offers."""
        body = records.ModelFit(width=offer.width)
        path = f"{MODELS}/{offer.model_id}/fitted"
        found, new = self._transport.make(records.Model, path, body)
        if new:
            self._new.append(f"{MODELS}/{found.id}")
        return found

    def data(self, name: str, file: Upload) -> records.Dataset:
        """Upload a dataset's file."""
        return self._dataset(DATASETS, [file], name)

    def bundled(self, name: str) -> records.Dataset:
        """Take a dataset that the coordinator brings."""
        return self._dataset(f"{DATASETS}/bundled/{name}", [], name)

    def _dataset(self, path: str, files: Sequence[Upload], name: str) -> records.Dataset:
        found, new = self._transport.upload(records.Dataset, path, files, name)
        if new:
            self._new.append(f"{DATASETS}/{found.id}?unused=true")
        return found

    def __enter__(self) -> Uploads:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            return
        for path in reversed(self._new):
            with suppress(PotluckError):  # a study uses it by now, or nobody answers any more
                self._transport.delete(path)
