"""How maps lie in memory: the channels of a place side by side, which convolutions on a CPU are fastest with."""

from collections.abc import Iterator

import torch
from torch import Tensor

PIECE = 1 << 17
"""Numbers that stay in a core's cache from one operation to the next."""


def laid_out(x: Tensor) -> Tensor:
    """Return maps ``[N, C, H, W]`` with their channels last in memory, other tensors as they are."""
    return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x


def is_channels_last(x: Tensor) -> bool:
    """Tell whether the channels of maps come last in memory, and nowhere else as well."""
    return x.dim() == 4 and not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last)


def pieces(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Yield tensors of one shape in pieces along their first dimension, which together fit a CPU's cache."""
    first = tensors[0]
    if not first.dim() or first.is_cuda:
        return iter([tensors])
    rows = max(1, PIECE * len(first) // max(first.numel(), 1))
    return zip(*(torch.split(tensor, rows) for tensor in tensors), strict=True)
