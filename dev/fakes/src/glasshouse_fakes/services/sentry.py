"""The receiver of errors: Sentry's ``POST /api/{project}/envelope/``.

An envelope is lines: its header, then for each item a header and a payload, whose length is
either stated or ends with the line (https://develop.sentry.dev/sdk/data-model/envelopes/).
"""

import json
import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import brotli
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from glasshouse_fakes.fake_service import FakeService

# Compressed bodies are bounded by the application; this bounds what they unpack to.
MAX_ENVELOPE_BYTES: Final = 8 * 1024 * 1024
MAX_KEPT: Final = 500
# zlib's window: the largest, with the header of gzip or zlib recognised.
_WINDOW: Final = zlib.MAX_WBITS | 32
_KEY: Final = re.compile(r"sentry_key=([0-9A-Za-z]+)")


class EnvelopeError(Exception):
    """A body is no envelope. The message says why."""


class FakeSentry(FakeService):
    """Keeps each envelope: project, key, header, and the items with their payloads."""

    name = "sentry"

    def router(self) -> APIRouter:
        router = APIRouter()

        @router.post("/api/{project}/envelope/")
        async def receive(project: str, request: Request) -> Response:
            if (failure := await self.apply_fault()) is not None:
                return failure
            given = request.headers.get("X-Sentry-Auth", "") + "&" + request.url.query
            key = _KEY.search(given)
            if key is None:
                return JSONResponse({"detail": "missing sentry_key"}, status_code=401)
            try:
                body = unpack(
                    await request.body(), request.headers.get("Content-Encoding", "identity")
                )
                header, items = parse(body)
            except EnvelopeError as error:
                return JSONResponse({"detail": str(error)}, status_code=400)
            self.received.append(
                {"project": project, "key": key.group(1), "header": header, "items": items}
            )
            # Envelopes are big: keep fewer of them than of other things.
            while len(self.received) > MAX_KEPT:
                self.received.popleft()
            return JSONResponse({"id": header.get("event_id")})

        return router


def unpack(body: bytes, encoding: str) -> bytes:
    """Undo Content-Encoding. Raises EnvelopeError: unknown, broken, or over the limit."""
    if encoding == "identity":
        return body
    if encoding not in _UNPACKERS:
        raise EnvelopeError(f"Content-Encoding {encoding[:20]!r}: only {', '.join(_UNPACKERS)}")
    try:
        # One more than the limit, to distinguish reaching it from passing it.
        content, complete = _UNPACKERS[encoding](body, MAX_ENVELOPE_BYTES + 1)
    except (zlib.error, brotli.error) as error:
        raise EnvelopeError("the compressed body is broken") from error
    if len(content) > MAX_ENVELOPE_BYTES:
        raise EnvelopeError(f"over {MAX_ENVELOPE_BYTES} bytes unpacked")
    if not complete:
        raise EnvelopeError("the compressed body is cut off")
    return content


def _inflate(body: bytes, limit: int) -> tuple[bytes, bool]:
    unpacker = zlib.decompressobj(_WINDOW)
    return unpacker.decompress(body, limit), unpacker.eof


def _unbrotli(body: bytes, limit: int) -> tuple[bytes, bool]:
    unpacker = brotli.Decompressor()
    content = unpacker.process(body, output_buffer_limit=limit)
    return content, unpacker.is_finished()


# What Sentry's SDK uses where it can, and what it uses elsewhere.
_UNPACKERS: Final[Mapping[str, Callable[[bytes, int], tuple[bytes, bool]]]] = {
    "br": _unbrotli,
    "gzip": _inflate,
    "deflate": _inflate,
}


def parse(body: bytes) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return an envelope's header and items. Raises EnvelopeError.

    An item is ``{"header", "payload"}``: a payload that is JSON is parsed, any other is given by
    its length.
    """
    first, _, rest = body.partition(b"\n")
    header = _object(first, "the envelope's header")
    items: list[dict[str, Any]] = []
    while rest.strip(b"\n"):
        line, _, rest = rest.lstrip(b"\n").partition(b"\n")
        item = _object(line, f"the header of item {len(items) + 1}")
        if not isinstance(item.get("type"), str):
            raise EnvelopeError(f"item {len(items) + 1} has no type")
        length = item.get("length")
        if length is None:
            payload, _, rest = rest.partition(b"\n")
        elif isinstance(length, int) and 0 <= length <= len(rest):
            payload, rest = rest[:length], rest[length:]
        else:
            raise EnvelopeError(f"item {len(items) + 1} is cut off")
        items.append({"header": item, "payload": _payload(payload)})
    return header, items


def _payload(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return {"bytes": len(content)}


def _object(line: bytes, what: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise EnvelopeError(f"{what} is no JSON object")
    return cast(dict[str, Any], value)
