"""Operators on codes: what the accelerator computes, in int64.

Codes are integers of any integer dtype, the least significant bit (LSB) of an accumulator is whatever its terms
share. Every operator ends in ``y = saturate(round_shift(t, shift))``, where t is exact. t and its left shift must fit
int64: which formats a graph uses is known when it is made, so nothing is checked here element by element.
"""

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.formats import Codes
from qonnx_tools.arithmetic.rounding import Rounding, round_shift
from qonnx_tools.arithmetic.window import Window
from qonnx_tools.errors import ConfigError

Integers = npt.NDArray[np.int64]

WIDEST_ACCUMULATOR = 64
MOST_SHIFT = 62
SHIFT_WEIGHT_BITS = (2, 6)
"""Bits of the log weights that are shifts: 31 octaves at most, so that a weight fits 32 bits."""
MOST_LOOKUP_BITS = 16


def wrap(value: npt.ArrayLike, bits: int) -> Integers:
    """Return the two's-complement number that the ``bits`` lowest bits of each value form; ``bits`` is 1 to 64."""
    if not 1 <= bits <= WIDEST_ACCUMULATOR:
        raise ConfigError(f"accumulator_bits is {bits}; an accumulator has 1 to {WIDEST_ACCUMULATOR} bits")
    unused = np.int64(WIDEST_ACCUMULATOR - bits)
    return np.asarray((_wide(value) << unused) >> unused)


def saturate(value: npt.ArrayLike, target: FixedPoint) -> Codes:
    """Clip to the code range of ``target``, whose fraction bits do not matter here; the result has its carrier."""
    return np.clip(_wide(value), *target.code_range).astype(target.carrier)


def requantize(
    value: npt.ArrayLike, shift: npt.ArrayLike, target: FixedPoint, rounding: Rounding = Rounding.HALF_EVEN
) -> Codes:
    """Return ``saturate(round_shift(value, shift))``: ``value`` with ``shift`` fraction bits fewer.

    Args:
        value: integers of any shape.
        shift: -62 to 62, broadcasts against ``value``; negative is an exact left shift.
        target: the format of the result.
        rounding: what becomes of the fraction bits that fall away.
    """
    return saturate(round_shift(_wide(value), _wide(shift), rounding), target)


def affine(
    x: npt.ArrayLike,
    multiplier: npt.ArrayLike,
    addend: npt.ArrayLike,
    shift: npt.ArrayLike,
    target: FixedPoint,
    rounding: Rounding = Rounding.HALF_EVEN,
    axis: int = 1,
) -> Codes:
    """Return ``saturate(round_shift(multiplier * x + addend, shift))``.

    It ends a convolution, and is a batch norm of its own.

    Args:
        x: codes or accumulators.
        multiplier: 0-d, or ``[C]`` along ``axis`` of ``x``.
        addend: at the LSB of the product; 0-d or ``[C]``.
        shift: from the LSB of the product to that of the result; 0-d or ``[C]``.
        target: the format of the result.
        rounding: what becomes of the fraction bits that fall away.
        axis: the channel dimension.
    """
    wide = _wide(x)
    by, plus, down = (along(parameter, wide.shape, axis) for parameter in (multiplier, addend, shift))
    return requantize(by * wide + plus, down, target, rounding)


def add(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    lefts: tuple[int, int],
    shift: int,
    target: FixedPoint,
    rounding: Rounding = Rounding.HALF_EVEN,
) -> Codes:
    """Return ``saturate(round_shift((a << lefts[0]) + (b << lefts[1]), shift))``.

    With ``lefts`` = 0 for the finer of the two and the difference of the fraction bits for the other, the sum is
    exact at the finer LSB.
    """
    for left in lefts:
        if not 0 <= left <= MOST_SHIFT:
            raise ConfigError(f"a left shift of {left} is out of range; it must lie in 0..{MOST_SHIFT}")
    return requantize((_wide(a) << lefts[0]) + (_wide(b) << lefts[1]), shift, target, rounding)


def multiply(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    shift: npt.ArrayLike,
    target: FixedPoint,
    rounding: Rounding = Rounding.HALF_EVEN,
) -> Codes:
    """Return ``saturate(round_shift(a * b, shift))``; the product has the fraction bits of both."""
    return requantize(_wide(a) * _wide(b), shift, target, rounding)


def convolve(x: npt.ArrayLike, w: npt.ArrayLike, window: Window, group: int = 1) -> Integers:
    """Return the accumulators ``sum of x * w`` of a convolution, modulo 2**64; padding contributes code 0.

    Args:
        x: ``[N, C, *S]``.
        w: ``[M, C/group, *K]``.
        window: kernel K, strides, dilations and pads.
        group: output channels m of group g read the input channels of group g alone.

    Returns:
        ``[N, M, *O]``.

    Raises:
        ConfigError: the shapes do not fit each other.
    """
    codes, weights = _wide(x), _wide(w)
    _check_convolution(codes.shape, weights.shape, window, group)
    batch, filters = codes.shape[0], weights.shape[0]
    out = window.output_shape(codes.shape[2:])
    taps = weights.reshape(group, filters // group, weights.shape[1], -1)
    total = np.zeros((batch, group, filters // group, int(np.prod(out))), np.int64)
    for at, seen in enumerate(window.views(codes)):
        total += exact_matmul(taps[..., at], seen.reshape(batch, group, weights.shape[1], total.shape[3]))
    return total.reshape(batch, filters, *out)


def gemm(x: npt.ArrayLike, w: npt.ArrayLike, *, transpose: bool = False) -> Integers:
    """Return ``x @ w``, with ``transpose`` ``x @ w.T``, modulo 2**64.

    Args:
        x: ``[N, K]``.
        w: ``[K, M]``; transposed ``[M, K]``.
        transpose: how ``w`` is stored.
    """
    codes, weights = _wide(x), _wide(w)
    if transpose and weights.ndim == 2:
        weights = weights.T
    if codes.ndim != 2 or weights.ndim != 2 or codes.shape[1] != weights.shape[0]:
        raise ConfigError(
            f"x {list(codes.shape)} and w {list(np.shape(w))} do not fit; x is [N, K], w [K, M], or [M, K] with transB"
        )
    return exact_matmul(codes, weights)


def exact_matmul(a: Integers, b: Integers) -> Integers:
    """Return ``a @ b`` in int64, computed in float64 where every sum stays below 2**53, which is exact and faster."""
    if a.size == 0 or b.size == 0:
        return a @ b
    bound = max(-int(a.min()), int(a.max())) * max(-int(b.min()), int(b.max())) * a.shape[-1]
    if bound < 2**53:
        return (a.astype(np.float64) @ b.astype(np.float64)).astype(np.int64)
    return a @ b


def log_weights(codes: npt.ArrayLike, bits: int) -> Integers:
    """Return what the codes of a signed base-2 log format multiply by: 0, or ``sign * 2**(|code| - 1)``.

    The LSB is the smallest magnitude of the format, scale * 2**-(K-1) with K = 2**(bits-1) - 1.
    """
    return shift_weights(codes, bits, 1)[0]


def shift_weights(codes: npt.ArrayLike, bits: int, steps: int) -> tuple[Integers, Integers]:
    """Return what the codes of a signed log format multiply by, ``even + odd / sqrt(2)``; one of the two is 0.

    With base 2 (``steps`` 1) odd is 0. With base sqrt(2) (``steps`` 2) a code k of odd size is
    ``even = sign * 2**((|k| - 1) / 2)``, one of even size ``odd = sign * 2**(|k| / 2)``. The LSB is the smallest
    magnitude of the format.
    """
    fewest, most = SHIFT_WEIGHT_BITS
    if not fewest <= bits <= most:
        raise ConfigError(f"weight_bits is {bits}; weights that are shifts have {fewest} to {most} bits")
    if steps not in (1, 2):
        raise ConfigError(f"steps is {steps}; weights that are shifts have 1 (base 2) or 2 (base sqrt 2) an octave")
    wide = log_weight_range(codes, bits)
    down = np.maximum(np.abs(wide) - 1, 0)
    is_odd = down % steps == 1
    size = np.sign(wide) << (down // steps + is_odd)
    return np.where(is_odd, 0, size), np.where(is_odd, size, 0)


def log_weight_range(codes: npt.ArrayLike, bits: int) -> Integers:
    """Return codes of a signed log format in int64; ``ConfigError`` where one is outside the format."""
    wide = _wide(codes)
    size, largest = np.abs(wide), 2 ** (bits - 1) - 1
    if np.any(size > largest):
        raise ConfigError(f"a weight has code {int(wide.flat[size.argmax()])}; {bits} bits hold +-{largest}")
    return wide


def average_pool(
    x: npt.ArrayLike,
    window: Window | None,
    multiplier: int,
    shift: int,
    target: FixedPoint,
    rounding: Rounding = Rounding.HALF_EVEN,
) -> Codes:
    """Return ``saturate(round_shift(sum * multiplier, shift))`` of every window of ``x`` ``[N, C, *S]``.

    Every window divides by the same number: ``multiplier`` is about 2**shift / n. What is padded counts as zeros.
    Without a window there is one, the whole map, and the result is ``[N, C, 1, ...]``.
    """
    codes = _wide(x)
    if codes.ndim not in {3, 4}:
        raise ConfigError(f"x {list(codes.shape)} is no 1-D or 2-D feature map; average pooling takes [N, C, *S]")
    reach = window or Window.of(codes.shape[2:])
    out = reach.output_shape(codes.shape[2:])
    total = np.zeros((*codes.shape[:2], *out), np.int64)
    for seen in reach.views(codes):
        total += seen
    return requantize(total * multiplier, shift, target, rounding)


def max_pool(x: Codes, window: Window) -> Codes:
    """Return the largest code of every window of ``x`` ``[N, C, *S]``, in the element type of ``x``.

    Padding never wins: a window that reads nothing else gives the lowest number of the element type.
    """
    codes = np.asarray(x)
    if codes.ndim not in {3, 4}:
        raise ConfigError(f"x {list(codes.shape)} is no 1-D or 2-D feature map; max pooling takes [N, C, *S]")
    if any(pad >= span for pad, span in zip(window.pads, window.spans * 2, strict=True)):
        raise ConfigError(f"pads is {list(window.pads)}; it must be less than the window, which spans {window.spans}")
    lowest = int(np.iinfo(codes.dtype).min)
    first, *others = window.views(_wide(codes), lowest)
    return reduce(np.maximum, others, first).astype(codes.dtype)


def lookup(x: npt.ArrayLike, table: npt.NDArray[np.generic], bits: int, *, signed: bool = True) -> npt.NDArray[Any]:
    """Return ``table[code - lowest code]``; codes outside the ``bits`` wide input format read the end of the table."""
    if not 1 <= bits <= MOST_LOOKUP_BITS:
        raise ConfigError(f"input_bits is {bits}; a table has codes of 1 to {MOST_LOOKUP_BITS} bits")
    if table.shape != (2**bits,):
        raise ConfigError(f"the table has shape {list(table.shape)}; {bits} bits take [{2**bits}]")
    lowest = FixedPoint(bits, 0, signed).code_range[0]
    return np.asarray(table[np.clip(_wide(x) - lowest, 0, 2**bits - 1)])


def along(parameter: npt.ArrayLike, shape: Sequence[int], axis: int) -> Integers:
    """Shape a 0-d or ``[C]`` parameter so that it broadcasts along ``axis`` of a tensor of this shape."""
    wide = _wide(parameter)
    if wide.ndim == 0:
        return wide
    if not -len(shape) <= axis < len(shape) or wide.ndim != 1 or wide.size not in {1, shape[axis]}:
        raise ConfigError(f"a parameter of shape {list(wide.shape)} does not fit axis {axis} of {list(shape)}")
    rank = len(shape)
    return wide.reshape([wide.size if at == axis % rank else 1 for at in range(rank)])


def _check_convolution(x: tuple[int, ...], w: tuple[int, ...], window: Window, group: int) -> None:
    if len(x) not in {3, 4} or len(w) != len(x):
        raise ConfigError(f"x {list(x)} and w {list(w)} are no 1-D or 2-D convolution: x is [N, C, *S], w [M, C/g, *K]")
    if w[2:] != window.kernel:
        raise ConfigError(f"kernel_shape is {list(window.kernel)}, but w has shape {list(w)}")
    if group < 1 or x[1] != w[1] * group or w[0] % group:
        raise ConfigError(f"x {list(x)}, w {list(w)} and group {group} do not fit: C = group * w[1], M = group * n")


def _wide(value: npt.ArrayLike) -> Integers:
    return np.asarray(value).astype(np.int64)
