"""FixedPoint against exact fractions: every code up to 8 bits, chosen and random numbers beyond."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from qonnx_tools.arithmetic.fixed_point import FRAC_RANGE, FixedPoint
from qonnx_tools.arithmetic.rounding import Rounding
from qonnx_tools.errors import ConfigError

MODES = list(Rounding)
KINDS = [(True, False), (True, True), (False, False)]
SMALL = [(bits, *kind) for bits in range(1, 9) for kind in KINDS]
EXTREMES = [1e-45, 1e-38, 3e38, math.inf]


def exact_code(x: float, fmt: FixedPoint, frac: int, mode: str) -> int:
    """The oracle: scale, round and saturate in exact arithmetic."""
    span = 2 ** (fmt.bits - fmt.signed)
    low, high = (-span + fmt.narrow if fmt.signed else 0), span - 1
    if math.isnan(x):
        return 0
    if math.isinf(x):
        return high if x > 0 else low
    scaled = Fraction(x) * Fraction(2) ** frac
    below = math.floor(scaled)
    rest = scaled - below
    up = {
        "half_even": rest > Fraction(1, 2) or (rest == Fraction(1, 2) and below % 2 == 1),
        "half_up": rest >= Fraction(1, 2),
        "half_away": rest > Fraction(1, 2) or (rest == Fraction(1, 2) and scaled > 0),
        "floor": False,
        "ceil": rest > 0,
        "toward_zero": rest > 0 and scaled < 0,
    }[mode]
    return min(max(below + up, low), high)


def same_bits(found, expected):
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found.view(np.int32), np.asarray(expected, np.float32).view(np.int32))


def all_codes(fmt: FixedPoint) -> np.ndarray:
    low, high = fmt.code_range
    return np.arange(low, high + 1)


def probes(fmt: FixedPoint, frac: int) -> np.ndarray:
    """Every code, every tie and every quarter of the range and a bit beyond, their neighbours, and extremes."""
    low, high = fmt.code_range
    quarters = np.arange(4 * low - 10, 4 * high + 11) / 4 * 2.0**-frac
    x = np.concatenate([quarters, EXTREMES, -np.array(EXTREMES), [0.0, -0.0, math.nan]]).astype(np.float32)
    with np.errstate(over="ignore"):
        return np.concatenate([x, np.nextafter(x, np.float32(-np.inf)), np.nextafter(x, np.float32(np.inf))])


@pytest.mark.parametrize(("bits", "signed", "narrow"), SMALL)
@pytest.mark.parametrize("mode", MODES)
def test_every_small_format(bits, signed, narrow, mode):
    for frac in (-3, 0, 5, 40):
        fmt = FixedPoint(bits, frac, signed, narrow)
        codes = all_codes(fmt)
        assert len(codes) == 2**bits - narrow
        values = fmt.decode(codes)
        assert values.tolist() == [code / 2.0**frac for code in codes]
        encoded = fmt.encode(values, mode)
        assert encoded.dtype == fmt.carrier
        assert encoded.tolist() == codes.tolist()
        same_bits(fmt.quantize(values, mode), values + np.float32(0))


@pytest.mark.parametrize(("bits", "signed", "narrow"), SMALL)
@pytest.mark.parametrize("mode", MODES)
def test_encode_and_quantize_equal_the_oracle(bits, signed, narrow, mode):
    for frac in (0, 5) if bits < 7 else (3,):
        fmt = FixedPoint(bits, frac, signed, narrow)
        x = probes(fmt, frac)
        expected = [exact_code(float(value), fmt, frac, mode) for value in x]
        assert fmt.encode(x, mode).tolist() == expected
        values = np.where(np.isnan(x), np.nan, np.array(expected) / 2.0**frac).astype(np.float32)
        found = fmt.quantize(x, mode)
        np.testing.assert_array_equal(np.isnan(found), np.isnan(values))
        same_bits(found[~np.isnan(x)], values[~np.isnan(x)])


@st.composite
def wide_cases(draw):
    bits = draw(st.integers(9, 32))
    signed, narrow = draw(st.sampled_from(KINDS))
    fmt = FixedPoint(bits, draw(st.integers(*FRAC_RANGE)), signed, narrow)
    low, high = fmt.code_range
    edges = [low, low + 1, 0, 1, high - 1, high]
    code = draw(st.one_of(st.sampled_from(edges), st.integers(low, high)))
    return fmt, code, draw(st.sampled_from([-1, -0.5, -0.25, 0, 0.25, 0.5, 1])), draw(st.sampled_from(MODES))


@settings(deadline=None, max_examples=400)
@given(wide_cases())
def test_wide_formats_on_doubles(case):
    fmt, code, beside, mode = case
    assert fmt.encode(np.ldexp(np.float64(code), -fmt.frac), mode) == code
    x = float(np.ldexp(np.float64(code + beside), -fmt.frac))
    assert int(fmt.encode(x, mode)) == exact_code(x, fmt, fmt.frac, mode)


@settings(deadline=None, max_examples=400)
@given(wide_cases(), st.integers(-2, 2))
def test_wide_formats_on_floats(case, ulps):
    fmt, code, beside, mode = case
    x = np.float32(np.ldexp(np.float64(code + beside), -fmt.frac))
    for _ in range(abs(ulps)):
        x = np.nextafter(x, np.float32(math.copysign(np.inf, ulps)))
    assume(x == 0 or abs(Fraction(float(x))) * Fraction(2) ** fmt.frac >= Fraction(2) ** -126)  # no underflow
    nearest = exact_code(float(x), fmt, fmt.frac, mode)
    low, high = fmt.code_range
    # the largest and smallest float32 integers among the codes
    while float(np.float32(high)) != high:
        high -= high & -high if high % 2 == 0 else 1
    while float(np.float32(low)) != low:
        low += -low & low if low % 2 == 0 else 1
    assert fmt.float_code_range == (low, high)
    expected = np.ldexp(np.float64(min(max(nearest, low), high)), -fmt.frac)
    assert float(fmt.quantize(x, mode)) == expected


@settings(deadline=None)
@given(st.floats(width=32, allow_nan=False), st.integers(1, 24), st.integers(*FRAC_RANGE), st.sampled_from(MODES))
def test_any_float_up_to_24_bits(x, bits, frac, mode):
    fmt = FixedPoint(bits, frac)
    found = fmt.quantize(x, mode)
    # What 2**frac takes out of float32 saturates or rounds from a subnormal; all else is exact.
    if x == 0 or abs(Fraction(x) if math.isfinite(x) else 1) * Fraction(2) ** frac >= Fraction(2) ** -126:
        assert float(found) == exact_code(x, fmt, frac, mode) / Fraction(2) ** frac
    assert np.all(found == fmt.decode(fmt.encode(np.float32(x), mode)))


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("mode", MODES)
def test_per_channel_is_each_channel_alone(axis, mode):
    fracs = (-2, 0, 7)
    x = np.moveaxis(np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32) * 20, 0, axis)
    fmt = FixedPoint(6, fracs)
    assert fmt.channels == 3
    for method in ("encode", "quantize"):
        together = getattr(fmt, method)(x, mode, axis)
        for channel, frac in enumerate(fracs):
            alone = getattr(FixedPoint(6, frac), method)(np.take(x, channel, axis), mode)
            np.testing.assert_array_equal(np.take(together, channel, axis), alone)
    codes = fmt.encode(x, mode, axis)
    np.testing.assert_array_equal(fmt.decode(codes, axis), fmt.quantize(x, mode, axis))


def test_what_underflows_in_float32_is_zero_to_every_mode():
    for mode in MODES:
        for x in (1e-45, -1e-45):
            same_bits(FixedPoint(8, -1).quantize(np.array([x]), mode), [0])
    assert FixedPoint(8, 0).quantize([1e-45, -1e-45], "ceil").tolist() == [1, 0]  # nothing underflows here


def test_zero_bits_are_zero():
    fmt = FixedPoint(0, 3)
    x = np.array([1, -1, np.inf, -np.inf, 0, -0.0, np.nan], np.float32)
    assert fmt.code_range == (0, 0)
    assert fmt.encode(x).tolist() == [0] * 7
    same_bits(fmt.quantize(x)[:-1], np.zeros(6))
    assert np.isnan(fmt.quantize(x)[-1])


def test_carriers():
    expected = {8: np.int8, 9: np.int16, 16: np.int16, 17: np.int32, 32: np.int32}
    assert {bits: FixedPoint(bits, 0).carrier.type for bits in expected} == expected
    expected = {7: np.int8, 8: np.uint8, 9: np.int16, 16: np.uint16, 17: np.int32, 31: np.int32, 32: np.uint32}
    assert {bits: FixedPoint(bits, 0, signed=False).carrier.type for bits in expected} == expected


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"bits": 33, "frac": 0}, "bits is 33"),
        ({"bits": -1, "frac": 0}, "bits is -1"),
        ({"bits": 8, "frac": 127}, "frac is 127"),
        ({"bits": 8, "frac": (0, -65)}, "frac is -65"),
        ({"bits": 8, "frac": ()}, "frac is empty"),
        ({"bits": 8, "frac": 0, "signed": False, "narrow": True}, "narrow"),
    ],
)
def test_bad_fields_are_named(fields, named):
    with pytest.raises(ConfigError, match=named):
        FixedPoint(**fields)


def test_bad_options_are_named():
    with pytest.raises(ConfigError, match="rounding 'up' is unknown to fixed formats"):
        FixedPoint(8, 0).encode([1.0], "up")
    for axis in (None, 2, -3):
        with pytest.raises(ConfigError, match="2 channels needs an axis"):
            FixedPoint(8, (0, 1)).quantize(np.zeros((2, 2)), axis=axis)
