"""Quantization as training sees it: the numbers of a format forward, a straight line backward.

A quantizer q(x) of scale s, which is the step of a fixed-point format and the largest magnitude of a logarithmic one,
has no useful derivative. Training takes, for numbers inside the range of the format, and for those outside,

    dq/dx = 1,  s dq/ds = q - x    inside            dq/dx = 0,  s dq/ds = q    outside

so that the scale, of which ``exponent`` is the binary logarithm, gets ln 2 times the sum of what flows back through q.

Source: Esser et al., "Learned step size quantization", 2020; Jain et al., "Trained quantization thresholds", 2020.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function


class StraightThrough(Function):
    """``apply(x, exponent, quantized, low, high)``: ``quantized(x)``, with the gradients of this module.

    ``low`` and ``high`` are the ends of the range: numbers, or tensors that broadcast against x. ``exponent`` is 0-d,
    or has one number for each slice of x along the dimension in which it is not of length 1.
    """

    @staticmethod
    def forward(  # torch's has no fixed arguments
        ctx: Any, x: Tensor, exponent: Tensor, quantized: Callable[[Tensor], Tensor], low: Any, high: Any
    ) -> Tensor:
        q = quantized(x)
        ctx.range, ctx.learns = (low, high), exponent.requires_grad
        ctx.shape = exponent.shape
        ctx.save_for_backward(x, *([q] if ctx.learns else []))
        return q

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor | None, None, None, None]:
        x, *kept = ctx.saved_tensors
        low, high = ctx.range
        if isinstance(low, Tensor):
            inside = gradient * ((x >= low) & (x <= high))
        else:
            inside = torch.ops.aten.hardtanh_backward(gradient, x, low, high)
        if not ctx.learns:
            return inside, None, None, None, None
        if not ctx.shape:
            total = _dot(gradient, kept[0]) - _dot(inside, x)
        else:
            others = [axis for axis, size in enumerate(ctx.shape) if size == 1]
            total = (gradient * kept[0] - inside * x).sum(dim=others, keepdim=True)
        return inside, total.reshape(ctx.shape) * math.log(2), None, None, None


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Return the sum of a b, without their product in memory where they lie there in the same order."""
    if a.stride() != b.stride():
        return (a * b).sum()
    order = sorted(range(a.dim()), key=a.stride, reverse=True)
    return torch.dot(*(each.permute(order).reshape(-1) for each in (a, b)))
