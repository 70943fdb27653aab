"""What the Collector turned away meanwhile, by its own counters in Prometheus."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from glasshouse_cli.connect.stored import Stored

# How often Prometheus asks the Collector: what it counts shows that much later.
SCRAPED_EVERY_S: Final = 15.0
_DOOR: Final = "otelcol_extension_otlp_limits_refused_total"
_REFUSED: Final = "otelcol_processor_admission_refused_total"
_SET_ASIDE: Final = "otelcol_processor_admission_set_aside_total"
_QUERY: Final = (
    "sum by (__name__, protocol, signal, service, reason) "
    f'({{__name__=~"{_DOOR}|{_REFUSED}|{_SET_ASIDE}"}})'
)
_LABELS: Final = ("__name__", "protocol", "signal", "service", "reason")
_PROTOCOLS: Final = {"http": "HTTP", "grpc": "gRPC"}

# By the label `reason` of the counter: what was wrong, and what to do.
AT_THE_DOOR: Final[Mapping[str, tuple[str, str]]] = {
    "unauthenticated": (
        "without a token that is accepted (HTTP 401, gRPC UNAUTHENTICATED)",
        "is OTEL_EXPORTER_OTLP_HEADERS set where the service runs, as it is printed, with the "
        "whole token and %20 before it?",
    ),
    "host": (
        "under a host name that is not the Collector's (HTTP 421, gRPC PERMISSION_DENIED)",
        "add the name in the service's endpoint to GLASSHOUSE_HOSTS in .env, then `make up`",
    ),
    "malformed": (
        "that are no OTLP (HTTP 400)",
        "does OTEL_EXPORTER_OTLP_PROTOCOL fit the port, and is the endpoint printed here without a "
        "path of its own?",
    ),
    "size": ("that are too large (HTTP 413)", "send smaller batches"),
    "decoded_size": ("that need too much memory (HTTP 413)", "send smaller batches"),
    "slow": ("that took too long to arrive (HTTP 408)", "is the network to the port slow?"),
    "in_flight": ("for lack of memory at present (HTTP 503)", "the SDK tries again: wait"),
    "concurrency": ("that were too many at once (HTTP 503)", "the SDK tries again: wait"),
}


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Requests or records that were refused or set aside: how many, why, what to check next.

    where: "requests" (before they are read, so of an unknown service) or "records" of `service`.
    """

    where: str
    reason: str
    count: int
    detail: str
    next: str
    service: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "where": self.where,
            "reason": self.reason,
            "count": self.count,
            "service": self.service or None,
            "detail": self.detail,
            "next": self.next,
        }


class Counters:
    """The counters as they were at first, against which each later reading is held."""

    def __init__(self, stored: Stored) -> None:
        """Read them. Raises Unanswered."""
        self._stored = stored
        self._before = self._read()

    def since(self, known: Collection[str], service: str | None) -> list[Refusal]:
        """What was refused since, of unknown services, of `service`, and of those not `known`.

        Raises Unanswered.
        """
        found: list[Refusal] = []
        for key, value in sorted(self._read().items()):
            before = self._before.get(key, 0.0)
            # A Collector that started again counts from 0.
            count = round(value - before if value >= before else value)
            name, protocol, signal, owner, reason = key
            if count <= 0 or (name != _DOOR and owner != service and owner in known):
                continue
            found.append(_refusal(name, protocol, signal, owner, reason, count))
        return sorted(found, key=lambda one: one.count, reverse=True)

    def _read(self) -> dict[tuple[str, ...], float]:
        read: dict[tuple[str, ...], float] = {}
        for series in self._stored.query(_QUERY):
            labels = series.get("metric", {})
            key = tuple(str(labels.get(name, "")) for name in _LABELS)
            read[key] = float(series["value"][1])
        return read


def _refusal(
    name: str, protocol: str, signal: str, service: str, reason: str, count: int
) -> Refusal:
    if name == _DOOR:
        what, following = AT_THE_DOOR.get(reason, (f"({reason})", "`make logs PART=collector`"))
        over = _PROTOCOLS.get(protocol, protocol)
        return Refusal(
            where="requests",
            reason=reason,
            count=count,
            detail=f"the Collector refused {_number(count, 'request')} over {over} {what}",
            next=following,
        )
    aside = name == _SET_ASIDE
    whose = service or "a service without a name"
    return Refusal(
        where="records",
        reason=reason,
        count=count,
        service=service,
        detail=f"the Collector {'set aside' if aside else 'dropped'} "
        f"{_number(count, 'record')} ({signal}) of {whose}: {reason}",
        next="`make dead-letters`" if aside else "`glasshouse runbook RecordsRefused`",
    )


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
