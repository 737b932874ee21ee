"""Seeded images with the statistics of photographs in the roughest sense, for calibration without data."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from qonnx_tools.data.preprocessing import Layout, Preprocessing
from qonnx_tools.errors import DataError

SHARED = 0.9
"""Correlation between the channels of an image; of photographs it is about this much."""
MEAN_PIXEL, PIXEL_SPREAD = 118.0, 62.0
"""Mean and standard deviation of the pixels before they are cut to 0..255; ImageNet's are about these."""


def synthetic_images(
    input_shape: Sequence[int | str | None], count: int, seed: int, preprocessing: Preprocessing | None
) -> npt.NDArray[np.float32]:
    """Return ``count`` images of pink noise (amplitude 1/f, random phase) in the shape of the model's input.

    With ``preprocessing`` they are pixels, uint8, normalized as real ones would be. Without it each channel of an
    image has mean 0 and standard deviation 1, as most preprocessing gives. An input that is no image gets plain
    normal noise.

    Args:
        input_shape: ``[batch, ...]``; every dimension but the first must be a number.
        count: how many images.
        seed: of the random numbers; the same seed gives the same images.
        preprocessing: of 8-bit pixels, or None.

    Raises:
        DataError: a dimension has no length, or the channels do not fit the preprocessing.
    """
    sizes = [size for size in input_shape[1:] if isinstance(size, int)]
    if len(sizes) < len(input_shape) - 1 or not sizes:
        shown = ", ".join(str(size) for size in input_shape)
        raise DataError(
            f"the model's input is [{shown}]: synthetic images need every dimension but the first; give data"
        )
    random = np.random.default_rng(seed)
    if len(sizes) != 3:
        return random.standard_normal((count, *sizes)).astype(np.float32)
    if preprocessing is not None:
        layout = preprocessing.layout
    else:
        layout = Layout.NHWC if sizes[2] in {1, 3} and sizes[0] not in {1, 3} else Layout.NCHW
    height, width, channels = sizes if layout is Layout.NHWC else (*sizes[1:], sizes[0])
    shared = _pink((count, 1, height, width), random)
    own = _pink((count, channels, height, width), random)
    images = np.sqrt(SHARED) * shared + np.sqrt(1 - SHARED) * own
    if preprocessing is None:
        return np.ascontiguousarray(images if layout is Layout.NCHW else images.transpose(0, 2, 3, 1), np.float32)
    pixels = np.clip(np.rint(MEAN_PIXEL + PIXEL_SPREAD * images), 0, 255).astype(np.uint8)
    return preprocessing.normalize(pixels.transpose(0, 2, 3, 1))


def _pink(shape: tuple[int, int, int, int], random: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return noise ``[N, C, H, W]`` whose amplitude falls as 1/f, each plane of mean 0 and standard deviation 1."""
    height, width = shape[2:]
    white = random.standard_normal(shape)
    if height * width == 1:
        return white
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    frequency[0, 0] = np.inf  # no mean
    noise: npt.NDArray[np.float64] = np.fft.irfft2(np.fft.rfft2(white) / frequency, s=(height, width))
    noise /= noise.std(axis=(2, 3), keepdims=True)
    return noise
