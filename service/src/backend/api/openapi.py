"""The OpenAPI document: FastAPI's, completed by what holds for every operation.

FastAPI describes its own answer to an invalid request; ours is a problem document. And any
operation that reads a body may be refused for its size, whatever its own code says.
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute

from backend.api.health import PATHS
from backend.api.problems import MEDIA_TYPE
from backend.api.schemas import refine

_REFERENCE: Final = {"$ref": "#/components/schemas/Problem"}
_TEXT: Final = {"type": "string"}
_PROBLEM: Final[dict[str, Any]] = {
    "title": "Problem",
    "description": "A problem document (RFC 9457). `errors` lists what is wrong in the request.",
    "type": "object",
    "required": ["type", "title", "status", "requestId"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": _TEXT,
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": _TEXT,
        "requestId": {"type": "string", "description": "Leads to logs and traces"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["location", "rule", "message"],
                "properties": {"location": _TEXT, "rule": _TEXT, "message": _TEXT},
            },
        },
    },
}
_REQUEST_ID: Final = "8e1c5b0f6f0e4f4c9a4d5b2f7a1c3d9e"
_INVALID: Final = {
    "type": "urn:glasshouse:problem:invalid-request",
    "title": "Invalid request",
    "status": 422,
    "detail": "The request breaks the rules listed in errors.",
    "requestId": _REQUEST_ID,
    "errors": [
        {
            "location": "body.amount",
            "rule": "amount_not_positive",
            "message": "Amount must be greater than 0",
        }
    ],
}
_IDS: Final = {
    name: {"description": meaning, "schema": {"type": "string"}}
    for name, meaning in (
        ("X-Request-ID", "The request's id: the one that was sent if it was valid, else a new one"),
        ("X-Correlation-ID", "The id of all that one cause set off"),
    )
}


def operation_id(route: APIRoute) -> str:
    """Name an operation after its function."""
    return route.name


def install(app: FastAPI) -> None:
    """Make ``app`` serve the completed document. Its routes are all there by the first request."""
    describe = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = complete(describe())
        return app.openapi_schema

    app.openapi = openapi


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Complete a document, in place."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for replaced in ("HTTPValidationError", "ValidationError"):
        schemas.pop(replaced, None)
    schemas["Problem"] = _PROBLEM
    refine(schemas)
    for path, operation in _operations(document):
        responses: dict[str, Any] = operation["responses"]
        for status in _problems_of(path, operation):
            described = responses.setdefault(str(status), {})
            described.setdefault("description", HTTPStatus(status).phrase)
        for code, response in responses.items():
            if code >= "400" and not _is_own(response):
                response["content"] = {
                    MEDIA_TYPE: {"schema": _REFERENCE, "example": _example(code)}
                }
            response["headers"] = {**response.get("headers", {}), **_IDS}
        operation["responses"] = dict(sorted(responses.items()))
    # The token is asked for details only.
    document["paths"]["/healthz"]["get"]["security"].insert(0, {})
    return document


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for operation in item.values():
            yield path, operation


def _problems_of(path: str, operation: dict[str, Any]) -> list[int]:
    # 421: the request is for a host that is none of ours.
    found = [421, 500]
    if "requestBody" in operation:
        found += [400, 413, 422]
    elif operation.get("parameters"):
        found.append(422)
    if path != "/livez":
        found.append(429)
    if {"callerKey": []} in operation.get("security", ()):
        found += [401, 403]
    if "{" in path:
        found.append(404)
    if path not in PATHS:
        # The database may be unavailable.
        found.append(503)
    return found


def _is_own(response: dict[str, Any]) -> bool:
    """Return whether an error has a model of its own, such as a failing health check."""
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    return "$ref" in schema and not schema["$ref"].endswith("/HTTPValidationError")


def _example(code: str) -> dict[str, Any]:
    if code == "422":
        return _INVALID
    return {
        "type": "about:blank",
        "title": HTTPStatus(int(code)).phrase,
        "status": int(code),
        "requestId": _REQUEST_ID,
    }
