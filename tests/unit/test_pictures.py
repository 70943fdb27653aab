"""The pictures of the documentation show something; an empty page does not."""

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from support import pictures
from support.deployed import ROOT

PICTURES = sorted((ROOT / "docs" / "pictures").glob("*.png"))


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_a_picture_of_a_dashboard_is_full_of_panels(path: Path) -> None:
    picture = pictures.read(path)
    assert picture.width >= 1280
    assert picture.height >= 720
    assert picture.share_drawn > 0.2


def test_an_empty_page_shows_next_to_nothing(tmp_path: Path) -> None:
    page = np.ones((700, 1440, 3))
    page[:40, :, :] = 0  # a bar at its top
    matplotlib.image.imsave(tmp_path / "empty.png", page)
    picture = pictures.read(tmp_path / "empty.png")
    assert (picture.width, picture.height) == (1440, 700)
    assert picture.share_drawn == pytest.approx(40 / 700, abs=1e-6)
