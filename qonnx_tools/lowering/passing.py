"""Operators that move codes as they are."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from onnx import helper

from qonnx_tools.graph import gs, input_value, is_given
from qonnx_tools.lowering.alignment import aligned
from qonnx_tools.lowering.rule import Context, Declined, Rule
from qonnx_tools.lowering.state import Coded, Emitter
from qonnx_tools.topology import PASSIVE, is_passive

CARRIERS = {
    "DepthToSpace": (np.int8, np.uint8),
    "SpaceToDepth": (np.int8, np.uint8),
    "Pad": (np.int8, np.uint8, np.int32),
    "Resize": (np.int8, np.uint8, np.int32),
}
"""Element types that onnxruntime computes these in; other codes travel through them as float32, which holds them."""


class PassingRule(Rule):
    """The same operator on codes; the inputs of ``Concat`` are brought to one format first."""

    ops = PASSIVE - {"Concat", "GlobalMaxPool", "Identity", "MaxPool"}

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
        codes = moved(node.op, node.attrs, inputs, node.outputs[0], context.emitter)
        return Coded(codes, x.format, x.axis)


class IdentityRule(Rule):
    """The same codes."""

    ops = frozenset({"Identity"})

    def lower(self, node: gs.Node, context: Context) -> Coded:
        return context.codes(node.inputs[0])


class ConcatRule(Rule):
    """``Concat`` of codes in one format: the finest grid, with the bits that the widest range needs on it."""

    ops = frozenset({"Concat"})

    def lower(self, node: gs.Node, context: Context) -> Coded:
        inputs, common = aligned(node.inputs, context)
        return Coded(moved(node.op, node.attrs, inputs, node.outputs[0], context.emitter), common)


def moved(op: str, attributes: Mapping[str, Any], inputs: list[Any], like: Any, make: Emitter) -> Any:
    """Emit ``op`` on codes, the first of ``inputs``, through float32 where onnxruntime has no kernel for their type."""
    codes, dtype = inputs[0], inputs[0].dtype
    if dtype in CARRIERS.get(op, (dtype,)):
        return make.node(op, inputs, attributes, like, dtype, domain="")
    as_float = make.node(
        "Cast", [codes], {"to": 1}, like, np.float32, domain="", suffix="codes.float", shape=codes.shape
    )
    floats = make.node(op, [as_float, *inputs[1:]], attributes, like, np.float32, domain="", suffix="codes.float")
    return make.node("Cast", [floats], {"to": int(helper.np_dtype_to_tensor_dtype(dtype))}, like, dtype, domain="")
