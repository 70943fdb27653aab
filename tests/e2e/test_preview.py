"""`glasshouse preview`: one page of all dashboards, with data, that needs no network."""

import html
import math
import re
import time
from pathlib import Path
from typing import Any

from glasshouse_dashboards.__main__ import FOLDER
from glasshouse_dashboards.expand import dashboards, panels
from glasshouse_dashboards.preview import Backends, write
from support.stack import Stack

MOST_BYTES = 4_000_000


def test_the_page_shows_every_panel_and_asks_nobody(
    stack: Stack, demo: Any, tmp_path: Path
) -> None:
    page = tmp_path / "preview.html"
    backends = Backends(
        prometheus=stack.url("prometheus"), loki=stack.url("loki"), tempo=stack.url("tempo")
    )
    # The demo is in it, however long it is ago.
    minutes = max(15, math.ceil((time.time() - demo.began) / 60))
    write(FOLDER, page, backends, minutes=minutes)
    text = page.read_text(encoding="utf-8")
    boards = dashboards(FOLDER)
    for board in boards:
        assert f'<section id="{board["uid"]}">' in text
        for panel in panels(board):
            assert f"<h3>{html.escape(panel['title'])}</h3>" in text
    graphs = [panel for board in boards for panel in panels(board) if panel["type"] == "timeseries"]
    # Most have a line to draw after some seconds of traffic.
    assert text.count("&quot;type&quot;:&quot;timeseries&quot;") > len(graphs) / 2
    # Nothing is loaded from anywhere: there is no address in what is sent and shown, and in the
    # scripts, which are Grafana's, the page's policy allows none.
    shown = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"https?://", shown)
    assert not re.search(r"<(link|img|iframe)\b|\bsrc=|@import|url\(", shown)
    assert "default-src &#x27;none&#x27;" in shown
    assert page.stat().st_size < MOST_BYTES
