"""ShiftConv: convolution with base-2 log weights, so that shifts stand for products."""

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from qonnx_tools.arithmetic import integer
from qonnx_tools.ops._accumulating import SHIFT_WEIGHTS, WEIGHT_BITS
from qonnx_tools.ops._conv import ConvOp


class ShiftConv(ConvOp):
    """Convolve codes with weights that are shifts: acc = wrap(sum of +-(x << (abs(w) - 1)) + bias).

    y = saturate(round_shift(multiplier * acc + addend, shift)). A weight with code 0 adds nothing; the LSB of the
    accumulator is that of x times the smallest weight.
    """

    name = "ShiftConv"
    attributes = (WEIGHT_BITS, *ConvOp.attributes)
    weight_nodes = SHIFT_WEIGHTS

    def weights(self, codes: npt.NDArray[Any], attributes: Mapping[str, Any]) -> npt.NDArray[Any]:
        return integer.log_weights(codes, attributes["weight_bits"])
