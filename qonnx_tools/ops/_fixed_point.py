"""Parts of function bodies that quantize floats to fixed point, as text for onnx.parser."""

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.fixed_point import FRAC_RANGE, FixedPoint
from qonnx_tools.arithmetic.rounding import Rounding

MOST_BITS = 32


def rounding_tables() -> dict[str, npt.NDArray[np.generic]]:
    """Return the constants of :data:`ROUND` and :data:`BOUNDS`, but for ``lows`` and ``highs``."""
    low, high = FRAC_RANGE
    most = max(-low, high)
    return {
        "powers": np.ldexp(np.float32(1), np.arange(-most, most + 1)),  # 2**k at k + most
        "most": np.array(most, np.int64),
        "sizes": np.array(MOST_BITS + 1, np.int64),
        "zero": np.array(0, np.float32),
        "one": np.array(1, np.float32),
        "half": np.array(0.5, np.float32),
        "minus_half": np.array(-0.5, np.float32),
        **{mode.value: np.array(mode.code, np.int64) for mode in Rounding},
    }


def formats() -> list[FixedPoint]:
    """Return every format that ``bits``, ``narrow`` and ``signed`` say, in the order of :data:`BOUNDS`."""
    return [
        FixedPoint(bits, 0, bool(signed), bool(signed and narrow))
        for signed in (0, 1)
        for narrow in (0, 1)
        for bits in range(MOST_BITS + 1)
    ]


ROUND = """
    mode = Constant <value_int: int = @rounding> ()
    up_at = Add(frac, most)
    up = Gather(powers, up_at)
    scaled = Mul(x, up)

    nearest = Round(scaled)
    rest = Sub(scaled, nearest)
    positive = Greater(scaled, zero)
    negative = Less(scaled, zero)
    is_half_up = Equal(mode, half_up)
    is_half_away = Equal(mode, half_away)
    away_up = And(is_half_away, positive)
    ties_up = Or(is_half_up, away_up)
    upper_tie = Equal(rest, half)
    to_next = And(upper_tie, ties_up)
    next = Add(nearest, one)
    nearest_or_next = Where(to_next, next, nearest)
    lower_tie = Equal(rest, minus_half)
    away_down = And(is_half_away, negative)
    to_previous = And(lower_tie, away_down)
    previous = Sub(nearest, one)
    to_nearest = Where(to_previous, previous, nearest_or_next)

    is_floor = Equal(mode, floor)
    is_ceil = Equal(mode, ceil)
    is_toward_zero = Equal(mode, toward_zero)
    zero_down = And(is_toward_zero, positive)
    zero_up = And(is_toward_zero, negative)
    goes_down = Or(is_floor, zero_down)
    goes_up = Or(is_ceil, zero_up)
    below = Floor(scaled)
    above = Ceil(scaled)
    down_or_nearest = Where(goes_down, below, to_nearest)
    rounded = Where(goes_up, above, down_or_nearest)
"""
"""``rounded``: the float ``x`` times 2**frac, rounded. Exact but for the product, which can over- and underflow."""

BOUNDS = """
    bits = Constant <value_int: int = @bits> ()
    signed = Constant <value_int: int = @signed> ()
    narrow = Constant <value_int: int = @narrow> ()
    narrow_at = Mul(narrow, sizes)
    signed_twice = Add(signed, signed)
    signed_at = Mul(signed_twice, sizes)
    bits_at = Add(bits, narrow_at)
    bounds_at = Add(bits_at, signed_at)
    low = Gather(lows, bounds_at)
    high = Gather(highs, bounds_at)
"""
"""``low`` and ``high`` from tables with an entry at bits + 33 * narrow + 66 * signed."""
