"""Where each signal goes, by the environment variables that the SDK reads."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from opentelemetry.sdk import environment_variables as names

from glasshouse.errors import ConfigurationError

HTTP: Final = "http/protobuf"
GRPC: Final = "grpc"
_DEFAULT: Final = {HTTP: "http://localhost:4318", GRPC: "http://localhost:4317"}
_EXPORTERS: Final = {"otlp": None, "otlp_proto_http": HTTP, "otlp_proto_grpc": GRPC}


class Signal(enum.Enum):
    """One signal; its value is the word in the variables' names, in lower case."""

    LOGS = "logs"
    TRACES = "traces"
    METRICS = "metrics"

    @property
    def exporter(self) -> str:
        return f"OTEL_{self.value.upper()}_EXPORTER"

    def own(self, general: str) -> str:
        """Return the signal's own variable for a general one."""
        return general.replace("_OTLP_", f"_OTLP_{self.value.upper()}_")


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where one signal goes.

    variable, protocol_variable: those that give endpoint and protocol. off: why nothing is sent,
    empty where something is.
    """

    signal: Signal
    protocol: str = HTTP
    endpoint: str = ""
    variable: str = names.OTEL_EXPORTER_OTLP_ENDPOINT
    protocol_variable: str = names.OTEL_EXPORTER_OTLP_PROTOCOL
    off: str = ""

    @property
    def shown(self) -> str:
        """The endpoint without a user's name and password."""
        parts = urlsplit(self.endpoint)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def targets(environ: Mapping[str, str]) -> list[Target]:
    """Return where each signal goes.

    Raises:
        ConfigurationError: a variable has a value that no record could be sent with.
    """
    return [_target(signal, environ) for signal in Signal]


def _target(signal: Signal, environ: Mapping[str, str]) -> Target:
    if environ.get(names.OTEL_SDK_DISABLED, "").strip().lower() == "true":
        return Target(signal=signal, off=f"{names.OTEL_SDK_DISABLED}=true")
    chosen = environ.get(signal.exporter) or "otlp"
    sending = [name.strip() for name in chosen.split(",") if name.strip() in _EXPORTERS]
    if not sending:
        return Target(signal=signal, off=f"{signal.exporter}={chosen}")
    protocol_variable, text = _first(signal, names.OTEL_EXPORTER_OTLP_PROTOCOL, environ)
    protocol = _EXPORTERS[sending[0]] or text or HTTP
    if protocol not in _DEFAULT:
        message = f"{protocol_variable}: {protocol!r} is not one of {', '.join(_DEFAULT)}"
        raise ConfigurationError(message)
    if _EXPORTERS[sending[0]]:
        protocol_variable = signal.exporter
    variable, endpoint = _first(signal, names.OTEL_EXPORTER_OTLP_ENDPOINT, environ)
    own = variable != names.OTEL_EXPORTER_OTLP_ENDPOINT
    endpoint = endpoint or _DEFAULT[protocol]
    _check(endpoint, variable, protocol)
    if protocol == HTTP and not own:
        endpoint = f"{endpoint.removesuffix('/')}/v1/{signal.value}"
    return Target(
        signal=signal,
        protocol=protocol,
        endpoint=endpoint,
        variable=variable,
        protocol_variable=protocol_variable,
    )


def _first(signal: Signal, general: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the variable that holds for a signal, with its value: its own before the general."""
    own = signal.own(general)
    name = own if environ.get(own) else general
    return name, environ.get(name, "").strip()


def _check(endpoint: str, variable: str, protocol: str) -> None:
    example = f"write it as {_DEFAULT[protocol]}"
    if protocol == GRPC and "://" not in endpoint:
        endpoint = f"http://{endpoint}"
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError:
        raise ConfigurationError(f"{variable}: not an address with a port: {example}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ConfigurationError(f"{variable}: not an http(s) address: {example}")
