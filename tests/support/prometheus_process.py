"""Prometheus as a plain process, with what `prometheus/prometheus.yaml` says of what is pushed."""

import contextlib
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from glasshouse_bench.dashboards import prometheus
from support import deployed, ports
from support.waiting import until

PROGRAMS = deployed.ROOT / ".glasshouse" / "bench" / "programs"
TENANT = "glasshouse.tenant"


@dataclass(frozen=True, kw_only=True)
class Prometheus:
    """A running Prometheus."""

    url: str

    @property
    def otlp(self) -> str:
        """Where metrics are pushed to."""
        return f"{self.url}/api/v1/otlp"

    def ask(self, query: str) -> list[dict[str, Any]]:
        """Return the series of an instant query. Raises AssertionError where it is refused."""
        answer = httpx.post(
            f"{self.url}/api/v1/query", data={"query": query}, timeout=60, trust_env=False
        )
        assert answer.is_success, f"{query}: {answer.text}"
        return answer.json()["data"]["result"]


@contextlib.contextmanager
def running(folder: Path, scraped: Mapping[str, Sequence[str]]) -> Iterator[Prometheus]:
    """Run one in ``folder``, which promotes the tenant. scraped: addresses by their job."""
    text = (deployed.ROOT / "prometheus" / "prometheus.yaml").read_text(encoding="utf-8")
    document = yaml.safe_load(text)
    document["otlp"]["promote_resource_attributes"].append(TENANT)
    [collector] = [one for one in document["scrape_configs"] if one["job_name"] == "collector"]
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
        "otlp": document["otlp"],
        "storage": document["storage"],
        "scrape_configs": [
            {**collector, "job_name": job, "static_configs": [{"targets": list(targets)}]}
            for job, targets in scraped.items()
        ],
    }
    folder.mkdir()
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    program, _ = prometheus.build(deployed.ROOT, PROGRAMS)
    url = f"http://127.0.0.1:{ports.free(['prometheus'])['prometheus']}"
    with (folder / "log").open("wb") as log:
        popen = subprocess.Popen(
            [
                str(program),
                f"--config.file={folder / 'prometheus.yaml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={url.removeprefix('http://')}",
                "--web.enable-otlp-receiver",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )

    def ready() -> tuple[bool | None, object]:
        assert popen.poll() is None, (folder / "log").read_text(encoding="utf-8")[-3000:]
        try:
            answer = httpx.get(f"{url}/-/ready", timeout=10, trust_env=False)
        except httpx.HTTPError as error:
            return None, repr(error)
        return answer.is_success or None, answer.text

    try:
        until(ready, what="Prometheus is ready")
        yield Prometheus(url=url)
    finally:
        popen.kill()
        popen.wait()
