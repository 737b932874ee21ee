"""Fixed point everywhere: one format a tensor, chosen by least squared error."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.schemes._fit import fit_fixed, fit_fixed_channels, fixed_family, sample
from qonnx_tools.schemes.base import Scheme
from qonnx_tools.schemes.family import Family


@dataclass(frozen=True)
class Fixed(Scheme):
    """Weights in signed fixed point, ``weight_bits`` wide."""

    name: ClassVar[str] = "fixed"

    def weight_format(self, weights: npt.NDArray[np.float32], axis: int | None) -> tuple[FixedPoint, str]:
        if axis is None:
            return fit_fixed(sample(weights), self.weight_bits, signed=True, rounding=self.rounding), self.rounding
        return fit_fixed_channels(weights, axis, self.weight_bits, self.rounding), self.rounding

    def weight_family(self, rows: npt.NDArray[np.float32]) -> Family[FixedPoint]:
        return fixed_family(rows, self.weight_bits)
