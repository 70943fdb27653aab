"""Reads a page in a real browser without a window, as it is laid out and coloured there."""

import html
import json
import shutil
import subprocess
import tempfile
import threading
from typing import Any, Final

import pytest

from glasshouse_cli.preview import FLAGS
from support.http_server import Handler, serving

TIMEOUT_S: Final = 240
# Pages may run no script but their own: each is read from outside, in a frame of the wanted size.
# The image is loaded when the answer is there, so that the browser does not end before.
_OUTSIDE: Final = """<!doctype html><meta charset="utf-8"><body style="margin:0">
<iframe id="page" style="width:{width}px;height:{height}px;border:0" srcdoc="{page}"></iframe>
<img src="/wait">
<script>
document.getElementById("page").addEventListener("load", () => {{
  const view = document.getElementById("page").contentWindow, page = view.document;
  const look = () => {{
    const found = (() => {{ {look} }})();
    if (found === undefined) return setTimeout(look, 100);
    fetch("/found", {{ method: "POST", body: JSON.stringify(found) }});
  }};
  look();
}});
</script>
"""


def program() -> str:
    """Return the path of a browser. Skips the test where Chromium is not installed."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    return found


def look(page: str, script: str, *, width: int, height: int = 900, dark: bool = False) -> Any:
    """Return what ``script``, the body of a function, finds in the page.

    ``page`` is its document and ``view`` its window there. While it returns nothing it is called
    again. Skips the test where Chromium is not installed.
    """
    path = program()
    outside = _OUTSIDE.format(page=html.escape(page), look=script, width=width, height=height)
    answered = threading.Event()
    answers: list[bytes] = []

    class Pages(Handler):
        protocol_version = "HTTP/1.0"  # the browser ends without closing its connections

        def do_GET(self) -> None:
            if self.path == "/wait":
                answered.wait(TIMEOUT_S)
            self.answer(
                b"" if self.path == "/wait" else outside.encode(),
                headers={"Content-Type": "text/html; charset=utf-8"},
            )

        def do_POST(self) -> None:
            answers.append(self.body())
            self.answer()
            answered.set()

    with tempfile.TemporaryDirectory() as profile, serving(Pages) as url:
        command = [
            path,
            *FLAGS,
            "--dump-dom",  # and end, once all is loaded
            f"--blink-settings=preferredColorScheme={0 if dark else 1}",  # 0 is dark, 1 is light
            f"--user-data-dir={profile}",
            f"--window-size={max(width, 500)},{height}",
            url,
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S + 30)
    assert answers, f"the page did not answer in {TIMEOUT_S} s: {done.stderr[-500:]}"
    return json.loads(answers[0])
