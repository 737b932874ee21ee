"""Compressed feature maps in training: what comes back from the codec, and which channels keep their finest bands.

The codes of a map go through the compiled codec, so that the next layer reads what the integer graph reads. Backward,
quantization counts as a straight line. What is left of channels without their finest bands is their low half, and
gradients go back through just that:  y = P x P^T  for each channel of a map, P the matrix of one level of the wavelet
whose high half is zero, so that  dx = P^T dy P.

Which channels those are may be learned (:mod:`qonnx_tools.finetune.selection`). The mask is 0 or 1; its gradient is
that of  1 - sigmoid(2 (s - (1 - r))),  s the score of the channel and r the share to keep.

Source: Yang, thesis 2019.
"""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd import Function

from qonnx_tools.arithmetic.coding import header_of
from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.wavelet import Wavelet
from qonnx_tools.feature_map_codec import FeatureMapEncoder
from qonnx_tools.feature_map_plan import FeatureMapPlan
from qonnx_tools.finetune.layout import is_channels_last, laid_out
from qonnx_tools.finetune.map_bits import bits_of
from qonnx_tools.finetune.quantizers import FormatQuantizer
from qonnx_tools.finetune.selection import Member
from qonnx_tools.finetune.wavelet_matrices import low_half

SHARPNESS = 2.0
"""Of the sigmoid that stands for the mask backward."""
COUNTED = 32
"""Images of a batch that bits are counted of: more tell little but take time."""


class FeatureMap(nn.Module):
    """One compressed map behind its ``quantizer``; as a ``member`` it learns which channels keep their finest bands.

    Where it is ``counted``, ``bits`` are about what maps of the latest trained batch take, and ``values`` their
    numbers.
    """

    def __init__(
        self, plan: FeatureMapPlan, quantizer: FormatQuantizer, channels: int, member: Member | None = None
    ) -> None:
        super().__init__()
        self.quantizer, self.channels, self.active = [quantizer], channels, True  # in a list: it is no part of this one
        self.counted, self.bits, self.values = False, torch.zeros(()), 0
        self._start, self._member = plan, member
        self.scores = None if member is None else member.scores

    @property
    def plan(self) -> FeatureMapPlan:
        """How the map is compressed with the scores as they are."""
        return self._start if self._member is None else replace(self._start, dropped=self._member.dropped)

    def forward(self, x: Tensor) -> Tensor:
        """Return the quantized map ``x`` ``[N, C, H, W]`` as it comes back."""
        if not self.active:
            return x
        plan, of = self.plan, self.quantizer[0].format
        if self.counted and self.training:
            some = x[:COUNTED]
            coding = plan.coding(self.channels)
            self.bits, self.values = bits_of(some * _codes_a_unit(of), coding, signed=of.signed), some.numel()
        mask = torch.ones(self.channels, device=x.device)
        mask[list(plan.dropped)] = 0.0
        if self._member is not None:
            shares = self._member.selection.retain, self._member.weight
            mask = Mask.apply(self._member.scores, mask, *shares)  # type: ignore[no-untyped-call]  # torch's
        result: Tensor = RoundTrip.apply(x, mask, plan, of)  # type: ignore[no-untyped-call]
        return result


class Mask(Function):
    """``apply(scores, mask, retain, weight)``: the mask forward, the slope of its smooth stand-in backward.

    ``weight`` divides it: the numbers of a channel, relative to others.
    """

    @staticmethod
    def forward(ctx: Any, scores: Tensor, mask: Tensor, retain: float, weight: float) -> Tensor:
        ctx.save_for_backward(torch.sigmoid(SHARPNESS * (scores - (1 - retain))))
        ctx.weight = weight
        return mask.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        (soft,) = ctx.saved_tensors
        return -SHARPNESS * soft * (1 - soft) * gradient / ctx.weight, None, None, None


class RoundTrip(Function):
    """``apply(x, mask, plan, format)``: the map as it comes back, where the mask is 0 without the finest bands."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, mask: Tensor, plan: FeatureMapPlan, of: FixedPoint) -> Tensor:
        ctx.plan = plan
        if not ctx.needs_input_grad[1]:
            return _returned(x, plan, of)
        whole = _returned(x, replace(plan, dropped=()), of)
        bare = _returned(x, replace(plan, dropped=tuple(range(x.shape[1]))), of)
        ctx.save_for_backward(whole - bare)
        return torch.where(mask.view(1, -1, 1, 1) > 0, whole, bare)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor | None, None, None]:
        flow, dropped = gradient, list(ctx.plan.dropped)
        if dropped:
            rows, columns = (low_half(Wavelet(ctx.plan.transform), size) for size in gradient.shape[2:])
            flow = gradient.clone()
            flow[:, dropped] = rows.T.to(gradient) @ gradient[:, dropped] @ columns.to(gradient)
        if not ctx.needs_input_grad[1]:
            return flow, None, None, None
        (detail,) = ctx.saved_tensors
        return flow, (gradient * detail).sum(dim=(0, 2, 3)), None, None


def _returned(x: Tensor, plan: FeatureMapPlan, of: FixedPoint) -> Tensor:
    """Return quantized maps ``[N, C, H, W]`` as the codec gives them back."""
    up = _codes_a_unit(of)
    codes = (x.detach() * up).cpu().contiguous().numpy().astype(of.carrier)
    encoder = FeatureMapEncoder(header_of(codes[0], plan.coding(codes.shape[1]), of))
    returned = np.stack([encoder.round_trip(each) for each in codes])
    found: Tensor = torch.from_numpy(returned.astype(np.float32)).to(x.device) / up
    return laid_out(found) if is_channels_last(x) else found


def _codes_a_unit(of: FixedPoint) -> float:
    return math.ldexp(1.0, int(np.max(of.frac)))  # one for the whole tensor
