"""Requantize: from one fixed-point format to another."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt
import onnx

from qonnx_tools.arithmetic import integer
from qonnx_tools.ops._codes import CLIPPED_FORMAT, CODES, CodesOp, in_carrier, rounding_of, shift_input, target_of
from qonnx_tools.ops._fragments import FINISH, common_tables
from qonnx_tools.ops.function import function
from qonnx_tools.ops.op import Input


class Requantize(CodesOp):
    """Change the format of codes: y = saturate(round_shift(x, shift)), shift = fraction bits of x - those of y."""

    name = "Requantize"
    inputs = (Input("x", "codes", CODES), shift_input("broadcasts to x"))
    attributes = CLIPPED_FORMAT

    def compute(self, inputs: Sequence[npt.NDArray[Any]], attributes: Mapping[str, Any]) -> npt.NDArray[Any]:
        x, shift = inputs
        return in_carrier(integer.requantize(x, shift, target_of(attributes), rounding_of(attributes)), attributes)

    def body(self, opset: int) -> onnx.FunctionProto:
        return function(self, opset, common_tables(), _BODY)


_BODY = f"""
    t = Cast <to: int = 7> (x)
    down = Identity(shift)
{FINISH}
    y = Identity(codes)
"""
