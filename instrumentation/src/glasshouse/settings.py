"""OpenTelemetry's variables, checked before the SDK reads them.

The SDK takes a default in place of a value that it cannot use, or gives up while the service runs
on without telemetry. Here each variable has a row that says what is allowed. Anything else ends
the start with one line. A value that is spelled otherwise (capitals, spaces) is rewritten to what
the SDK takes, and an empty one counts as unset, as the specification says.

Only the standard library is imported here: parts of OpenTelemetry read variables while they are
imported.
"""

import importlib.util
import math
import os
import re
import ssl
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from glasshouse.errors import ConfigurationError

RESOURCE_VARIABLE: Final = "OTEL_RESOURCE_ATTRIBUTES"
SERVICE_NAME_VARIABLE: Final = "OTEL_SERVICE_NAME"
UNKNOWN_SERVICE: Final = "unknown_service"

_MAX_INT: Final = 2**31 - 1
_DAY_MS: Final = 24 * 60 * 60 * 1000
_HOUR_S: Final = 60 * 60
_SHOWN: Final = 80
_SIGNALS: Final = ("TRACES", "METRICS", "LOGS")
_EXPORTER: Final = "OTEL_{}_EXPORTER"
_EXPORTERS: Final = "opentelemetry_{}_exporter"
_QUEUE_SIZE: Final = "OTEL_{}_MAX_QUEUE_SIZE"
_BATCH_SIZE: Final = "OTEL_{}_MAX_EXPORT_BATCH_SIZE"
_SCHEDULE: Final = "OTEL_{}_SCHEDULE_DELAY"
_LIMIT_OF_EXPORT: Final = "OTEL_{}_EXPORT_TIMEOUT"
_PROCESSORS: Final = ("BSP", "BLRP")

_TOKEN: Final = re.compile(r"[!#-'*+\-.0-9A-Z^-z|~]+")
# What a header's value may hold once it is decoded: RFC 9110 without obsolete line folding.
_FIELD_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_HOST: Final = re.compile(r"[A-Za-z0-9._:%\-]+")
_HOST_PORT: Final = re.compile(r"[\w.\-]+(:\d{1,5})?|\[[0-9a-fA-F:.]+\](:\d{1,5})?")


class _RefusedError(ValueError):
    """Its text says what is allowed; that of other ValueErrors may show the value."""


@dataclass(frozen=True)
class Kind:
    """What a variable may hold.

    ``allowed`` completes the sentence "… is not …". ``read`` returns the spelling that the SDK
    takes, ``None`` for "as if unset", or raises ValueError.
    """

    allowed: str
    read: Callable[[str], str | None]
    # Never shown, not even in part.
    secret: bool = False


def _choice(*names: str) -> Kind:
    def read(value: str) -> str:
        if value.lower() not in names:
            raise ValueError
        return value.lower()

    return Kind(f"one of {', '.join(names)}", read)


def _whole(low: int, high: int) -> Kind:
    def read(value: str) -> str:
        # int() takes digits of other scripts and underscores, which other SDKs do not.
        if not re.fullmatch(r"[+-]?[0-9]{1,20}", value) or not low <= int(value) <= high:
            raise ValueError
        return str(int(value))

    return Kind(f"a whole number from {low} to {high}", read)


def _number(low: float, high: float, unit: str) -> Kind:
    def read(value: str) -> str:
        if not value.isascii() or "_" in value:
            raise ValueError
        number = float(value)
        if math.isnan(number) or not low <= number <= high:
            raise ValueError
        return value

    return Kind(f"a number of {unit} from {low:g} to {high:g}", read)


def _pattern_list() -> Kind:
    def read(value: str) -> str:
        for pattern in value.split(","):
            try:
                re.compile(pattern.strip())
            except re.error as error:
                raise _RefusedError(f"a list of regular expressions: {error}") from None
        return value

    return Kind("a list of regular expressions with commas between them", read)


def _listed(kind: Kind, allowed: str) -> Kind:
    def read(value: str) -> str | None:
        parts = [part.strip() for part in value.split(",")]
        return ",".join(kind.read(part) or "" for part in parts if part) or None

    return Kind(allowed, read)


def _installed(group: str, *further: str, hidden: Iterable[str] = ()) -> Kind:
    """One of the names that installed packages offer under ``group``, or of ``further``."""

    def read(value: str) -> str:
        names = {entry.name for entry in entry_points(group=group)} - set(hidden) | set(further)
        by_lower = {name.lower(): name for name in names}
        if value.lower() not in by_lower:
            there = ", ".join(sorted(names)) or "none"
            raise _RefusedError(f"installed; there are: {there}")
        return by_lower[value.lower()]

    return Kind("the name of one that an installed package offers", read)


def _several(group: str, *further: str, hidden: Iterable[str] = ()) -> Kind:
    one = _installed(group, *further, hidden=hidden)
    listed = _listed(one, "a list of names that installed packages offer, with commas")

    def read(value: str) -> str | None:
        found = listed.read(value)
        names = found.split(",") if found else []
        if "none" in names and set(names) != {"none"}:
            raise _RefusedError("either `none` or a list of others")
        return found

    return Kind(listed.allowed, read)


def _text(value: str) -> str:
    return value


def _read_host(value: str) -> str:
    if not _HOST.fullmatch(value):
        raise ValueError
    return value


def _read_endpoint(value: str) -> str:
    # Without a scheme for gRPC only, as `_check_exporters` sees to.
    if _HOST_PORT.fullmatch(value) or value.startswith(("unix:", "dns:")):
        return value
    return _read_url(value)


def _read_url(value: str) -> str:
    if any(character.isspace() for character in value):
        raise ValueError
    parts = urlsplit(value)
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        raise ValueError
    if parts.port == 0:
        raise ValueError
    parts.hostname.encode("idna")
    return value


def _read_headers(value: str) -> str:
    pairs: list[str] = []
    for pair in value.split(","):
        if not pair.strip():
            continue
        name, separator, text = (part.strip() for part in pair.partition("="))
        decoded = unquote(text, errors="strict").strip()
        if not separator or not _TOKEN.fullmatch(name) or not _FIELD_VALUE.fullmatch(decoded):
            raise ValueError
        # What upstream's own pattern refuses, it leaves out with a warning.
        if not text.isascii() or any(character in text for character in '";\\\t'):
            raise ValueError
        pairs.append(f"{name}={text}")
    return ",".join(pairs)


def _attributes(value: str) -> str:
    return ",".join(pair for pair in value.split(",") if pair.strip() and _attribute(pair))


def _attribute(pair: str) -> tuple[str, str]:
    name, separator, text = (part.strip() for part in pair.partition("="))
    if not separator or not name:
        raise ValueError
    return name, unquote(text, errors="strict")


def _read_file(value: str) -> str:
    if not os.access(value, os.R_OK):
        raise ValueError
    return value


def _gevent(value: str) -> str:
    if value != "patch_all":
        raise ValueError
    if importlib.util.find_spec("gevent") is None:
        raise _RefusedError("of use without the package gevent")
    return value


def _all_methods(value: str) -> str | None:
    # The instrumentations take any text for true, "false" as well.
    return _BOOLEAN.read(value) if value.lower() != "false" else None


def _never(why: str) -> Kind:
    def read(value: str) -> str:
        raise _RefusedError(why)

    return Kind("set", read)


_BOOLEAN: Final = _choice("true", "false")
_LEVELS: Final = ("notset", "debug", "info", "warn", "warning", "error", "fatal", "critical")
_LEVEL: Final = _choice(*_LEVELS)
_PROTOCOL: Final = _choice("http/protobuf", "grpc")
_COMPRESSION: Final = _choice("none", "gzip", "deflate")
_ENDPOINT: Final = Kind("a URL such as http://collector:4318", _read_endpoint)
_HEADERS: Final = Kind(
    "a list such as name=value,other=value with percent-encoded values", _read_headers, secret=True
)
_TIMEOUT: Final = _number(0.001, _HOUR_S, "seconds")
_FILE: Final = Kind("the path of a file that can be read", _read_file)
_PEM: Final = Kind("the path of a readable file in PEM", _read_file)
_LIMIT: Final = _whole(0, _MAX_INT)
_SIZE: Final = _whole(1, _MAX_INT)
_DELAY: Final = _whole(1, _DAY_MS)
_PROVIDER: Final = _never("to be set: glasshouse brings the provider; remove it")
_CREDENTIALS: Final = _installed("opentelemetry_otlp_credential_provider")
_TEXT: Final = Kind("text", _text)
_STATUS_CODES: Final = _choice(
    *("cancelled", "unknown", "invalid_argument", "deadline_exceeded", "not_found"),
    *("already_exists", "permission_denied", "resource_exhausted", "failed_precondition"),
    *("aborted", "out_of_range", "unimplemented", "internal", "unavailable", "data_loss"),
    "unauthenticated",
)
_CONVENTIONS: Final = _choice(
    *(f"{name}{end}" for name in ("http", "database", "messaging", "rpc") for end in ("", "/dup")),
    *("code", "code/dup", "k8s", "k8s/dup", "gen_ai_latest_experimental"),
)


def _per_signal(name: str, kind: Kind) -> dict[str, Kind]:
    """The variable for all signals, and those of one signal, which win."""
    return {name.format(signal): kind for signal in ("", *(f"{signal}_" for signal in _SIGNALS))}


def _processor(name: str) -> dict[str, Kind]:
    return {
        _SCHEDULE.format(name): _DELAY,
        _LIMIT_OF_EXPORT.format(name): _whole(0, _DAY_MS),
        _QUEUE_SIZE.format(name): _SIZE,
        _BATCH_SIZE.format(name): _SIZE,
    }


VARIABLES: Final[Mapping[str, Kind]] = {
    "OTEL_SDK_DISABLED": _BOOLEAN,
    "OTEL_CONFIG_FILE": _never(
        "to be set: a file leaves out redaction and the ids; use variables, and remove it"
    ),
    RESOURCE_VARIABLE: Kind(
        "a list such as service.namespace=shop,service.version=1.4.2 with percent-encoded values",
        _attributes,
    ),
    SERVICE_NAME_VARIABLE: _TEXT,
    # Read by no SDK for Python; other languages' levels are let through.
    "OTEL_LOG_LEVEL": _choice("trace", *_LEVELS),
    "OTEL_PYTHON_CONTEXT": _installed("opentelemetry_context"),
    "OTEL_PROPAGATORS": _several("opentelemetry_propagator", "none"),
    "OTEL_PYTHON_TRACER_PROVIDER": _PROVIDER,
    "OTEL_PYTHON_METER_PROVIDER": _PROVIDER,
    "OTEL_PYTHON_LOGGER_PROVIDER": _PROVIDER,
    "OTEL_PYTHON_ID_GENERATOR": _installed("opentelemetry_id_generator"),
    "OTEL_PYTHON_TRACER_CONFIGURATOR": _installed("_opentelemetry_tracer_configurator"),
    "OTEL_PYTHON_METER_CONFIGURATOR": _installed("_opentelemetry_meter_configurator"),
    "OTEL_PYTHON_LOGGER_CONFIGURATOR": _installed("_opentelemetry_logger_configurator"),
    "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED": _BOOLEAN,
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": _several("opentelemetry_resource_detector", "*"),
    "OTEL_TRACES_SAMPLER": _installed("opentelemetry_traces_sampler"),
    # What it may be depends on the sampler.
    "OTEL_TRACES_SAMPLER_ARG": _TEXT,
    **{
        _EXPORTER.format(signal): _several(_EXPORTERS.format(signal.lower()), "otlp", "none")
        for signal in _SIGNALS
    },
    **_processor("BSP"),
    **_processor("BLRP"),
    "OTEL_ATTRIBUTE_COUNT_LIMIT": _LIMIT,
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": _LIMIT,
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT": _LIMIT,
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT": _LIMIT,
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": _LIMIT,
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": _LIMIT,
    "OTEL_SPAN_EVENT_COUNT_LIMIT": _LIMIT,
    "OTEL_SPAN_LINK_COUNT_LIMIT": _LIMIT,
    "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT": _LIMIT,
    "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT": _LIMIT,
    **_per_signal("OTEL_EXPORTER_OTLP_{}PROTOCOL", _PROTOCOL),
    **_per_signal("OTEL_EXPORTER_OTLP_{}ENDPOINT", _ENDPOINT),
    **_per_signal("OTEL_EXPORTER_OTLP_{}HEADERS", _HEADERS),
    **_per_signal("OTEL_EXPORTER_OTLP_{}TIMEOUT", _TIMEOUT),
    **_per_signal("OTEL_EXPORTER_OTLP_{}COMPRESSION", _COMPRESSION),
    **_per_signal("OTEL_EXPORTER_OTLP_{}INSECURE", _BOOLEAN),
    **_per_signal("OTEL_EXPORTER_OTLP_{}CERTIFICATE", _FILE),
    **_per_signal("OTEL_EXPORTER_OTLP_{}CLIENT_KEY", _PEM),
    **_per_signal("OTEL_EXPORTER_OTLP_{}CLIENT_CERTIFICATE", _PEM),
    **_per_signal("OTEL_PYTHON_EXPORTER_OTLP_HTTP_{}CREDENTIAL_PROVIDER", _CREDENTIALS),
    **_per_signal("OTEL_PYTHON_EXPORTER_OTLP_GRPC_{}CREDENTIAL_PROVIDER", _CREDENTIALS),
    "OTEL_PYTHON_EXPORTER_OTLP_GRPC_RETRYABLE_ERROR_CODES": _listed(
        _STATUS_CODES, "a list of gRPC's status codes such as UNAVAILABLE,ABORTED"
    ),
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": _choice(
        "cumulative", "delta", "lowmemory"
    ),
    "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": _choice(
        "explicit_bucket_histogram", "base2_exponential_bucket_histogram"
    ),
    "OTEL_METRIC_EXPORT_INTERVAL": _number(1, _DAY_MS, "milliseconds"),
    "OTEL_METRIC_EXPORT_TIMEOUT": _number(1, _DAY_MS, "milliseconds"),
    "OTEL_METRICS_EXEMPLAR_FILTER": _choice("trace_based", "always_on", "always_off"),
    "OTEL_EXPORTER_PROMETHEUS_HOST": Kind("a host or an address", _read_host),
    "OTEL_EXPORTER_PROMETHEUS_PORT": _whole(0, 65535),
    "OTEL_EXPORTER_ZIPKIN_ENDPOINT": Kind(_ENDPOINT.allowed, _read_url),
    "OTEL_EXPORTER_ZIPKIN_TIMEOUT": _TIMEOUT,
    "OTEL_PYTHON_DISTRO": _installed("opentelemetry_distro"),
    "OTEL_PYTHON_CONFIGURATOR": Kind("glasshouse, which alone redacts", _choice("glasshouse").read),
    # A name that nothing installed has is off anyway: one list may serve several services.
    "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": _TEXT,
    "OTEL_PYTHON_AUTO_INSTRUMENTATION_EXPERIMENTAL_GEVENT_PATCH": Kind("patch_all", _gevent),
    "OTEL_SEMCONV_STABILITY_OPT_IN": _listed(
        _CONVENTIONS, "a list of conventions such as http,database"
    ),
    "OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED": _BOOLEAN,
    "OTEL_PYTHON_LOG_AUTO_INSTRUMENTATION": _BOOLEAN,
    "OTEL_PYTHON_LOG_CODE_ATTRIBUTES": _BOOLEAN,
    "OTEL_PYTHON_LOG_CORRELATION": _BOOLEAN,
    "OTEL_PYTHON_LOG_FORMAT": _TEXT,
    "OTEL_PYTHON_LOG_HANDLER_LEVEL": _LEVEL,
    "OTEL_PYTHON_LOG_LEVEL": _LEVEL,
    "OTEL_PYTHON_INSTRUMENTATION_HTTP_CAPTURE_ALL_METHODS": Kind(_BOOLEAN.allowed, _all_methods),
}
"""What each variable may hold."""

# Names with a part that an instrumentation chooses.
_FAMILIES: Final = (
    (re.compile(r"OTEL_PYTHON_([A-Z0-9_]+_)?EXCLUDED_URLS"), _pattern_list()),
    (re.compile(r"OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_[A-Z_]+"), _pattern_list()),
)
# Upstream reads these before it looks for a distro.
_EARLY: Final = (
    "OTEL_PROPAGATORS",
    "OTEL_PYTHON_CONTEXT",
    "OTEL_PYTHON_AUTO_INSTRUMENTATION_EXPERIMENTAL_GEVENT_PATCH",
)
_RATIO_SAMPLERS: Final = ("traceidratio", "parentbased_traceidratio")
# The distro's, which come after the check, and else the SDK's.
_DEFAULTS: Final = {
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    **{_QUEUE_SIZE.format(name): "16384" for name in _PROCESSORS},
    **{_BATCH_SIZE.format(name): "512" for name in _PROCESSORS},
}


def check(environ: Mapping[str, str]) -> None:
    """Refuse a value that OpenTelemetry would not take as it is meant. Changes nothing.

    Raises:
        ConfigurationError: one line with the variable, its value and what is allowed. The value
            is left out where it may be a secret.
    """
    _read(environ)


def prepare(environ: MutableMapping[str, str]) -> None:
    """Do what `check` does; then write each value as the SDK takes it, and unset what is empty.

    Raises:
        ConfigurationError: as `check`; nothing is changed then.
    """
    for name, value in _read(environ).items():
        if value is None:
            del environ[name]
        else:
            environ[name] = value


def check_early(environ: Mapping[str, str]) -> None:
    """Check what upstream reads before it looks for a distro.

    Raises:
        ConfigurationError: as `check`.
    """
    _read({name: environ[name] for name in _EARLY if name in environ})


def explain(error: Exception) -> ConfigurationError:
    """Say in one line why the SDK could not be set up, and by which variable if that is known."""
    if isinstance(error, ConfigurationError):
        return error
    text = _redacted(" ".join(str(error).split()))[:200]
    reason = f"{type(error).__qualname__}: {text}" if text else type(error).__qualname__
    for name in sorted(VARIABLES, key=len, reverse=True):
        if name in text:
            return ConfigurationError(f"{name}: OpenTelemetry refuses it: {reason}")
    if isinstance(error, OSError) and "prometheus" in os.environ.get("OTEL_METRICS_EXPORTER", ""):
        # The exporter listens as soon as it is made.
        name = "OTEL_EXPORTER_PROMETHEUS_PORT"
        return ConfigurationError(f"{name}: cannot listen there: {reason}; set another")
    names = sorted(name for name in os.environ if name.startswith(("GLASSHOUSE_", "OTEL_")))
    return ConfigurationError(
        f"OpenTelemetry could not be set up: {reason}; one of these may be the cause: "
        + (", ".join(names) or "no variable is set")
    )


def _redacted(text: str) -> str:
    """Mask what an exception's text may hold; without a usable policy nothing is left of it."""
    try:
        from glasshouse.redaction import Redactor

        return Redactor.default().text(text)
    except Exception:  # noqa: BLE001  # the policy itself may be what is wrong
        return ""


def resource_attribute(name: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """Return what ``OTEL_RESOURCE_ATTRIBUTES`` says of one attribute, decoded; the last one wins.

    Pairs that cannot be read are passed over: `check` refuses them at the start.
    """
    found = None
    for pair in environ.get(RESOURCE_VARIABLE, "").split(","):
        try:
            key, value = _attribute(pair)
        except ValueError:
            continue
        if key == name:
            found = value
    return found


def service_name(environ: Mapping[str, str] = os.environ) -> str:
    """Return the service's name: ``OTEL_SERVICE_NAME``, else the resource attribute's."""
    named = environ.get(SERVICE_NAME_VARIABLE, "").strip()
    return named or resource_attribute("service.name", environ) or UNKNOWN_SERVICE


def _read(environ: Mapping[str, str]) -> dict[str, str | None]:
    """Every variable of OpenTelemetry that is set, as the SDK takes it."""
    found: dict[str, str | None] = {}
    for name in sorted(environ):
        if name.startswith("OTEL_"):
            found[name] = _read_one(name, environ[name])
    present = {name: value for name, value in found.items() if value is not None}
    _check_batches(present)
    _check_sampler(present)
    if present.get("OTEL_SDK_DISABLED") != "true":
        for signal in _SIGNALS:
            _check_exporters(signal, present)
    return found


def _read_one(name: str, value: str) -> str | None:
    kind = _kind_of(name)
    text = value.strip()
    if not text:
        return None
    if kind is None:
        return value
    try:
        # Bytes that are no UTF-8 become surrogates, which no exporter can encode.
        text.encode()
        return kind.read(text)
    except _RefusedError as error:
        raise _refused(name, value, str(error)) from None
    except ValueError:
        raise _refused(name, value, kind.allowed) from None


def _kind_of(name: str) -> Kind | None:
    if name in VARIABLES:
        return VARIABLES[name]
    return next((kind for pattern, kind in _FAMILIES if pattern.fullmatch(name)), None)


def _refused(name: str, value: str, allowed: str) -> ConfigurationError:
    kind = _kind_of(name)
    if (kind and kind.secret) or "@" in value or "?" in value:
        return ConfigurationError(f"{name}: its value (not shown) is not {allowed}")
    shown = value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…"
    # Escapes keep the message on one line, in any encoding.
    return ConfigurationError(f"{name}: {shown!a} is not {allowed}")


def _check_batches(values: Mapping[str, str]) -> None:
    for processor in _PROCESSORS:
        queue, batch = _QUEUE_SIZE.format(processor), _BATCH_SIZE.format(processor)
        size = {name: int(values.get(name, _DEFAULTS[name])) for name in (queue, batch)}
        if size[batch] > size[queue]:
            name, other = (queue, batch) if queue in values else (batch, queue)
            side = "at least" if name == queue else "at most"
            message = f"{name}: {size[name]} is not {side} {other}, which is {size[other]}"
            raise ConfigurationError(message)


def _check_sampler(values: Mapping[str, str]) -> None:
    name = "OTEL_TRACES_SAMPLER_ARG"
    if name in values and values.get("OTEL_TRACES_SAMPLER") in _RATIO_SAMPLERS:
        try:
            ratio = float(values[name])
        except ValueError:
            ratio = math.nan
        if not 0 <= ratio <= 1:
            raise _refused(name, values[name], "a ratio from 0 to 1")


def _check_exporters(signal: str, values: Mapping[str, str]) -> None:
    chosen = values.get(_EXPORTER.format(signal), "otlp").split(",")
    if not any(name.startswith("otlp") for name in chosen):
        return
    protocol, protocol_name = _effective("PROTOCOL", signal, values)
    group = _EXPORTERS.format(signal.lower())
    wants_grpc = "otlp" in chosen and protocol == "grpc"
    if wants_grpc and not entry_points(group=group, name="otlp_proto_grpc"):
        raise ConfigurationError(
            f"{protocol_name}: 'grpc' needs the package opentelemetry-exporter-otlp-proto-grpc"
            " (pip install 'glasshouse[grpc]'); or set http/protobuf"
        )
    endpoint, endpoint_name = _effective("ENDPOINT", signal, values)
    if endpoint and protocol != "grpc" and "://" not in endpoint:
        raise _refused(endpoint_name, endpoint, _ENDPOINT.allowed)
    _check_tls(signal, values)


def _effective(part: str, signal: str, values: Mapping[str, str]) -> tuple[str | None, str]:
    """The value that holds for one signal, and the variable it comes from."""
    general, own = f"OTEL_EXPORTER_OTLP_{part}", f"OTEL_EXPORTER_OTLP_{signal}_{part}"
    name = own if own in values else general
    return values.get(name, _DEFAULTS.get(name)), name


def _check_tls(signal: str, values: Mapping[str, str]) -> None:
    authority, authority_name = _effective("CERTIFICATE", signal, values)
    certificate, certificate_name = _effective("CLIENT_CERTIFICATE", signal, values)
    key, key_name = _effective("CLIENT_KEY", signal, values)
    if authority:
        try:
            _load_authority(authority)
        except (OSError, ValueError):
            raise _refused(authority_name, authority, "a file with certificates in PEM") from None
    if key and not certificate:
        raise ConfigurationError(
            f"{key_name}: a key needs its certificate: set OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"
        )
    if certificate:
        _check_pair(certificate, certificate_name, key, key_name)


def _load_authority(path: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if Path(path).is_dir():
        context.load_verify_locations(capath=path)
    else:
        context.load_verify_locations(cafile=path)


def _check_pair(certificate: str, certificate_name: str, key: str | None, key_name: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        # Without a password an encrypted key would ask for one on the terminal.
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ValueError):
        name, value = (key_name, key) if key else (certificate_name, certificate)
        allowed = f"the key in PEM, without a password, of {certificate_name}"
        if not key:
            allowed = "a file in PEM with a certificate and its key, without a password"
        raise _refused(name, value, allowed) from None
