"""A provider of short messages: ``POST /sms`` and ``POST /push``.

With a secret every request must be signed: ``X-Signature: t=<unix seconds>,v1=<hex>``, where the
hex digits are HMAC-SHA256 over ``<t>.<body>``. The same ``Idempotency-Key`` twice is one message.
"""

import contextlib
import hashlib
import hmac
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import JSONResponse, Response

from glasshouse_fakes.fake_service import FakeService
from glasshouse_fakes.faults import Mode

SIGNATURE_WINDOW_S: Final = 300
MAX_KEYS: Final = 20_000
_SIGNATURE: Final = re.compile(r"t=(\d{1,12}),v1=([0-9a-f]{64})")


class Message(BaseModel):
    """One message. Fields beside these two are kept as they are."""

    model_config = ConfigDict(extra="allow")

    to: str = Field(min_length=1, max_length=512)
    text: str = Field(min_length=1, max_length=4096)


@dataclass(frozen=True, kw_only=True)
class _Accepted:
    identifier: str
    digest: bytes


class FakeProvider(FakeService):
    """One channel of the provider. ``secret``: empty takes unsigned requests, too.

    A secret of several lines is several secrets, each of which may have signed. ``secret_file``
    holds them instead, and is read at each request, so that they can be changed.
    """

    modes = frozenset({Mode.DOWN, Mode.SLOW, Mode.ERROR, Mode.LOST_REPLY})

    def __init__(
        self,
        name: str,
        seed: int,
        secret: str = "",
        clock: Callable[[], float] = time.time,
        secret_file: Path | None = None,
    ) -> None:
        self.name = name
        super().__init__(seed)
        self._secret = secret
        self._secret_file = secret_file
        self._clock = clock
        self._keys: OrderedDict[str, _Accepted] = OrderedDict()

    def router(self) -> APIRouter:
        router = APIRouter()

        @router.post(f"/{self.name}", name=self.name)
        async def send(request: Request) -> Response:
            if (failure := await self.apply_fault()) is not None:
                return failure
            body = await request.body()
            if not self._signed(request.headers.get("X-Signature", ""), body):
                return _problem(401, "X-Signature is missing, wrong or too old")
            try:
                message = Message.model_validate_json(body)
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(str(part) for part in first["loc"])
                return _problem(422, f"{where}: {first['msg']}")
            return self._accept(message, body, request.headers.get("Idempotency-Key"))

        return router

    def reset(self) -> None:
        """Forget what arrived, and which keys were used."""
        super().reset()
        self._keys.clear()

    def _signed(self, header: str, body: bytes) -> bool:
        secrets = self._secrets()
        if not secrets:
            return True
        parts = _SIGNATURE.fullmatch(header)
        if parts is None:
            return False
        moment, given = parts.groups()
        signed = moment.encode() + b"." + body
        genuine = any(
            hmac.compare_digest(hmac.new(secret, signed, hashlib.sha256).hexdigest(), given)
            for secret in secrets
        )
        return genuine and abs(self._clock() - int(moment)) <= SIGNATURE_WINDOW_S

    def _secrets(self) -> list[bytes]:
        text = self._secret
        if self._secret_file is not None:
            # Where it cannot be read: as it was at the start.
            with contextlib.suppress(OSError):
                text = self._secret_file.read_text(encoding="utf-8")
        return [line.strip().encode() for line in text.splitlines() if line.strip()]

    def _accept(self, message: Message, body: bytes, key: str | None) -> Response:
        digest = hashlib.sha256(body).digest()
        known = self._keys.get(key) if key else None
        if known is not None and known.digest != digest:
            return _problem(409, "Idempotency-Key was used for another message")
        if known is None:
            known = _Accepted(identifier=f"{self.name}-{secrets.token_hex(8)}", digest=digest)
            self._remember(key, known)
            fields: dict[str, Any] = message.model_dump(mode="json")
            self.received.append({"messageId": known.identifier, "idempotencyKey": key, **fields})
        if self.switch.should_fail(Mode.LOST_REPLY):
            return _problem(504, "The message was accepted; this answer got lost")
        return JSONResponse({"messageId": known.identifier, "status": "accepted"}, status_code=202)

    def _remember(self, key: str | None, accepted: _Accepted) -> None:
        if key is None:
            return
        self._keys[key] = accepted
        if len(self._keys) > MAX_KEYS:
            self._keys.popitem(last=False)


def _problem(status: int, detail: str) -> JSONResponse:
    return JSONResponse(
        {"type": "about:blank", "status": status, "detail": detail},
        status_code=status,
        media_type="application/problem+json",
    )
