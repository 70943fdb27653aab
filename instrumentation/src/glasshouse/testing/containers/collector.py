"""The Collector with our processors, and a sink that keeps what it passes on."""

import contextlib
import io
import json
import secrets
import tarfile
import tempfile
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Self

import docker.errors
import yaml
from testcontainers.core.network import Network

from glasshouse.testing.containers.base import Container, new_network, packaged, text_of
from glasshouse.testing.otlp_json import Item, Stored

_CONFIG: Final = "/etc/otelcol/config.yaml"
_FAMILIES: Final = "/etc/otelcol/event_families.yaml"
_POLICY: Final = "/etc/otelcol/rules.yaml"
_KEY: Final = "/run/secrets/hmac_key"
_TOKEN: Final = "/run/secrets/otlp_token"  # noqa: S105 (a path)
_STATE: Final = "/var/lib/otelcol"
_SINK: Final = "/sink"
_BACKENDS: Final = ("tempo", "loki", "prometheus")
_SIGNALS: Final = ("traces", "metrics", "logs")

# Writes every request it gets, one JSON document a line.
SINK_CONFIG: Final[dict[str, Any]] = {
    "extensions": {"health_check": {"endpoint": "0.0.0.0:13133"}},
    "receivers": {"otlp": {"protocols": {"http": {"endpoint": "0.0.0.0:4318"}}}},
    "exporters": {
        f"file/{name}": {"path": f"{_SINK}/{name}.jsonl", "flush_interval": "100ms"}
        for name in _SIGNALS
    },
    "service": {
        "extensions": ["health_check"],
        "pipelines": {
            name: {"receivers": ["otlp"], "exporters": [f"file/{name}"]} for name in _SIGNALS
        },
    },
}


class _Otelcol(Container):
    """A container of the Collector's image."""

    variable = "COLLECTOR_IMAGE"
    default = "glasshouse/otelcol"
    ready = (13133, "/")

    def _bind(self, folder: Path, place: str) -> None:
        """Keep what the container writes at ``place`` in a folder of this machine."""
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o777)  # the container's user is another one
        self.with_volume_mapping(str(folder), place, "rw")


class SinkContainer(_Otelcol, Stored):
    """An OTLP receiver that keeps what it gets, to be read back.

    folder: of this machine, to keep it in; by default it stays in the container.
    """

    alias = "sink"
    published = (4318, 13133)

    def __init__(
        self, image: str | None = None, *, folder: Path | None = None, **options: Any
    ) -> None:
        super().__init__(image, **options)
        self._folder = folder
        self.with_command([f"--config={_CONFIG}"])
        self.with_copy_into_container(yaml.safe_dump(SINK_CONFIG).encode(), _CONFIG)
        if folder is not None:
            self._bind(folder, _SINK)

    def launch(self) -> None:
        """Start it without waiting."""
        if self._folder is not None:
            super().launch()
            return
        with tempfile.TemporaryDirectory() as temporary:
            made = Path(temporary, _SINK.strip("/"))
            made.mkdir()
            made.chmod(0o777)  # the container's user is another one
            self.with_copy_into_container(made, "/")
            super().launch()

    @property
    def endpoint(self) -> str:
        """The value of OTEL_EXPORTER_OTLP_ENDPOINT for what is to come here."""
        return self.url(4318)

    def stored(self, signal: str, *, skip: int = 0) -> list[Item]:
        """Return every whole request so far for ``signal``, but the first ones.

        signal: "logs", "traces" or "metrics". Ids are in hex.
        """
        lines = self._text(signal).split("\n")
        return [json.loads(line) for line in lines[skip:-1]]

    def _text(self, signal: str) -> str:
        if self._folder is not None:
            path = self._folder / f"{signal}.jsonl"
            return path.read_text(encoding="utf-8") if path.exists() else ""
        try:
            chunks, _ = self.get_wrapped_container().get_archive(f"{_SINK}/{signal}.jsonl")
        except docker.errors.NotFound:
            return ""
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            member = archive.extractfile(archive.getmembers()[0])
            return member.read().decode("utf-8", errors="ignore") if member else ""


class CollectorContainer(_Otelcol):
    """Our Collector in front of backends, or of a sink of its own.

    By default it has the configuration of Glasshouse's stack, without what counts events, and a
    `sink` behind it in a network of their own:

        with CollectorContainer() as collector:
            run_my_service(OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint)
            [record] = until_arrived(collector.sink.log_records)

    backends: addresses of ``tempo``, ``loki`` and ``prometheus`` that take OTLP over HTTP; then
        there is no sink.
    config: the whole configuration, as text or as a file. It has the policy at
        /etc/otelcol/rules.yaml and the key at /run/secrets/hmac_key.
    policy: of redaction, by default the one that comes with this package.
    key: of pseudonyms, 16 bytes or more; by default a random one.
    token: what it asks of senders; by default it asks for none, unlike a deployed one.
    families: what events count (docs of the connector ``event_metrics``).
    state: folder of this machine for its queues; by default they go with the container.
    sink_folder: as `SinkContainer`'s folder.
    """

    alias = "collector"
    published = (4317, 4318, 8888, 8889, 13133)

    def __init__(
        self,
        image: str | None = None,
        *,
        backends: Mapping[str, str] | None = None,
        config: str | Path | None = None,
        policy: str | Path | None = None,
        key: bytes | None = None,
        token: str | None = None,
        families: str | Path | None = None,
        state: Path | None = None,
        sink_folder: Path | None = None,
        network: Network | str | None = None,
        labels: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        self._own = contextlib.ExitStack()
        self._made_network: Network | None = None
        self._sink: SinkContainer | None = None
        if backends is None and network is None:
            network = self._made_network = new_network(labels)
        super().__init__(image, network=network, labels=labels, **options)
        if backends is None:
            self._sink = SinkContainer(
                image, folder=sink_folder, network=network, labels=labels, **options
            )
            backends = dict.fromkeys(_BACKENDS, f"http://{SinkContainer.alias}:4318")
        for name in _BACKENDS:
            self.with_env("_".join((name.upper(), "ENDPOINT")), backends[name])
        self.with_command([f"--config={_CONFIG}"])
        text = config or (believing_all() if families else without_events())
        self.with_copy_into_container(text_of(text), _CONFIG)
        packaged_policy = files("glasshouse.redaction") / "rules.yaml"
        self.with_copy_into_container(
            text_of(policy or packaged_policy.read_text(encoding="utf-8")), _POLICY
        )
        self.with_copy_into_container(key or secrets.token_hex(32).encode(), _KEY)
        self.with_env("_".join(("OTLP", "AUTH")), "none" if token is None else "token")
        self.with_copy_into_container((token or secrets.token_hex(32)).encode(), _TOKEN)
        if families:
            self.with_copy_into_container(text_of(families), _FAMILIES)
        if state is None:
            self.with_tmpfs_mount(_STATE, "mode=1777")
        else:
            self._bind(state, _STATE)

    @property
    def endpoint(self) -> str:
        """The value of OTEL_EXPORTER_OTLP_ENDPOINT with http/protobuf."""
        return self.url(4318)

    @property
    def grpc_endpoint(self) -> str:
        """The value of OTEL_EXPORTER_OTLP_ENDPOINT with grpc."""
        return self.url(4317)

    @property
    def own_metrics(self) -> str:
        """Where it shows its own metrics, as Prometheus' text."""
        return f"{self.url(8888)}/metrics"

    @property
    def derived_metrics(self) -> str:
        """Where it shows what it counted, as Prometheus' text, if it has ``families``."""
        return f"{self.url(8889)}/metrics"

    @property
    def sink(self) -> SinkContainer:
        """What keeps all that it passes on.

        Raises:
            RuntimeError: it has backends in its place.
        """
        if self._sink is None:
            raise RuntimeError("this Collector has backends and no sink: read them")
        return self._sink

    def start(self) -> Self:
        """Start the network and the sink, if it has them, and itself; wait until all are ready."""
        with contextlib.ExitStack() as own:
            if self._made_network is not None:
                own.enter_context(self._made_network)
            if self._sink is not None:
                own.enter_context(self._sink)
            super().start()
            self._own = own.pop_all()
        return self

    def stop(self, force: bool = True, delete_volume: bool = True) -> None:
        """Delete it, its sink and its network, with all that they hold."""
        super().stop(force, delete_volume)
        self._own.close()


def believing_all() -> str:
    """Return the stack's configuration, which counts events of any service: the one under test."""
    document = yaml.safe_load(packaged("collector.yaml"))
    del document["connectors"]["event_metrics"]["services"]
    return yaml.safe_dump(document, sort_keys=False)


def without_events() -> str:
    """Return the stack's configuration without the connector that counts events."""
    document = yaml.safe_load(packaged("collector.yaml"))
    del document["connectors"]
    del document["exporters"]["prometheus"]
    pipelines = document["service"]["pipelines"]
    del pipelines["metrics/derive"]
    pipelines["logs"]["exporters"].remove("event_metrics")
    return yaml.safe_dump(document, sort_keys=False)


def without_redaction(config: str) -> str:
    """Return a Collector's configuration with redaction taken out of every pipeline."""
    document = yaml.safe_load(config)
    for pipeline in document["service"]["pipelines"].values():
        kept = [name for name in pipeline.get("processors", []) if name != "pii"]
        pipeline["processors"] = kept
    del document["processors"]["pii"]
    return yaml.safe_dump(document, sort_keys=False)
