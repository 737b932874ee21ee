"""FixedMaxPool: the largest code of windows."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from qonnx_tools.arithmetic import integer
from qonnx_tools.arithmetic.window import Window
from qonnx_tools.errors import ConfigError
from qonnx_tools.ops._codes import CARRIERS, CODES, CodesOp, float_stand_in
from qonnx_tools.ops.function import function
from qonnx_tools.ops.op import Attribute, Input

WINDOW = ("kernel_shape", "strides", "pads", "dilations")


class FixedMaxPool(CodesOp):
    """Keep the largest code of every window. Padding, which is smaller than the window, never wins."""

    name = "FixedMaxPool"
    inputs = (Input("x", "codes [N, C, *S], one or two dimensions", CODES),)
    attributes = (
        Attribute("kernel_shape", "of the window, one or two dimensions", kind=tuple),
        Attribute("strides", "one a dimension", kind=tuple),
        Attribute("pads", "the begins of all dimensions, then the ends", kind=tuple),
        Attribute("dilations", "one a dimension", kind=tuple),
        Attribute("to", "element type of x and y: 2 uint8, 3 int8, 4 uint16, 5 int16, 6 int32"),
    )

    def check(self, inputs: Sequence[npt.NDArray[Any]]) -> None:
        """Leave it to the reference, which knows the window."""

    def compute(self, inputs: Sequence[npt.NDArray[Any]], attributes: Mapping[str, Any]) -> npt.NDArray[Any]:
        (x,) = inputs
        if CARRIERS.get(attributes["to"]) != x.dtype:
            raise ConfigError(f"{self.name}: attribute 'to' is {attributes['to']}; x has type {x.dtype}")
        return integer.max_pool(x, Window(*(tuple(attributes[name]) for name in WINDOW)))

    def stand_in(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        return float_stand_in(node, "MaxPool", 1, WINDOW)

    def body(self, opset: int) -> onnx.FunctionProto:
        lowest = np.zeros(max(CARRIERS) + 1)
        for to, carrier in CARRIERS.items():
            lowest[to] = np.iinfo(carrier).min
        constants = {
            "lowest_of_types": lowest,
            "lowest": np.array(lowest.min()),
            "first": np.array([0], np.int64),
            "two": np.array([2], np.int64),
            "no_pads_outside": np.zeros(2, np.int64),
        }
        return function(self, opset, constants, _BODY)


# Doubles hold every code. A pooling pads with minus infinity, which is no code, where a window reads nothing else.
_BODY = """
    given_pads = Constant <value_ints: ints = @pads> ()
    twice = Shape(given_pads)
    rank = Div(twice, two)
    begins = Slice(given_pads, first, rank)
    ends = Slice(given_pads, rank, twice)
    padding = Concat <axis: int = 0> (no_pads_outside, begins, no_pads_outside, ends)
    numbers = Cast <to: int = 11> (x)
    padded = Pad(numbers, padding, lowest)
    largest = MaxPool <kernel_shape: ints = @kernel_shape, strides: ints = @strides, dilations: ints = @dilations>
        (padded)
    type = Constant <value_int: int = @to> ()
    lowest_code = Gather(lowest_of_types, type)
    codes = Max(largest, lowest_code)
    y = Cast <to: int = @to> (codes)
"""
