"""Sends texts through the Collector's image, redacting as deployed, and reads them back."""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import yaml

from glasshouse_bench import surfaces
from glasshouse_bench.corpus import Row
from glasshouse_bench.unseen import records
from glasshouse_bench.unseen.probes import Probe
from glasshouse_cli import secrets
from glasshouse_cli.errors import StackError
from glasshouse_cli.process import run
from glasshouse_cli.project import Project, container_user

BATCH = 250
# Of the deployed ones, those that the receivers need.
EXTENSIONS = ("health_check", "otlp_limits")
READY_S = 60.0
STORED_S = 180.0
_OUT = "/out"


def configuration(deployed: str) -> dict[str, Any]:
    """Return the deployed receivers and redaction, with files in place of the backends."""
    document = yaml.safe_load(deployed)
    kept = ("memory_limiter", "pii")
    return {
        "extensions": {name: document["extensions"][name] for name in EXTENSIONS},
        "receivers": {"otlp": document["receivers"]["otlp"]},
        "processors": {name: document["processors"][name] for name in kept},
        "exporters": {
            f"file/{signal}": {"path": f"{_OUT}/{signal}.jsonl", "flush_interval": "100ms"}
            for signal in surfaces.LISTS
        },
        "service": {
            "extensions": list(EXTENSIONS),
            "pipelines": {
                signal: {
                    "receivers": ["otlp"],
                    "processors": list(kept),
                    "exporters": [f"file/{signal}"],
                }
                for signal in surfaces.LISTS
            },
        },
    }


class Deployed:
    """A running Collector that redacts as deployed and writes to files."""

    def __init__(self, url: str, out: Path) -> None:
        self._url = url
        self._out = out

    def rows(self, rows: Sequence[Row]) -> dict[str, dict[int, str]]:
        """Send every row on every surface; return what came out, by surface and row.

        Raises StackError when not everything comes out.
        """
        _send(self._url, rows)
        return _read(self._out, len(rows))

    def probes(self, probes: Sequence[Probe]) -> list[Any]:
        """Send every probe as a log record: as its body, or as an attribute under its key.

        Raises StackError when not everything comes out.
        """
        with httpx.Client(base_url=self._url, timeout=60, trust_env=False) as http:
            for start in range(0, len(probes), BATCH):
                part = enumerate(probes[start : start + BATCH], start)
                entries = [records.build(number, probe) for number, probe in part]
                answer = http.post("/v1/logs", json={"resourceLogs": entries})
                if not answer.is_success:
                    raise StackError(f"the Collector refuses the probes: {answer.status_code}")
        return self._probes_out(probes)

    def _probes_out(self, probes: Sequence[Probe]) -> list[Any]:
        found: dict[int, Any] = {}
        path, end = self._out / "logs.jsonl", time.monotonic() + STORED_S
        seen = 0
        while len(found) < len(probes):
            whole = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
            for line in whole[seen:]:
                found.update(records.read(json.loads(line), probes))
            seen = len(whole)
            if time.monotonic() > end:
                raise StackError(
                    f"{len(found)} of {len(probes)} probes came out within {STORED_S:.0f} s"
                )
            time.sleep(0.2)
        return [found[number] for number in range(len(probes))]


@contextlib.contextmanager
def deployed(project: Project, image: str) -> Iterator[Deployed]:
    """Run the Collector of ``image`` until the end of the block.

    Raises StackError when it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="glasshouse-report-") as folder:
        work = Path(folder)
        work.chmod(0o755)  # the container's user is another one
        out = work / "out"
        out.mkdir()
        out.chmod(0o777)
        secrets.ensure(work)
        text = (project.root / "collector" / "config.yaml").read_text(encoding="utf-8")
        (work / "config.yaml").write_text(yaml.safe_dump(configuration(text)))
        with _collector(project, image, work) as url:
            yield Deployed(url, out)


@contextlib.contextmanager
def _collector(project: Project, image: str, work: Path) -> Iterator[str]:
    user = container_user()
    mounts = {
        work / "config.yaml": "/etc/otelcol/config.yaml:ro",
        project.root / "redaction" / "rules.yaml": "/etc/otelcol/rules.yaml:ro",
        work / "secrets" / "hmac_key": "/run/secrets/hmac_key:ro",
        work / "out": _OUT,
    }
    command = ["docker", "run", "--detach", "--read-only", f"--user={user.uid}:{user.gid}"]
    command += ["--label=dev.glasshouse.part=bench", "--publish=127.0.0.1::4318"]
    command += ["--publish=127.0.0.1::13133", "--env=OTLP_AUTH=none"]
    command += [f"--volume={source}:{target}" for source, target in mounts.items()]
    started = run([*command, image, "--config=/etc/otelcol/config.yaml"], timeout=60)
    if not started.ok:
        raise StackError(f"the Collector does not start: {started.last_line}")
    container = started.out.strip()
    try:
        _wait_ready(container)
        yield f"http://{_address(container, 4318)}"
    finally:
        run(["docker", "rm", "--force", container], timeout=60)


def _address(container: str, port: int) -> str:
    return run(["docker", "port", container, str(port)], timeout=30).out.split("\n")[0].strip()


def _wait_ready(container: str) -> None:
    end = time.monotonic() + READY_S
    while True:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"http://{_address(container, 13133)}", timeout=2).is_success:
                return
        if time.monotonic() > end:
            logs = run(["docker", "logs", "--tail=3", container], timeout=30)
            raise StackError(f"the Collector is not ready after {READY_S:.0f} s: {logs.last_line}")
        time.sleep(0.2)


def _send(url: str, rows: Sequence[Row]) -> None:
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as http:
        for surface in surfaces.SURFACES:
            for start in range(0, len(rows), BATCH):
                part = rows[start : start + BATCH]
                entries = [surfaces.build(surface, row.number, row.text) for row in part]
                outer = surfaces.LISTS[surface.signal][0]
                answer = http.post(f"/v1/{surface.signal}", json={outer: entries})
                if not answer.is_success:
                    raise StackError(f"the Collector refuses {surface.name}: {answer.status_code}")


def _read(out: Path, rows: int) -> dict[str, dict[int, str]]:
    found: dict[str, dict[int, str]] = {surface.name: {} for surface in surfaces.SURFACES}
    seen = dict.fromkeys(surfaces.LISTS, 0)
    end = time.monotonic() + STORED_S
    while True:
        for signal in surfaces.LISTS:
            path = out / f"{signal}.jsonl"
            whole = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
            for line in whole[seen[signal] :]:
                for surface, row, text in surfaces.read(signal, json.loads(line)):
                    found[surface][row] = text
            seen[signal] = len(whole)
        missing = [name for name, texts in found.items() if len(texts) < rows]
        if not missing:
            return found
        if time.monotonic() > end:
            raise StackError(f"not every row came out within {STORED_S:.0f} s on {missing}")
        time.sleep(0.2)
