"""ShiftGemm: matrix product with log weights, so that shifts stand for products."""

from qonnx_tools.ops._accumulating import STEPS, WEIGHT_BITS, ShiftSums
from qonnx_tools.ops._gemm import GemmOp


class ShiftGemm(ShiftSums, GemmOp):
    """Multiply codes by a matrix of shifts: acc = wrap(sum of +-(x << (abs(w) - 1)) + bias).

    y = saturate(round_shift(multiplier * acc + addend, shift)). A weight with code 0 adds nothing; the LSB of the
    accumulator is that of x times the smallest weight. With steps 2, base sqrt 2, a weight of odd size is a shift by
    (abs(w) - 1) / 2; one of even size is a shift by abs(w) / 2 into an accumulator of its own, odd, and
    acc = wrap(even + bias) + round_shift(wrap(odd) * 46341, 16).
    """

    name = "ShiftGemm"
    attributes = (WEIGHT_BITS, STEPS, *GemmOp.attributes)
