"""Affine: a multiplication and an addition per channel on codes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from qonnx_tools.arithmetic import integer
from qonnx_tools.ops._codes import (
    CLIPPED_FORMAT,
    CODES,
    INT32,
    CodesOp,
    in_carrier,
    rounding_of,
    shift_input,
    target_of,
)
from qonnx_tools.ops._fragments import AFFINE, FINISH, common_tables
from qonnx_tools.ops.function import function
from qonnx_tools.ops.op import INT64, Attribute, Input


class Affine(CodesOp):
    """Multiply and add per channel: y = saturate(round_shift(multiplier * x + addend, shift))."""

    name = "Affine"
    inputs = (
        Input("x", "codes", CODES),
        Input("multiplier", "[C] or 0-d", INT32),
        Input("addend", "at the LSB of the product; [C] or 0-d", INT64),
        shift_input("[C] or 0-d"),
    )
    attributes = (Attribute("axis", "the channel dimension", 1), *CLIPPED_FORMAT)

    def check(self, inputs: Sequence[npt.NDArray[Any]]) -> None:
        """Leave it to the reference, which knows the axis."""

    def compute(self, inputs: Sequence[npt.NDArray[Any]], attributes: Mapping[str, Any]) -> npt.NDArray[Any]:
        x, multiplier, addend, shift = inputs
        target, rounding = target_of(attributes), rounding_of(attributes)
        codes = integer.affine(x, multiplier, addend, shift, target, rounding, attributes["axis"])
        return in_carrier(codes, attributes)

    def body(self, opset: int) -> onnx.FunctionProto:
        return function(self, opset, {**common_tables(), "all_channels": np.array(-1, np.int64)}, _BODY)


_BODY = f"""
    wide = Cast <to: int = 7> (x)
    axis = Constant <value_int: int = @axis> ()
    x_shape = Shape(x)
    dimension_count = Shape(x_shape)
    rank = Squeeze(dimension_count)
    dimensions = Range(zero, rank, one)
    channel_axis = Mod(axis, rank)
    is_channel = Equal(dimensions, channel_axis)
    layout = Where(is_channel, all_channels, one)
{AFFINE}
{FINISH}
    y = Identity(codes)
"""
