"""round_to_integer and round_shift against exact fractions."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qonnx_tools.arithmetic.rounding import Rounding, round_shift, round_to_integer
from qonnx_tools.errors import ConfigError

MODES = list(Rounding)
WIDE = 2**63


def exact(value: Fraction, mode: str) -> int:
    """The oracle: the integer that ``mode`` makes of an exact number."""
    below, above = math.floor(value), math.ceil(value)
    nearest = min((below, above), key=lambda integer: abs(value - integer))
    tie = value - below == Fraction(1, 2)
    return {
        "half_even": (below if below % 2 == 0 else above) if tie else nearest,
        "half_up": above if tie else nearest,
        "half_away": (above if value > 0 else below) if tie else nearest,
        "floor": below,
        "ceil": above,
        "toward_zero": below if value > 0 else above,
    }[mode]


def test_the_order_of_modes_is_the_attribute_code():
    assert [mode.value for mode in Rounding] == ["half_even", "half_up", "half_away", "floor", "ceil", "toward_zero"]
    assert [mode.code for mode in Rounding] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_quarter_and_its_neighbours(dtype, mode):
    quarters = np.arange(-64, 65, dtype=dtype) / 4
    x = np.concatenate([quarters, np.nextafter(quarters, dtype(-99)), np.nextafter(quarters, dtype(99))])
    found = round_to_integer(x, mode)
    assert found.dtype == dtype
    assert found.tolist() == [exact(Fraction(float(value)), mode) for value in x]


@pytest.mark.parametrize("mode", MODES)
def test_large_and_tiny_numbers(mode):
    info = np.finfo(np.float32)
    positive = [2.0**22 + 0.5, 2.0**23 - 0.5, 2.0**23 + 1, 2.0**24 + 2, info.max, info.tiny, info.smallest_subnormal]
    x = np.array([*positive, *(-value for value in positive)], np.float32)
    assert round_to_integer(x, mode).tolist() == [exact(Fraction(float(value)), mode) for value in x]


@pytest.mark.parametrize("mode", MODES)
def test_nan_and_infinities_stay(mode):
    found = round_to_integer(np.array([np.nan, np.inf, -np.inf], np.float32), mode)
    np.testing.assert_array_equal(found, np.array([np.nan, np.inf, -np.inf], np.float32))


@settings(deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1), st.sampled_from(MODES))
def test_any_float(values, mode):
    found = round_to_integer(np.array(values, np.float32), mode)
    assert found.tolist() == [exact(Fraction(value), mode) for value in values]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shift", range(9))
def test_round_shift_on_all_small_integers(shift, mode):
    values = np.arange(-700, 701)
    found = round_shift(values, shift, mode)
    assert found.dtype == np.int64
    assert found.tolist() == [exact(Fraction(int(value), 2**shift), mode) for value in values]


@settings(deadline=None, max_examples=300)
@given(st.integers(-WIDE, WIDE - 1), st.integers(0, 62), st.sampled_from(MODES))
def test_round_shift_on_any_integer(value, shift, mode):
    assert int(round_shift(np.int64(value), shift, mode)) == exact(Fraction(value, 2**shift), mode)


@settings(deadline=None, max_examples=200)
@given(st.integers(1, 62), st.integers(-(2**62), 2**62), st.integers(-1, 1), st.sampled_from(MODES))
def test_round_shift_at_and_beside_ties(shift, whole, beside, mode):
    value = (whole >> shift << shift) + 2 ** (shift - 1) + beside
    assert int(round_shift(np.int64(value), shift, mode)) == exact(Fraction(value, 2**shift), mode)


@settings(deadline=None)
@given(st.integers(0, 62), st.data(), st.sampled_from(MODES))
def test_a_negative_shift_is_an_exact_left_shift(shift, data, mode):
    value = data.draw(st.integers(-(WIDE >> shift), (WIDE >> shift) - 1))
    assert int(round_shift(np.int64(value), -shift, mode)) == value << shift


def test_shifts_broadcast():
    found = round_shift(np.array([[8], [-8]]), np.array([0, 2, 4, -1]))
    assert found.tolist() == [[8, 2, 0, 16], [-8, -2, 0, -16]]


@pytest.mark.parametrize("shift", [63, -63, np.array([0, 64])])
def test_a_shift_out_of_range_is_named(shift):
    with pytest.raises(ConfigError, match=r"shift -?6[34] is out of range"):
        round_shift(np.int64(1), shift)
