"""Loki, Tempo and Prometheus, with queries that wait for what was sent."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar

import yaml
from testcontainers.core.network import Network

from glasshouse.testing import reading
from glasshouse.testing.containers.base import Container, packaged, text_of
from glasshouse.testing.otlp_json import Item
from glasshouse.testing.polling import until

FOUND_S: Final = 30.0
_Entry = TypeVar("_Entry")


class _Backend(Container):
    """config: its configuration, as text or as a file; by default that of Glasshouse's stack."""

    file: ClassVar[str]
    place: ClassVar[str]
    data: ClassVar[str]

    def __init__(
        self,
        image: str | None = None,
        *,
        config: str | Path | None = None,
        network: Network | str | None = None,
        labels: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(image, network=network, labels=labels, **options)
        self.with_copy_into_container(text_of(config or self.shipped()), self.place)
        # Anybody may write there: the user is not the image's.
        self.with_tmpfs_mount(self.data, "mode=1777")
        self.with_tmpfs_mount("/tmp", "mode=1777")  # noqa: S108 (the container's)

    @classmethod
    def shipped(cls) -> str:
        """Return the configuration that comes with this package."""
        return packaged(cls.file)


class LokiContainer(_Backend):
    """Loki, with the limits of Glasshouse's stack. `endpoint` takes OTLP over HTTP."""

    variable = "LOKI_IMAGE"
    default = "grafana/loki:3.7.8"
    alias = "loki"
    file = "loki.yaml"
    place = "/etc/loki/loki.yaml"
    data = "/var/lib/loki"
    published = (3100,)
    ready = (3100, "/ready")

    def __init__(self, image: str | None = None, **options: Any) -> None:
        super().__init__(image, **options)
        self.with_command(["-config.file=/etc/loki/loki.yaml"])

    @property
    def address(self) -> str:
        """Where it is queried."""
        return self.url(3100)

    @property
    def endpoint(self) -> str:
        """The value of OTEL_EXPORTER_OTLP_ENDPOINT for logs without a Collector."""
        return f"{self.address}/otlp"

    def query(
        self,
        logql: str,
        *,
        at_least: int = 1,
        deadline_s: float = FOUND_S,
        since: float | None = None,
    ) -> list[dict[str, Any]]:
        """Return entries, {"line": …, "labels": …}, once there are ``at_least`` so many.

        since: Unix time in seconds, by default an hour ago. ``at_least=0`` returns what there is.

        Raises:
            AssertionError: too few within ``deadline_s`` seconds; shows those there are.
            ValueError: Loki refuses the query; the message is Loki's.
        """
        return _polled(
            lambda: reading.loki_lines(self.address, logql, since=since),
            what=f"Loki has {at_least} for {logql}",
            at_least=at_least,
            deadline_s=deadline_s,
        )


class TempoContainer(_Backend):
    """Tempo, with the limits of Glasshouse's stack. `endpoint` takes OTLP over HTTP."""

    variable = "TEMPO_IMAGE"
    default = "grafana/tempo:3.0.3"
    alias = "tempo"
    file = "tempo.yaml"
    place = "/etc/tempo/tempo.yaml"
    data = "/var/tempo"
    published = (3200, 4318)
    ready = (3200, "/ready")

    def __init__(self, image: str | None = None, **options: Any) -> None:
        super().__init__(image, **options)
        self.with_command(["-config.file=/etc/tempo/tempo.yaml"])

    @property
    def address(self) -> str:
        """Where it is queried."""
        return self.url(3200)

    @property
    def endpoint(self) -> str:
        """The value of OTEL_EXPORTER_OTLP_ENDPOINT for traces without a Collector."""
        return self.url(4318)

    def search(
        self,
        traceql: str,
        *,
        at_least: int = 1,
        deadline_s: float = FOUND_S,
        since: float | None = None,
    ) -> list[str]:
        """Return the ids of the traces that are found, as `LokiContainer.query` does lines."""
        return _polled(
            lambda: reading.tempo_search(self.address, traceql, since=since),
            what=f"Tempo has {at_least} for {traceql}",
            at_least=at_least,
            deadline_s=deadline_s,
        )

    def trace(self, trace_id: str, *, at_least: int = 1, deadline_s: float = FOUND_S) -> list[Item]:
        """Return the spans of one trace as OTLP's JSON, each with its ``service``, as `search`."""

        def spans() -> list[Item]:
            if reading.tempo_written(self.address, trace_id) < at_least:
                return []
            return reading.tempo_spans(self.address, trace_id)

        return _polled(
            spans,
            what=f"Tempo has {at_least} spans of trace {trace_id}",
            at_least=at_least,
            deadline_s=deadline_s,
        )


class PrometheusContainer(_Backend):
    """Prometheus, as in Glasshouse's stack but for rules and alerts.

    `endpoint` takes OTLP over HTTP. In a network with ``collector``, ``loki`` and ``tempo`` it
    scrapes them.
    """

    variable = "PROMETHEUS_IMAGE"
    default = "prom/prometheus:v3.16.0"
    alias = "prometheus"
    file = "prometheus.yaml"
    place = "/etc/prometheus/prometheus.yaml"
    data = "/var/lib/prometheus"
    published = (9090,)
    ready = (9090, "/-/ready")

    def __init__(self, image: str | None = None, **options: Any) -> None:
        super().__init__(image, **options)
        self.with_command(
            [
                f"--config.file={self.place}",
                f"--storage.tsdb.path={self.data}",
                "--web.enable-otlp-receiver",
                "--web.enable-remote-write-receiver",  # Tempo's service map
                "--enable-feature=exemplar-storage",
            ]
        )

    @classmethod
    def shipped(cls) -> str:
        """Return the stack's configuration without what needs files and containers of the stack."""
        document = yaml.safe_load(packaged(cls.file))
        for key in ("rule_files", "alerting"):
            document.pop(key, None)
        document["global"].pop("external_labels", None)
        document["scrape_configs"] = [
            job for job in document["scrape_configs"] if job["job_name"] != "alertmanager"
        ]
        return yaml.safe_dump(document, sort_keys=False)

    @property
    def address(self) -> str:
        """Where it is queried."""
        return self.url(9090)

    @property
    def endpoint(self) -> str:
        """The value of OTEL_EXPORTER_OTLP_ENDPOINT for metrics without a Collector."""
        return f"{self.address}/api/v1/otlp"

    def query(
        self, promql: str, *, at_least: int = 1, deadline_s: float = FOUND_S
    ) -> list[dict[str, Any]]:
        """Return series, {"labels": …, "value": float}, as `LokiContainer.query` does lines."""
        return _polled(
            lambda: reading.prometheus_query(self.address, promql),
            what=f"Prometheus has {at_least} for {promql}",
            at_least=at_least,
            deadline_s=deadline_s,
        )


def _polled(
    read: Callable[[], list[_Entry]], *, what: str, at_least: int, deadline_s: float
) -> list[_Entry]:
    def probe() -> tuple[list[_Entry] | None, object]:
        try:
            found = read()
        except (reading.Unanswered, OSError) as error:
            return None, str(error)
        return (found if len(found) >= at_least else None), found

    return until(probe, what=what, deadline_s=deadline_s)
