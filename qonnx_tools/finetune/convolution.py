"""Convolutions as training needs them: exact forward, and backward as precise as gradients need to be.

What a convolution of codes computes is what the accelerator computes, in float32. Gradients are estimates already:
where the processor multiplies matrices of bfloat16, they are computed with it several times faster, summed in float32.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor
from torch.autograd import Function

_gradients: ContextVar[torch.dtype] = ContextVar("_gradients", default=torch.float32)


@contextmanager
def gradients_in(dtype: torch.dtype) -> Iterator[None]:
    """Let convolutions computed here have gradients that are products of ``dtype``."""
    token = _gradients.set(dtype)
    try:
        yield
    finally:
        _gradients.reset(token)


def precision_of(name: str, device: torch.device) -> torch.dtype:
    """Return the type that "float32", "bfloat16" or "auto" means: bfloat16 on a CPU with matrix units for it."""
    if name != "auto":
        return torch.bfloat16 if name == "bfloat16" else torch.float32
    units = getattr(torch.cpu, "_is_amx_tile_supported", None)  # as of PyTorch 2.4, without a public name yet
    return torch.bfloat16 if device.type == "cpu" and units is not None and units() else torch.float32


def convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    strides: Sequence[int],
    padding: Sequence[int],
    dilations: Sequence[int],
    groups: int,
) -> Tensor:
    """Return the convolution of ``x`` ``[N, C, ...]`` in 1 to 3 dimensions; padding is the same on both sides."""
    attrs = (list(strides), list(padding), list(dilations), groups)
    if _gradients.get() != torch.float32 and groups == 1:
        result: Tensor = _WithRoughGradients.apply(  # type: ignore[no-untyped-call]  # torch's
            x, weight, bias, _gradients.get(), *attrs
        )
        return result
    function = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[x.dim() - 2]
    return function(x, weight, bias, *attrs)


class _WithRoughGradients(Function):
    @staticmethod
    def forward(  # torch's has no fixed arguments
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, dtype: torch.dtype, *attrs: Any
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.dtype, ctx.attrs, ctx.has_bias = dtype, attrs, bias is not None
        strides, padding, dilations, groups = attrs
        return torch.convolution(x, weight, bias, strides, padding, dilations, False, [0] * len(strides), groups)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = (saved.to(ctx.dtype) for saved in ctx.saved_tensors)
        strides, padding, dilations, groups = ctx.attrs
        bias_sizes = [weight.shape[0]] if ctx.has_bias else None
        found = torch.ops.aten.convolution_backward(
            gradient.to(ctx.dtype), x, weight, bias_sizes, strides, padding, dilations, False, [0] * len(strides),
            groups, list(ctx.needs_input_grad[:3]),
        )  # fmt: skip
        return (*(None if each is None else each.float() for each in found), None, None, None, None, None)
