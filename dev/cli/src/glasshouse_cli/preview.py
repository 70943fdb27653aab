"""The dashboards as one static page, and as pictures, for where there is no Grafana."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

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
_FLAGS: Final = (
    "--headless",
    "--no-sandbox",  # root in a container cannot make one, and the page is ours
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


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
        _photograph(out.resolve(), pictures, terminal)


def _photograph(page: Path, folder: Path, terminal: Terminal) -> None:
    browser = next((found for name in _BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise StackError(f"pictures need Chromium: {host.how_to_install('chromium')}")
    folder.mkdir(parents=True, exist_ok=True)
    for uid, theme, height in _PICTURES:
        picture = folder.resolve() / f"{uid}.png"
        with tempfile.TemporaryDirectory() as profile:
            subprocess.run(  # noqa: S603 - a fixed command
                [
                    browser,
                    *_FLAGS,
                    f"--user-data-dir={profile}",
                    f"--window-size={_WIDTH},{height}",
                    f"--screenshot={picture}",
                    f"{page.as_uri()}?only={uid}&theme={theme}",
                ],
                check=True,
                timeout=_BROWSER_TIMEOUT_S,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        terminal.say(f"{folder / picture.name}: {picture.stat().st_size / 1000:.0f} kB")
