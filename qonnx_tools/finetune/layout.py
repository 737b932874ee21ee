"""How maps lie in memory: the channels of a place side by side, which convolutions on a CPU are fastest with."""

import torch

Tensor = torch.Tensor


def laid_out(x: Tensor) -> Tensor:
    """Return maps ``[N, C, H, W]`` with their channels last in memory, other tensors as they are."""
    return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x


def is_channels_last(x: Tensor) -> bool:
    """Tell whether the channels of maps come last in memory, and nowhere else as well."""
    return x.dim() == 4 and not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last)
