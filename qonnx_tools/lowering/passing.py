"""Operators that move codes as they are."""

import numpy as np
from onnx import helper

from qonnx_tools.arithmetic.fixed_point import FixedPoint, common_grid
from qonnx_tools.graph import gs, input_value, is_given
from qonnx_tools.lowering.rule import Context, Declined, Rule
from qonnx_tools.lowering.state import Coded, Target, per_tensor
from qonnx_tools.topology import PASSIVE, is_passive

CARRIERS = {
    "Pad": (np.int8, np.uint8, np.int32),
    "Resize": (np.int8, np.uint8, np.int32),
}
"""Element types that onnxruntime computes these in; other codes travel through them as float32, which holds them."""


class PassingRule(Rule):
    """The same operator on codes; the inputs of ``Concat`` are brought to one format first."""

    ops = PASSIVE - {"Concat", "GlobalMaxPool", "MaxPool"}

    def lower(self, node: gs.Node, context: Context) -> Coded:
        if not is_passive(node):
            raise Declined(f"{node.op} with mode {node.attrs.get('mode')} makes new values")
        x = context.codes(node.inputs[0])
        if len(node.outputs) > 1:
            raise Declined("it has more than one output")
        inputs = [x.tensor, *list(node.inputs)[1:]]
        if node.op == "Pad" and node.attrs.get("mode", "constant") == "constant":
            value = input_value(node, 2)
            if is_given(node, 2) and (value is None or np.any(value)):
                raise Declined("it pads with a value other than 0")
            inputs = inputs[:2]
        return Coded(move(node, inputs, x.tensor.dtype, context), x.format, x.axis)


class ConcatRule(Rule):
    """``Concat`` of codes in one format: the finest grid, with the bits that the widest range needs on it."""

    ops = frozenset({"Concat"})

    def lower(self, node: gs.Node, context: Context) -> Coded:
        parts = [context.activation(tensor) for tensor in node.inputs]
        formats = [item for _, item in parts]
        bits, frac, signed = common_grid(formats)
        if bits > 16:
            raise Declined(f"its inputs need {bits} bits on one grid; give them the same format")
        common = formats[0] if len(set(formats)) == 1 else FixedPoint(bits, frac, signed)
        inputs = []
        for (coded, own), tensor in zip(parts, node.inputs, strict=True):
            target = Target(common, "half_even", *common.code_range)
            shift = context.emitter.constant(f"{node.name}.shift", per_tensor(own.frac) - frac, np.int64)
            inputs.append(
                coded.tensor
                if own == common
                else context.emitter.node(
                    "Requantize", [coded.tensor, shift], target.attributes, tensor, common.carrier
                )
            )
        return Coded(move(node, inputs, common.carrier, context), common)


def move(node: gs.Node, inputs: list[gs.Tensor], dtype: np.dtype[np.generic], context: Context) -> gs.Variable:
    """Emit ``node`` on codes of ``dtype``, through float32 where onnxruntime has no kernel for that type."""
    output, make = node.outputs[0], context.emitter
    known = CARRIERS.get(node.op)
    if known is None or dtype in known:
        return make.node(node.op, inputs, node.attrs, output, dtype, domain="")
    as_float = make.node("Cast", inputs[:1], {"to": 1}, node.inputs[0], np.float32, domain="", suffix="codes.float")
    moved = make.node(node.op, [as_float, *inputs[1:]], node.attrs, output, np.float32, domain="", suffix="codes.float")
    return make.node("Cast", [moved], {"to": int(helper.np_dtype_to_tensor_dtype(dtype))}, output, dtype, domain="")
