"""FixedAveragePool: the mean of windows of codes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from qonnx_tools.arithmetic import integer
from qonnx_tools.arithmetic.window import Window
from qonnx_tools.errors import ConfigError
from qonnx_tools.ops._codes import (
    CLIPPED_FORMAT,
    INT32,
    NARROW_CODES,
    CodesOp,
    check_scalar,
    float_stand_in,
    in_carrier,
    rounding_of,
    shift_input,
    target_of,
)
from qonnx_tools.ops._fragments import FINISH, Tables, common_tables
from qonnx_tools.ops.function import function
from qonnx_tools.ops.op import Attribute, Input


class FixedAveragePool(CodesOp):
    """Average windows of codes: y = saturate(round_shift(sum * multiplier, shift)), multiplier about 2**shift / n.

    Every window divides by the same number, and padding counts as zeros. An empty kernel_shape is the whole map.
    """

    name = "FixedAveragePool"
    inputs = (
        Input("x", "codes [N, C, *S], one or two dimensions", NARROW_CODES),
        Input("multiplier", "0-d", INT32),
        shift_input("0-d"),
    )
    attributes = (
        Attribute("kernel_shape", "of the window, at most 2**16 codes; empty: the whole map", (), tuple),
        Attribute("strides", "one a dimension; empty: 1", (), tuple),
        Attribute("pads", "the begins of all dimensions, then the ends; empty: 0", (), tuple),
        *CLIPPED_FORMAT,
    )

    def check(self, inputs: Sequence[npt.NDArray[Any]]) -> None:
        check_scalar(self, inputs, "multiplier", "shift")

    def compute(self, inputs: Sequence[npt.NDArray[Any]], attributes: Mapping[str, Any]) -> npt.NDArray[Any]:
        x, multiplier, shift = inputs
        kernel, strides, pads = (attributes[name] for name in ("kernel_shape", "strides", "pads"))
        if not kernel and (any(pads) or any(stride != 1 for stride in strides)):
            raise ConfigError(f"{self.name} without kernel_shape averages the whole map; leave out strides and pads")
        window = Window.of(kernel, strides, pads) if kernel else None
        target, rounding = target_of(attributes), rounding_of(attributes)
        return in_carrier(integer.average_pool(x, window, int(multiplier), int(shift), target, rounding), attributes)

    def stand_in(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        if any(attribute.name == "kernel_shape" and attribute.ints for attribute in node.attribute):
            return float_stand_in(node, "AveragePool", 1, ("kernel_shape", "strides", "pads"))
        return float_stand_in(node, "GlobalAveragePool", 1)

    def body(self, opset: int) -> onnx.FunctionProto:
        constants: Tables = {
            "byte": np.array(256, np.int64),
            "one_float": np.array(1, np.float32),
            "first": np.array([0], np.int64),
            "second": np.array([1], np.int64),
            "third": np.array([2], np.int64),
            "end": np.array([2**31], np.int64),
            "one_by_one": np.array([1, 1], np.int64),
            "no_pads": np.zeros(4, np.int64),
            "no_pads_outside": np.zeros(2, np.int64),
            "unit_strides": np.ones(2, np.int64),
            "axes": np.array([2, 3], np.int64),
            "one_map": np.array([1], np.int64),
        }
        return function(self, opset, {**common_tables(), **constants}, _BODY)


# A float convolution with ones adds codes exactly below 2**24: low and high bytes, each over at most 2**16 places.
# onnxruntime refuses a convolution with empty strides, so strides and pads are nodes of their own.
_BODY = f"""
    given = Constant <value_ints: ints = @kernel_shape> ()
    given_strides = Constant <value_ints: ints = @strides> ()
    given_pads = Constant <value_ints: ints = @pads> ()
    x_shape = Shape(x)
    map_size = Slice(x_shape, third, end)
    given_or_map = Concat <axis: int = 0> (given, map_size)
    dimensions = Shape(map_size)
    kernel = Slice(given_or_map, first, dimensions)
    ones_shape = Concat <axis: int = 0> (one_by_one, kernel)
    ones = Expand(one_float, ones_shape)

    wide = Cast <to: int = 7> (x)
    low_byte = Mod(wide, byte)
    above = Sub(wide, low_byte)
    high_byte = Div(above, byte)
    bytes = Concat <axis: int = 1> (low_byte, high_byte)
    bytes_float = Cast <to: int = 1> (bytes)
    batch = Slice(x_shape, first, second)
    channels = Slice(x_shape, second, third)
    two_channels = Add(channels, channels)
    parts_count = Mul(batch, two_channels)
    parts_shape = Concat <axis: int = 0> (parts_count, one_map, map_size)
    parts = Reshape(bytes_float, parts_shape)
    padding_or_none = Concat <axis: int = 0> (given_pads, no_pads)
    double_rank = Add(dimensions, dimensions)
    padding = Slice(padding_or_none, first, double_rank)
    begins = Slice(padding, first, dimensions)
    ends = Slice(padding, dimensions, double_rank)
    all_padding = Concat <axis: int = 0> (no_pads_outside, begins, no_pads_outside, ends)
    padded = Pad(parts, all_padding)
    dense = Conv (padded, ones)
    steps_or_ones = Concat <axis: int = 0> (given_strides, unit_strides)
    steps = Slice(steps_or_ones, first, dimensions)
    starts = Sub(steps, steps)
    stops = Add(starts, end)
    map_axes = Slice(axes, first, dimensions)
    sums_float = Slice(dense, starts, stops, map_axes, steps)
    sums = Cast <to: int = 7> (sums_float)
    sums_shape = Shape(sums)
    out_size = Slice(sums_shape, third, end)
    both_shape = Concat <axis: int = 0> (batch, two_channels, out_size)
    both = Reshape(sums, both_shape)
    low_sum = Slice(both, first, channels, second)
    high_sum = Slice(both, channels, two_channels, second)
    high_shifted = Mul(high_sum, byte)
    total = Add(low_sum, high_shifted)
    multiplier_wide = Cast <to: int = 7> (multiplier)
    t = Mul(total, multiplier_wide)
    down = Identity(shift)
{FINISH}
    y = Identity(codes)
"""
