"""The README's three lines for a Flask service, run as they stand."""

import re
import shlex
import tomllib
from pathlib import Path

import httpx
from packaging.requirements import Requirement

from support import frameworks, http_server, otlp_sink, received

HEADING = "## Using components separately"


def lines() -> list[str]:
    section = (frameworks.ROOT / "README.md").read_text(encoding="utf-8").partition(HEADING)[2]
    found = re.search(r"```sh\n(.*?)```", section, flags=re.DOTALL)
    assert found
    return found[1].splitlines()


def test_three_lines_record_a_flask_service(tmp_path: Path) -> None:
    install, *start = lines()
    assert len(start) == 2
    # What the first line installs is in the environment already: only the others are run.
    script = "\n".join([f"cd {shlex.quote(str(frameworks.ROOT))}", start[0], f"exec {start[1]}"])
    command = ("/bin/bash", "-euo", "pipefail", "-c", f"{script} --port {{port}}")
    with otlp_sink.running() as sink, http_server.echoing() as warehouse:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": sink.url, "WAREHOUSE_URL": warehouse}
        with frameworks.running(
            command, tmp_path, endpoint=None, ready="/orders/first", **variables
        ) as program:
            answer = httpx.get(f"{program.url}/orders/second", timeout=240, trust_env=False)
            assert answer.json() == {"order": "second"}
            program.stop()
        served = {
            span.attributes["url.path"]: span.resource["service.name"]
            for span in received.spans(sink)
            if span.kind == "SERVER"
        }
    assert served == {"/orders/first": "orders", "/orders/second": "orders"}
    assert install == "pip install './instrumentation[flask]'"


def test_what_the_first_line_installs_instruments_flask() -> None:
    project = tomllib.loads(
        (frameworks.ROOT / "instrumentation" / "pyproject.toml").read_text(encoding="utf-8")
    )["project"]
    extra = [Requirement(one).name for one in project["optional-dependencies"]["flask"]]
    assert "opentelemetry-instrumentation-flask" in extra
