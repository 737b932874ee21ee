"""FixedQuant: fixed point, on floats."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from qonnx_tools.arithmetic.fixed_point import FRAC_RANGE, FixedPoint
from qonnx_tools.arithmetic.rounding import Rounding
from qonnx_tools.ops._fixed_point import BOUNDS, MOST_BITS, ROUND, formats, rounding_tables
from qonnx_tools.ops.function import function
from qonnx_tools.ops.op import DOMAIN, INT64, Attribute, FormatOp, Input


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
        bounds = [target.float_code_range for target in formats()]
        tables = {
            **rounding_tables(),
            "lows": np.array([bound[0] for bound in bounds]),
            "highs": np.array([bound[1] for bound in bounds]),
        }
        return function(self, opset, tables, _BODY)


# Where and not Clip keeps NaN. Adding zero would make -0 into +0 too, but onnxruntime removes such an Add.
_BODY = f"""
{ROUND}
{BOUNDS}
    too_low = Less(rounded, low)
    at_least_low = Where(too_low, low, rounded)
    too_high = Greater(rounded, high)
    code = Where(too_high, high, at_least_low)
    is_zero = Equal(code, zero)
    positive_zero = Where(is_zero, zero, code)
    down_at = Sub(most, frac)
    down = Gather(powers, down_at)
    y = Mul(positive_zero, down)
"""
