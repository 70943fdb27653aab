"""Measures what a picture shows."""

from dataclasses import dataclass
from pathlib import Path

import matplotlib.image
import numpy as np


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Size in pixels; share_drawn: of the pixels, those that are not of the most common colour."""

    width: int
    height: int
    share_drawn: float


def read(path: Path) -> Picture:
    """Read a PNG file."""
    pixels = (np.asarray(matplotlib.image.imread(path)) * 255).astype(np.uint32)
    height, width, _ = pixels.shape
    colours = pixels[:, :, 0] << 16 | pixels[:, :, 1] << 8 | pixels[:, :, 2]
    _, counts = np.unique(colours, return_counts=True)
    return Picture(
        width=width, height=height, share_drawn=1 - float(counts.max()) / (width * height)
    )
