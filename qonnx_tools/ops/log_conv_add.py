"""LogConvAdd: LogConv, then FixedAdd."""

from qonnx_tools.ops._conv_add import ConvAddOp, conv_attributes
from qonnx_tools.ops.log_conv import LogConv


class LogConvAdd(ConvAddOp):
    """Convolve log codes, then add fixed-point ones: y = FixedAdd(LogConv(x, w, ..), residual), each saturating.

    The codes of the convolution have the format of the attributes conv_*, the sum that of the others.
    """

    name = "LogConvAdd"
    conv = LogConv()
    attributes = conv_attributes(conv)
