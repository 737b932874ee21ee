"""FixedGemm: matrix product with fixed-point weights."""

from qonnx_tools.ops._gemm import GemmOp


class FixedGemm(GemmOp):
    """Multiply matrices of codes: y = saturate(round_shift(multiplier * acc + addend, shift)).

    acc = wrap(sum of x * w + bias).
    """

    name = "FixedGemm"
