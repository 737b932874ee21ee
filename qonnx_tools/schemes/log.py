"""Weights, and activations where asked, as powers of two or of its square root times a scale."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.formats import Format
from qonnx_tools.arithmetic.log import Log
from qonnx_tools.errors import ConfigError
from qonnx_tools.histogram import Histogram
from qonnx_tools.plan import Role, TensorPlan
from qonnx_tools.schemes._fit import fit_log, fit_log_channels, log_family, log_formats, sample
from qonnx_tools.schemes.base import MAX_BITS, Scheme
from qonnx_tools.schemes.family import Family
from qonnx_tools.schemes.fixed import Fixed
from qonnx_tools.schemes.network import Network
from qonnx_tools.topology import Layer

CHOICES = {
    "log_base": ("2", "sqrt2"),
    "log_scale": ("any", "power-of-two"),
    "log_rounding": ("linear", "log"),
    "weights": ("log", "fixed"),
    "activations": ("fixed", "log"),
    "trunk": ("fixed8", "fixed8-log", "log"),
    "first_last": ("log", "fixed8"),
}
"""The values of the options that are words; the first of each is its default, but for weights."""
FIXED_BITS = 8
"""Width of what stays in fixed point beside log activations: the graph's inputs and the residual trunk."""


@dataclass(frozen=True)
class LogWeights(Scheme):
    """Normalised log formats: weights, and with ``activations`` "log" what layers read, are ``scale * g**-k``.

    ``log_base`` is g, "2" or "sqrt2"; ``log_scale`` is "any" positive number or a "power-of-two"; ``log_rounding`` puts
    the threshold between two magnitudes at their arithmetic ("linear") or geometric mean ("log").

    ``first_last`` is "log" for the same formats in the first and the last layer, or "fixed8" for 8-bit fixed point
    there, in what they read too. ``trunk`` says how activations are stored that something else than layers reads, sums
    of residual networks above all, and how layers read them: "fixed8" is 8-bit fixed point for all readers;
    "fixed8-log" 8-bit fixed point of which layers read log codes; "log" is log codes like the others, and then the
    first layer reads log codes of the graph's input, too. ``weights`` is "log" or "fixed", so that single layers can be
    excepted.

    Source: Lu and Tsay 2019.
    """

    name: ClassVar[str] = "log"
    weight_bits: int = 5
    log_base: str = "2"
    log_scale: str = "any"
    log_rounding: str = "linear"
    activations: str = "fixed"
    trunk: str = "fixed8"
    first_last: str = "log"
    weights: str = "log"

    def __post_init__(self) -> None:
        super().__post_init__()
        for option, words in CHOICES.items():
            if getattr(self, option) not in words:
                shown = option.replace("_", "-")
                raise ConfigError(f"{shown} is '{getattr(self, option)}'; choose one of {', '.join(words)}")
        for number, bits, signed in (("weights", self.weight_bits, True), ("activations", self.activation_bits, False)):
            if getattr(self, number) == "log":
                Log(bits, 2.0**126, self.steps, signed)  # refuses widths that the format does not have

    @property
    def steps(self) -> int:
        """Steps an octave."""
        return 2 if self.log_base == "sqrt2" else 1

    @property
    def power_of_two(self) -> bool:
        """Whether scales are powers of two."""
        return self.log_scale == "power-of-two"

    @property
    def weight_alternatives(self) -> tuple[Mapping[str, str], ...]:
        """The other base; none beside log activations, whose base it is, too."""
        if self.weights == "fixed" or self.activations == "log":
            return ()
        return tuple({"log_base": base} for base in CHOICES["log_base"] if base != self.log_base)

    def for_layers(self, layers: tuple[Layer, ...]) -> Mapping[str, Self]:
        if self.first_last == "log" or not layers:
            return {}
        fixed8 = dataclasses.replace(self, weights="fixed", weight_bits=8)
        return {layers[0].node: fixed8, layers[-1].node: fixed8}

    def for_activations(self, network: Network) -> Mapping[str, Self]:
        if self.activations == "fixed":
            return {}
        fixed8 = dataclasses.replace(self, activations="fixed", activation_bits=FIXED_BITS)
        special = self.for_layers(network.layers)
        read_in_fixed = {name for layer in network.layers if layer.node in special for name in layer.sources}
        stored = set(network.histograms) if self.trunk == "log" else network.read_by_layers_alone
        return dict.fromkeys((network.histograms.keys() - stored) | network.entries | read_in_fixed, fixed8)

    def separates(self, *, is_entry: bool) -> bool:
        if self.activations == "fixed":
            return False
        return (self.trunk, self.first_last) == ("log", "log") if is_entry else self.trunk == "fixed8-log"

    def for_batch_norm(self) -> Self:
        return dataclasses.replace(self, activations="fixed", activation_bits=min(self.batch_norm_bits, MAX_BITS))

    def weight_format(self, weights: npt.NDArray[np.float32], axis: int | None) -> tuple[Format, str | None]:
        if self.weights == "fixed":
            return self._fixed.weight_format(weights, axis)
        bits, power, rounding = self.weight_bits, self.power_of_two, self.log_rounding
        if axis is None:
            values = sample(weights)
            return fit_log(values, bits, self.steps, signed=True, power_of_two=power, rounding=rounding), rounding
        return fit_log_channels(weights, axis, bits, self.steps, power_of_two=power, rounding=rounding), rounding

    def weight_family(self, rows: npt.NDArray[np.float32]) -> Family[Any]:
        if self.weights == "fixed":
            return self._fixed.weight_family(rows)
        return log_family(rows, self.weight_bits, self.steps, power_of_two=self.power_of_two)

    def activation_formats(self, histogram: Histogram) -> list[TensorPlan]:
        if self.activations == "fixed":
            return super().activation_formats(histogram)
        largest, signed = max(-histogram.minimum, histogram.maximum), histogram.minimum < 0
        formats = log_formats(largest, self.activation_bits, self.steps, signed=signed, power_of_two=self.power_of_two)
        return [TensorPlan(Role.ACTIVATION, of, self.log_rounding) for of in formats]

    @property
    def fits_outputs(self) -> bool:
        return self.fit != "weights"

    @property
    def _fixed(self) -> Fixed:
        return Fixed(weight_bits=self.weight_bits, rounding=self.rounding, granularity=self.granularity)
