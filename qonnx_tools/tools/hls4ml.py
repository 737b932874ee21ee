"""hls4ml 1.3."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from qonnx_tools.arithmetic.fixed_point import FLOAT32_INTEGERS
from qonnx_tools.arithmetic.rounding import Rounding
from qonnx_tools.graph import constant_value, gs, is_constant, op_of
from qonnx_tools.ops import QONNX_DOMAINS
from qonnx_tools.ops.channels_last import CHANNELS_LAST
from qonnx_tools.passes.base import Pass
from qonnx_tools.passes.clip_to_relu import ClipToRelu
from qonnx_tools.passes.gemm_to_matmul import GemmToMatmul
from qonnx_tools.passes.half_up_to_floor import HalfUpToFloor
from qonnx_tools.passes.plain_names import PlainNames
from qonnx_tools.passes.pool_to_convolution import PoolToConvolution
from qonnx_tools.passes.share_scales import ShareScales
from qonnx_tools.passes.shortcut_to_convolution import ShortcutToConvolution
from qonnx_tools.passes.to_channels_last import ToChannelsLast
from qonnx_tools.tools.tool import Tool

QUANT = f"{QONNX_DOMAINS[0]}::Quant"
EXACT = frozenset({
    "Add", "Concat", "Flatten", "Identity", "MatMul", "Mul", "Relu", "Reshape", "Sub", "Transpose", QUANT,
    *(f"{CHANNELS_LAST}::{name}" for name in ("BatchNormalization", "Conv", "MaxPool")),
})  # fmt: skip
"""What hls4ml computes exactly of a graph in the layout that it reads."""


class Hls4ml(Tool):
    """Exact arithmetic in fixed point of any width; one scale a tensor; rounding to even and down; channels last."""

    name: ClassVar[str] = "hls4ml"
    title: ClassVar[str] = "hls4ml"

    def before(self) -> list[Pass]:
        return [PoolToConvolution(), ShortcutToConvolution(), ClipToRelu(), HalfUpToFloor()]

    def modes(self) -> Mapping[str, str]:
        return {Rounding.HALF_EVEN: "ROUND", Rounding.FLOOR: "FLOOR"}

    def after(self) -> list[Pass]:
        return [ShareScales(), GemmToMatmul(), ToChannelsLast(), PlainNames()]

    def reason(self, node: gs.Node) -> str | None:
        op = op_of(node)
        if op not in EXACT:
            return f"hls4ml does not compute {node.op} exactly, or not at all; leave it out of the graph"
        if op == QUANT and is_constant(node.inputs[0]):
            codes = constant_value(node.inputs[0]) / np.asarray(constant_value(node.inputs[1]), np.float64)
            largest = int(np.abs(codes).max(initial=0))
            odd = np.rint(codes).astype(np.int64)
            significant = np.where(odd == 0, 0, odd // np.maximum(odd & -odd, 1))
            if np.abs(significant).max(initial=0) > 2**FLOAT32_INTEGERS:
                name = node.inputs[0].name
                return f"'{name}' has codes up to {largest}, which float32 does not hold; give it fewer bits"
        if node.op == "Conv":
            if any(step != 1 for step in node.attrs["dilations"]):
                return "hls4ml takes the size of a dilated kernel wrongly; use one without dilations"
            channels = (node.inputs[0].shape or [None])[-1]
            if node.attrs["group"] not in (1, channels):
                return "hls4ml has full and depthwise convolutions, and no groups between; split the convolution"
        if op == "Concat" and len(node.inputs) > 2:
            return "hls4ml joins two tensors, not more; concatenate in steps"
        return None
