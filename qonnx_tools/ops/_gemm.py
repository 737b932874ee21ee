"""Matrix products on codes."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import onnx

from qonnx_tools.arithmetic import integer
from qonnx_tools.ops._accumulating import ACCUMULATION, AccumulatingOp, accumulating_inputs
from qonnx_tools.ops._codes import float_stand_in
from qonnx_tools.ops.op import Attribute


class GemmOp(AccumulatingOp):
    """A matrix product of codes; what its weights multiply by is the op's own."""

    inputs = accumulating_inputs("[N, K]", "[K, M], with transB [M, K]")
    attributes: ClassVar[tuple[Attribute, ...]] = (Attribute("transB", "1: w is [M, K], 0: [K, M]", 0), *ACCUMULATION)
    product_nodes: ClassVar[str] = """
    {part}_sums = Gemm <transB: int = @transB> (rows, {part})
"""

    def accumulate(
        self, x: npt.NDArray[Any], w: npt.NDArray[Any], attributes: Mapping[str, Any]
    ) -> npt.NDArray[np.int64]:
        return integer.gemm(x, w, transpose=bool(attributes["transB"]))

    def stand_in(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        return float_stand_in(node, "Gemm", 2, ("transB",))

    def body(self, opset: int) -> onnx.FunctionProto:
        constants = {"layout": np.array([1, -1], np.int64)}
        return self.accumulating_body(opset, _BODY, self.product_nodes, _TOTAL, constants)


_TOTAL = "    {kind}total = Identity({kind}products)"

_BODY = """
    rows = Cast <to: int = 11> (x)
{products}
{totals}
{codes}
    y = Identity(codes)
"""
