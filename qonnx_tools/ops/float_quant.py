"""FloatQuant of the QONNX dialect."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic import qonnx_dialect
from qonnx_tools.ops.op import NUMBER, QONNX_DOMAINS, Attribute, Input, Op


class FloatQuant(Op):
    """Quantization to a small floating-point format, always signed, subnormals always included."""

    domains = QONNX_DOMAINS
    name = "FloatQuant"
    inputs = (
        Input("x", "any tensor"),
        Input("scale", "multiplies the format's numbers; broadcasts to x"),
        Input("exponent_bits", "a single whole number", NUMBER),
        Input("mantissa_bits", "without the leading one, a single whole number", NUMBER),
        Input("exponent_bias", "a single whole number", NUMBER),
        Input("max_val", "the largest number before scale, if the format ends earlier than its exponents allow"),
    )
    attributes = (
        Attribute("has_inf", "1: without saturation, what is out of range becomes infinite"),
        Attribute("has_nan", "1: without saturation, and without has_inf, what is out of range becomes NaN"),
        Attribute("saturation", "1: what is out of range becomes the largest number"),
        Attribute("has_subnormal", "says what the format has; changes nothing", 0),
        Attribute("rounding_mode", "ROUND, HALF_EVEN, CEIL, FLOOR, UP, DOWN, HALF_UP or HALF_DOWN", "ROUND", str),
    )

    def compute(self, inputs: Sequence[npt.NDArray[Any]], attributes: Mapping[str, Any]) -> npt.NDArray[np.float32]:
        return qonnx_dialect.float_quant(
            *inputs,
            rounding_mode=attributes["rounding_mode"],
            has_inf=bool(attributes["has_inf"]),
            has_nan=bool(attributes["has_nan"]),
            saturation=bool(attributes["saturation"]),
        )
