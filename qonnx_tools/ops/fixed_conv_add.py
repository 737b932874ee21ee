"""FixedConvAdd: FixedConv, then FixedAdd."""

from qonnx_tools.ops._conv_add import ConvAddOp, conv_attributes
from qonnx_tools.ops.fixed_conv import FixedConv


class FixedConvAdd(ConvAddOp):
    """Convolve codes, then add others: y = FixedAdd(FixedConv(x, w, ..), residual), each rounding and saturating.

    The codes of the convolution have the format of the attributes conv_*, the sum that of the others.
    """

    name = "FixedConvAdd"
    conv = FixedConv()
    attributes = conv_attributes(conv)
