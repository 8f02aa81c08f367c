"""Where a ledger can be read from: a file, a study's id, an address."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import ValidationError

from potluck.client import Client
from potluck.errors import BadArgument
from potluck.protocol.records import Ledger

_STUDY_PATH = re.compile(r"^(?P<base>.*?)(?:/api/v1)?/studies/(?P<id>[^/]+)(?:/.*)?$")


def read_ledger(source: str, url: str, token: str | None) -> Ledger:
    """Read a ledger. Raises `BadArgument`, or what the coordinator at `url` refuses.

    An address may be a study's page or its API. The token goes only to the coordinator it is for.
    """
    if source.startswith(("http://", "https://")):
        base, study_id = study_address(source)
        with Client(base, token if _origin(base) == _origin(url) else "") as client:
            return client.study(study_id).ledger()
    path = Path(source).expanduser()
    if path.is_file():
        return ledger_file(path)
    if path.suffix or path.name != source:
        raise BadArgument(f"There is no ledger file at {path}.")
    with Client(url, token) as client:
        return client.study(source).ledger()


def ledger_file(path: Path) -> Ledger:
    """Read what GET /api/v1/studies/{id}/ledger gave, kept in a file."""
    try:
        return Ledger.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BadArgument(f"{path} cannot be read: {error.strerror}.") from None
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in problem["loc"]) or "the file"
        raise BadArgument(f"{path} is no study's ledger: {place}: {problem['msg']}.") from None


def study_address(address: str) -> tuple[str, str]:
    """Split a study's address into the coordinator's and the study's id."""
    parts = urlsplit(address)
    match = _STUDY_PATH.match(parts.path)
    if match is None:
        raise BadArgument(
            f"{address} is no study's address; they look like http://127.0.0.1:8000/studies/ID."
        )
    return f"{parts.scheme}://{parts.netloc}{match['base']}", match["id"]


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
