"""Limits that are more than a pair of settings in fixed places."""

from __future__ import annotations

from typing import Final

from glasshouse_cli.host import STACK_DISK_BYTES
from glasshouse_cli.limits import pairs, units
from glasshouse_cli.limits.findings import AT_MOST, EQUAL, LESS, Findings
from glasshouse_cli.limits.settings import COLLECTOR, Documents, Ref, Setting, named

# With its `time_sharding_enabled` Loki keeps a stream of its own for each hour of late lines: this
# many streams a service are there when all services send what they kept for a day.
STREAMS_PER_SERVICE: Final = 25
# storage/remote/write_otlp_handler.go: what Prometheus takes ahead of its own clock. No setting.
PROMETHEUS_AHEAD: Final = "10m"
# The defaults in config.go of piiprocessor, otlplimits, deadletter and otlpbisect.
PII_DEPTH: Final = 32
LIMITS_DEPTH: Final = 32
DEAD_LETTER_MIB: Final = 64
REQUEST_BYTES: Final = 4 << 20
# The defaults of config/confighttp/server.go and google.golang.org/grpc.
_HTTP_BYTES: Final = 20 << 20
_GRPC_MIB: Final = 4
# Without time sharding Loki refuses a line that is older than its stream's newest by more.
_UNSHARDED_S: Final = 3600


def sharding(found: Findings, documents: Documents, oldest: Setting) -> None:
    """Late logs need a stream of their own in Loki."""
    if not found.readable(oldest) or oldest.number() <= _UNSHARDED_S:
        return
    enabled = pairs.SHARDING.find(documents)
    if enabled.missing:
        found.unchecked.append(f"{enabled} is not set: not checked against {oldest}")
        return
    found.require(
        enabled,
        holds=enabled.value is True,
        consequence=f"but {oldest} is {oldest.text}: lines over an hour behind their stream's "
        "newest are refused; set it to true or lower the other to 1h",
    )


def streams(found: Findings, documents: Documents, most: Setting) -> None:
    """Each service is a stream in Loki, and more while it sends late lines."""
    found.compare(
        most,
        AT_MOST,
        pairs.STREAMS.find(documents),
        "Loki puts off the logs of services that come last",
        factor=STREAMS_PER_SERVICE,
        factor_text=f", each with up to {STREAMS_PER_SERVICE} streams",
    )


def ahead(found: Findings, newest: Setting) -> None:
    """Prometheus' bound on the future is in its code."""
    if found.readable(newest):
        found.require(
            newest,
            holds=newest.number() < units.prometheus_duration(PROMETHEUS_AHEAD),
            consequence=f"but Prometheus takes points up to {PROMETHEUS_AHEAD} ahead: points as "
            "far ahead as between are refused; lower it",
        )


def requests_to_backends(found: Findings, documents: Documents) -> None:
    """What an exporter sends at once has to fit into what its backend takes at once."""
    document = documents[COLLECTOR]
    exporters = [
        name for kind in ("otlp_bisect", "otlp_http") for name in named(document, "exporters", kind)
    ]
    for backend, bounds in pairs.REQUESTS.items():
        own = [name for name in exporters if name.partition("/")[2] == backend]
        if not own:
            found.unchecked.append(
                f"{COLLECTOR}: there is no exporter for {backend}: its requests are not checked"
            )
        for name in own:
            for bound in bounds:
                _request(found, documents, name, bound.find(documents))


def _request(found: Findings, documents: Documents, name: str, bound: Setting) -> None:
    """otlp_bisect bounds a request itself; else a request is a batch, if that is one of bytes."""
    path = ("exporters", name)
    if name.startswith("otlp_bisect"):
        own = _collector((*path, "max_request_bytes"), units.number, REQUEST_BYTES).find(documents)
        if own.value != 0:
            found.compare(own, LESS, bound, "a request as large as between is put off indefinitely")
            return
    queue = (*path, "sending_queue")
    size = _collector((*queue, "batch", "max_size"), units.number).find(documents)
    own_sizer = _collector((*queue, "batch", "sizer"), units.number).find(documents).value
    sizer = own_sizer or _collector((*queue, "sizer"), units.number).find(documents).value
    if size.value is not None and sizer != "bytes":
        counts = "items" if sizer is None else sizer
        found.unchecked.append(f"{size} counts {counts}, not bytes: not checked against {bound}")
    elif size.value == 0:
        found.require(
            size,
            holds=False,
            consequence=f"that is no bound, but {bound} is {bound.text}: a larger batch is put "
            "off indefinitely; set one",
        )
    else:
        found.compare(size, LESS, bound, "a batch as large as between is put off indefinitely")


def depth(found: Findings, documents: Documents) -> None:
    """What is let in has to be what redaction can look through."""
    for limits in _some(found, documents, "extensions", "otlp_limits"):
        one = _collector(("extensions", limits, "max_depth"), units.number, LIMITS_DEPTH)
        for pii in _some(found, documents, "processors", "pii"):
            other = _collector(("processors", pii, "max_depth"), units.number, PII_DEPTH)
            found.compare(
                one.find(documents),
                AT_MOST,
                other.find(documents),
                "records nested as deep as between cannot be checked and are not passed on",
            )


def requests(found: Findings, documents: Documents) -> None:
    """gRPC and HTTP take the same."""
    for receiver in _some(found, documents, "receivers", "otlp"):
        http = ("receivers", receiver, "protocols", "http", "max_request_body_size")
        found.compare(
            _grpc(receiver).find(documents),
            EQUAL,
            _collector(http, units.number, _HTTP_BYTES).find(documents),
            "a request as large as between is taken on one protocol and refused on the other",
            remedy="set both to the same size",
        )


def dead_letters(found: Findings, documents: Documents) -> None:
    """The files hold one whole request, and leave the disk to the others."""
    for name in _some(found, documents, "extensions", "dead_letter"):
        path = ("extensions", name, "max_mib")
        size = _collector(path, units.mib, DEAD_LETTER_MIB).find(documents)
        if not found.readable(size):
            continue
        found.require(
            size,
            holds=size.number() <= STACK_DISK_BYTES / 2,
            consequence=f"that is over half of the {STACK_DISK_BYTES >> 30} GiB of disk that the "
            "stack asks for; lower it",
        )
        for receiver in named(documents[COLLECTOR], "receivers", "otlp"):
            found.compare(
                _grpc(receiver).find(documents),
                AT_MOST,
                size,
                "a request that is set aside whole does not fit, since JSON is twice as long",
                factor=2,
            )


def _some(found: Findings, documents: Documents, section: str, kind: str) -> list[str]:
    names = list(named(documents[COLLECTOR], section, kind))
    if not names:
        found.unchecked.append(f"{COLLECTOR}: {section} has no {kind}: its limits are not checked")
    return names


def _grpc(receiver: str) -> Ref:
    path = ("receivers", receiver, "protocols", "grpc", "max_recv_msg_size_mib")
    return _collector(path, units.mib, _GRPC_MIB)


def _collector(path: tuple[str, ...], parse: units.Parse, default: object = None) -> Ref:
    return Ref(file=COLLECTOR, path=path, parse=parse, hidden=1, default=default)
