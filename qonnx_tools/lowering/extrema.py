"""Max and Min of codes."""

from typing import Any

import numpy as np
from onnx import helper

from qonnx_tools.graph import gs
from qonnx_tools.lowering.alignment import aligned
from qonnx_tools.lowering.rule import Context, Rule
from qonnx_tools.lowering.state import Coded

CARRIERS = (np.int8, np.uint8, np.int32)
"""Element types that onnxruntime compares; other codes are compared as int32."""


class ExtremaRule(Rule):
    """``Max`` and ``Min``: the same operator on codes of one format, where a larger code is a larger number."""

    ops = frozenset({"Max", "Min"})

    def lower(self, node: gs.Node, context: Context) -> Coded:
        codes, common = aligned(node.inputs, context)
        make, output, dtype = context.emitter, node.outputs[0], common.carrier
        if dtype in CARRIERS:
            return Coded(make.node(node.op, codes, {}, output, dtype, domain=""), common)

        def cast(tensor: Any, to: Any, like: Any) -> Any:
            number = int(helper.np_dtype_to_tensor_dtype(np.dtype(to)))
            return make.node("Cast", [tensor], {"to": number}, like, to, domain="")

        wide = [cast(tensor, np.int32, like) for tensor, like in zip(codes, node.inputs, strict=True)]
        chosen = make.node(node.op, wide, {}, output, np.int32, domain="", suffix="codes.wide")
        return Coded(cast(chosen, dtype, output), common)
