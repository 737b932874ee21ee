"""Quantize: from floats to fixed-point codes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from qonnx_tools.arithmetic.fixed_point import FRAC_RANGE, FixedPoint
from qonnx_tools.ops._codes import OUTPUT_FORMAT, CodesOp, carrier_of, rounding_of, target_of
from qonnx_tools.ops._fixed_point import BOUNDS, ROUND, formats, rounding_tables
from qonnx_tools.ops.function import function
from qonnx_tools.ops.op import INT64, Input, by_parameter


class Quantize(CodesOp):
    """Encode floats as two's-complement fixed point: y = saturate(round(x * 2**frac)). NaN becomes code 0."""

    name = "Quantize"
    inputs = (
        Input("x", "any tensor"),
        Input("frac", f"fraction bits, {FRAC_RANGE[0]} to {FRAC_RANGE[1]}; broadcasts to x", INT64),
    )
    attributes = OUTPUT_FORMAT

    def compute(self, inputs: Sequence[npt.NDArray[Any]], attributes: Mapping[str, Any]) -> npt.NDArray[Any]:
        x, frac = np.asarray(inputs[0], np.float32), inputs[1]
        target, rounding = target_of(attributes), rounding_of(attributes)
        carrier = carrier_of(attributes, target.code_range)

        def encode(bits_after_point: int, part: npt.NDArray[Any]) -> npt.NDArray[Any]:
            return FixedPoint(target.bits, bits_after_point, target.signed, target.narrow).encode(part, rounding)

        return by_parameter(x, frac, encode, carrier)

    def body(self, opset: int) -> onnx.FunctionProto:
        ranges = np.array([target.code_range for target in formats()], np.float64)
        tables = {**rounding_tables(), "lows": ranges[:, 0], "highs": ranges[:, 1], "zero_double": np.array(0.0)}
        return function(self, opset, tables, _BODY)


# In double, which holds every code; an infinity saturates there too.
_BODY = f"""
{ROUND}
{BOUNDS}
    is_nan = IsNaN(rounded)
    rounded_double = Cast <to: int = 11> (rounded)
    number = Where(is_nan, zero_double, rounded_double)
    at_most_high = Min(number, high)
    saturated = Max(at_most_high, low)
    y = Cast <to: int = @to> (saturated)
"""
