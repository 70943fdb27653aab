"""What to do about a record that did not arrive, in one line."""

import os
from typing import Final
from urllib.parse import urlsplit

import requests
from opentelemetry.sdk import environment_variables as names

from glasshouse.checking.sending import Answer
from glasshouse.checking.targets import HTTP, Target
from glasshouse.delivery.token import TOKEN_FILE_VARIABLE

_HEADERS: Final = names.OTEL_EXPORTER_OTLP_HEADERS
_PROTOCOL: Final = names.OTEL_EXPORTER_OTLP_PROTOCOL
_CERTIFICATE: Final = names.OTEL_EXPORTER_OTLP_CERTIFICATE
# The library of the exporter prefers it to what the exporter says.
_BUNDLE: Final = "REQUESTS_CA_BUNDLE"
# What a server of HTTP/2 begins with, seen by a client of HTTP/1: the head of a frame.
_FRAME: Final = "\\x00\\x00"
# What requests, Python and gRPC say of a name that does not resolve.
_NO_HOST: Final = ("NameResolution", "Name or service", "getaddrinfo", "DNS", "resolving")

_STATUS: Final = {
    400: "the endpoint cannot read it: is it an OTLP endpoint?",
    401: f"not authorised: put the token into {_HEADERS}, or its file into {TOKEN_FILE_VARIABLE}",
    403: f"forbidden: does the token in {_HEADERS} allow sending?",
    405: "the endpoint does not take POST there: is it an OTLP endpoint?",
    407: "a proxy wants a login: put the host into NO_PROXY, or the login into HTTPS_PROXY",
    413: "too large for the endpoint, though it is one record: check its limits",
    415: f"the endpoint does not take protobuf: is {_PROTOCOL} one that it speaks?",
    429: "the endpoint limits how much it takes: try again later, or check its limits",
}
_GRPC: Final = {"unauthenticated": 401, "permission_denied": 403, "resource_exhausted": 429}
_NOT_OTLP: Final = "it speaks gRPC, but not OTLP: is it the port of another service?"


def advice(target: Target, answer: Answer | None, timeout_s: float) -> str:
    """Return what is wrong and what to do; empty when the record arrived."""
    if answer is None:
        return _no_answer(timeout_s)
    if answer.accepted and answer.rejected:
        return f"taken and thrown away: {answer.details or 'the endpoint gives no reason'}"
    if answer.accepted and answer.content_type.startswith("text/html"):
        return "a web page answered: is it an OTLP endpoint?"
    if answer.accepted:
        return ""
    if answer.error is not None:
        return _unanswered(target, answer.error, timeout_s)
    if isinstance(answer.status, int):
        return _refused(target, answer.status, answer.location)
    if answer.status is not None:
        return _grpc(target, answer.status, answer.details, timeout_s)
    return f"the exporter gives no reason: {answer.details or 'read its log'}"


def _no_answer(timeout_s: float) -> str:
    return f"no answer within {timeout_s:g} s: does a firewall drop it, or is the endpoint stuck?"


def _refused(target: Target, status: int, location: str) -> str:
    if status == 404:
        path = f"/v1/{target.signal.value}"
        if not urlsplit(target.endpoint).path.rstrip("/").endswith(path):
            return f"no such path: {target.variable} is used as it is, so it must end in {path}"
        return f"no such path: {target.variable} must be what stands before {path}"
    if 300 <= status < 400:
        to = f" to {location}" if location else ""
        return f"redirected{to}: set {target.variable} to where it leads"
    if status in _STATUS:
        return _known(status)
    if status >= 500:
        return "the endpoint fails: read its log, and check what it sends to"
    return "refused: is it an OTLP endpoint?"


def _known(status: int) -> str:
    path = os.environ.get(TOKEN_FILE_VARIABLE)
    if status == 401 and path:
        return f"not authorised: is the first line of {path} one of the Collector's otlp_token?"
    return _STATUS[status]


def _unanswered(target: Target, error: BaseException, timeout_s: float) -> str:
    text = repr(error)
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy of HTTP_PROXY or HTTPS_PROXY does not answer: put the host into NO_PROXY"
    if isinstance(error, requests.exceptions.SSLError):
        return _tls(target, text)
    if isinstance(error, requests.exceptions.Timeout):
        return _no_answer(timeout_s)
    return _connection(target, text) or f"{type(error).__name__}: is the endpoint right?"


def _tls(target: Target, text: str) -> str:
    text = text.lower()
    untrusted = "certificate_verify_failed" in text
    if "wrong_version_number" in text or "record_layer_failure" in text:
        return f"no TLS there: write http:// in {target.variable}"
    if untrusted and "hostname" in text:
        return f"its certificate is for another name: use that one in {target.variable}"
    if untrusted and target.protocol == HTTP and _overruled():
        return f"its certificate is not trusted: {_BUNDLE} is set, and wins over {_CERTIFICATE}"
    if untrusted:
        return f"its certificate is not trusted: put the authority's into {_CERTIFICATE}"
    return f"TLS failed: check {_CERTIFICATE} and the certificate of the endpoint"


def _overruled() -> bool:
    return bool(os.environ.get(_BUNDLE) and os.environ.get(_CERTIFICATE))


def _connection(target: Target, text: str) -> str:
    """Return what to do about a connection that failed, empty for a failure of another kind."""
    host = urlsplit(target.endpoint if "://" in target.endpoint else f"//{target.endpoint}")
    if "refused" in text:
        port = f"port {host.port}" if host.port else "the port of its scheme"
        return f"nothing listens on {port}: start the Collector, or set {target.variable}"
    if any(
        words in text
        for words in ("NameResolution", "Name or service", "getaddrinfo", "DNS", "resolving")
    ):
        return f"no such host: {host.hostname}: set {target.variable}"
    if _FRAME in text and target.protocol == HTTP:
        return f"it speaks gRPC, not HTTP: use port 4318, or {_PROTOCOL}=grpc"
    if "RemoteDisconnected" in text or "ConnectionReset" in text or "BadStatusLine" in text:
        return f"it does not speak HTTP: TLS (https://), gRPC ({_PROTOCOL}=grpc), or another port?"
    if "unreachable" in text or "No route" in text:
        return f"no way to {host.hostname}: is its network reachable from here?"
    return ""


def _grpc(target: Target, code: str, details: str, timeout_s: float) -> str:
    if code.lower() in _GRPC:
        return _known(_GRPC[code.lower()])
    if code.lower() == "unimplemented":
        return _NOT_OTLP
    if "http1" in details or "HTTP/1" in details or "expected SETTINGS" in details:
        return f"it speaks HTTP, not gRPC: use port 4317, or {_PROTOCOL}={HTTP}"
    if "handshake" in details or "SSL" in details:
        return _tls(target, details)
    known = _connection(target, details)
    if known:
        return known
    if code.lower() == "deadline_exceeded":
        return _no_answer(timeout_s)
    return f"gRPC says {code}: {details[:200]}"
