"""FINN."""

import math
from collections.abc import Mapping
from typing import ClassVar

from qonnx_tools.arithmetic.rounding import Rounding
from qonnx_tools.graph import constant_value, gs, is_constant, op_of
from qonnx_tools.ops import QONNX_DOMAINS
from qonnx_tools.passes.base import Pass
from qonnx_tools.passes.clip_to_relu import ClipToRelu
from qonnx_tools.passes.gemm_to_matmul import GemmToMatmul
from qonnx_tools.passes.plain_constants import PlainConstants
from qonnx_tools.passes.plain_names import PlainNames
from qonnx_tools.passes.pool_to_convolution import PoolToConvolution
from qonnx_tools.passes.shortcut_to_convolution import ShortcutToConvolution
from qonnx_tools.passes.signs_for_relu import SignsForRelu
from qonnx_tools.tools.tool import Tool

QUANT = f"{QONNX_DOMAINS[0]}::Quant"
MOST_BITS = 8
"""Bits of activations that become thresholds; wider ones stay in float."""
EXACT = frozenset({
    "Add", "BatchNormalization", "Conv", "Flatten", "GlobalAveragePool", "Identity", "MatMul", "MaxPool", "Mul", "Relu",
    "Reshape", "Transpose", QUANT,
})  # fmt: skip


class Finn(Tool):
    """Activations are thresholds: ties go up whatever the rounding mode says, and 8 bits at most."""

    name: ClassVar[str] = "finn"
    title: ClassVar[str] = "FINN"

    def before(self) -> list[Pass]:
        return [PoolToConvolution(whole_maps=False), ShortcutToConvolution(), ClipToRelu()]

    def modes(self) -> Mapping[str, str]:
        return {Rounding.HALF_UP: "ROUND"}

    def after(self) -> list[Pass]:
        return [PlainConstants(), SignsForRelu(), GemmToMatmul(), PlainNames()]

    def reason(self, node: gs.Node) -> str | None:
        op = op_of(node)
        if op not in EXACT:
            return f"FINN has no form for {node.op}; leave it out of the graph"
        if op == QUANT and not is_constant(node.inputs[0]):
            bits = constant_value(node.inputs[3]).item()
            if bits > MOST_BITS:
                name = node.inputs[0].name
                return f"'{name}' has {bits:g} bits; activations above {MOST_BITS} stay in float, give it fewer"
        if op == "GlobalAveragePool":
            count = math.prod(size for size in node.inputs[0].shape[2:])
            if count & (count - 1):
                return f"a mean of {count} numbers is rounded otherwise on integer codes; pool maps of a power of two"
        return None
