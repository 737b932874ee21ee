"""Signed sparse-exponential-Golomb code: short for zeros, without contexts.

    0       -> 0
    m >= 1  -> 1, then the exponential-Golomb code of order k of m - 1:
               t = floor((m - 1) / 2^k) + 1, L = floor(log2 t):
               L zeros, a one, the L low bits of t, the k low bits of m - 1

m are unsigned numbers (``prediction.to_unsigned``). Each plane begins with its k, 5 bits: the smallest of those that
give the fewest bits, among 0..15.

Source: Georgiadis, "Accelerating convolutional neural networks via activation map compression", CVPR 2019.
"""

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.bits import BitReader, BitWriter
from qonnx_tools.arithmetic.wavelet import Integers

ORDER_BITS = 5
LARGEST_ORDER = 15
LONGEST = 48
"""The most zeros that a code begins with."""


def code_lengths(m: npt.ArrayLike, order: int) -> Integers:
    """Return the bits that each of the numbers ``m`` takes."""
    numbers = np.asarray(m, np.int64)
    t = (np.maximum(numbers - 1, 0) >> order) + 1
    exponent = np.frexp(t.astype(np.float64))[1].astype(np.int64) - 1
    return np.where(numbers == 0, 1, 2 + 2 * exponent + order)


def best_order(m: npt.ArrayLike) -> int:
    """Return the order that gives the fewest bits."""
    return int(np.argmin([code_lengths(m, order).sum() for order in range(LARGEST_ORDER + 1)]))


def write_plane(m: npt.ArrayLike, out: BitWriter) -> None:
    """Append the codes of a plane."""
    order = best_order(m)
    out.write(order, ORDER_BITS)
    for number in np.asarray(m).ravel().tolist():
        out.write(number > 0, 1)
        if number:
            t = ((number - 1) >> order) + 1
            length = t.bit_length() - 1
            out.write_unary(length)
            out.write(t, length)
            out.write(number - 1, order)


def read_plane(count: int, bits: BitReader) -> Integers:
    """Return the next ``count`` numbers."""
    order = bits.read(ORDER_BITS)
    found = np.zeros(count, np.int64)
    for position in range(count):
        if bits.read(1):
            length = bits.read_unary(LONGEST)
            t = (1 << length) + bits.read(length)
            found[position] = ((t - 1) << order) + bits.read(order) + 1
    return found
