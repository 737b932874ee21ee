"""Batch normalization that trains in the place where the accelerator has it.

Folded into a layer it is trained as that layer's weights and biases, with the statistics that it was folded with. A
unit of its own, behind the accumulator (merge) or behind a stored result (separate), makes of z, by channel,

    y = gamma (z - m) / s + beta = a z + b,    a = gamma / s,  b = beta - a m

with the mean m and the deviation s of z. While statistics are those of each batch, y is computed with them, and the
running ones follow slowly. Once they are frozen, y is what the accelerator computes, formats of a and b included. The
running statistics are measured before training, since z is not what it was in the float network: first there, with
gamma and beta so chosen that y stays the same, then with the formats.
"""

from enum import Enum, auto
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from qonnx_tools.finetune.weights import InUnits

MOMENTUM = 0.05
"""Weight of a batch in the running statistics."""
SMALLEST = 1e-12
"""Of a variance: channels that are constant stay finite."""


class Mode(Enum):
    """What a normalization does besides computing."""

    RUN = auto()
    OBSERVE = auto()
    """Collect the statistics of what it reads."""
    ESTIMATE = auto()
    """Compute with the statistics of each batch, and collect them."""


class Normalization(nn.Module):
    """gamma, beta and the running statistics of the channels of one layer, ``[C]`` each.

    ``scale`` and ``offset`` are the affine map that it starts as, from z to y.
    """

    def __init__(self, scale: Tensor, offset: Tensor) -> None:
        super().__init__()
        self.gamma, self.beta = InUnits(scale), InUnits(offset)
        self.register_buffer("mean", torch.zeros_like(scale))
        self.register_buffer("variance", torch.ones_like(scale))
        self.frozen = True
        self.mode = Mode.RUN
        self._collected: list[tuple[Tensor, Tensor]] = []

    mean: Tensor
    variance: Tensor

    @property
    def by_batch(self) -> bool:
        """Whether the statistics of each batch count."""
        return self.mode is Mode.ESTIMATE or (self.training and not self.frozen)

    def affine(self) -> tuple[Tensor, Tensor]:
        """Return a and b, with the running statistics."""
        scale: Tensor = self.gamma() / torch.sqrt(self.variance + SMALLEST)
        return scale, self.beta() - scale * self.mean

    def normalize(self, z: Tensor) -> Tensor:
        """Return y with the statistics of this batch, which the running ones follow."""
        if self.mode is Mode.ESTIMATE:
            self.observe(z)
        return F.batch_norm(
            z, self.mean, self.variance, self.gamma(), self.beta(), training=True, momentum=MOMENTUM, eps=SMALLEST
        )

    def observe(self, z: Tensor) -> None:
        """Note the statistics of z, with which nothing is computed."""
        others = [axis for axis in range(z.dim()) if axis != 1]
        variance, mean = torch.var_mean(z, others)
        self._collected.append((mean, variance))

    def start(self, mode: Mode) -> None:
        """Collect the statistics of the batches from now on."""
        self.mode = mode
        self._collected.clear()

    def finish(self) -> None:
        """Take what was collected for the running statistics. After observing, the affine map stays as it is."""
        collected, mode, self.mode = self._collected, self.mode, Mode.RUN
        with torch.no_grad():
            scale, offset = self.affine()
            means = torch.stack([mean for mean, _ in collected])
            self.mean.copy_(means.mean(0))
            self.variance.copy_(
                torch.stack([variance for _, variance in collected]).mean(0) + means.var(0, correction=0)
            )
            if mode is Mode.OBSERVE:
                self.gamma.set(scale * torch.sqrt(self.variance + SMALLEST))
                self.beta.set(offset + scale * self.mean)


def along_channels(values: Tensor, like: Any) -> Tensor:
    """Return ``values`` ``[C]`` in a shape that broadcasts along dimension 1 of ``like``."""
    return values.view(1, -1, *[1] * (like.dim() - 2))
