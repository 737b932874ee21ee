"""Sums of two tensors of codes, in float32."""

import numpy as np

from qonnx_tools.graph import gs, input_value
from qonnx_tools.origin import Origin
from qonnx_tools.standard_ops.maker import EXACT_BITS, EXACT_SCALES, IN_FLOAT, Maker, complete, rounding_of
from qonnx_tools.standard_ops.rule import NotInFloat, StandardRule, fraction_bits


class AddRule(StandardRule):
    """``DequantizeLinear, DequantizeLinear -> Sum -> QuantizeLinear``: onnxruntime has no integer kernel for a Sum."""

    ops = frozenset({"FixedAdd"})

    def lower(self, node: gs.Node, origin: Origin | None, make: Maker) -> None:
        attributes = complete(node)
        y_frac = fraction_bits(None if origin is None else origin.makes, "its result")
        lefts = [int(np.asarray(input_value(node, at)).item()) for at in (2, 3)]
        grid = y_frac + int(np.asarray(input_value(node, 4)).item())
        operands = list(node.inputs)[:2]
        kinds = [np.dtype(tensor.dtype) for tensor in operands]
        widest = max(8 * kind.itemsize + left for kind, left in zip(kinds, lefts, strict=True)) + 1
        if widest > EXACT_BITS:
            raise NotInFloat(f"its sums need {widest} bits, float32 holds {EXACT_BITS}")
        if not EXACT_SCALES[0] <= grid <= EXACT_SCALES[1]:
            raise NotInFloat("its sums are too large or too small for float32")
        if attributes["bits"] > EXACT_BITS or rounding_of(attributes) not in IN_FLOAT:
            raise NotInFloat(f"no standard op rounds to {attributes['bits']} bits, {rounding_of(attributes)}")
        terms = [make.floats(tensor, np.array(grid - left), 0) for tensor, left in zip(operands, lefts, strict=True)]
        make.codes(make.add("Sum", terms), y_frac, attributes, node.outputs[0])
