"""Erases a person: the rows first, then what Loki holds under the person's pseudonyms.

Rows go in one transaction. Loki deletes later, by a request that it keeps: from then on queries
leave the lines out, and some hours after it they are gone from the disk. What cannot be erased is
in `REMAINDER`; docs/personal-data.md explains each.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx

from backend.platform import people
from backend.platform.database import Connection, Pool
from backend.platform.encryption import DecryptionError, Encryptor
from backend.platform.queries import query
from backend.telemetry.emitter import present
from glasshouse.keyring import key_id, pseudonym_without_id
from glasshouse.redaction import Redactor

# What became of somebody's rows, in the order in which they go.
TABLES: Final = {
    "erase_jobs_of": "jobs that waited",
    "erase_notifications_of": "notifications",
    "erase_contacts_of": "registered contacts",
    "erase_payments_of": "payments",
    "erase_runs_of": "automation runs",
    "erase_sessions_of": "automation sessions",
}
REMAINDER: Final = (
    "Tempo: traces, with pseudonyms only, until TEMPO_RETENTION",
    "containers' logs of the engine, dead letters, Kafka and reports of errors: pseudonyms only",
    "copies: backups of the database and of volumes, and what hosted exporters were sent",
)

_LOOK_EVERY_S: Final = 0.5
_LOKI_TIMEOUT_S: Final = 60.0
_TENANT_HEADER: Final = "X-Scope-OrgID"
# As deep as a clock of a sender may be wrong.
_SLACK_S: Final = 3600
_MARGIN_S: Final = 60
_MASK: Final = re.compile(r"\[([a-z_]+):([0-9a-f]{16})\]")
_DIGITS_WITHOUT_ID: Final = 14


class OpenWorkError(Exception):
    """Something is still being done for the person. The message counts it."""


class LokiError(Exception):
    """Loki cannot be reached, or refuses. The message is one line."""


@dataclass(frozen=True)
class Pseudonyms:
    """The names that stand for a person in telemetry."""

    pattern: str
    """A regular expression (of Python, Postgres and Loki) that finds any of them."""
    count: int

    @classmethod
    def of(cls, person: Iterable[str], keys: Sequence[str]) -> "Pseudonyms":
        """Return those of a user id, addresses and numbers under each of the keys.

        A name from before they had a key's id is found, too.
        """
        texts = list(person)
        names: set[tuple[str, str]] = set()
        for key in keys:
            raw = key.encode()
            redactor = Redactor.load(key=raw)
            for position, text in enumerate(texts):
                if position == 0:
                    names.add(("user", _either(raw, pseudonym_without_id(raw, text.encode()))))
                # As an address or a number, which a user id may be.
                for kind, digits in _MASK.findall(redactor.text(text)):
                    names.add((kind, _either(raw, digits[2:])))
        alternatives = "|".join(f"{kind}:{digits}" for kind, digits in sorted(names))
        return cls(pattern=rf"\[({alternatives})\]", count=len(names))


def _either(key: bytes, digits: str) -> str:
    """Return a pattern of a pseudonym with and without the key's id, from its first digits."""
    return f"({key_id(key)})?{digits[:_DIGITS_WITHOUT_ID]}([0-9a-f][0-9a-f])?"


class Forgetting:
    """Erases one user. ``owner``: the caller whose user it is; ``None`` for the user of any."""

    def __init__(
        self, pool: Pool, encryptor: Encryptor, user_id: str, owner: str | None = None
    ) -> None:
        self._pool = pool
        self._encryptor = encryptor
        self._parameters = {"digests": people.digests(encryptor, user_id), "owner": owner}

    async def addresses(self) -> list[str]:
        """Return the addresses that are registered for the user, as far as a key opens them."""
        async with self._pool.connection() as connection:
            rows = await (await self._execute(connection, "contacts_of")).fetchall()
        found: list[str] = []
        for row in rows:
            with contextlib.suppress(DecryptionError):
                found.append(self._encryptor.decrypt(row["sealed"], aad=row["id"])["to"])
        return found

    async def wait_for_open_work(self, seconds: float) -> None:
        """Wait until nothing is open any more. Raises OpenWorkError after so many seconds."""
        deadline = time.monotonic() + seconds
        while True:
            async with self._pool.connection() as connection:
                found = await self._execute(connection, "open_work_of")
                row = present(await found.fetchone())
            if not any(row.values()):
                return
            if time.monotonic() >= deadline:
                raise OpenWorkError(", ".join(f"{name}: {n}" for name, n in row.items() if n))
            await asyncio.sleep(_LOOK_EVERY_S)

    async def erase_rows(self, pseudonyms: Pseudonyms) -> dict[str, int]:
        """Delete all rows of the user in one transaction; return how many, by kind."""
        async with self._pool.connection() as connection:
            counts = {
                kind: (await self._execute(connection, name)).rowcount
                for name, kind in TABLES.items()
            }
            events = await connection.execute(
                query("erase_events_of"), {"pattern": pseudonyms.pattern}
            )
            counts["events that waited"] = events.rowcount
        return counts

    async def _execute(self, connection: Connection, name: str) -> Any:
        return await connection.execute(query(name), self._parameters)


class Lokis:
    """Loki's API, of one or of several that share the lines.

    A request to delete is known to the Loki that took it alone, so each of them is asked
    (https://github.com/grafana/loki/issues/6779). ``retention`` is in seconds: what is older is
    deleted without a request. ``tenant``: whose lines they are, where Loki has several.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        urls: Sequence[str],
        retention: float,
        tenant: str | None = None,
    ) -> None:
        self._client = client
        self._urls = [url.rstrip("/") for url in urls]
        self._retention = retention
        self._headers = {_TENANT_HEADER: tenant} if tenant else {}

    async def count(self, pseudonyms: Pseudonyms) -> int:
        """Return how many lines hold one of the names. Raises LokiError."""
        # Loki refuses a question about more than it keeps.
        window = f"{int(self._retention - _MARGIN_S)}s"
        expression = f"sum(count_over_time({_selecting(pseudonyms)} [{window}]))"
        # Each answers for all.
        answer = await self._ask(self._urls[0], "GET", "/loki/api/v1/query", query=expression)
        results = answer.json()["data"]["result"]
        return int(float(results[0]["value"][1])) if results else 0

    async def check(self) -> None:
        """Raise LokiError where one of them cannot delete."""
        for url in self._urls:
            await self._ask(url, "GET", "/loki/api/v1/delete")

    async def delete(self, pseudonyms: Pseudonyms) -> None:
        """Ask each for the deletion of all lines that hold one of the names. Raises LokiError."""
        start = str(int(time.time() - self._retention - _SLACK_S))
        query = _selecting(pseudonyms)
        for url in self._urls:
            # Without an end it is now, to the millisecond and by Loki's clock. It takes none that
            # is later, and a whole second spares lines of the last one.
            await self._ask(url, "POST", "/loki/api/v1/delete", query=query, start=start)

    async def _ask(self, url: str, method: str, path: str, **parameters: str) -> httpx.Response:
        # One is the one of LOKI_URL; of several it is said which.
        where = f" of {_without_password(url)}" if len(self._urls) > 1 else ""
        try:
            answer = await self._client.request(
                method,
                url + path,
                params=parameters,
                headers=self._headers,
                timeout=_LOKI_TIMEOUT_S,
            )
        except httpx.HTTPError as error:
            raise LokiError(f"LOKI_URL: no answer{where}: {type(error).__name__}") from None
        if answer.status_code == httpx.codes.UNAUTHORIZED and not self._headers:
            raise LokiError(f"Loki answered 401{where}: if it has tenants, set LOKI_TENANT")
        if not answer.is_success:
            said = answer.text.strip().splitlines()
            raise LokiError(f"Loki answered {answer.status_code}{where}: {said[0] if said else ''}")
        return answer


def _without_password(url: str) -> str:
    return str(httpx.URL(url).copy_with(userinfo=b""))


def _selecting(pseudonyms: Pseudonyms) -> str:
    # Every attribute is put into the line, so that none has to be named.
    everything = '| line_format "{{ __line__ }} {{ . }}"'
    return f'{{service_name=~".+"}} {everything} |~ `{pseudonyms.pattern}`'
