"""FixedAdd: the sum of two tensors of codes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt
import onnx

from qonnx_tools.arithmetic import integer
from qonnx_tools.ops._codes import (
    CLIPPED_FORMAT,
    CODES,
    CodesOp,
    check_mutual_broadcast,
    check_scalar,
    float_stand_in,
    in_carrier,
    rounding_of,
    shift_input,
    target_of,
)
from qonnx_tools.ops._fragments import FINISH, common_tables
from qonnx_tools.ops.function import function
from qonnx_tools.ops.op import INT64, Input


class FixedAdd(CodesOp):
    """Add at the finer LSB of the two: y = saturate(round_shift((a << left_a) + (b << left_b), shift))."""

    name = "FixedAdd"
    inputs = (
        Input("a", "codes", CODES),
        Input("b", "codes; a and b broadcast to each other", CODES),
        Input("left_a", "0 to 62, 0-d", INT64),
        Input("left_b", "0 to 62, 0-d", INT64),
        shift_input("0-d"),
    )
    attributes = CLIPPED_FORMAT

    def check(self, inputs: Sequence[npt.NDArray[Any]]) -> None:
        check_mutual_broadcast(self.name, inputs[0], inputs[1])
        check_scalar(self, inputs, "left_a", "left_b", "shift")

    def compute(self, inputs: Sequence[npt.NDArray[Any]], attributes: Mapping[str, Any]) -> npt.NDArray[Any]:
        a, b, left_a, left_b, shift = inputs
        lefts = int(left_a), int(left_b)
        codes = integer.add(a, b, lefts, int(shift), target_of(attributes), rounding_of(attributes))
        return in_carrier(codes, attributes)

    def stand_in(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        return float_stand_in(node, "Add", 2)

    def body(self, opset: int) -> onnx.FunctionProto:
        return function(self, opset, common_tables(), _BODY)


_BODY = f"""
    wide_a = Cast <to: int = 7> (a)
    power_a = Gather(powers, left_a)
    term_a = Mul(wide_a, power_a)
    wide_b = Cast <to: int = 7> (b)
    power_b = Gather(powers, left_b)
    term_b = Mul(wide_b, power_b)
    t = Add(term_a, term_b)
    down = Identity(shift)
{FINISH}
    y = Identity(codes)
"""
