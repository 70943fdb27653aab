"""Pictures of the preview are taken once its panels are drawn."""

from pathlib import Path

import pytest

from glasshouse_cli import preview
from glasshouse_cli.console import Terminal
from glasshouse_cli.errors import StackError
from support import browser, pictures


@pytest.fixture(autouse=True)
def _needs_browser() -> None:  # pyright: ignore[reportUnusedFunction]
    browser.program()


# A page whose only panel is drawn late, if ever.
PAGE = """<!doctype html>
<article class="stat"><div class="drawn" style="width:1440px;height:890px"></div></article>
<script>
setTimeout(() => {
  if (%s) document.querySelector("div").innerHTML =
    '<div style="width:600px;height:800px;background:#555"></div>';
}, 1000);
</script>
"""


def test_a_picture_shows_what_is_drawn_after_the_page_is_loaded(tmp_path: Path) -> None:
    page = tmp_path / "preview.html"
    page.write_text(PAGE % "true", encoding="utf-8")
    preview.take_pictures(page, tmp_path / "pictures", Terminal())
    for name in ("start", "payments"):
        picture = pictures.read(tmp_path / "pictures" / f"{name}.png")
        assert (picture.width, picture.height) == (1440, 890)
        assert picture.share_drawn > 0.3


def test_a_page_that_draws_nothing_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "DRAWING_TIMEOUT_S", 3)
    page = tmp_path / "preview.html"
    page.write_text(PAGE % "false", encoding="utf-8")
    with pytest.raises(StackError, match=f"did not draw start in 3 s: open {page} in one"):
        preview.take_pictures(page, tmp_path / "pictures", Terminal())
