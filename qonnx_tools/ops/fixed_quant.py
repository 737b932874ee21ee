"""FixedQuant: fixed point, on floats."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from qonnx_tools.arithmetic.fixed_point import FRAC_RANGE, FixedPoint
from qonnx_tools.arithmetic.rounding import Rounding
from qonnx_tools.ops.function import function
from qonnx_tools.ops.op import DOMAIN, INT64, Attribute, FormatOp, Input

MOST_BITS = 32


class FixedQuant(FormatOp):
    """Replace each element by the nearest number of a two's-complement fixed-point format, saturating.

    y = code * 2**-frac. NaN stays NaN, infinities saturate, zero is +0. Beyond 24 bits the bounds are the largest
    float32 integers inside the code range.
    """

    domains = (DOMAIN,)
    name = "FixedQuant"
    inputs = (
        Input("x", "any tensor"),
        Input("frac", f"fraction bits, {FRAC_RANGE[0]} to {FRAC_RANGE[1]}; broadcasts to x", INT64),
    )
    attributes = (
        Attribute("bits", f"1 to {MOST_BITS}; 0 makes every number zero"),
        Attribute("signed", "1: codes of both signs, 0: from zero up", 1),
        Attribute("narrow", "1: without the most negative code", 0),
        Attribute("rounding", ", ".join(f"{mode.code} {mode.value}" for mode in Rounding), 0),
    )

    format = FixedPoint

    def format_of(self, attributes: Mapping[str, Any], parameter: Any) -> FixedPoint:
        signed, narrow = bool(attributes["signed"]), bool(attributes["narrow"])
        return FixedPoint(attributes["bits"], parameter, signed, narrow)

    def parameters_of(self, number_format: FixedPoint) -> tuple[npt.NDArray[np.int64], dict[str, int | str]]:
        return np.asarray(number_format.frac, np.int64), {
            "bits": number_format.bits,
            "signed": int(number_format.signed),
            "narrow": int(number_format.narrow),
        }

    def body(self, opset: int) -> onnx.FunctionProto:
        low, high = FRAC_RANGE
        most = max(-low, high)
        bounds = [
            _bounds(bits, signed, narrow) for signed in (0, 1) for narrow in (0, 1) for bits in range(MOST_BITS + 1)
        ]
        tables = {
            "powers": np.ldexp(np.float32(1), np.arange(-most, most + 1)),  # 2**k at k + most
            "lows": np.array([bound[0] for bound in bounds]),  # at bits + 33 * narrow + 66 * signed
            "highs": np.array([bound[1] for bound in bounds]),
            "most": np.array(most, np.int64),
            "sizes": np.array(MOST_BITS + 1, np.int64),
            "zero": np.array(0, np.float32),
            "one": np.array(1, np.float32),
            "half": np.array(0.5, np.float32),
            "minus_half": np.array(-0.5, np.float32),
            **{mode.value: np.array(mode.code, np.int64) for mode in Rounding},
        }
        return function(self, opset, tables, _BODY)


def _bounds(bits: int, signed: int, narrow: int) -> tuple[np.float32, np.float32]:
    return FixedPoint(bits, 0, bool(signed), bool(signed and narrow)).float_code_range


# Every step is exact but the multiplication by `up`, which over- and underflows like ldexp. Where and not Clip keeps
# NaN. Adding zero would make -0 into +0 too, but onnxruntime removes such an Add.
_BODY = """
    bits = Constant <value_int: int = @bits> ()
    signed = Constant <value_int: int = @signed> ()
    narrow = Constant <value_int: int = @narrow> ()
    mode = Constant <value_int: int = @rounding> ()

    up_at = Add(frac, most)
    up = Gather(powers, up_at)
    down_at = Sub(most, frac)
    down = Gather(powers, down_at)
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

    narrow_at = Mul(narrow, sizes)
    signed_twice = Add(signed, signed)
    signed_at = Mul(signed_twice, sizes)
    bits_at = Add(bits, narrow_at)
    bounds_at = Add(bits_at, signed_at)
    low = Gather(lows, bounds_at)
    high = Gather(highs, bounds_at)
    too_low = Less(rounded, low)
    at_least_low = Where(too_low, low, rounded)
    too_high = Greater(rounded, high)
    code = Where(too_high, high, at_least_low)
    is_zero = Equal(code, zero)
    positive_zero = Where(is_zero, zero, code)
    y = Mul(positive_zero, down)
"""
