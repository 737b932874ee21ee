"""Integer multipliers and shifts against exact fractions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qonnx_tools.arithmetic.multiplier import multiplier_shift
from qonnx_tools.errors import ConfigError


def as_fraction(multiplier, shift):
    return Fraction(int(multiplier)) / Fraction(2) ** int(shift)


@settings(deadline=None, max_examples=300)
@given(st.floats(2.0**-30, 2.0**30), st.sampled_from([-1, 1]), st.integers(1, 31))
def test_nothing_with_so_many_bits_is_nearer(size, sign, bits):
    factor = Fraction(sign * size)
    multiplier, shift = multiplier_shift(sign * size, bits)
    assert abs(int(multiplier)) < 2**bits
    assert int(multiplier) % 2 == 1
    error = abs(as_fraction(multiplier, shift) - factor)
    assert error <= abs(factor) / 2**bits
    for beside in range(-2, 3):  # neighbours at the finest LSB that keeps the multiplier within its bits
        for finest in range(int(shift), int(shift) + bits):
            other = round(factor * Fraction(2) ** finest) + beside
            if abs(other) < 2**bits:
                assert abs(as_fraction(other, finest) - factor) >= error


@pytest.mark.parametrize("power", range(-62, 62))
def test_a_power_of_two_is_a_shift(power):
    for bits in (1, 8, 31):
        assert [each.tolist() for each in multiplier_shift(2.0**power, bits)] == [1, -power]


def test_many_at_once():
    multiplier, shift = multiplier_shift(np.array([[0.75, 0.0], [-3.0, 0.9999]]), 4)
    assert (multiplier.tolist(), shift.tolist()) == ([[3, 0], [-3, 1]], [[2, 0], [0, 0]])
    assert (multiplier.dtype, shift.dtype) == (np.int32, np.int64)


@pytest.mark.parametrize("factor", [2.0**-55, 3.1e-18, 2.0**-63, 1e-30, 1e-310])
def test_small_factors_end_at_shift_62(factor):
    for sign in (1, -1):
        multiplier, shift = multiplier_shift(sign * factor, 16)
        assert -62 <= int(shift) <= 62
        assert abs(as_fraction(multiplier, shift) - Fraction(sign * factor)) <= Fraction(1, 2**63)


@pytest.mark.parametrize("factor", [np.inf, np.nan])
def test_what_is_not_finite_is_refused(factor):
    with pytest.raises(ConfigError, match="a factor is not finite"):
        multiplier_shift([1.0, factor], 8)


def test_what_is_too_large_is_refused():
    with pytest.raises(ConfigError, match=r"factor 1e\+30 is too large"):
        multiplier_shift(1e30, 8)


@pytest.mark.parametrize("bits", [0, 32])
def test_bits_out_of_range_are_named(bits):
    with pytest.raises(ConfigError, match=f"a multiplier of {bits} bits is out of range"):
        multiplier_shift(1.0, bits)
