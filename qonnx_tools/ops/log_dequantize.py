"""LogDequantize: from codes of the normalised logarithmic format to floats."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.log import Log
from qonnx_tools.ops._codes import CODES
from qonnx_tools.ops._log import LOG_FORMAT, MAGNITUDE, MAGNITUDES, log_tables
from qonnx_tools.ops.function import function
from qonnx_tools.ops.op import DOMAIN, FLOAT, Input, Op, by_parameter


class LogDequantize(Op):
    """Decode zero or +-scale * g**-k from sign * (K - k); codes outside the format saturate.

    g = 2**(1/steps). K is 2**(bits-1) - 1 when signed and 2**bits - 1 when unsigned.
    """

    domains = (DOMAIN,)
    name = "LogDequantize"
    inputs = (
        Input("codes", "any tensor of codes", CODES),
        Input("scale", "the largest magnitude, positive; broadcasts to codes"),
    )
    output_types = FLOAT
    attributes = LOG_FORMAT

    def compute(self, inputs: Sequence[npt.NDArray[Any]], attributes: Mapping[str, Any]) -> npt.NDArray[Any]:
        bits, steps, signed = attributes["bits"], attributes["steps"], bool(attributes["signed"])
        codes = np.clip(inputs[0].astype(np.int64), *FixedPoint(bits, 0, signed, narrow=signed).code_range)
        return by_parameter(codes, inputs[1], lambda scale, part: Log(bits, scale, steps, signed).decode(part))

    def stand_in(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        cast = onnx.helper.make_node("Cast", node.input[:1], node.output[:1], name=node.name, to=onnx.TensorProto.FLOAT)
        return [cast]

    def body(self, opset: int) -> onnx.FunctionProto:
        return function(self, opset, log_tables(), _BODY)


_BODY = f"""
{MAGNITUDES}
    wide = Cast <to: int = 7> (codes)
    smallest = Mul(count, signed)
    lowest = Neg(smallest)
    at_least_lowest = Max(wide, lowest)
    code = Min(at_least_lowest, count)
    is_negative = Less(code, zero_int)
    size = Abs(code)
    k = Sub(count, size)
{MAGNITUDE}
    y = Identity(value)
"""
