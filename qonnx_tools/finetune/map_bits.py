"""About how many bits a compressed feature map takes, as something that training can lessen.

The whole numbers of a plane are taken for geometrically distributed in size, with the mean m of those around, and a
sign where they are not 0:

    bits a number = (1 + m) log2(1 + m) - m log2 m + m / (1 + m)

That is what a coder that adapts comes near to, whatever its kind; where a coder predicts numbers from their neighbours
streams are shorter. Backward, rounding to whole numbers counts as a straight line: numbers that are 0 already feel
nothing, the others are drawn towards it, most where m is small.

Source: after Baskin et al., "CAT: Compression-aware training for bandwidth reduction", 2021, which lessens the entropy
of activations without a transform.
"""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from qonnx_tools.arithmetic.bitstream import Coding, Transform
from qonnx_tools.arithmetic.coding import WHOLE, kept, may_be_dropped
from qonnx_tools.arithmetic.rounding import Rounding
from qonnx_tools.arithmetic.subband_quantization import STEP_UNIT, band_step, sixteenths
from qonnx_tools.arithmetic.wavelet import Subband, Wavelet
from qonnx_tools.finetune.quantizers import ROUNDED
from qonnx_tools.finetune.wavelet_matrices import analysis

AROUND = 3
"""Numbers in either direction that m is the mean of."""
SMALLEST = 1e-6
"""Least m: where all around are 0."""


def bits_of(codes: Tensor, coding: Coding, *, signed: bool = False) -> Tensor:
    """Return about how many bits the streams of the maps ``codes`` ``[N, C, H, W]`` take together, headers aside.

    ``signed`` says whether codes have a sign; what a transform makes of them always has.
    """
    total = torch.zeros((), device=codes.device)
    for _, numbers in planes(codes, coding):
        if not numbers.numel():
            continue
        mean = F.avg_pool2d(numbers.abs(), AROUND, 1, AROUND // 2, count_include_pad=False).clamp_min(SMALLEST)
        bits = (torch.xlogy(1 + mean, 1 + mean) - torch.xlogy(mean, mean)) / math.log(2)
        if signed or coding.transform != Transform.NONE:
            bits = bits + mean / (1 + mean)
        total = total + bits.sum()
    return total


def planes(codes: Tensor, coding: Coding) -> Iterator[tuple[Subband, Tensor]]:
    """Yield the planes of whole numbers that streams of ``codes`` hold, but for the roundings inside a wavelet."""
    step = sixteenths(coding.step)
    if coding.wavelet is None:
        yield WHOLE, _whole(codes * (STEP_UNIT / step))
        return
    for band, plane in _bands(codes, coding.wavelet, coding.levels):
        present = plane[:, kept(coding, plane.shape[1])] if may_be_dropped(band) else plane
        yield band, _whole(present / band_step(step, coding.wavelet, band))


def _bands(codes: Tensor, wavelet: Wavelet, levels: int) -> Iterator[tuple[Subband, Tensor]]:
    low = codes
    for level in range(1, levels + 1):
        rows, columns = (analysis(wavelet, size).to(low) for size in low.shape[2:])
        halves = rows @ low @ columns.T
        height, width = (-(-size // 2) for size in low.shape[2:])
        low = halves[..., :height, :width]
        yield ("HL", level), halves[..., :height, width:]
        yield ("LH", level), halves[..., height:, :width]
        yield ("HH", level), halves[..., height:, width:]
    yield ("LL", levels), low


def _whole(x: Tensor) -> Tensor:
    return x + (ROUNDED[Rounding.HALF_AWAY](x) - x).detach()
