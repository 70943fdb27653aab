"""Reads a page in a real browser without a window, as it is laid out and coloured there."""

import html
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

import pytest

TIMEOUT_S: Final = 120
_FLAGS: Final = (
    "--headless",
    "--no-sandbox",  # root in a container cannot make one, and the pages are ours
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# A page runs no script of its own, so it is read from outside, in a frame of the wanted width.
_OUTSIDE: Final = """<!doctype html><meta charset="utf-8">
<iframe id="page" style="width:{width}px;height:900px;border:0" srcdoc="{page}"></iframe>
<script>
addEventListener("load", () => {{
  const view = document.getElementById("page").contentWindow, page = view.document;
  const found = (() => {{ {look} }})();
  document.body.innerHTML = "";
  const out = document.createElement("pre");
  out.id = "found";
  out.textContent = JSON.stringify(found);
  document.body.append(out);
}});
</script>
"""
_FOUND: Final = re.compile(r'<pre id="found">(.*?)</pre>', re.DOTALL)


def look(page: str, script: str, *, width: int, dark: bool = False) -> Any:
    """Return what ``script``, the body of a function, finds in the page: ``page`` is its document,
    ``view`` its window. Skips the test where Chromium is not installed."""
    program = next(
        (one for name in ("chromium", "google-chrome") if (one := shutil.which(name))), None
    )
    if program is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "outside.html"
        file.write_text(
            _OUTSIDE.format(page=html.escape(page), look=script, width=width), encoding="utf-8"
        )
        # 0 is dark, 1 is light.
        theme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
        command = [program, *_FLAGS, theme, f"--user-data-dir={folder}/profile", "--dump-dom"]
        done = subprocess.run(
            [*command, file.as_uri()], capture_output=True, text=True, check=True, timeout=TIMEOUT_S
        )
    found = _FOUND.search(done.stdout)
    assert found, f"no answer from the page: {done.stdout[:500]} {done.stderr[-500:]}"
    return json.loads(html.unescape(found[1]))
