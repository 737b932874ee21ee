"""Quant and IntQuant of the QONNX dialect."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic import qonnx_dialect
from qonnx_tools.ops.op import NUMBER, QONNX_DOMAINS, Attribute, Input, Op


class Quant(Op):
    """Uniform quantization to integer codes: (round(clip(x / scale + zeropt)) - zeropt) * scale."""

    domains = QONNX_DOMAINS
    name = "Quant"
    inputs = (
        Input("x", "any tensor"),
        Input("scale", "the step; broadcasts to x"),
        Input("zeropt", "the code of zero; broadcasts to x"),
        Input("bitwidth", "number of bits, a single whole number", NUMBER),
    )
    attributes = (
        Attribute("signed", "1: codes of both signs, 0: from zero up"),
        Attribute("narrow", "1: one code less: signed the most negative, unsigned the largest"),
        Attribute("rounding_mode", "ROUND, HALF_EVEN, CEIL, FLOOR, UP, DOWN, HALF_UP or HALF_DOWN", "ROUND", str),
    )

    def compute(self, inputs: Sequence[npt.NDArray[Any]], attributes: Mapping[str, Any]) -> npt.NDArray[np.float32]:
        x, scale, zero_point, bits = inputs
        return qonnx_dialect.int_quant(
            x,
            scale,
            zero_point,
            bits,
            signed=bool(attributes["signed"]),
            narrow=bool(attributes["narrow"]),
            rounding_mode=attributes["rounding_mode"],
        )


class IntQuant(Quant):
    """Uniform quantization to integer codes, by its other name: see Quant."""

    name = "IntQuant"
