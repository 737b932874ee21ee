"""ShiftConvAdd: ShiftConv, then FixedAdd."""

from qonnx_tools.ops._conv_add import ConvAddOp, conv_attributes
from qonnx_tools.ops.shift_conv import ShiftConv


class ShiftConvAdd(ConvAddOp):
    """Convolve codes with shifts, then add others: y = FixedAdd(ShiftConv(x, w, ..), residual), each saturating.

    The codes of the convolution have the format of the attributes conv_*, the sum that of the others.
    """

    name = "ShiftConvAdd"
    conv = ShiftConv()
    attributes = conv_attributes(conv)
