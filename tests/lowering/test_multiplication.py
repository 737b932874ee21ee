"""What is behind an accumulator: exact where it can be, and within 61 bits always."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qonnx_tools.arithmetic.multiplier import MOST_SHIFT, MULTIPLIER_BITS
from qonnx_tools.lowering.multiplication import LEAST_MULTIPLIER_BITS, WIDEST_RESULT, multiplication
from qonnx_tools.lowering.rule import Declined
from qonnx_tools.lowering.state import Affine

WIDEST = WIDEST_RESULT - LEAST_MULTIPLIER_BITS - 1
codes = st.integers(-(2**23), 2**23)
offsets = st.integers(-(2**31), 2**31 - 1)
fracs = st.integers(-10, 60)
scales = st.just(1.0) | st.floats(0.5, 1, exclude_min=True, width=32)


def one(scale, scale_frac, offset, offset_frac):
    return Affine(*(np.array([value]) for value in (scale, scale_frac, offset, offset_frac)))


@example(27, 52, 0, 0, 0.6701239943504333, 0, 51)
@given(codes, fracs, offsets, fracs, scales, fracs, st.integers(1, WIDEST))
def test_it_fits_and_is_near(scale, scale_frac, offset, offset_frac, factor, grid, width):
    affine = one(scale, scale_frac, offset, offset_frac)
    found = multiplication(affine, np.array([factor]), np.array([grid]), width)
    (multiplier,), (addend,), (frac,) = (part.tolist() for part in (found.multiplier, found.addend, found.grid))
    largest = 2 ** (width - 1)
    assert abs(multiplier) < 2**31
    assert abs(multiplier) * largest + abs(addend) < 2 ** (found.width - 1) <= 2 ** (WIDEST_RESULT - 1)
    wanted = Fraction(scale) * Fraction(factor) / Fraction(2) ** scale_frac
    got = Fraction(multiplier) / Fraction(2) ** (frac - grid)
    bias = Fraction(addend) / Fraction(2) ** frac
    wanted_bias = Fraction(offset) / Fraction(2) ** offset_frac
    if factor == 1 and found.width < WIDEST_RESULT and abs(multiplier) < 2**30:
        assert (got, bias) == (wanted, wanted_bias), "nothing asks for rounding"
    ulp = Fraction(1, 2) / Fraction(2) ** (frac - grid)
    first = max(abs(wanted) / 2**MULTIPLIER_BITS, Fraction(1, 2 ** (MOST_SHIFT + 1)))  # of the multiplier alone
    assert abs(got - wanted) <= first + ulp
    assert abs(bias - wanted_bias) <= Fraction(1, 2) / Fraction(2) ** frac


def test_a_power_of_two_is_exact_and_the_offset_keeps_its_grid():
    found = multiplication(one(3, 5, 7, 30), np.array([1.0]), np.array([10]), 20)
    assert (found.multiplier.tolist(), found.grid.tolist()) == ([3 << 15], [30])
    assert found.addend.tolist() == [7]


def test_both_factors_are_one_multiplier():
    found = multiplication(one(5000, 12, 0, 0), np.array([0.7]), np.array([10]), 20)
    real = 5000 / 2**12 * 0.7
    assert abs(int(found.multiplier[0])).bit_length() <= MULTIPLIER_BITS
    assert abs(found.multiplier[0] / 2.0 ** (found.grid[0] - 10) - real) <= real * 2.0**-MULTIPLIER_BITS


def test_a_dead_channel_beside_a_large_offset_loses_bits_that_no_output_shows():
    """a = 2^-40, b = 1000: the result has an LSB of about 2^-50, and a alone is rounded away."""
    affine = Affine(np.array([1, 1]), np.array([40, 0]), np.array([1000, 1000]), np.array([0, 0]))
    found = multiplication(affine, np.array([0.7, 0.7]), np.array([30, 30]), 30)
    assert found.width <= WIDEST_RESULT
    for channel, real in enumerate((0.7 * 2.0**-40, 0.7)):
        assert abs(found.addend[channel] / 2.0 ** found.grid[channel] - 1000) < 2.0**-40
        error = abs(found.multiplier[channel] / 2.0 ** (found.grid[channel] - 30) - real)
        assert error * 2**29 / 2**30 <= 1000 * 2.0**-16


def test_an_accumulator_that_leaves_no_room():
    with pytest.raises(Declined, match=f"sums of {WIDEST + 1} bits leave no room for a multiplier behind them"):
        multiplication(one(1, 0, 0, 0), np.array([0.7]), np.array([0]), WIDEST + 1)
