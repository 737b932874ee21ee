"""Convolutions on codes with an addition behind them, as a residual block ends: a convolution op, then FixedAdd."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import onnx

from qonnx_tools.errors import ConfigError
from qonnx_tools.ops._codes import CLIPPED_FORMAT, CODES, TO, CodesOp, check_scalar, shift_input
from qonnx_tools.ops._conv import ConvOp
from qonnx_tools.ops.fixed_add import FixedAdd
from qonnx_tools.ops.function import Call, composition
from qonnx_tools.ops.op import INT64, Attribute, AttributeValue, Input

PREFIX = "conv_"
"""What the attributes of the convolution's own codes begin with; those of the sum have their plain names."""
CONV_INPUTS = 6
CONV_FORMAT = tuple(attribute for attribute in CLIPPED_FORMAT if attribute is not TO)
ADD = FixedAdd()


def conv_attributes(conv: ConvOp) -> tuple[Attribute, ...]:
    """Return the attributes of ``conv`` with an addition: those of its codes twice, of the convolution and of y."""
    own = [attribute for attribute in conv.attributes if attribute not in CLIPPED_FORMAT]
    between = [
        Attribute(PREFIX + each.name, f"{each.doc}; of the convolution's codes", each.default) for each in CONV_FORMAT
    ]
    return (*own, *between, *CLIPPED_FORMAT)


class ConvAddOp(CodesOp):
    """A convolution of codes, of which each code is added to one of ``residual``; the convolution is the op's own."""

    conv: ClassVar[ConvOp]
    inputs = (
        *(Input(each.name, each.doc, each.types) for each in ConvOp.inputs),
        Input("residual", "codes, of the shape of y", CODES),
        Input("left", "of the convolution's codes, 0 to 62, 0-d", INT64),
        Input("residual_left", "0 to 62, 0-d", INT64),
        Input("sum_shift", shift_input("0-d").doc, INT64),
    )

    @property
    def calls(self) -> tuple[tuple[str, str], ...]:
        return tuple((each.domains[0], each.name) for each in (self.conv, ADD))

    def node_attributes(self, conv: Mapping[str, Any], add: Mapping[str, Any]) -> dict[str, Any]:
        """Return the attributes of a node in place of a convolution and a FixedAdd that have these."""
        between = {each.name for each in CONV_FORMAT}
        renamed = {PREFIX + name if name in between else name: value for name, value in conv.items()}
        return {**renamed, **add}

    def check(self, inputs: Sequence[npt.NDArray[Any]]) -> None:
        check_scalar(self, inputs, "left", "residual_left", "sum_shift")

    def compute(self, inputs: Sequence[npt.NDArray[Any]], attributes: Mapping[str, Any]) -> npt.NDArray[Any]:
        residual, *shifts = inputs[CONV_INPUTS:]
        (codes,) = self.conv.reference(inputs[:CONV_INPUTS], self._of_conv(attributes))
        if residual.shape != codes.shape:
            shapes = f"{list(residual.shape)}; the convolution gives {list(codes.shape)}"
            raise ConfigError(f"{self.name}: input 'residual' has shape {shapes}")
        (y,) = ADD.reference([codes, residual, *shifts], {each.name: attributes[each.name] for each in ADD.attributes})
        return np.asarray(y)

    def stand_in(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        return self.conv.stand_in(node)

    def body(self, opset: int) -> onnx.FunctionProto:
        names = [wanted.name for wanted in self.inputs]
        conv = {each.name: each.name for each in self.conv.attributes if each not in CLIPPED_FORMAT}
        conv |= {each.name: PREFIX + each.name for each in CONV_FORMAT}
        called: list[Call] = [
            (self.conv, names[:CONV_INPUTS], "codes", {**conv, TO.name: int(onnx.TensorProto.INT32)}),
            (ADD, ["codes", *names[CONV_INPUTS:]], "y", {each.name: each.name for each in ADD.attributes}),
        ]
        return composition(self, opset, called)

    def _of_conv(self, attributes: Mapping[str, Any]) -> dict[str, AttributeValue]:
        own = {each.name: attributes[each.name] for each in self.conv.attributes if each not in CLIPPED_FORMAT}
        between = {each.name: attributes[PREFIX + each.name] for each in CONV_FORMAT}
        return {**own, **between, TO.name: int(onnx.TensorProto.INT32)}
