"""Sets up the OpenTelemetry SDK: providers, processors, console logs, shutdown."""

import atexit
import os
from typing import Any

from opentelemetry import trace
from opentelemetry._logs import get_logger_provider
from opentelemetry.metrics import get_meter_provider
from opentelemetry.sdk._configuration import (
    _OTelSDKConfigurator,  # pyright: ignore[reportPrivateUsage]  # made for distros to subclass
)
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

from glasshouse import (
    buckets,
    console,
    delivery,
    edge,
    forks,
    garbage,
    guard,
    light,
    sampling,
    settings,
    shutdown,
)
from glasshouse.capture import shortcut
from glasshouse.distro import check_allowed
from glasshouse.errors import ConfigurationError
from glasshouse.logs import configure_logging
from glasshouse.processors import IdsLogRecordProcessor, IdsSpanProcessor
from glasshouse.propagation import hosts_from
from glasshouse.propagation import install as install_propagation
from glasshouse.pseudonym import warn_of_random_key
from glasshouse.redaction import Redactor
from glasshouse.start import end
from glasshouse.version import ATTRIBUTE, service_version


class GlasshouseConfigurator(_OTelSDKConfigurator):
    """The configurator that ``OTEL_PYTHON_DISTRO=glasshouse`` selects."""

    is_done = False

    def _configure(self, **kwargs: Any) -> None:
        try:
            self.set_up(**kwargs)
        except ConfigurationError as error:
            end(error)

    def set_up(self, **kwargs: Any) -> None:
        """Set up logging and the SDK.

        Raises:
            ConfigurationError: a setting is unusable; nothing has been set up.
        """
        settings.prepare(os.environ)
        # All that may refuse comes before all that writes or sets up.
        try:
            check_allowed()
            hosts = hosts_from()
            trust = edge.trust_from()
            version = service_version()
            delivery.bounds_from()
            delivery.token_from()
            quick = light.is_light()
            Redactor.default()
            configure_logging()
        except Exception as error:
            raise settings.explain(error) from error
        warn_of_random_key()
        garbage.install()
        guard.install()
        buckets.install()
        if quick and light.fits():
            light.install()
            shortcut.install()
        if version is not None:
            kwargs.setdefault("resource_attributes", {}).setdefault(ATTRIBUTE, version)
        try:
            super()._configure(  # pyright: ignore[reportUnknownMemberType]  # upstream is untyped
                **kwargs,
                exporter_args_map=delivery.exporter_arguments(),
                span_processors=[IdsSpanProcessor()],
                log_record_processors=[IdsLogRecordProcessor()],
                export_span_processor=delivery.span_processor,
                export_log_record_processor=delivery.log_record_processor,
            )
        except Exception as error:
            raise settings.explain(error) from error
        _prepare_metrics()
        install_propagation(hosts, trust=trust)
        sampling.install(hosts)
        _bound_shutdown()
        type(self).is_done = True


def _prepare_metrics() -> None:
    provider = get_meter_provider()
    if isinstance(provider, MeterProvider):
        # The SDK shows a provider's readers to nobody.
        for reader in vars(provider)["_metric_readers"]:
            delivery.buffer_reader(reader)


def _bound_shutdown() -> None:
    found = [trace.get_tracer_provider(), get_logger_provider(), get_meter_provider()]
    providers = [
        provider
        for provider in found
        if isinstance(provider, TracerProvider | LoggerProvider | MeterProvider)
    ]
    for provider in providers:
        # The SDK's own exit handlers run one after the other, 30 s each at worst.
        atexit.unregister(provider.shutdown)
    forks.install(providers)
    # Metrics last: they report what became of the rest.
    shutdown.install(
        [
            console.flush_at_end,
            *(one.shutdown for one in providers if not isinstance(one, MeterProvider)),
        ],
        [one.shutdown for one in providers if isinstance(one, MeterProvider)],
    )
