"""How wide an accumulator must be, from the weights that it adds up."""

import numpy as np
import numpy.typing as npt

from qonnx_tools.errors import ConfigError


def accumulator_range(
    w: npt.ArrayLike, x_range: tuple[int, int], bias: npt.ArrayLike | None = None, axis: int = 0
) -> tuple[int, int]:
    """Return the smallest and the largest number that an output ``sum of x * w + bias`` can be.

    Both are reached: for the largest, x is the upper end where w > 0 and the lower end where w < 0. Partial sums and
    windows that lie partly in the padding stay between the two, because x can be 0.

    Args:
        w: integer weights, ``[M, ...]`` of a convolution; of log weights, what they multiply by.
        x_range: smallest and largest code of the input; must hold 0.
        bias: ``[M]`` or 0-d, at the LSB of the accumulator.
        axis: the dimension of the outputs in ``w``.
    """
    low, high = x_range
    if not low <= 0 <= high:
        raise ConfigError(f"the input's codes are {low}..{high}; they must hold 0, which padding contributes")
    by_output = np.moveaxis(np.asarray(w).astype(np.int64), axis, 0)
    others = tuple(range(1, by_output.ndim))
    ups = np.maximum(by_output, 0).sum(axis=others).tolist()
    downs = np.minimum(by_output, 0).sum(axis=others).tolist()
    offsets = np.asarray(0 if bias is None else bias)
    if offsets.shape not in {(), (len(ups),)}:
        raise ConfigError(f"the bias has shape {list(offsets.shape)}; {len(ups)} outputs take [{len(ups)}] or []")
    added = np.broadcast_to(offsets, len(ups)).tolist()
    smallest = [up * low + down * high + offset for up, down, offset in zip(ups, downs, added, strict=True)]
    largest = [up * high + down * low + offset for up, down, offset in zip(ups, downs, added, strict=True)]
    return min(smallest, default=0), max(largest, default=0)


def accumulator_bound(
    w: npt.ArrayLike, x_range: tuple[int, int], bias: npt.ArrayLike | None = None, axis: int = 0
) -> int:
    """Return the bits of the narrowest two's-complement accumulator that no input overflows: at least 1.

    It is tight: one bit fewer overflows for some input. What it is counted from is :func:`accumulator_range`.
    """
    return bits_for(*accumulator_range(w, x_range, bias, axis))


def bits_for(low: int, high: int) -> int:
    """Return the fewest two's-complement bits that hold every integer from ``low`` to ``high``: at least 1."""
    return max(1 + (end if end >= 0 else ~end).bit_length() for end in (low, high))
