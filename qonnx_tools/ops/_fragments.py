"""Parts of function bodies of ops on codes, as text for onnx.parser, with the tables that they read.

All of it is int64. onnxruntime and numpy compute int64 modulo 2**64. Max and Min serve small numbers only: where
the upper halves of two numbers are equal and the lower ones are beyond 31 bits, onnxruntime up to 1.31 takes the wrong
one (a fault of Eigen, onnxruntime pull request 32475, as of Sign and Clip). Greater, Less and Where are right.
"""

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.rounding import Rounding
from qonnx_tools.ops._fixed_point import BOUNDS, MOST_BITS, formats

MOST_SHIFT = 62

Tables = dict[str, npt.NDArray[np.generic]]


def common_tables() -> Tables:
    """Return the constants of :data:`WIDTH`, :func:`wrapping` and :data:`FINISH`."""
    powers = np.int64(1) << np.arange(MOST_SHIFT + 1)
    reached = np.maximum(powers // 2 - 1, 0)  # a rest above it is a half or more
    beyond = powers // 2  # a rest above it is more than a half
    never, always = powers, np.zeros_like(powers)
    lower = [reached, reached, reached, never, always, always]
    upper = [beyond, reached, beyond, never, always, never]
    ranges = np.array([target.code_range for target in formats()], np.int64)
    return {
        "powers": powers,
        "lower_thresholds": np.stack(lower),  # [rounding, shift]
        "upper_thresholds": np.stack(upper),
        "lows": ranges[:, 0],
        "highs": ranges[:, 1],
        "sizes": np.array(MOST_BITS + 1, np.int64),
        "most_shift": np.array(MOST_SHIFT, np.int64),
        "full_width": np.array(64, np.int64),
        "zero": np.array(0, np.int64),
        "one": np.array(1, np.int64),
        "two": np.array(2, np.int64),
        "half_even": np.array(Rounding.HALF_EVEN.code, np.int64),
        "half_away": np.array(Rounding.HALF_AWAY.code, np.int64),
        "toward_zero": np.array(Rounding.TOWARD_ZERO.code, np.int64),
    }


def wrapping(total: str, wrapped: str) -> str:
    """Nodes for ``wrapped``: ``total`` wrapped to accumulator_bits. Bits below the sign bit, less the sign bit's value.

    They follow :data:`WIDTH`.
    """
    return f"""
    {total}_low_bits = Mod({total}, sign_bit)
    {total}_high_part = Sub({total}, {total}_low_bits)
    {total}_high_bits = Div({total}_high_part, sign_bit)
    {total}_sign = Mod({total}_high_bits, two)
    {total}_sign_value = Mul({total}_sign, sign_bit)
    {total}_less = Sub({total}_low_bits, {total}_sign_value)
    {wrapped} = Where(is_full, {total}, {total}_less)
"""


WIDTH = """
    width = Constant <value_int: int = @accumulator_bits> ()
    sign_place = Sub(width, one)
    sign_at = Min(sign_place, most_shift)
    sign_bit = Gather(powers, sign_at)
    is_full = Equal(width, full_width)
"""
"""What :func:`wrapping` reads."""

FINISH = f"""
    mode = Constant <value_int: int = @rounding> ()
    right = Max(down, zero)
    divisor = Gather(powers, right)
    rest = Mod(t, divisor)
    multiple = Sub(t, rest)
    floor = Div(multiple, divisor)
    lower_row = Gather <axis: int = 0> (lower_thresholds, mode)
    lower = Gather(lower_row, right)
    upper_row = Gather <axis: int = 0> (upper_thresholds, mode)
    upper = Gather(upper_row, right)
    parity = Mod(floor, two)
    is_odd = Equal(parity, one)
    is_half_even = Equal(mode, half_even)
    to_even = And(is_odd, is_half_even)
    is_positive = Greater(t, zero)
    is_half_away = Equal(mode, half_away)
    away = And(is_positive, is_half_away)
    is_negative = Less(t, zero)
    is_toward_zero = Equal(mode, toward_zero)
    inward = And(is_negative, is_toward_zero)
    to_even_or_away = Or(to_even, away)
    goes_up_early = Or(to_even_or_away, inward)
    threshold = Where(goes_up_early, lower, upper)
    goes_up = Greater(rest, threshold)
    step = Cast <to: int = 7> (goes_up)
    rounded = Add(floor, step)
    up = Neg(down)
    left = Max(up, zero)
    factor = Gather(powers, left)
    shifted = Mul(rounded, factor)

{BOUNDS}
    lowest = Constant <value_int: int = @lowest> ()
    highest = Constant <value_int: int = @highest> ()
    is_lowest_inside = Greater(lowest, low)
    first_code = Where(is_lowest_inside, lowest, low)
    is_highest_inside = Less(highest, high)
    last_code = Where(is_highest_inside, highest, high)
    is_above = Greater(shifted, last_code)
    at_most_last = Where(is_above, last_code, shifted)
    is_below = Less(at_most_last, first_code)
    saturated = Where(is_below, first_code, at_most_last)
    codes = Cast <to: int = @to> (saturated)
"""
"""``codes``: ``t`` shifted by ``down``, rounded, saturated, clipped, in its element type.

A rounding goes up where the rest exceeds a threshold of its own for that shift: a lower one where the number asks for
it (odd for half_even, positive for half_away, negative for toward_zero), an upper one elsewhere.
"""

AFFINE = """
    multiplier_wide = Cast <to: int = 7> (multiplier)
    multiplier_along = Reshape(multiplier_wide, layout)
    addend_along = Reshape(addend, layout)
    down = Reshape(shift, layout)
    product = Mul(wide, multiplier_along)
    t = Add(product, addend_along)
"""
"""``t`` and ``down`` for :data:`FINISH`, of ``wide`` and parameters along the ``layout``, [1 .. -1 .. 1]."""
