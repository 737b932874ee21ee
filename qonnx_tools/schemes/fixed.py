"""Fixed point everywhere: one format a tensor, chosen by least squared error."""

from dataclasses import dataclass
from typing import ClassVar

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.schemes._fit import Sample, fit_fixed
from qonnx_tools.schemes.base import Scheme
from qonnx_tools.topology import Layer


@dataclass(frozen=True)
class Fixed(Scheme):
    """Weights in signed fixed point, ``weight_bits`` wide."""

    name: ClassVar[str] = "fixed"

    def weight_format(self, layer: Layer, weights: Sample) -> tuple[FixedPoint, str]:  # noqa: ARG002
        return fit_fixed(weights, self.weight_bits, signed=True, rounding=self.rounding), self.rounding
