"""Log against exact fractions: every code of every format, every threshold and the numbers beside it."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qonnx_tools.arithmetic.log import SQRT_HALF, Log, LogRounding
from qonnx_tools.errors import ConfigError

MODES = list(LogRounding)
FORMATS = [
    (bits, signed, steps)
    for signed in (True, False)
    for bits in range(2 if signed else 1, 9)
    for steps in (1, 2)
    if (bits, signed, steps) != (8, False, 1)  # 255 octaves are more than float32 has
]
SCALES = (1.0, 0.75, 0.0371, 1e30)


def up_to(scale: float, fmt_bits: tuple) -> float:
    """``scale``, or a power of two times it where the magnitudes would fall below 2**-126."""
    bits, signed, steps = fmt_bits
    octaves = (2 ** (bits - signed) - 2) // steps
    return scale if math.log2(scale) - octaves > -124 else math.ldexp(math.frexp(scale)[0], octaves - 123)


def exact_magnitudes(scale: float, bits: int, signed: bool, steps: int, more: int = 0) -> list[Fraction]:
    """Largest first. The ones between octaves start from the float32 product of scale and 1/sqrt 2."""
    first = Fraction(float(np.float32(scale)))
    second = Fraction(float(np.float32(float(first) * float(SQRT_HALF))))
    count = 2 ** (bits - signed) - 1 + more
    return [(first, second)[k % steps] / 2 ** (k // steps) for k in range(count)]


def exact_code(x: float, levels: list[Fraction], next_level: Fraction, signed: bool, mode: str) -> int:
    """The oracle: the nearest number of the format, by difference or by ratio, ties to the larger magnitude."""
    if math.isnan(x) or (x < 0 and not signed):
        return 0
    size = abs(Fraction(x)) if math.isfinite(x) else levels[0] * 2
    sign, count = (-1 if x < 0 else 1), len(levels)
    if mode == "linear":
        distances = [abs(size - level) for level in levels] + [size]
        best = distances.index(min(distances))
    else:
        best = next(
            (k for k, (a, b) in enumerate(zip(levels, [*levels[1:], next_level], strict=True)) if size**2 >= a * b),
            count,
        )
    return sign * (count - best)


def beside(exact_threshold: float) -> list[np.float32]:
    """The float32 numbers around a threshold, both signs."""
    x = np.float32(exact_threshold)
    row = [x, np.nextafter(x, np.float32(0)), np.nextafter(x, np.float32(np.inf))]
    return [*row, *(-value for value in row)]


def test_sqrt_half_is_the_nearest_float32():
    neighbours = [np.nextafter(SQRT_HALF, np.float32(0)), SQRT_HALF, np.nextafter(SQRT_HALF, np.float32(1))]
    assert min(neighbours, key=lambda value: abs(float(value) - math.sqrt(0.5))) == SQRT_HALF


@pytest.mark.parametrize(("bits", "signed", "steps"), FORMATS)
def test_every_code(bits, signed, steps):
    for wish in SCALES:
        scale = up_to(wish, (bits, signed, steps))
        fmt = Log(bits, scale, steps, signed)
        levels = exact_magnitudes(scale, bits, signed, steps)
        low, high = fmt.code_range
        assert (low, high) == ((-len(levels) if signed else 0), len(levels))
        codes = np.arange(low, high + 1)
        values = fmt.decode(codes)
        assert values.dtype == np.float32
        by_code = [Fraction(0), *reversed(levels)]
        assert [Fraction(float(value)) for value in values] == [
            math.copysign(1, code) * by_code[abs(code)] for code in codes.tolist()
        ]
        assert np.all(np.diff(values) > 0)
        for mode in MODES:
            encoded = fmt.encode(values, mode)
            assert encoded.dtype == fmt.carrier
            assert encoded.tolist() == codes.tolist()
            np.testing.assert_array_equal(fmt.quantize(values, mode).view(np.int32), values.view(np.int32))


@pytest.mark.parametrize(("bits", "signed", "steps"), FORMATS)
@pytest.mark.parametrize("mode", MODES)
def test_thresholds(bits, signed, steps, mode):
    scale = up_to(0.0371 if bits % 2 else 1.0, (bits, signed, steps))
    levels = exact_magnitudes(scale, bits, signed, steps)
    next_level = exact_magnitudes(scale, bits, signed, steps, 1)[-1]
    pairs = list(zip(levels, [*levels[1:], Fraction(0) if mode == "linear" else next_level], strict=True))
    chosen = pairs if len(pairs) <= 31 else pairs[:8] + pairs[8:-8:9] + pairs[-8:]
    middles = [float((a + b) / 2) if mode == "linear" else math.sqrt(a * b) for a, b in chosen]
    extremes = [0.0, -0.0, math.nan, math.inf, -math.inf, 1e-45, -1e-45, 3e38, -3e38, scale * 1.001]
    x = np.array([*(value for middle in middles for value in beside(middle)), *extremes], np.float32)
    fmt = Log(bits, scale, steps, signed)
    expected = [exact_code(float(value), levels, next_level, signed, mode) for value in x]
    assert fmt.encode(x, mode).tolist() == expected
    found = fmt.quantize(x, mode)
    nan = np.isnan(x)
    np.testing.assert_array_equal(np.isnan(found), nan)
    assert not np.signbit(found[(found == 0) & ~nan]).any()
    np.testing.assert_array_equal(found[~nan], fmt.decode(np.array(expected))[~nan])


def test_a_threshold_belongs_to_the_larger_magnitude():
    assert Log(3, 1.0).quantize([0.75, 0.375, 0.125]).tolist() == [1.0, 0.5, 0.25]
    assert Log(3, 4.0).quantize([2 * math.sqrt(2)], "log").tolist() == [2.0]  # that float32 is just below
    assert Log(3, 1.0, signed=True).quantize([-0.75, -0.125]).tolist() == [-1.0, -0.25]


@settings(deadline=None, max_examples=300)
@given(
    st.floats(width=32, allow_nan=False),
    st.sampled_from([fmt for fmt in FORMATS if fmt[0] <= 6]),
    st.floats(2.0**-60, 2.0**60, width=32),
    st.sampled_from(MODES),
)
def test_any_float(x, fields, scale, mode):
    bits, signed, steps = fields
    fmt = Log(bits, scale, steps, signed)
    levels = exact_magnitudes(scale, bits, signed, steps)
    next_level = exact_magnitudes(scale, bits, signed, steps, 1)[-1]
    for value in (x, math.copysign(scale, x) * (abs(x) % 1 if math.isfinite(x) else 1)):
        single = np.float32(value)
        assert int(fmt.encode(single, mode)) == exact_code(float(single), levels, next_level, signed, mode)


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("mode", MODES)
def test_per_channel_is_each_channel_alone(axis, mode):
    scales = (0.3, 1.0, 5.5)
    x = np.moveaxis(np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32), 0, axis)
    fmt = Log(4, scales, 2)
    assert fmt.channels == 3
    for method in ("encode", "quantize"):
        together = getattr(fmt, method)(x, mode, axis)
        for channel, scale in enumerate(scales):
            alone = getattr(Log(4, scale, 2), method)(np.take(x, channel, axis), mode)
            np.testing.assert_array_equal(np.take(together, channel, axis), alone)
    np.testing.assert_array_equal(fmt.decode(fmt.encode(x, mode, axis), axis), fmt.quantize(x, mode, axis))


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"bits": 9, "scale": 1.0}, "bits is 9"),
        ({"bits": 1, "scale": 1.0}, "bits is 1"),
        ({"bits": 0, "scale": 1.0, "signed": False}, "bits is 0"),
        ({"bits": 5, "scale": 1.0, "steps": 3}, "steps is 3"),
        ({"bits": 5, "scale": 0.0}, "scale is 0"),
        ({"bits": 5, "scale": -1.0}, "scale is -1"),
        ({"bits": 5, "scale": math.nan}, "scale is nan"),
        ({"bits": 5, "scale": (1.0, math.inf)}, "scale is inf"),
        ({"bits": 5, "scale": ()}, "scale is empty"),
        ({"bits": 8, "scale": 0.9}, "reaches below"),
        ({"bits": 8, "scale": 1.0, "signed": False}, "reaches below"),
    ],
)
def test_bad_fields_are_named(fields, named):
    with pytest.raises(ConfigError, match=named):
        Log(**fields)


def test_the_smallest_magnitude_may_be_the_smallest_normal_number():
    assert Log(8, 1.0).decode(1) == np.float32(2.0**-126)


def test_bad_options_are_named():
    with pytest.raises(ConfigError, match="rounding 'floor' is unknown to log formats"):
        Log(4, 1.0).encode([1.0], "floor")
    with pytest.raises(ConfigError, match="2 channels needs an axis"):
        Log(4, (1.0, 2.0)).quantize(np.zeros((2, 2)))
