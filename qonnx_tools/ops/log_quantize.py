"""LogQuantize: from floats to codes of the normalised logarithmic format."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.log import Log, LogRounding
from qonnx_tools.ops._codes import TO, CodesOp, carrier_of
from qonnx_tools.ops._log import CODE, LOG_FORMAT, LOG_ROUNDING, MAGNITUDES, log_tables
from qonnx_tools.ops.function import function
from qonnx_tools.ops.op import Input, by_parameter, choice


class LogQuantize(CodesOp):
    """Encode floats as zero or sign * (K - k) for +-scale * g**-k, g = 2**(1/steps), k = 0 .. K-1.

    K is 2**(bits-1) - 1 when signed and 2**bits - 1 when unsigned. NaN becomes code 0.
    """

    name = "LogQuantize"
    inputs = (Input("x", "any tensor"), Input("scale", "the largest magnitude, positive; broadcasts to x"))
    attributes = (*LOG_FORMAT, LOG_ROUNDING, TO)

    def compute(self, inputs: Sequence[npt.NDArray[Any]], attributes: Mapping[str, Any]) -> npt.NDArray[Any]:
        bits, steps, signed = attributes["bits"], attributes["steps"], bool(attributes["signed"])
        rounding = choice("rounding", attributes["rounding"], list(LogRounding))
        x, scale = np.asarray(inputs[0], np.float32), inputs[1]
        carrier = carrier_of(attributes, FixedPoint(bits, 0, signed, narrow=signed).code_range)
        return by_parameter(x, scale, lambda each, part: Log(bits, each, steps, signed).encode(part, rounding), carrier)

    def body(self, opset: int) -> onnx.FunctionProto:
        return function(self, opset, log_tables(), _BODY)


_BODY = f"""
{MAGNITUDES}
{CODE}
    code_size = Sub(count, k)
    negated = Neg(code_size)
    negative = Mul(negated, signed)
    code = Where(is_negative, negative, code_size)
    y = Cast <to: int = @to> (code)
"""
