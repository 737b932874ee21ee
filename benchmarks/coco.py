"""COCO images for a detector of 416x416 inputs: RGB pixels, the longer side scaled to 416, grey 114 below or beside.

Loaders for ``--data coco:calibration`` and ``--data coco:test``: two halves of the 128 images.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from measuring import asset
from PIL import Image

SIDE, GREY = 416, 114
FOLDER = ("data", "coco_val128")


def calibration() -> Iterator[npt.NDArray[np.uint8]]:
    """Yield the images with even positions, [1, 416, 416, 3] each."""
    return _letterboxed(0)


def test() -> Iterator[npt.NDArray[np.uint8]]:
    """Yield the images with odd positions."""
    return _letterboxed(1)


def _letterboxed(first: int) -> Iterator[npt.NDArray[np.uint8]]:
    for file in sorted(asset(*FOLDER).rglob("*.jpg"))[first::2]:
        with Image.open(file) as image:
            scale = SIDE / max(image.size)
            size = (round(image.width * scale), round(image.height * scale))
            pixels = np.asarray(image.convert("RGB").resize(size, Image.Resampling.BILINEAR))
        canvas = np.full((SIDE, SIDE, 3), GREY, np.uint8)
        canvas[: size[1], : size[0]] = pixels
        yield canvas[None]
