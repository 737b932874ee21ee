"""FixedConv: convolution with fixed-point weights."""

from qonnx_tools.ops._conv import ConvOp


class FixedConv(ConvOp):
    """Convolve codes: y = saturate(round_shift(multiplier * acc + addend, shift)), acc = wrap(sum of x * w + bias)."""

    name = "FixedConv"
