"""Trunc of the QONNX dialect, both versions."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic import qonnx_dialect
from qonnx_tools.ops.op import NUMBER, QONNX_DOMAINS, Attribute, Input, Op


class Trunc(Op):
    """Drop the least significant bits of codes.

    Version 1 has the inputs x, scale, zeropt, in_bits, out_bits and keeps the scale; version 2 has x, scale, zeropt,
    in_bits, out_scale, out_bits, and clips. The number of inputs tells them apart.
    """

    domains = QONNX_DOMAINS
    name = "Trunc"
    inputs = (
        Input("x", "numbers on the grid of scale"),
        Input("scale", "the step; broadcasts to x"),
        Input("zeropt", "the code of zero; broadcasts to x"),
        Input("in_bits", "bits of the codes of x, a single whole number", NUMBER),
        Input("out_bits_or_scale", "with five inputs bits of the codes of y, with six the step of y", NUMBER),
        Input("out_bits", "bits of the codes of y, a single whole number", NUMBER, optional=True),
    )
    attributes = (
        Attribute("rounding_mode", "ROUND, HALF_EVEN, CEIL, FLOOR, UP, DOWN, HALF_UP or HALF_DOWN", kind=str),
        Attribute("signed", "1: codes of both signs, 0: from zero up; for six inputs", 1),
        Attribute("narrow", "1: one code less: signed the most negative, unsigned the largest; for six inputs", 0),
    )

    def compute(self, inputs: Sequence[npt.NDArray[Any]], attributes: Mapping[str, Any]) -> npt.NDArray[np.float32]:
        mode = attributes["rounding_mode"]
        if len(inputs) == 5:
            return qonnx_dialect.trunc_v1(*inputs, rounding_mode=mode)
        signed, narrow = bool(attributes["signed"]), bool(attributes["narrow"])
        return qonnx_dialect.trunc_v2(*inputs, rounding_mode=mode, signed=signed, narrow=narrow)
