"""Two Prometheus with Thanos beside them, as plain programs."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from support import ports
from support.deployed import ROOT
from support.distributed import programs
from support.distributed.group import Program, Programs

FOLDER: Final = ROOT / "deploy" / "prometheus"
REPLICAS: Final = ("prometheus-1", "prometheus-2")
GRAFANA: Final = "http://grafana.example"
_INTERVAL: Final = re.compile(r"^( +interval:) \d+[ms]$", re.MULTILINE)
_TARGETS: Final = re.compile(r"[a-z0-9-]+:(?:8888|9090|9093|10902|3100|3200)\b")


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """Both replicas, and what reads them. write: where each takes remote write."""

    replicas: Programs
    thanos: Programs

    @property
    def query(self) -> str:
        """Where dashboards ask."""
        return self.thanos.url("thanos-query")


def metrics(
    folder: Path,
    store: Mapping[str, str],
    *,
    replicas: Sequence[str] = REPLICAS,
    block: str = "2h",
    targets: Mapping[str, str] = {},
) -> Metrics:
    """Prepare replicas, a sidecar for each, store gateway and query; none is started.

    store: the variables that name the object store. block: how much time a block has.
    targets: what is scraped, by the name and port in the deployed configuration; else nothing is.
    """
    prometheus = programs.built("prometheus") / "prometheus"
    _write_rules(folder / "rules")
    http = {name: ports.free(["http"])["http"] for name in replicas}
    made: dict[str, Program] = {}
    for name, port in http.items():
        at = folder / name
        at.mkdir(parents=True)
        config = at / "prometheus.yaml"
        config.write_text(_adapted(folder / "rules", targets), encoding="utf-8")
        made[name] = Program(
            name=name,
            folder=at,
            command=[
                str(prometheus),
                f"--config.file={config}",
                f"--storage.tsdb.path={at / 'data'}",
                "--storage.tsdb.retention.time=35d",
                f"--storage.tsdb.min-block-duration={block}",
                f"--storage.tsdb.max-block-duration={block}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--web.enable-otlp-receiver",
                "--web.enable-remote-write-receiver",
                "--enable-feature=exemplar-storage",
            ],
            environment={"REPLICA": name, "GRAFANA_URL": GRAFANA},
            ready=f"http://127.0.0.1:{port}/-/ready",
        )
    urls = {name: f"http://127.0.0.1:{port}" for name, port in http.items()}
    group = Programs(programs=made, urls=urls)
    return Metrics(replicas=group, thanos=_thanos(folder, store, group))


def _thanos(folder: Path, store: Mapping[str, str], replicas: Programs) -> Programs:
    program = programs.built("thanos") / "thanos"
    environment = {**store, "S3_REGION": "us-east-1", "THANOS_BUCKET": "thanos"}
    objects = f"--objstore.config-file={FOLDER / 's3.yaml'}"
    made: dict[str, Program] = {}
    urls: dict[str, str] = {}
    asked: list[str] = []

    def add(name: str, target: str, *flags: str) -> None:
        of = ports.free(["http", "grpc"])
        urls[name] = f"http://127.0.0.1:{of['http']}"
        if target != "query":
            asked.append(f"--endpoint=127.0.0.1:{of['grpc']}")
        made[name] = Program(
            name=name,
            folder=folder / name,
            command=[
                str(program),
                target,
                f"--http-address=127.0.0.1:{of['http']}",
                f"--grpc-address=127.0.0.1:{of['grpc']}",
                *flags,
            ],
            environment=environment,
            ready=f"{urls[name]}/-/ready",
        )

    for number, name in enumerate(replicas.names, 1):
        add(
            f"thanos-sidecar-{number}",
            "sidecar",
            f"--prometheus.url={replicas.url(name)}",
            f"--tsdb.path={replicas.programs[name].data}",
            objects,
            # Generated blocks are as those that were compacted; of a Prometheus' own none is here.
            "--shipper.upload-compacted",
        )
    add(
        "thanos-store",
        "store",
        f"--data-dir={folder / 'thanos-store' / 'data'}",
        objects,
        # By default it asks for new blocks each 15 minutes.
        "--sync-block-duration=5s",
    )
    add(
        "thanos-query",
        "query",
        *asked,
        "--query.replica-label=replica",
        "--query.replica-label=grafana",
    )
    return Programs(programs=made, urls=urls)


def _write_rules(folder: Path) -> None:
    """Write this checkout's rules, with none that is evaluated for the first time in minutes."""
    folder.mkdir(parents=True)
    for path in sorted((ROOT / "prometheus" / "rules").glob("*.yaml")):
        text = _INTERVAL.sub(r"\1 15s", path.read_text(encoding="utf-8"))
        (folder / path.name).write_text(text, encoding="utf-8")


def _adapted(rules_of: Path, targets: Mapping[str, str]) -> str:
    """Return the deployed configuration, with these rules and targets."""
    text = (FOLDER / "prometheus.yaml").read_text(encoding="utf-8")
    rules = "/etc/prometheus/rules/"
    assert rules in text
    text = text.replace(rules, f"{rules_of}/")
    head, found, tail = text.partition("alerting:\n")
    assert found
    # Nothing is there: a target that refuses costs least.
    return head + found + _TARGETS.sub(lambda one: targets.get(one[0], "127.0.0.1:1"), tail)
