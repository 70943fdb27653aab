"""Where each signal goes, by the environment variables that the SDK reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from opentelemetry.sdk import environment_variables as names

HTTP: Final = "http/protobuf"
GRPC: Final = "grpc"
_DEFAULT: Final = {HTTP: "http://localhost:4318", GRPC: "http://localhost:4317"}
_EXPORTERS: Final = {"otlp": None, "otlp_proto_http": HTTP, "otlp_proto_grpc": GRPC}


@dataclass(frozen=True)
class Signal:
    """One signal. value: the word in the variables' names, in lower case."""

    value: str

    @property
    def exporter(self) -> str:
        return "_".join(("OTEL", self.value.upper(), "EXPORTER"))

    def own(self, general: str) -> str:
        """Return the signal's own variable for a general one."""
        return general.replace("OTLP_", f"OTLP_{self.value.upper()}_")


LOGS, TRACES, METRICS = SIGNALS = (Signal("logs"), Signal("traces"), Signal("metrics"))


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
    """Return where each signal goes. The variables have passed `glasshouse.settings`."""
    return [_target(signal, environ) for signal in SIGNALS]


def _target(signal: Signal, environ: Mapping[str, str]) -> Target:
    if environ.get(names.OTEL_SDK_DISABLED, "").strip().lower() == "true":
        return Target(signal=signal, off=f"{names.OTEL_SDK_DISABLED}=true")
    chosen = environ.get(signal.exporter) or "otlp"
    sending = [name.strip() for name in chosen.split(",") if name.strip() in _EXPORTERS]
    if not sending:
        return Target(signal=signal, off=f"{signal.exporter}={chosen}")
    protocol_variable, text = _first(signal, names.OTEL_EXPORTER_OTLP_PROTOCOL, environ)
    protocol = _EXPORTERS[sending[0]] or text or HTTP
    if _EXPORTERS[sending[0]]:
        protocol_variable = signal.exporter
    variable, endpoint = _first(signal, names.OTEL_EXPORTER_OTLP_ENDPOINT, environ)
    own = variable != names.OTEL_EXPORTER_OTLP_ENDPOINT
    endpoint = endpoint or _DEFAULT[protocol]
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
