"""Dequantize: from fixed-point codes to floats."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from qonnx_tools.arithmetic.fixed_point import FRAC_RANGE, FixedPoint
from qonnx_tools.ops._codes import CODES
from qonnx_tools.ops.function import function
from qonnx_tools.ops.op import DOMAIN, FLOAT, INT64, Input, Op, by_parameter


class Dequantize(Op):
    """Decode fixed point: y = codes * 2**-frac, exact for abs(codes) <= 2**24, else rounded once to float32."""

    domains = (DOMAIN,)
    name = "Dequantize"
    inputs = (
        Input("codes", "any tensor of codes", CODES),
        Input("frac", f"fraction bits, {FRAC_RANGE[0]} to {FRAC_RANGE[1]}; broadcasts to codes", INT64),
    )
    output_types = FLOAT

    def compute(
        self,
        inputs: Sequence[npt.NDArray[Any]],
        attributes: Mapping[str, Any],  # noqa: ARG002 - it has none
    ) -> npt.NDArray[Any]:
        codes, frac = inputs
        return by_parameter(codes, frac, lambda bits, part: FixedPoint(32, bits).decode(part))

    def stand_in(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        cast = onnx.helper.make_node("Cast", node.input[:1], node.output[:1], name=node.name, to=onnx.TensorProto.FLOAT)
        return [cast]

    def body(self, opset: int) -> onnx.FunctionProto:
        low, high = FRAC_RANGE
        tables = {
            "powers": np.ldexp(1.0, -np.arange(low, high + 1)),  # 2**-frac at frac - low
            "lowest": np.array(low, np.int64),
        }
        return function(self, opset, tables, _BODY)


_BODY = """
    at = Sub(frac, lowest)
    power = Gather(powers, at)
    wide = Cast <to: int = 11> (codes)
    value = Mul(wide, power)
    y = Cast <to: int = 1> (value)
"""
