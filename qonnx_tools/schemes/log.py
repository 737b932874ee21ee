"""Logarithmic weights: a multiplication becomes a shift. Activations stay in fixed point."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.formats import Format
from qonnx_tools.arithmetic.log import Log
from qonnx_tools.errors import ConfigError
from qonnx_tools.schemes._fit import fit_log, fit_log_channels, sample
from qonnx_tools.schemes.base import Scheme
from qonnx_tools.schemes.fixed import Fixed
from qonnx_tools.topology import Layer

FIRST_LAST = ("log", "fixed8")


@dataclass(frozen=True)
class LogWeights(Scheme):
    """Weights as signed powers of two times a scale a layer.

    ``first_last`` is "log" for the same format in the first and the last layer, or "fixed8" for 8-bit fixed point
    there. ``weights`` is "log" or "fixed", so that single layers can be excepted.
    """

    name: ClassVar[str] = "log"
    weight_bits: int = 5
    first_last: str = "log"
    weights: str = "log"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.first_last not in FIRST_LAST:
            raise ConfigError(f"first-last is '{self.first_last}'; choose one of {', '.join(FIRST_LAST)}")
        if self.weights not in ("log", "fixed"):
            raise ConfigError(f"weights is '{self.weights}'; choose one of log, fixed")
        if self.weights == "log":
            Log(self.weight_bits, 2.0**126)  # refuses widths that the format does not have

    def for_layers(self, layers: tuple[Layer, ...]) -> Mapping[str, Self]:
        if self.first_last == "log" or not layers:
            return {}
        fixed8 = dataclasses.replace(self, weights="fixed", weight_bits=8)
        return {layers[0].node: fixed8, layers[-1].node: fixed8}

    def weight_format(self, weights: npt.NDArray[np.float32], axis: int | None) -> tuple[Format, str | None]:
        if self.weights == "fixed":
            fixed = Fixed(weight_bits=self.weight_bits, rounding=self.rounding)
            return fixed.weight_format(weights, axis)
        if axis is None:
            return fit_log(sample(weights), self.weight_bits, steps=1, signed=True), None
        return fit_log_channels(weights, axis, self.weight_bits, steps=1), None
