"""Convolutions on codes.

onnxruntime has no convolution in double. A float convolution of every map with one-hot filters lays out what each
output position reads: it moves codes, each below 2**24, and adds nothing. A matrix product in double follows.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import onnx

from qonnx_tools.arithmetic import integer
from qonnx_tools.arithmetic.window import Window
from qonnx_tools.ops._accumulating import ACCUMULATION, AccumulatingOp, accumulating_inputs
from qonnx_tools.ops._codes import float_stand_in
from qonnx_tools.ops.op import Attribute

WINDOW = ("kernel_shape", "strides", "pads", "dilations")


class ConvOp(AccumulatingOp):
    """A convolution of codes; what its weights multiply by is the op's own."""

    inputs = accumulating_inputs("[N, C, *S], one or two dimensions", "[M, C/group, *K]")
    attributes: ClassVar[tuple[Attribute, ...]] = (
        Attribute("kernel_shape", "K, one or two dimensions", kind=tuple),
        Attribute("strides", "one a dimension", kind=tuple),
        Attribute("pads", "the begins of all dimensions, then the ends; padding is code 0", kind=tuple),
        Attribute("dilations", "one a dimension", kind=tuple),
        Attribute("group", "each reads its share of the channels", 1),
        *ACCUMULATION,
    )
    product_nodes: ClassVar[str] = """
    {part}_matrix = Reshape({part}, matrix_shape)
    {part}_sums = MatMul({part}_matrix, columns)
"""

    def accumulate(
        self, x: npt.NDArray[Any], w: npt.NDArray[Any], attributes: Mapping[str, Any]
    ) -> npt.NDArray[np.int64]:
        window = Window(*(tuple(attributes[name]) for name in WINDOW))
        return integer.convolve(x, w, window, attributes["group"])

    def stand_in(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        return float_stand_in(node, "Conv", 2, (*WINDOW, "group"))

    def body(self, opset: int) -> onnx.FunctionProto:
        constants = {
            "first": np.array([0], np.int64),
            "second": np.array([1], np.int64),
            "third": np.array([2], np.int64),
            "end": np.array([2**31], np.int64),
            "layout": np.array([-1, 1], np.int64),
        }
        return self.accumulating_body(opset, _BODY, self.product_nodes, _TOTAL, constants)


_TOTAL = "    {kind}total = Reshape({kind}products, total_shape)"

_BODY = """
    kernel = Constant <value_ints: ints = @kernel_shape> ()
    group = Constant <value_int: int = @group> ()
    groups = Reshape(group, second)
    given_shape = Shape(x)
    images = Slice(given_shape, first, second)
    is_empty = Equal(images, first)
    fillers = Cast <to: int = 7> (is_empty)
    image_size = Slice(given_shape, second, end)
    filler_shape = Concat <axis: int = 0> (fillers, image_size)
    filler = ConstantOfShape(filler_shape)
    x_float = Cast <to: int = 1> (x)
    x_some = Concat <axis: int = 0> (x_float, filler)

    x_shape = Shape(x_some)
    batch = Slice(x_shape, first, second)
    maps = Slice(x_shape, first, third)
    map_count = ReduceProd(maps)
    map_size = Slice(x_shape, third, end)
    maps_shape = Concat <axis: int = 0> (map_count, second, map_size)
    x_maps = Reshape(x_some, maps_shape)

    taps = ReduceProd(kernel)
    square = Concat <axis: int = 0> (taps, taps)
    empty_square = ConstantOfShape(square)
    diagonal = EyeLike(empty_square)
    one_hot_shape = Concat <axis: int = 0> (taps, second, kernel)
    one_hot = Reshape(diagonal, one_hot_shape)
    read = Conv <strides: ints = @strides, pads: ints = @pads, dilations: ints = @dilations> (x_maps, one_hot)
    read_shape = Shape(read)
    out_size = Slice(read_shape, third, end)
    positions = ReduceProd(out_size)

    w_shape = Shape(w)
    filters = Slice(w_shape, first, second)
    channels = Slice(w_shape, second, third)
    products_an_output = Mul(channels, taps)
    filters_a_group = Div(filters, groups)
    columns_shape = Concat <axis: int = 0> (batch, groups, products_an_output, positions)
    columns_float = Reshape(read, columns_shape)
    columns = Cast <to: int = 11> (columns_float)
    matrix_shape = Concat <axis: int = 0> (groups, filters_a_group, products_an_output)
{products}
    total_shape = Concat <axis: int = 0> (batch, filters, positions)
{totals}
{codes}
    y_shape = Concat <axis: int = 0> (batch, filters, out_size)
    y_some = Reshape(codes, y_shape)
    y = Slice(y_some, first, images)
"""
