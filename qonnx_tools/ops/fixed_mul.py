"""FixedMul: the product of two tensors of codes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from qonnx_tools.arithmetic import integer
from qonnx_tools.ops._codes import (
    CLIPPED_FORMAT,
    CODES,
    CodesOp,
    check_mutual_broadcast,
    float_stand_in,
    in_carrier,
    rounding_of,
    shift_input,
    target_of,
)
from qonnx_tools.ops._fragments import FINISH, common_tables
from qonnx_tools.ops.function import function
from qonnx_tools.ops.op import Input, check_broadcast


class FixedMul(CodesOp):
    """Multiply: y = saturate(round_shift(a * b, shift))."""

    name = "FixedMul"
    inputs = (
        Input("a", "codes", CODES),
        Input("b", "codes; a and b broadcast to each other", CODES),
        shift_input("broadcasts to y"),
    )
    attributes = CLIPPED_FORMAT

    def check(self, inputs: Sequence[npt.NDArray[Any]]) -> None:
        a, b, shift = inputs
        check_mutual_broadcast(self.name, a, b)
        check_broadcast(f"{self.name}: input 'shift'", shift.shape, np.broadcast_shapes(a.shape, b.shape))

    def compute(self, inputs: Sequence[npt.NDArray[Any]], attributes: Mapping[str, Any]) -> npt.NDArray[Any]:
        a, b, shift = inputs
        return in_carrier(integer.multiply(a, b, shift, target_of(attributes), rounding_of(attributes)), attributes)

    def stand_in(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        return float_stand_in(node, "Mul", 2)

    def body(self, opset: int) -> onnx.FunctionProto:
        return function(self, opset, common_tables(), _BODY)


_BODY = f"""
    wide_a = Cast <to: int = 7> (a)
    wide_b = Cast <to: int = 7> (b)
    t = Mul(wide_a, wide_b)
    down = Identity(shift)
{FINISH}
    y = Identity(codes)
"""
