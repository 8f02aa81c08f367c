"""Errors to answers: one table."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from math import ceil
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from potluck.arguments import shown
from potluck.protocol.base import ErrorBody, ErrorDetail
from potluck.protocol.words import meant
from potluck_coordinator.core import errors
from potluck_coordinator.core.text import mended

STATUS: dict[type[errors.PotluckError], int] = {
    errors.BadInput: 400,
    errors.NotHere: 422,
    errors.LongHead: 431,
    errors.TooLarge: 413,
    errors.TooSlow: 408,
    errors.NotSignedIn: 401,
    errors.NotAllowed: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Busy: 503,
    errors.TooOften: 429,
    errors.NoRoom: 507,
    errors.CannotStart: 503,
}

_log = logging.getLogger(__name__)


def status_of(error: errors.PotluckError) -> int:
    """Give an error's status: that of its nearest ancestor in the table."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def detail_of(error: errors.PotluckError) -> ErrorDetail:
    """Give an error as the wire tells it."""
    offer = error.offer if isinstance(error, errors.OtherWidth) else None
    return ErrorDetail.model_validate(
        mended(
            {
                "code": error.code,
                "message": error.message,
                **error.details(),
                "offer": None if offer is None else {**vars(offer), "layers": list(offer.layers)},
            }
        )
    )


def _answer(status: int, detail: ErrorDetail) -> JSONResponse:
    # Without the offer that most refusals lack: an older SDK knows of none.
    return JSONResponse(ErrorBody(error=detail).model_dump(exclude_none=True), status)


def answer(error: errors.PotluckError) -> JSONResponse:
    """Give a refusal's answer, for those who speak below the routes."""
    told = _answer(status_of(error), detail_of(error))
    if isinstance(error, errors.TooOften):
        told.headers["Retry-After"] = str(ceil(error.retry_after))
    return told


def detail_of_validation(error: RequestValidationError) -> ErrorDetail:
    """Turn pydantic's first complaint into one of ours."""
    first = error.errors()[0]
    place = [str(part) for part in first["loc"] if part not in ("body", "query", "path")]
    return ErrorDetail.model_validate(
        mended(
            {
                "code": "request.invalid",
                "message": f"{'.'.join(place) or 'The request'}: {first['msg']}.",
                "expected": str(first["type"]),
                "got": shown(first.get("input")),
                "hint": _hint(first) or "See /api/openapi.json for what this address takes.",
                "where": ".".join(place),
            }
        )
    )


def _hint(problem: Mapping[str, Any]) -> str:
    """Guess what was meant by a word that is none of those that are known."""
    given = problem.get("input")
    known = re.findall(r"'([^']*)'", str(problem.get("ctx", {}).get("expected", "")))
    if problem["type"] == "extra_forbidden":
        return "Leave this field out: the coordinator knows none of this name."
    near = meant(given, known) if isinstance(given, str) and known else None
    return f"Did you mean {near!r}?" if near else ""


def add_handlers(app: FastAPI) -> None:
    """Answer every error with an ErrorBody."""

    @app.exception_handler(errors.PotluckError)
    async def refused(_request: Request, error: errors.PotluckError) -> JSONResponse:
        return answer(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        return _answer(422, detail_of_validation(error))

    @app.exception_handler(HTTPException)
    async def http(_request: Request, error: HTTPException) -> JSONResponse:
        codes = {404: "address.not_found", 405: "address.method"}
        detail = {"code": codes.get(error.status_code, "http"), "message": str(error.detail)}
        told = _answer(error.status_code, ErrorDetail.model_validate(detail))
        headers = dict(error.headers or {})
        if "GET" in (allowed := headers.get("Allow", "").split(", ")) and "HEAD" not in allowed:
            headers["Allow"] = ", ".join([*allowed, "HEAD"])  # `api.heads` answers it
        told.headers.update(headers)
        return told

    @app.exception_handler(ClientDisconnect)
    async def gone(_request: Request, _error: ClientDisconnect) -> JSONResponse:
        detail = {"code": "request.cut_off", "message": "The request's body broke off."}
        return _answer(400, ErrorDetail.model_validate(detail))  # that nobody hears

    @app.exception_handler(Exception)
    async def unexpected(_request: Request, error: Exception) -> JSONResponse:
        _log.error("unexpected error", exc_info=error)
        detail = {
            "code": "internal",
            "message": "Something went wrong inside the coordinator; nothing of yours was changed.",
            "hint": "Try again; tell the operator if it stays.",
        }
        return _answer(500, ErrorDetail.model_validate(detail))
