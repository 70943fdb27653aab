"""The dashboards as one static page, and as pictures, for where there is no Grafana."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx

from glasshouse_cli import host
from glasshouse_cli.console import Terminal
from glasshouse_cli.errors import StackError
from glasshouse_cli.operator import Operator
from glasshouse_cli.project import Project

# Dashboard, theme, and height in pixels: the README shows these two.
_PICTURES: Final = (("start", "light", 890), ("payments", "dark", 890))
_WIDTH: Final = 1440
_BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
_BROWSER_TIMEOUT_S: Final = 60
# Tests that read a page start the browser in the same way.
FLAGS: Final = (
    "--headless",
    "--no-sandbox",  # root in a container cannot make one, and the pages are ours
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DRAWING_TIMEOUT_S: Final = 60
# Its image is loaded when every panel in sight is drawn: a graph has a canvas, others something.
_FRAME: Final = """<!doctype html><meta charset="utf-8">
<style>
html, body, iframe { margin: 0; border: 0; width: 100%; height: 100%; display: block }
</style>
<iframe></iframe><img src="/wait" hidden>
<script>
const frame = document.querySelector("iframe");
frame.src = "/page" + location.search;
const drawn = (one) =>
  one.querySelector(one.closest("article").matches(".timeseries") ? "canvas" : "*");
const look = () => {
  const shown = [...frame.contentDocument.querySelectorAll(".drawn")].filter(
    (one) => one.clientHeight && one.getBoundingClientRect().top < innerHeight);
  if (shown.length && shown.every(drawn)) requestAnimationFrame(() => fetch("/drawn"));
  else setTimeout(look, 50);
};
frame.onload = look;
</script>
"""


def preview(
    checkout: Project, terminal: Terminal, *, out: Path, minutes: int, pictures: Path | None
) -> None:
    """Write the page, and pictures where a folder for them is given.

    Raises StackError when the stack does not answer, or what draws is not installed.
    """
    try:
        from glasshouse_dashboards.preview import Backends, write
    except ImportError as error:
        raise StackError(f"{error.name} is missing: `make venv` installs it") from error
    backends = Backends(
        prometheus=checkout.url("PROMETHEUS_PORT"),
        loki=checkout.url("LOKI_PORT"),
        tempo=checkout.url("TEMPO_PORT"),
        auth=Operator(checkout),
    )
    try:
        with terminal.step("drawing the dashboards"):
            empty = write(checkout.root / "grafana" / "dashboards", out, backends, minutes=minutes)
    except httpx.HTTPError as error:
        raise StackError(f"the stack does not answer ({error}): `make up` starts it") from error
    terminal.say(f"{out}: {len(empty)} dashboards, {sum(empty.values())} panels without data")
    if pictures is not None:
        take_pictures(out.resolve(), pictures, terminal)


def take_pictures(page: Path, folder: Path, terminal: Terminal) -> None:
    """Write a picture of two dashboards of the page into ``folder``.

    Raises StackError without Chromium, and where the page does not draw its panels.
    """
    browser = next((found for name in _BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise StackError(f"pictures need Chromium: {host.how_to_install('chromium')}")
    folder.mkdir(parents=True, exist_ok=True)
    for uid, theme, height in _PICTURES:
        picture = folder.resolve() / f"{uid}.png"
        with tempfile.TemporaryDirectory() as profile, _served(page) as (url, drawn):
            subprocess.run(  # noqa: S603 - a fixed command
                [
                    browser,
                    *FLAGS,
                    "--hide-scrollbars",
                    f"--user-data-dir={profile}",
                    f"--window-size={_WIDTH},{height}",
                    f"--screenshot={picture}",
                    f"{url}/?only={uid}&theme={theme}",
                ],
                check=True,
                timeout=DRAWING_TIMEOUT_S + _BROWSER_TIMEOUT_S,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            if not drawn.is_set():
                raise StackError(
                    f"the browser did not draw {uid} in {DRAWING_TIMEOUT_S} s: "
                    f"open {page} in one and read its console"
                )
        terminal.say(f"{folder / picture.name}: {picture.stat().st_size / 1000:.0f} kB")


@contextlib.contextmanager
def _served(page: Path) -> Iterator[tuple[str, threading.Event]]:
    """Serve the page in a frame that is loaded once its panels are drawn.

    A browser takes its picture when all is loaded; the panels are drawn after that.
    """
    drawn = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            if path == "/drawn":
                drawn.set()
            elif path == "/wait":
                drawn.wait(DRAWING_TIMEOUT_S)
            bodies = {"/": _FRAME.encode(), "/page": page.read_bytes()}
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(bodies.get(path, b""))

        def log_message(self, format: str, *args: object) -> None:
            """Write nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", drawn
        finally:
            drawn.set()
            server.shutdown()
