"""Floats to codes and back, and codes that are moved: QuantizeLinear, DequantizeLinear, MaxPool."""

from typing import Any

import numpy as np

from qonnx_tools.arithmetic.rounding import Rounding
from qonnx_tools.graph import gs, input_value, op_of, producer
from qonnx_tools.ops import DOMAIN
from qonnx_tools.origin import Origin
from qonnx_tools.standard_ops.maker import BYTES, EXACT_BITS, Maker, complete, rounding_of
from qonnx_tools.standard_ops.rule import NotInFloat, StandardRule

MOVING = frozenset({"Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})


class QuantizeRule(StandardRule):
    """``QuantizeLinear`` with the scale 2^-frac, behind a Clip for fewer bits than a byte."""

    ops = frozenset({"Quantize"})

    def lower(self, node: gs.Node, origin: Origin | None, make: Maker) -> None:  # noqa: ARG002  # the op says it all
        attributes, frac = complete(node), input_value(node, 1)
        if frac is None or frac.size != 1:
            raise NotInFloat("its fraction bits differ")
        if rounding_of(attributes) is not Rounding.HALF_EVEN:
            raise NotInFloat(f"its rounding is {rounding_of(attributes)}")
        if attributes["bits"] > EXACT_BITS:
            raise NotInFloat(f"float32 does not hold {attributes['bits']} bits")
        make.codes(node.inputs[0], int(frac.item()), attributes, node.outputs[0], plain=_was_codes(node.inputs[0]))


def _was_codes(tensor: Any) -> bool:
    """Tell whether ``tensor`` comes from codes as it is: onnxruntime joins two pairs in a row, and moves ties."""
    maker = producer(tensor)
    while maker is not None and op_of(maker) in MOVING:
        maker = producer(maker.inputs[0])
    return maker is not None and op_of(maker) in (f"{DOMAIN}::Dequantize", "DequantizeLinear")


class DequantizeRule(StandardRule):
    """``DequantizeLinear`` with the scale 2^-frac; of wider codes than bytes Cast and Mul.

    onnxruntime moves a DequantizeLinear of int32 past a Transpose, and then makes bytes of what is between.
    """

    ops = frozenset({"Dequantize"})

    def lower(self, node: gs.Node, origin: Origin | None, make: Maker) -> None:  # noqa: ARG002
        frac = input_value(node, 1)
        if frac is None or frac.size != 1:
            raise NotInFloat("its fraction bits differ")
        is_wide = np.dtype(node.inputs[0].dtype) not in BYTES
        make.floats(node.inputs[0], frac.astype(np.int64), 0, node.outputs[0], plain=is_wide)


class MaxPoolRule(StandardRule):
    """``MaxPool`` of bytes."""

    ops = frozenset({"FixedMaxPool"})

    def lower(self, node: gs.Node, origin: Origin | None, make: Maker) -> None:  # noqa: ARG002
        if np.dtype(node.inputs[0].dtype) not in BYTES:
            raise NotInFloat("MaxPool of onnxruntime takes bytes")
        window = {name: list(node.attrs[name]) for name in ("kernel_shape", "strides", "pads", "dilations")}
        make.add("MaxPool", [node.inputs[0]], node.outputs[0], **window)
