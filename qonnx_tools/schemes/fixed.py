"""Fixed point everywhere: one format a tensor, chosen by least squared error."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.errors import ConfigError
from qonnx_tools.schemes._fit import fit_fixed, fit_fixed_channels, fixed_family, sample
from qonnx_tools.schemes.base import Scheme
from qonnx_tools.schemes.family import Family
from qonnx_tools.schemes.network import Network

TRUNKS = ("same", "fixed8")
TRUNK_BITS = 8


@dataclass(frozen=True)
class Fixed(Scheme):
    """Weights in signed fixed point, ``weight_bits`` wide.

    ``trunk`` says how activations are stored that something else than layers reads, sums of residual networks above
    all, and the graph's inputs: "same" as the others, or "fixed8" with 8 bits, of which layers read their own width
    but for the graph's inputs.
    """

    name: ClassVar[str] = "fixed"
    trunk: str = "same"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.trunk not in TRUNKS:
            raise ConfigError(f"trunk is '{self.trunk}'; scheme {self.name} has {', '.join(TRUNKS)}")

    def for_activations(self, network: Network) -> Mapping[str, Self]:
        if self.trunk == "same":
            return {}
        stored = (network.histograms.keys() - network.read_by_layers_alone) | network.entries
        return dict.fromkeys(stored, dataclasses.replace(self, activation_bits=TRUNK_BITS))

    def separates(self, *, is_entry: bool) -> bool:
        return self.trunk == "fixed8" and not is_entry

    def weight_format(self, weights: npt.NDArray[np.float32], axis: int | None) -> tuple[FixedPoint, str]:
        if axis is None:
            return fit_fixed(sample(weights), self.weight_bits, signed=True, rounding=self.rounding), self.rounding
        return fit_fixed_channels(weights, axis, self.weight_bits, self.rounding), self.rounding

    def weight_family(self, rows: npt.NDArray[np.float32]) -> Family[FixedPoint]:
        return fixed_family(rows, self.weight_bits)
