"""LogConv: convolution of log codes with log weights, so that additions stand for products."""

import numpy as np

from qonnx_tools.ops._conv import ConvOp
from qonnx_tools.ops._log_products import BY_SIZE, LOG_UNIT, X_AT, LogSums, log_weight_nodes, size_sums


class LogConv(LogSums, ConvOp):
    """Convolve log codes by adding exponents: acc = wrap(sum of +-2**(guard_bits - e) + bias), e >= 0 in octaves.

    e is how far x and w together are below their scales: (K_x - abs(x)) + (K_w - abs(w)) steps. Terms below 1 are
    dropped; a code 0 adds nothing. y = saturate(round_shift(multiplier * acc + addend, shift)).

    With steps 2, base sqrt 2, terms of an even number of steps add up in one accumulator, beside the bias, and those of
    an odd one, rounded up to whole octaves, in another: acc = wrap(even + bias) + round_shift(wrap(odd) * 46341, 16).
    """

    name = "LogConv"
    attributes = (*LOG_UNIT, *ConvOp.attributes)
    weight_nodes = log_weight_nodes(
        f"""
    x_codes = Cast <to: int = 7> (columns)
{X_AT}
    w_matrix = Reshape(w_wide, matrix_shape)
    w_along = Unsqueeze(w_matrix, two_first)
    sizes_along = Reshape(every_size, size_layout)
{BY_SIZE}
    """,
        {"two_first": np.array([0, 1], np.int64), "size_layout": np.array([-1, 1, 1, 1, 1], np.int64)},
    )
    product_nodes = size_sums("by_size, {part}_terms")
