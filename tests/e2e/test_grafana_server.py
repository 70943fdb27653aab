"""Grafana itself, where its image can be had: data sources, panels, a picture of each dashboard."""

import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from glasshouse_cli import images
from glasshouse_cli.project import Project
from glasshouse_dashboards.__main__ import FOLDER
from glasshouse_dashboards.empty_states import EMPTY_REASONS
from glasshouse_dashboards.expand import (
    TimeRange,
    dashboards,
    expand,
    panels,
    query_of,
    variables,
)
from support import browser, pictures
from support.ports import free
from support.stack import PROJECT_NAME, Stack
from support.waiting import until

WINDOW_S = 900
SOURCES = ("prometheus", "loki", "tempo", "alertmanager")
WIDTH, HEIGHT = 1440, 1400
LEAST_DRAWN = 0.1  # of the picture; a page without panels has little but its background


@pytest.fixture(scope="module")
def grafana(project: Project, stack: Stack, demo: Any) -> Iterator[httpx.Client]:
    """A Grafana beside the stack with what is provisioned, and a client that is signed in."""
    image = images.resolve(checkout=project).get("GRAFANA_IMAGE")
    if image is None:
        missing = "Grafana's image can be neither found nor pulled here"
        # The job of the workflow that is for this must not pass by skipping it.
        assert os.environ.get("GLASSHOUSE_TESTS_GRAFANA") != "required", missing
        pytest.skip(missing)
    port = free(["GRAFANA_PORT"])["GRAFANA_PORT"]
    name, password = f"{PROJECT_NAME}-grafana-test", uuid.uuid4().hex
    folder = project.root / "grafana"
    command = ["docker", "run", "--detach", "--rm", "--name", name]
    command += ["--network", f"{PROJECT_NAME}_published", "--publish", f"127.0.0.1:{port}:3000"]
    command += ["--env", f"GF_SECURITY_ADMIN_PASSWORD={password}"]
    for part in ("provisioning", "dashboards"):
        command += ["--volume", f"{folder / part}:/etc/grafana/{part}:ro"]
    subprocess.run([*command, image], check=True, timeout=240, stdout=subprocess.DEVNULL)
    backends = ["docker", "network", "connect", f"{PROJECT_NAME}_backends", name]
    subprocess.run(backends, check=True, timeout=240)
    try:
        base = f"http://127.0.0.1:{port}"
        with httpx.Client(
            base_url=base, auth=("admin", password), timeout=240, trust_env=False
        ) as client:

            def probe() -> tuple[bool | None, object]:
                try:
                    answer = client.get("/api/health")
                except httpx.TransportError as error:
                    return None, error
                return (answer.is_success or None), answer.text

            until(probe, what="Grafana answers")
            yield client
    finally:
        subprocess.run(["docker", "rm", "--force", name], check=True, stdout=subprocess.DEVNULL)


def test_nobody_is_let_in_without_a_password(grafana: httpx.Client) -> None:
    assert grafana.get("/api/org", auth=("", "")).status_code == httpx.codes.UNAUTHORIZED


@pytest.mark.parametrize("uid", SOURCES)
def test_a_data_source_is_healthy(grafana: httpx.Client, uid: str) -> None:
    source = grafana.get(f"/api/datasources/uid/{uid}").raise_for_status().json()
    assert source["readOnly"] is True
    if uid != "alertmanager":  # it has no health check of that kind
        assert grafana.get(f"/api/datasources/uid/{uid}/health").json()["status"] == "OK"


@pytest.mark.parametrize("dashboard", dashboards(FOLDER), ids=lambda dashboard: dashboard["uid"])
def test_grafana_answers_every_panel(
    grafana: httpx.Client, demo: Any, dashboard: dict[str, Any]
) -> None:
    meta = grafana.get(f"/api/dashboards/uid/{dashboard['uid']}").raise_for_status().json()["meta"]
    assert meta["provisioned"] is True
    now = time.time()
    time_range = TimeRange(start=min(now - WINDOW_S, demo.began), end=now)
    values = variables(dashboard)
    empty: list[str] = []
    for panel in panels(dashboard):
        queries = [
            {
                **target,
                "expr" if "expr" in target else "query": expand(
                    query_of(target), values, time_range
                ),
                "datasource": panel["datasource"],
                "intervalMs": 15_000,
                "maxDataPoints": 500,
            }
            for target in panel["targets"]
        ]
        asked = {"queries": queries, "from": f"now-{time_range.seconds}s", "to": "now"}
        answer = grafana.post("/api/ds/query", json=asked)
        assert answer.is_success, f"{panel['title']}: {answer.text}"
        frames = [frame for one in answer.json()["results"].values() for frame in one["frames"]]
        if not any(frame["data"]["values"] for frame in frames):
            empty.append(panel["title"])
    assert {(dashboard["uid"], title) for title in empty} <= set(EMPTY_REASONS)


@pytest.mark.parametrize("uid", [dashboard["uid"] for dashboard in dashboards(FOLDER)])
def test_a_browser_draws_a_dashboard(grafana: httpx.Client, uid: str, tmp_path: Path) -> None:
    program = browser.program()
    picture = tmp_path / f"{uid}.png"
    auth = grafana.auth
    assert isinstance(auth, httpx.BasicAuth)
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]
    flags += [f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={WIDTH},{HEIGHT}"]
    header = auth._auth_header  # pyright: ignore[reportPrivateUsage]
    site = str(grafana.base_url).replace("://", f"://{_credentials(header)}@")
    subprocess.run(
        [program, *flags, "--virtual-time-budget=15000", f"--screenshot={picture}",
         f"{site}/d/{uid}?kiosk"],
        check=True, timeout=240, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    drawn = pictures.read(picture)
    assert (drawn.width, drawn.height) == (WIDTH, HEIGHT)
    assert drawn.share_drawn > LEAST_DRAWN


def _credentials(header: str) -> str:
    import base64

    return base64.b64decode(header.removeprefix("Basic ")).decode()
