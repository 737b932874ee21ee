"""Synthetic images: seeded, smooth, in the model's shape."""

import numpy as np
import pytest

from qonnx_tools.data import Layout, preprocessing, synthetic_images
from qonnx_tools.errors import DataError


def test_the_seed_fixes_the_images():
    first = synthetic_images((None, 3, 16, 16), 4, 7, None)
    np.testing.assert_array_equal(synthetic_images((None, 3, 16, 16), 4, 7, None), first)
    assert not np.array_equal(synthetic_images((None, 3, 16, 16), 4, 8, None), first)
    assert (first.dtype, first.shape) == (np.float32, (4, 3, 16, 16))


def test_without_preprocessing_each_image_is_about_standard_normal():
    images = synthetic_images(("N", 3, 32, 32), 50, 0, None)
    assert np.abs(images.mean(axis=(2, 3))).max() < 1e-5
    assert 0.8 < images.std() < 1.2
    assert 2 < np.abs(images).max() < 8


def test_the_power_falls_as_one_over_f_squared():
    images = synthetic_images((1, 1, 64, 64), 200, 0, None).astype(np.float64)
    power = (np.abs(np.fft.fft2(images[:, 0])) ** 2).mean(axis=0)
    slope = np.polyfit(np.log(np.arange(1, 20)), np.log(power[0, 1:20]), 1)[0]
    assert slope == pytest.approx(-2, abs=0.1)


def test_channels_are_correlated():
    images = synthetic_images((1, 3, 32, 32), 20, 0, None)
    correlation = np.corrcoef(images.transpose(1, 0, 2, 3).reshape(3, -1))
    assert np.all(correlation[np.triu_indices(3, 1)] > 0.8)


def test_with_preprocessing_they_are_pixels():
    pixels = synthetic_images((1, 3, 24, 24), 6, 0, preprocessing("raw"))
    np.testing.assert_array_equal(pixels, np.rint(pixels))
    assert pixels.min() >= 0
    assert pixels.max() <= 255
    assert 90 < pixels.mean() < 145
    channels_last = synthetic_images((1, 24, 24, 3), 6, 0, preprocessing("unit", layout="NHWC"))
    np.testing.assert_allclose(channels_last.transpose(0, 3, 1, 2), pixels / 255, rtol=1e-6)


def test_the_layout_is_seen_in_the_shape():
    assert synthetic_images((1, 8, 8, 3), 2, 0, None).shape == (2, 8, 8, 3)
    assert synthetic_images((1, 1, 1, 1), 2, 0, preprocessing(layout=Layout.NCHW)).shape == (2, 1, 1, 1)


def test_an_input_that_is_no_image_gets_normal_noise():
    assert synthetic_images((1, 40), 5, 0, None).shape == (5, 40)


@pytest.mark.parametrize("shape", [("N", 3, "H", "W"), ("N", 3, None, 4), ("N",)])
def test_a_free_dimension_is_refused(shape):
    with pytest.raises(DataError, match="synthetic images need every dimension but the first; give data"):
        synthetic_images(shape, 1, 0, None)


def test_preprocessing_for_other_channels_is_refused():
    with pytest.raises(DataError, match="mean has 3 values, the images have 1 channels"):
        synthetic_images((1, 1, 8, 8), 1, 0, preprocessing("cifar10"))
