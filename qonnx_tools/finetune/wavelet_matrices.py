"""One level of a wavelet as matrices, its roundings left out: what gradients and estimates take it for."""

from functools import cache

import numpy as np
import torch
from torch import Tensor

from qonnx_tools.arithmetic.wavelet import Integers, Wavelet, join, split

PRECISION = 20
"""Fraction bits of the numbers."""


@cache
def analysis(wavelet: Wavelet, size: int) -> Tensor:
    """Return the matrix ``[size, size]`` that splits a line: the rows of the low half, then those of the high half."""
    return _matrix(np.concatenate(split(_unit(size), wavelet, axis=0)))


@cache
def low_half(wavelet: Wavelet, size: int) -> Tensor:
    """Return the matrix ``[size, size]`` that splits a line, leaves out the high half, and joins it again."""
    low, high = split(_unit(size), wavelet, axis=0)
    return _matrix(join(low, np.zeros_like(high), wavelet, axis=0))


def _unit(size: int) -> Integers:
    return np.eye(size, dtype=np.int64) << PRECISION


def _matrix(values: Integers) -> Tensor:
    return torch.from_numpy(np.ldexp(values.astype(np.float32), -PRECISION))
