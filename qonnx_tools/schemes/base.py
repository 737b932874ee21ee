"""What a scheme is given, and what it returns."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache, reduce
from typing import Any, ClassVar, Self, get_type_hints

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.fixed_point import FRAC_RANGE, FixedPoint
from qonnx_tools.arithmetic.formats import Format
from qonnx_tools.discovery import concrete_classes
from qonnx_tools.errors import ConfigError
from qonnx_tools.histogram import Histogram
from qonnx_tools.plan import BatchNorm, Plan, Role, TensorPlan
from qonnx_tools.schemes._fit import fit_fixed, fit_fixed_channels, sample
from qonnx_tools.topology import Layer, Normalization

Bits = npt.NDArray[np.int64]
"""Fraction bits, 0-d or one a channel."""
MAX_BITS = 16
"""Widest weights and activations."""
SCALE_FRAC = 20
"""Most fraction bits of a batch-norm scale: what lies below changes no output, and shifts stay small."""
GRANULARITIES = ("channel", "layer")
"""Whether each output channel of a layer has a weight format of its own, or all share one."""


@dataclass(frozen=True)
class Network:
    """A canonical network as a scheme sees it.

    ``values`` holds the weights, biases and other constants by tensor name; ``histograms`` the activations to
    quantize, in graph order; ``constants`` names the constant operands of elementwise operators, ``joined`` the
    groups of activations that one wire carries side by side (Concat), which therefore share a format, and
    ``normalizations`` the batch normalizations that are not folded.
    """

    layers: tuple[Layer, ...]
    constants: tuple[str, ...]
    values: Mapping[str, npt.NDArray[np.float32]]
    histograms: Mapping[str, Histogram]
    joined: tuple[tuple[str, ...], ...] = ()
    normalizations: tuple[Normalization, ...] = ()


@dataclass(frozen=True)
class Override:
    """Options for the layers and tensors whose name is ``pattern`` or matches it as a shell glob."""

    pattern: str
    options: Mapping[str, str]

    @classmethod
    def parse(cls, text: str) -> "Override":
        """Read ``PATTERN:option=value[,option=value]``."""
        pattern, colon, settings = text.rpartition(":")
        pairs = [setting.partition("=") for setting in settings.split(",")]
        if not (pattern and colon and all(name and equals and value for name, equals, value in pairs)):
            raise ConfigError(f"override '{text}' is not PATTERN:option=value[,option=value]")
        return cls(pattern, {name.strip().replace("-", "_"): value.strip() for name, _, value in pairs})

    def matches(self, name: str) -> bool:
        """Whether ``name`` is the pattern or matches it."""
        return name == self.pattern or fnmatchcase(name, self.pattern)


@dataclass(frozen=True)
class Scheme(ABC):
    """A way to give every tensor a format: a frozen dataclass whose fields are its options.

    Activations and constants are fixed point, with fraction bits of least squared error; biases are fixed point on
    the grid of their layer's accumulator. A subclass says what weights are.
    """

    name: ClassVar[str]
    weight_bits: int = 8
    activation_bits: int = 8
    bias_bits: int = 32
    rounding: str = "half_even"
    granularity: str = "channel"
    batch_norm: BatchNorm = BatchNorm.FOLD
    batch_norm_bits: int = 16
    overrides: tuple[Override, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        _in_range("weight_bits", self.weight_bits, 1, MAX_BITS)
        _in_range("activation_bits", self.activation_bits, 1, MAX_BITS)
        _in_range("bias_bits", self.bias_bits, 2, 32)
        _in_range("batch_norm_bits", self.batch_norm_bits, 2, 24)
        FixedPoint.rounding_code(self.rounding)
        if self.batch_norm not in list(BatchNorm):
            raise ConfigError(f"batch-norm is '{self.batch_norm}'; choose one of {', '.join(BatchNorm)}")
        object.__setattr__(self, "batch_norm", BatchNorm(self.batch_norm))  # a name is welcome too
        if self.granularity not in GRANULARITIES:
            raise ConfigError(f"granularity is '{self.granularity}'; choose one of {', '.join(GRANULARITIES)}")

    @abstractmethod
    def weight_format(self, weights: npt.NDArray[np.float32], axis: int | None) -> tuple[Format, str | None]:
        """Return the format of ``weights``, per channel along ``axis`` or per tensor (None), and how to round them."""

    def for_layers(self, layers: tuple[Layer, ...]) -> Mapping[str, Self]:  # noqa: ARG002  # for subclasses
        """Return the scheme to use in place of this one, by node name, where the place of a layer matters."""
        return {}

    def propose(self, network: Network) -> Plan:
        """Return a plan for ``network``: the same one whenever it is asked."""
        self._check_overrides(network)
        tensors = self._activations(network)
        for name in network.constants:
            tensors[name] = self._at(self, name).constant_format(network.values[name])
        grids: dict[str, Bits] = {}
        special = self.for_layers(network.layers)
        for layer in network.layers:
            local = self._at(special.get(layer.node, self), layer.node, layer.weight)
            axis = layer.channel_axis if local.granularity == "channel" else None
            weight, rounding = local.weight_format(network.values[layer.weight], axis)
            tensors.setdefault(layer.weight, TensorPlan(Role.WEIGHT, weight, rounding, axis))
            grids[layer.output] = finest_bits(weight) + _finest_of(layer.sources, tensors)
            if layer.bias is not None and layer.bias not in tensors:
                tensors[layer.bias] = local.bias_format(network.values[layer.bias], grids[layer.output])
        for unit in network.normalizations:
            local = self._at(self, unit.node, unit.scale)
            tensors[unit.scale] = local.scale_format(network.values[unit.scale])
            stored = any(name in tensors for name in unit.sources)
            grid = _finest_of(unit.sources, tensors) if stored else grids.get(unit.input, np.int64(0))
            offset = local.bias_format(network.values[unit.offset], grid + finest_bits(tensors[unit.scale].format))
            tensors[unit.offset] = dataclasses.replace(offset, role=Role.BATCH_NORM)
        return Plan(self.name, self.batch_norm, tensors)

    def _check_overrides(self, network: Network) -> None:
        names = {name for layer in network.layers for name in (layer.node, layer.weight, layer.bias) if name}
        names |= {name for unit in network.normalizations for name in (unit.node, unit.scale, unit.offset)}
        names |= {*network.histograms, *network.constants}
        for override in self.overrides:
            if not any(override.matches(name) for name in names):
                raise ConfigError(f"override '{override.pattern}' matches no layer and no tensor of the model")

    def _activations(self, network: Network) -> dict[str, TensorPlan]:
        """Formats of the activations; what a layer leaves for a batch-norm unit has that unit's width."""
        shared = _shared_histograms(network)
        results = {layer.output for layer in network.layers}
        between = {name for unit in network.normalizations for name in unit.sources if name in results}
        wide = dataclasses.replace(self, activation_bits=min(self.batch_norm_bits, MAX_BITS))
        tensors: dict[str, TensorPlan] = {}
        for name in network.histograms:
            group, histogram = shared[name]
            base = wide if name in between else self
            tensors[name] = self._at(base, *group).activation_format(histogram)
        return tensors

    def _at(self, base: "Scheme", *names: str) -> Any:
        """Return ``base`` with the options that the overrides give for ``names``; later overrides win."""
        options: dict[str, Any] = {}
        for override in self.overrides:
            if any(override.matches(name) for name in names):
                options |= {name: _typed(base, name, value) for name, value in override.options.items()}
        return dataclasses.replace(base, **options) if options else base

    def activation_format(self, histogram: Histogram) -> TensorPlan:
        fitted = fit_fixed(
            histogram.occupied(), self.activation_bits, signed=histogram.minimum < 0, rounding=self.rounding
        )
        return TensorPlan(Role.ACTIVATION, fitted, self.rounding)

    def constant_format(self, value: npt.NDArray[np.float32]) -> TensorPlan:
        fitted = fit_fixed(sample(value), self.activation_bits, signed=bool(value.min(initial=0.0) < 0))
        return TensorPlan(Role.CONSTANT, fitted)

    def scale_format(self, value: npt.NDArray[np.float32]) -> TensorPlan:
        """Fixed point for the multiplier of a batch normalization, per channel where the weights are."""
        bits, rounding = self.batch_norm_bits, self.rounding
        if self.granularity != "channel":
            fitted = fit_fixed(sample(value), bits, signed=True, rounding=rounding)
            return TensorPlan(Role.BATCH_NORM, FixedPoint(bits, min(int(np.max(fitted.frac)), SCALE_FRAC)), rounding)
        fracs = np.minimum(fit_fixed_channels(value.reshape(-1, 1), 0, bits, rounding).frac, SCALE_FRAC)
        return TensorPlan(Role.BATCH_NORM, FixedPoint(bits, tuple(fracs.tolist())), rounding, 0)

    def bias_format(self, value: npt.NDArray[np.float32], grid: Bits) -> TensorPlan:
        """Fixed point on the ``grid`` of what it is added to, 0-d or [C], or as near to it as the width allows.

        The channels are the last dimension of ``value``. Where it has one number for all of them, that lies on the
        grid of each; where it has more, as behind a grouped ConvTranspose, the grid repeats.
        """
        channels = value.shape[-1] if value.ndim else 1
        if grid.ndim:
            grid = grid.min() if channels % grid.size else np.tile(grid, channels // grid.size)
        largest = np.abs(value, dtype=np.float64)
        largest = largest.max(axis=tuple(range(value.ndim - 1)) if grid.ndim else None, initial=0.0)
        with np.errstate(divide="ignore"):
            room = np.floor(np.log2((2 ** (self.bias_bits - 1) - 1) / largest))
        frac = np.clip(np.minimum(grid, room), *FRAC_RANGE).astype(np.int64)
        if frac.ndim == 0 or frac.min() == frac.max():
            return TensorPlan(Role.BIAS, FixedPoint(self.bias_bits, int(frac.flat[0])))
        return TensorPlan(Role.BIAS, FixedPoint(self.bias_bits, tuple(frac.tolist())), axis=value.ndim - 1)


@cache
def schemes() -> Mapping[str, type[Scheme]]:
    """Every known scheme by name."""
    return {found.name: found for found in concrete_classes("qonnx_tools.schemes", Scheme)}  # type: ignore[type-abstract]


def make_scheme(name: str, options: Mapping[str, Any], overrides: Iterable[str] = ()) -> Scheme:
    """Return the scheme ``name`` with ``options`` (None is the default); ``ConfigError`` for what it does not have."""
    known = schemes()
    if name not in known:
        raise ConfigError(f"scheme '{name}' is unknown; choose one of {', '.join(sorted(known))}")
    given = {key: value for key, value in options.items() if value is not None}
    fields = {item.name for item in dataclasses.fields(known[name])}
    for key in given:
        if key not in fields:
            raise ConfigError(f"option {key.replace('_', '-')} does not apply to scheme {name}")
    return known[name](**given, overrides=tuple(Override.parse(text) for text in overrides))


def _shared_histograms(network: Network) -> dict[str, tuple[tuple[str, ...], Histogram]]:
    """Return for each activation the tensors that it shares a format with, and the histogram of them all."""
    partners = {name: group for group in network.joined for name in group}
    shared = {}
    for name in network.histograms:
        group = tuple(item for item in partners.get(name, (name,)) if item in network.histograms)
        shared[name] = group, reduce(Histogram.merge, (network.histograms[item] for item in group))
    return shared


def _finest_of(names: Iterable[str], tensors: Mapping[str, TensorPlan]) -> Bits:
    """Return the finest fraction bits of the tensors that have a format; 0 where none has."""
    found = [finest_bits(tensors[name].format).max() for name in names if name in tensors]
    return np.asarray(max(found, default=0), np.int64)


def finest_bits(of: Format) -> Bits:
    """Return f such that 2**-f is at most the smallest magnitude of the format, for each channel or 0-d."""
    step = of.decode(1 if of.channels is None else np.ones(of.channels, np.int64), 0)
    return np.asarray(np.ceil(-np.log2(step.astype(np.float64))), dtype=np.int64)


def _typed(base: Scheme, name: str, value: str) -> Any:
    hints = get_type_hints(type(base))
    if name not in hints or name in ("name", "overrides", "batch_norm"):
        raise ConfigError(f"option {name.replace('_', '-')} cannot be set for single layers of scheme {base.name}")
    if hints[name] is not int:
        return value
    try:
        return int(value)
    except ValueError:
        raise ConfigError(f"{name} is '{value}'; it must be a whole number") from None


def _in_range(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ConfigError(f"{name.replace('_', '-')} is {value}; it must lie in {low}..{high}")
