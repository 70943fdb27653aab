"""Values for each variable of OpenTelemetry: those that hold, and which odd ones are taken.

`{url}` stands for where to send, `{folder}` for one with a certificate (`cert.pem`) and its key
(`key.pem`).
"""

import contextlib
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from types import ModuleType

import opentelemetry.util.http as of_http

# Refused unless a row says that the variable takes it.
ODD = {
    "garbage": "garbage!",
    "negative": "-1",
    "zero": "0",
    "huge": "9" * 30,
    "not a number": "nan",
    "not ASCII": "café ☃",
    "not UTF-8": "\udcff",
}
FREE = frozenset(ODD) - {"not UTF-8"}
EVERYTHING = frozenset({"traces", "metrics", "logs"})


@dataclass(frozen=True)
class Row:
    """``valid`` hold; so do those of ``ODD`` in ``takes``."""

    valid: tuple[str, ...]
    takes: frozenset[str] = frozenset()
    # Other variables that the values need.
    beside: tuple[tuple[str, str], ...] = ()


BOOLEAN = Row(("true", " False"))
LEVELS = Row(("info", " WARNING "))
LIMIT = Row(("128", " 2147483647 "), frozenset({"zero"}))
SIZE = Row(("2048", " 4096 "))
DELAY = Row(("1", " 1000 "))
NEVER = Row(())
TEXT = Row(("a word", "Größe"), FREE)
URL = Row(("{url}", " {url}/ "))
CERTIFICATE = Row(("{folder}/cert.pem", " {folder}/cert.pem "))


def per_signal(name: str, row: Row) -> dict[str, Row]:
    return {name.format(signal): row for signal in ("", "TRACES_", "METRICS_", "LOGS_")}


ROWS: dict[str, Row] = {
    "OTEL_SDK_DISABLED": Row(("false", " FALSE ")),
    "OTEL_CONFIG_FILE": NEVER,
    "OTEL_RESOURCE_ATTRIBUTES": Row(
        ("service.name=a,service.version=1.2", " service.name = b%2Cc , ,deployment.x=é=f,")
    ),
    "OTEL_SERVICE_NAME": TEXT,
    "OTEL_LOG_LEVEL": LEVELS,
    "OTEL_PYTHON_CONTEXT": Row(("contextvars_context",)),
    "OTEL_PROPAGATORS": Row(("tracecontext", "tracecontext,baggage", "none")),
    "OTEL_PYTHON_TRACER_PROVIDER": NEVER,
    "OTEL_PYTHON_METER_PROVIDER": NEVER,
    "OTEL_PYTHON_LOGGER_PROVIDER": NEVER,
    "OTEL_PYTHON_ID_GENERATOR": Row(("random", " Random ")),
    # No package offers one.
    "OTEL_PYTHON_TRACER_CONFIGURATOR": NEVER,
    "OTEL_PYTHON_METER_CONFIGURATOR": NEVER,
    "OTEL_PYTHON_LOGGER_CONFIGURATOR": NEVER,
    "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED": BOOLEAN,
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": Row(("process", " OTEL , process,", "*")),
    "OTEL_TRACES_SAMPLER": Row(("always_on", " ParentBased_Always_On ")),
    "OTEL_TRACES_SAMPLER_ARG": Row(
        ("1.0", " 1 "),
        # Only with the sampler beside it does the value count, which the rounds leave out.
        frozenset({"zero"}),
        beside=(("OTEL_TRACES_SAMPLER", "traceidratio"),),
    ),
    **{
        f"OTEL_{signal.upper()}_EXPORTER": Row((" OTLP ", "otlp,console", "otlp_proto_http"))
        for signal in sorted(EVERYTHING)
    },
    **{
        f"OTEL_{processor}_{name}": row
        for processor in ("BSP", "BLRP")
        for name, row in {
            "SCHEDULE_DELAY": DELAY,
            "EXPORT_TIMEOUT": Row(("30000", " 1 "), frozenset({"zero"})),
            "MAX_QUEUE_SIZE": SIZE,
            "MAX_EXPORT_BATCH_SIZE": Row(("1", " 2048 ")),
        }.items()
    },
    "OTEL_ATTRIBUTE_COUNT_LIMIT": LIMIT,
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": LIMIT,
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT": LIMIT,
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT": LIMIT,
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": LIMIT,
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": LIMIT,
    "OTEL_SPAN_EVENT_COUNT_LIMIT": LIMIT,
    "OTEL_SPAN_LINK_COUNT_LIMIT": LIMIT,
    "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT": LIMIT,
    "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT": LIMIT,
    # gRPC's package is not installed here.
    **per_signal("OTEL_EXPORTER_OTLP_{}PROTOCOL", Row(("http/protobuf", " HTTP/Protobuf "))),
    "OTEL_EXPORTER_OTLP_ENDPOINT": URL,
    **{
        f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT": Row(
            (f"{{url}}/v1/{signal}", f" {{url}}//v1/{signal} ")
        )
        for signal in sorted(EVERYTHING)
    },
    **per_signal(
        "OTEL_EXPORTER_OTLP_{}HEADERS",
        Row(("authorization=Basic%20YQ%3D%3D", " x-a = b c , ,X-D=%C3%A9%3D,")),
    ),
    **per_signal("OTEL_EXPORTER_OTLP_{}TIMEOUT", Row(("10", " 2.5 "))),
    **per_signal("OTEL_EXPORTER_OTLP_{}COMPRESSION", Row(("gzip", " None "))),
    **per_signal("OTEL_EXPORTER_OTLP_{}INSECURE", BOOLEAN),
    **per_signal("OTEL_EXPORTER_OTLP_{}CERTIFICATE", CERTIFICATE),
    **{
        f"OTEL_EXPORTER_OTLP_{signal}CLIENT_KEY": Row(
            ("{folder}/key.pem",),
            beside=((f"OTEL_EXPORTER_OTLP_{signal}CLIENT_CERTIFICATE", "{folder}/cert.pem"),),
        )
        for signal in ("", "TRACES_", "METRICS_", "LOGS_")
    },
    **{
        f"OTEL_EXPORTER_OTLP_{signal}CLIENT_CERTIFICATE": Row(
            ("{folder}/cert.pem",),
            beside=((f"OTEL_EXPORTER_OTLP_{signal}CLIENT_KEY", "{folder}/key.pem"),),
        )
        for signal in ("", "TRACES_", "METRICS_", "LOGS_")
    },
    # No package offers one.
    **per_signal("OTEL_PYTHON_EXPORTER_OTLP_HTTP_{}CREDENTIAL_PROVIDER", NEVER),
    **per_signal("OTEL_PYTHON_EXPORTER_OTLP_GRPC_{}CREDENTIAL_PROVIDER", NEVER),
    "OTEL_PYTHON_EXPORTER_OTLP_GRPC_RETRYABLE_ERROR_CODES": Row(("UNAVAILABLE, aborted",)),
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": Row(("cumulative", " DELTA ")),
    "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": Row(
        ("explicit_bucket_histogram", " BASE2_exponential_bucket_histogram ")
    ),
    "OTEL_METRIC_EXPORT_INTERVAL": Row(("60000", " 1000.5 ")),
    "OTEL_METRIC_EXPORT_TIMEOUT": Row(("30000", " 1000.5 ")),
    "OTEL_METRICS_EXEMPLAR_FILTER": Row(("trace_based", " ALWAYS_ON ")),
    "OTEL_EXPORTER_PROMETHEUS_HOST": Row(("localhost", "::1"), FREE - {"garbage", "not ASCII"}),
    "OTEL_EXPORTER_PROMETHEUS_PORT": Row(("9464", " 1 "), frozenset({"zero"})),
    "OTEL_EXPORTER_ZIPKIN_ENDPOINT": URL,
    "OTEL_EXPORTER_ZIPKIN_TIMEOUT": Row(("10", " 2.5 ")),
    "OTEL_PYTHON_DISTRO": Row(("glasshouse",)),
    "OTEL_PYTHON_CONFIGURATOR": Row(("glasshouse", " Glasshouse ")),
    "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": Row(("flask, requests",), FREE),
    "OTEL_PYTHON_AUTO_INSTRUMENTATION_EXPERIMENTAL_GEVENT_PATCH": NEVER,
    "OTEL_SEMCONV_STABILITY_OPT_IN": Row(("http,database", " HTTP/dup , ")),
    # Deprecated, and what it does happens anyway.
    "OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED": BOOLEAN,
    "OTEL_PYTHON_LOG_AUTO_INSTRUMENTATION": Row((" True ",)),
    "OTEL_PYTHON_LOG_CODE_ATTRIBUTES": BOOLEAN,
    "OTEL_PYTHON_LOG_CORRELATION": BOOLEAN,
    "OTEL_PYTHON_LOG_FORMAT": TEXT,
    "OTEL_PYTHON_LOG_HANDLER_LEVEL": LEVELS,
    "OTEL_PYTHON_LOG_LEVEL": LEVELS,
    "OTEL_PYTHON_INSTRUMENTATION_HTTP_CAPTURE_ALL_METHODS": BOOLEAN,
}

# What is switched off by the value, not by a mistake.
SWITCHES: dict[tuple[str, str], frozenset[str]] = {
    ("OTEL_SDK_DISABLED", " TRUE"): EVERYTHING,
    **{
        (f"OTEL_{signal.upper()}_EXPORTER", value): frozenset({signal})
        for signal in sorted(EVERYTHING)
        for value in ("none", " NONE ", "console")
    },
    ("OTEL_TRACES_SAMPLER", "always_off"): frozenset({"traces"}),
    ("OTEL_TRACES_SAMPLER", "parentbased_always_off"): frozenset({"traces"}),
}


def names() -> set[str]:
    """Every variable that a module of variables of the installed OpenTelemetry names."""
    modules: list[ModuleType] = [
        entry.load() for entry in entry_points(group="opentelemetry_environment_variables")
    ]
    with contextlib.suppress(ModuleNotFoundError):
        # Not required: what it does, the capture does.
        modules.append(import_module("opentelemetry.instrumentation.logging.environment_variables"))
    texts = {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, str) and value.startswith("OTEL_")
    }
    return texts | {of_http.OTEL_PYTHON_INSTRUMENTATION_HTTP_CAPTURE_ALL_METHODS}
