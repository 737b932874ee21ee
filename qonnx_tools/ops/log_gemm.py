"""LogGemm: matrix product of log codes with log weights, so that additions stand for products."""

import numpy as np

from qonnx_tools.ops._gemm import GemmOp
from qonnx_tools.ops._log_products import BY_SIZE, LOG_UNIT, X_AT, LogSums, log_weight_nodes, size_sums


class LogGemm(LogSums, GemmOp):
    """Multiply log codes by a matrix by adding exponents: acc = wrap(sum of +-2**(guard_bits - e) + bias).

    e is how far x and w together are below their scales, in octaves: (K_x - abs(x)) + (K_w - abs(w)) steps. Terms below
    1 are dropped; a code 0 adds nothing. y = saturate(round_shift(multiplier * acc + addend, shift)).

    With steps 2, base sqrt 2, terms of an even number of steps add up in one accumulator, beside the bias, and those of
    an odd one, rounded up to whole octaves, in another: acc = wrap(even + bias) + round_shift(wrap(odd) * 46341, 16).
    """

    name = "LogGemm"
    attributes = (*LOG_UNIT, *GemmOp.attributes)
    weight_nodes = log_weight_nodes(
        f"""
    x_codes = Cast <to: int = 7> (x)
{X_AT}
    w_shape = Shape(w)
    transposed = Constant <value_int: int = @transB> ()
    output_at = Sub(one, transposed)
    outputs = Gather(w_shape, output_at)
    outputs_row = Reshape(outputs, row)
    square = Concat <axis: int = 0> (outputs_row, outputs_row)
    empty_square = ConstantOfShape(square)
    diagonal_float = EyeLike(empty_square)
    diagonal = Cast <to: int = 11> (diagonal_float)
    w_double = Cast <to: int = 11> (w)
    w_upright = Gemm <transA: int = @transB> (w_double, diagonal)
    w_along = Cast <to: int = 7> (w_upright)
    sizes_along = Reshape(every_size, size_layout)
{BY_SIZE}
    """,
        {"row": np.array([1], np.int64), "size_layout": np.array([-1, 1, 1], np.int64)},
    )
    product_nodes = size_sums("{part}_terms, by_size")
