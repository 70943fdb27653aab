"""Errors as RFC 9457 problem documents. None repeats a value that was sent."""

import itertools
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from backend.api.models import declared_names
from backend.notifications.contact_book import UnknownContactError
from backend.payments.store import IdempotencyConflictError
from backend.platform.database import UNAVAILABLE
from glasshouse import request_id

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_S: Final = 5
_TYPE_PREFIX: Final = "urn:glasshouse:problem:"

_logger = logging.getLogger(__name__)


def problem(
    status: int,
    *,
    kind: str | None = None,
    title: str | None = None,
    detail: str | None = None,
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return a problem document.

    ``kind`` names the problem's type; without it the status says all (``about:blank``).
    ``errors`` lists what is wrong in the request: location, rule, message.
    """
    document: dict[str, Any] = {
        "type": _TYPE_PREFIX + kind if kind else "about:blank",
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "requestId": request_id(),
        "errors": list(errors) or None,
    }
    return JSONResponse(
        {key: value for key, value in document.items() if value is not None},
        status_code=status,
        media_type=MEDIA_TYPE,
        headers=dict(headers or {}),
    )


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return OpenAPI's entries for problem documents; `openapi` describes them."""
    return {status: {"description": HTTPStatus(status).phrase} for status in statuses}


def too_large(limit: int) -> str:
    return f"The body must have at most {limit} bytes."


def internal_error() -> JSONResponse:
    detail = "The request could not be served. The requestId leads to the cause."
    return problem(500, detail=detail)


def install(app: FastAPI) -> None:
    """Make every error of ``app`` a problem document."""
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(IdempotencyConflictError, _on_conflict)
    app.add_exception_handler(UnknownContactError, _on_unknown_contact)
    for error in UNAVAILABLE:
        app.add_exception_handler(error, _on_database_unavailable)


def _on_invalid(request: Request, error: Exception) -> JSONResponse:
    found = cast(RequestValidationError, error).errors()
    return problem(
        422,
        kind="invalid-request",
        title="Invalid request",
        detail="The request breaks the rules listed in errors.",
        errors=[_rule_broken(item) for item in found],
    )


def _rule_broken(error: Mapping[str, Any]) -> dict[str, str]:
    location = [str(part) for part in error["loc"]]
    rule: str = error["type"]
    if rule == "extra_forbidden":
        # The field's name is the sender's own text.
        return {"location": location[0], "rule": rule, "message": "Unknown field"}
    if rule == "json_invalid":
        return {"location": location[0], "rule": rule, "message": "Not valid JSON"}
    return {"location": ".".join(_declared(location)), "rule": rule, "message": error["msg"]}


def _declared(location: Sequence[str]) -> list[str]:
    """Return a location as far as it is ours: a key of a mapping is the sender's own text."""
    if location[0] != "body":
        return [*location]
    names = declared_names()
    return ["body", *itertools.takewhile(names.__contains__, location[1:])]


def _on_http_error(request: Request, error: Exception) -> JSONResponse:
    known = cast(HTTPException, error)
    # The phrase of the status is a detail of no use.
    phrase = HTTPStatus(known.status_code).phrase
    detail = known.detail if known.detail != phrase else None
    return problem(known.status_code, detail=detail, headers=known.headers)


def _on_conflict(request: Request, error: Exception) -> JSONResponse:
    return problem(
        422,
        kind="idempotency-key-reused",
        title="Idempotency key reused",
        detail="This Idempotency-Key was used before with another body. Use a new key.",
    )


def _on_unknown_contact(request: Request, error: Exception) -> JSONResponse:
    return problem(
        403,
        kind="contact-unknown",
        title="Unknown contact",
        detail="This user is not known to be reached so. Register the contact by PUT /contacts.",
    )


def _on_database_unavailable(request: Request, error: Exception) -> JSONResponse:
    # No traceback: the pool says on its own why it cannot connect.
    _logger.error("Database unavailable", extra={"error.type": type(error).__qualname__})
    return problem(
        503,
        kind="database-unavailable",
        title="Database unavailable",
        detail="Nothing was written. Try again.",
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )
