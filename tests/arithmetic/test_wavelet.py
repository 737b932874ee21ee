"""Integer wavelets are lossless at every size, and their bands are what the formulas say."""

import itertools

import numpy as np
import pytest

from qonnx_tools.arithmetic.orthonormal_wavelet import FILTERS, orthonormal_forward, orthonormal_inverse
from qonnx_tools.arithmetic.subband_quantization import (
    NORM_UNIT,
    NORMS,
    STEP_UNIT,
    band_step,
    dequantize_coefficients,
    dequantize_values,
    quantize_coefficients,
    quantize_values,
    sixteenths,
)
from qonnx_tools.arithmetic.wavelet import Wavelet, forward, inverse, split, subband_shape, subbands
from qonnx_tools.errors import ConfigError


@pytest.mark.parametrize("wavelet", Wavelet)
@pytest.mark.parametrize("levels", [1, 2, 3])
def test_every_size_comes_back(wavelet, levels, random):
    for height, width in itertools.product(range(1, 12), repeat=2):
        x = random.integers(-(2**31), 2**31, (2, height, width))
        bands = forward(x, wavelet, levels)
        assert list(bands) == list(subbands(levels))
        assert {band: plane.shape[1:] for band, plane in bands.items()} == {
            band: subband_shape(band, height, width) for band in bands
        }
        assert sum(plane.size for plane in bands.values()) == x.size
        np.testing.assert_array_equal(inverse(bands, wavelet), x)


def test_5_3_by_the_formulas():
    x = [10, 13, 25, 26, 29, 21]
    low, high = split(np.array(x), Wavelet.WAVELET53, axis=0)
    d = [13 - (10 + 25) // 2, 26 - (25 + 29) // 2, 21 - (29 + 29) // 2]
    assert high.tolist() == d
    assert low.tolist() == [10 + (d[0] + d[0] + 2) // 4, 25 + (d[0] + d[1] + 2) // 4, 29 + (d[1] + d[2] + 2) // 4]


def test_5_3_of_an_odd_length():
    x = [7, -3, 4]
    low, high = split(np.array(x), Wavelet.WAVELET53, axis=0)
    d = -3 - (7 + 4) // 2
    assert (low.tolist(), high.tolist()) == ([7 + (2 * d + 2) // 4, 4 + (2 * d + 2) // 4], [d])


def test_haar_by_the_formulas():
    low, high = split(np.array([5, 2, -7, 0, 9]), Wavelet.HAAR, axis=0)
    assert (low.tolist(), high.tolist()) == ([5 + (-3) // 2, -7 + 7 // 2, 9], [-3, 7])


def test_rows_are_split_before_columns():
    bands = forward([[0, 1, 0, 1], [0, 1, 0, 1]], Wavelet.HAAR, 1)
    assert bands["HL", 1].tolist() == [[1, 1]]
    assert not bands["LH", 1].any()


@pytest.mark.parametrize("levels", [0, 4])
def test_levels_out_of_range_are_refused(levels):
    with pytest.raises(ConfigError, match=f"levels is {levels}; a wavelet has 1 to 3"):
        forward(np.zeros((4, 4)), Wavelet.HAAR, levels)


@pytest.mark.parametrize("wavelet", Wavelet)
def test_norms_are_those_of_the_synthesis(wavelet):
    """The map of one large coefficient, divided by it: rounding then hardly counts."""
    size, large = 64, 1 << 40
    for band in subbands(3):
        bands = forward(np.zeros((size, size), np.int64), wavelet, 3)
        middle = tuple(side // 2 for side in bands[band].shape)
        bands[band][middle] = large
        norm = np.sqrt(np.sum((inverse(bands, wavelet) / large) ** 2))
        assert norm == pytest.approx(NORMS[wavelet][band[0]][band[1] - 1] / NORM_UNIT, rel=2e-3)


def test_steps_are_multiples_of_a_sixteenth():
    assert [sixteenths(step) for step in (1, 1.0625, 2.5, 65536)] == [16, 17, 40, 1 << 20]
    for step in (0.5, 1.01, 65537, float("nan"), float("inf"), -1):
        with pytest.raises(ConfigError, match=r"it must be a multiple of 1/16 in 1\.\.65536 LSB"):
            sixteenths(step)


def test_step_1_is_lossless_and_others_err_by_half():
    values = np.arange(-3000, 3000)
    np.testing.assert_array_equal(dequantize_values(quantize_values(values, STEP_UNIT), STEP_UNIT), values)
    for step in (17, 40, 99, 16 * 255):
        back = dequantize_values(quantize_values(values, step), step)
        assert np.abs(back - values).max() <= step / STEP_UNIT / 2 + 0.5
        np.testing.assert_array_equal(quantize_values(back, step), quantize_values(values, step))
    for step in (1, 2, 7, 1000):
        back = dequantize_coefficients(quantize_coefficients(values, step), step)
        assert np.abs(back - values).max() <= step / 2


def test_ties_are_rounded_away_from_zero():
    assert quantize_values([-3, -1, 1, 3], 2 * STEP_UNIT).tolist() == [-2, -1, 1, 2]
    assert quantize_coefficients([-3, -1, 1, 3], 2).tolist() == [-2, -1, 1, 2]


def test_band_steps():
    for wavelet in Wavelet:
        assert {band_step(STEP_UNIT, wavelet, band) for band in subbands(3)} == {1}
    assert band_step(8 * STEP_UNIT, Wavelet.WAVELET53, ("LL", 3)) == round(8 / 5.375)
    assert band_step(8 * STEP_UNIT, Wavelet.WAVELET53, ("HH", 1)) == round(8 / 0.7186)
    assert band_step(2 * STEP_UNIT, Wavelet.HAAR, ("LL", 3)) == 1
    assert band_step(3 * STEP_UNIT, Wavelet.HAAR, ("HL", 2)) == 2  # a tie


@pytest.mark.parametrize("wavelet", FILTERS)
def test_orthonormal_wavelets_keep_energy_and_come_back(wavelet, random):
    for height, width in ((32, 32), (8, 24), (7, 9), (1, 5)):
        x = random.normal(size=(3, height, width))
        bands = orthonormal_forward(x, wavelet, 3)
        back = orthonormal_inverse(bands, wavelet, height, width)
        np.testing.assert_allclose(back, x, atol=1e-12)
        if height % 8 == width % 8 == 0:
            energy = sum(np.sum(band**2) for band in bands.values())
            assert energy == pytest.approx(np.sum(x**2), rel=1e-12)


def test_db2_does_not_see_ramps():
    ramp = np.arange(32.0)[None].repeat(32, axis=0)
    high = orthonormal_forward(ramp, "db2", 1)["HL", 1]
    np.testing.assert_allclose(high[:, :-1], 0, atol=1e-12)
    assert np.abs(high[:, -1]).min() > 1  # periodised: the ramp falls back at its end


def test_unknown_orthonormal_wavelets_are_refused():
    with pytest.raises(ConfigError, match="wavelet 'db3' is unknown; choose one of haar, db2"):
        orthonormal_forward(np.zeros((4, 4)), "db3", 1)
