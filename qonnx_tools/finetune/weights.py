"""Trained constants: weights, biases, batch-norm scales and offsets, behind the quantizers of their formats.

Weights of one layer may be a thousand times those of another, as inputs of 0 to 255 make them. They are trained in
units of their own size, so that one learning rate means the same share of each of them. Units are powers of two: values
are the same to the bit.
"""

import torch
from torch import Tensor, nn

from qonnx_tools.finetune.quantizers import FormatQuantizer


class InUnits(nn.Module):
    """Values trained in units of their root mean square, of each slice along ``axis`` or of all together (None).

    One number for each channel, as biases have, gets one unit for all: a bias near zero may have far to go.
    """

    unit: Tensor

    def __init__(self, value: Tensor, axis: int | None = None) -> None:
        super().__init__()
        others = [dimension for dimension in range(value.dim()) if dimension != axis or value.dim() == 1]
        size = value.square().mean(others, keepdim=True).sqrt() if others else value.abs()
        exponent = torch.where(size > 0, size.log2().round(), 0.0).clamp(-100, 100)
        self.register_buffer("unit", torch.exp2(exponent))
        self.scaled = nn.Parameter(value / self.unit)

    def forward(self) -> Tensor:
        """Return the values."""
        return self.scaled * self.unit

    def set(self, value: Tensor) -> None:
        """Take other values."""
        with torch.no_grad():
            self.scaled.copy_(value / self.unit)


class Weights(nn.Module):
    """The values of one constant, and its quantizer.

    ``settled`` marks values that are quantized for good and not trained any more, while the others are used in float,
    where weights are quantized in groups.

    Source: Zhou et al., "Incremental network quantization", 2017.
    """

    settled: Tensor | None

    def __init__(self, value: Tensor, quantizer: FormatQuantizer) -> None:
        super().__init__()
        self.values, self.quantizer = InUnits(value, quantizer.plan.axis), quantizer
        self.register_buffer("settled", None)

    def forward(self) -> Tensor:
        """Return the quantized values."""
        return self.quantized(self.values())

    def quantized(self, values: Tensor) -> Tensor:
        """Return ``values`` in the format of the constant."""
        found: Tensor = self.quantizer(values)
        if self.settled is None:
            return found
        return torch.where(self.settled, found.detach(), values)

    def settle(self, share: float) -> None:
        """Settle the largest values until they are ``share`` of all."""
        with torch.no_grad():
            size = self.values().abs().flatten()
            if self.settled is not None:
                size[self.settled.flatten()] = torch.inf  # what is settled stays so
            mask = torch.zeros_like(size, dtype=torch.bool)
            mask[size.argsort(descending=True, stable=True)[: round(share * size.numel())]] = True
            self.settled = mask.view_as(self.values.scaled)
