"""The fitted format has the least squared error of all candidates, by an independent search."""

import numpy as np
import pytest

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.log import Log, LogRounding
from qonnx_tools.histogram import Histogram
from qonnx_tools.schemes._fit import (
    CHANNEL_SPREAD,
    _log_errors,
    fit_fixed,
    fit_fixed_channels,
    fit_log,
    fit_log_channels,
    sample,
    squared_error,
)

RANDOM = np.random.default_rng(5)
DISTRIBUTIONS = {
    "normal": RANDOM.normal(size=4000),
    "laplace": RANDOM.laplace(size=4000),
    "relu": np.maximum(RANDOM.normal(size=4000), 0),
    "one outlier": np.append(RANDOM.normal(size=4000), 100),
    "tiny": RANDOM.normal(size=4000) * 1e-6,
    "pixels": RANDOM.integers(0, 256, 4000),
    "a power of two": np.array([-4.0, 1.0, 4.0]),
}


def error(number_format, x):
    return float(np.sum((x.astype(np.float64) - number_format.quantize(x)) ** 2))


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_fraction_bits_of_least_error(name, bits):
    x = DISTRIBUTIONS[name].astype(np.float32)
    signed = bool(x.min() < 0)
    chosen = fit_fixed(sample(x), bits, signed=signed)
    errors = [error(FixedPoint(bits, frac, signed), x) for frac in range(-30, 60)]
    if name == "one outlier":  # the search stops a few bits beyond what avoids saturation
        assert error(chosen, x) <= min(errors) * 1.5
    else:
        assert error(chosen, x) == min(errors)


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("bits", [3, 4, 5])
def test_log_scale_beats_the_maximum(bits, steps):
    x = DISTRIBUTIONS["laplace"].astype(np.float32)
    chosen = fit_log(sample(x), bits, steps, signed=True)
    plain = Log(bits, float(np.abs(x).max()), steps)
    assert error(chosen, x) <= error(plain, x)
    shifted = [Log(bits, chosen.scale * 2.0**octaves, steps) for octaves in (-0.125, 0.125)]
    assert all(error(chosen, x) <= error(candidate, x) for candidate in shifted)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_each_channel_gets_what_it_would_get_alone(axis):
    spread = (10.0 ** RANDOM.integers(-2, 2, 3)).astype(np.float32)
    x = RANDOM.laplace(size=(3, 3, 3, 50)).astype(np.float32) * spread.reshape(
        [3 if i == axis else 1 for i in range(4)]
    )
    x[(slice(None),) * axis + (1,)] = 0
    alone = [np.ascontiguousarray(np.moveaxis(x, axis, 0)[channel]) for channel in range(3)]
    fixed, log = fit_fixed_channels(x, axis, 6), fit_log_channels(x, axis, 4, 1)
    for channel in (0, 2):
        assert fixed.frac[channel] == fit_fixed(sample(alone[channel]), 6, signed=True).frac
        assert log.scale[channel] == fit_log(sample(alone[channel]), 4, 1, signed=True).scale
    assert not any(chosen.quantize(x, axis=axis)[(slice(None),) * axis + (1,)].any() for chosen in (fixed, log))


@pytest.mark.parametrize("rounding", ["linear", "log"])
@pytest.mark.parametrize("steps", [1, 2])
def test_log_errors_from_one_sort_are_those_of_quantizing(steps, rounding):
    row = DISTRIBUTIONS["laplace"].astype(np.float32)
    scales = (np.abs(row).max() * 2.0 ** -np.linspace(-0.5, 3, 9)).astype(np.float32)
    expected = [
        np.sum((row.astype(np.float64) - Log(5, float(scale), steps).quantize(row, rounding)) ** 2) for scale in scales
    ]
    mode = LogRounding(rounding)
    np.testing.assert_allclose(_log_errors(row, scales, 5, steps, mode), expected, rtol=1e-9)


def test_channels_lie_at_most_some_octaves_apart():
    x = np.float32([[1.0], [1e-30], [0.0]])
    fixed, log = fit_fixed_channels(x, 0, 8), fit_log_channels(x, 0, 5, 1)
    assert max(fixed.frac) - min(fixed.frac) <= CHANNEL_SPREAD + 6
    assert max(log.scale) / min(log.scale) <= 2 ** (CHANNEL_SPREAD + 2)


def test_a_large_tensor_is_judged_by_its_histogram_alike():
    x = RANDOM.normal(size=1 << 18).astype(np.float32)
    points, counts = sample(x)
    assert points.size < x.size
    for candidate in (FixedPoint(8, 5), FixedPoint(4, 2), Log(5, 2.0)):
        assert squared_error(candidate, (points, counts)) == pytest.approx(error(candidate, x), rel=0.02)


def test_steps_finer_than_a_bin_are_not_free():
    """Points on the histogram's own grid would make every 16-bit format look exact."""
    x = RANDOM.normal(size=1 << 17).astype(np.float32)
    points = Histogram.of(x).occupied()
    for frac in (11, 12, 13):
        candidate = FixedPoint(16, frac)
        assert squared_error(candidate, points) == pytest.approx(error(candidate, x), rel=0.2)


@pytest.mark.parametrize("fit", [lambda s: fit_fixed(s, 8, signed=True), lambda s: fit_log(s, 5, 1, signed=True)])
def test_zeros_stay_zero(fit):
    zeros = np.zeros(5, np.float32)
    assert error(fit(sample(zeros)), zeros) == 0


def test_wide_log_formats_keep_their_magnitudes_normal():
    small = (RANDOM.normal(size=100) * 1e-5).astype(np.float32)
    assert isinstance(fit_log(sample(small), 8, 1, signed=True), Log)
