"""What a scheme is: its options, and the plan that it proposes for a network."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial, reduce
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.formats import Format
from qonnx_tools.discovery import concrete_classes
from qonnx_tools.errors import ConfigError
from qonnx_tools.histogram import Histogram
from qonnx_tools.plan import WIDEST_ACCUMULATOR, BatchNorm, Plan, Role, TensorPlan
from qonnx_tools.schemes._fit import fit_fixed, fixed_formats, sample, squared_error
from qonnx_tools.schemes._grids import Bits, finest_bits, finest_of, not_finer, on_grid, refined
from qonnx_tools.schemes._sharing import SHARING, Member, share
from qonnx_tools.schemes.addends import scale_format
from qonnx_tools.schemes.family import Family
from qonnx_tools.schemes.network import Network
from qonnx_tools.schemes.overrides import Override, check_overrides, options_for
from qonnx_tools.topology import Layer

MAX_BITS = 16
"""Widest weights and activations."""
GRANULARITIES = ("channel", "layer", *SHARING)
"""What has a format of its own: each output channel of the weights, each tensor, or what is named in SHARING."""
RESIDUAL_ADDS = ("separate", "merge")
"""Whether a layer's result has a format of its own where it is added to another tensor, or is added as it is."""
FITS = ("auto", "outputs", "weights")
"""What rounded weights are to come near to: their layer's outputs on calibration images, or the trained weights."""


@dataclass(frozen=True)
class Scheme(ABC):
    """A way to give every tensor a format: a frozen dataclass whose fields are its options.

    Activations and constants are fixed point, with fraction bits of least squared error; biases are fixed point on
    the grid of their layer's accumulator. ``accumulator_bits`` 0 is the smallest width that is safe. A subclass says
    what weights are.
    """

    name: ClassVar[str]
    weight_bits: int = 8
    activation_bits: int = 8
    bias_bits: int = 32
    rounding: str = "half_even"
    granularity: str = "channel"
    fit: str = "auto"
    batch_norm: BatchNorm = BatchNorm.FOLD
    batch_norm_bits: int = 16
    residual_add: str = "separate"
    accumulator_bits: int = 0
    overrides: tuple[Override, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        _in_range("weight_bits", self.weight_bits, 1, MAX_BITS)
        _in_range("activation_bits", self.activation_bits, 1, MAX_BITS)
        _in_range("bias_bits", self.bias_bits, 2, 32)
        _in_range("batch_norm_bits", self.batch_norm_bits, 2, 24)
        _in_range("accumulator_bits", self.accumulator_bits, 0, WIDEST_ACCUMULATOR)
        FixedPoint.rounding_code(self.rounding)
        if self.batch_norm not in list(BatchNorm):
            raise ConfigError(f"batch-norm is '{self.batch_norm}'; choose one of {', '.join(BatchNorm)}")
        object.__setattr__(self, "batch_norm", BatchNorm(self.batch_norm))  # a name is welcome too
        if self.granularity not in GRANULARITIES:
            raise ConfigError(f"granularity is '{self.granularity}'; choose one of {', '.join(GRANULARITIES)}")
        if self.residual_add not in RESIDUAL_ADDS:
            choices = ", ".join(RESIDUAL_ADDS)
            raise ConfigError(f"residual-add is '{self.residual_add}'; choose one of {choices}")
        if self.fit not in FITS:
            raise ConfigError(f"fit is '{self.fit}'; choose one of {', '.join(FITS)}")

    @abstractmethod
    def weight_format(self, weights: npt.NDArray[np.float32], axis: int | None) -> tuple[Format, str | None]:
        """Return the format of ``weights``, per channel along ``axis`` or per tensor (None), and how to round them."""

    @abstractmethod
    def weight_family(self, rows: npt.NDArray[np.float32]) -> Family[Any]:
        """Return the formats to choose from for each of ``rows`` ``[C, n]`` of weights."""

    @property
    def weight_alternatives(self) -> tuple[Mapping[str, str], ...]:
        """Options in place of this scheme's with which weights have other formats of the same width."""
        return ()

    @property
    def merges_sums(self) -> bool:
        """Whether a layer's sums are added to another tensor as they are, before anything is rounded."""
        return self.residual_add == "merge"

    @property
    def fits_outputs(self) -> bool:
        """Whether the weights are fitted to the layer's outputs, where there are calibration images.

        "auto" does so where rounding to nearest costs accuracy: below 8 bits.
        """
        return self.fit == "outputs" or (self.fit == "auto" and self.weight_bits < 8)

    def for_layers(self, layers: tuple[Layer, ...]) -> Mapping[str, Self]:  # noqa: ARG002  # for subclasses
        """Return the scheme to use in place of this one, by node name, where the place of a layer matters."""
        return {}

    def for_activations(self, network: Network) -> Mapping[str, Self]:  # noqa: ARG002  # for subclasses
        """Return the scheme to use in place of this one, by tensor name, where the readers of an activation matter."""
        return {}

    def separates(self, *, is_entry: bool) -> bool:  # noqa: ARG002  # for subclasses
        """Return whether layers read a tensor in another format than the other nodes that read it.

        ``is_entry`` says that it is an input of the graph, which is always fixed point.
        """
        return False

    def for_batch_norm(self) -> Self:
        """Return the scheme to use in place of this one for what a layer leaves for a batch-norm unit."""
        return dataclasses.replace(self, activation_bits=min(self.batch_norm_bits, MAX_BITS))

    def at_layer(self, layer: Layer, layers: tuple[Layer, ...]) -> Self:
        """Return the scheme with the options that hold for the weights of ``layer``, one of ``layers``."""
        at: Self = self._at(self.for_layers(layers).get(layer.node, self), layer.node, layer.weight)
        return at

    def at_activation(self, name: str, network: Network, special: Mapping[str, Self] | None = None) -> Self:
        """Return the scheme with the options that hold for the activation ``name``.

        ``special`` is what :meth:`for_activations` returns, where it is known.
        """
        wire = network.wire(name)
        if not network.left_for_batch_norm.isdisjoint(wire):
            base = self.for_batch_norm()
        else:
            known = self.for_activations(network) if special is None else special
            base = next((known[item] for item in wire if item in known), self)
        at: Self = self._at(base, *wire)
        return at

    def propose(self, network: Network) -> Plan:
        """Return a plan for ``network``: the same one whenever it is asked."""
        check_overrides(self.overrides, network.names)
        members = {**self._constants(network), **self._activations(network)}
        formats = {name: member.alone for name, member in members.items()} | share(members)
        tensors = {name: formats[name] for name in (*network.histograms, *network.constants)}
        grids: dict[str, Bits] = {}
        for layer in network.layers:
            weight = tensors.setdefault(layer.weight, formats[layer.weight])
            grids[layer.output] = finest_bits(weight.format) + finest_of(layer.sources, tensors)
            if layer.bias is not None and layer.bias not in tensors:
                local = self._at(self, layer.node, layer.weight, layer.bias)
                tensors[layer.bias] = on_grid(network.values[layer.bias], grids[layer.output], local.bias_bits)
        for unit in network.normalizations:
            scale = tensors.setdefault(unit.scale, formats[unit.scale])
            stored = any(name in tensors for name in unit.sources)
            grid = finest_of(unit.sources, tensors) if stored else grids.get(unit.input, np.asarray(0))
            grid = refined(grid, finest_bits(scale.format))
            if unit.offset in formats:
                tensors[unit.offset] = not_finer(formats[unit.offset], grid)
            else:
                local = self._at(self, unit.node, unit.scale, unit.offset)
                value = network.values[unit.offset]
                tensors[unit.offset] = on_grid(value, grid, local.bias_bits, Role.BATCH_NORM)
        chosen = {layer.node: self._at(self, layer.node, layer.weight).accumulator_bits for layer in network.layers}
        single = {layer: bits for layer, bits in chosen.items() if bits != self.accumulator_bits}
        return Plan(self.name, self.batch_norm, tensors, self.accumulator_bits, single)

    def _activations(self, network: Network) -> dict[str, Member]:
        """The activations; what a layer leaves for a batch-norm unit has that unit's width."""
        special = self.for_activations(network)
        members = {}
        for name, histogram in network.histograms.items():
            wire = network.wire(name)
            left = not network.left_for_batch_norm.isdisjoint(wire)
            local = self.at_activation(name, network, special)
            plan = network.given.get(name)
            if plan is None:
                plan = local.activation_format(reduce(Histogram.merge, (network.histograms[item] for item in wire)))
            members[name] = Member(plan, histogram.occupied, local.granularity, left)
        return members

    def _constants(self, network: Network) -> dict[str, Member]:
        """Weights, scales of batch normalizations (offsets where they share a format), operands: no biases."""
        members: dict[str, Member] = {}

        def add(name: str, local: Scheme, plan: TensorPlan, *, batch_norm: bool = False) -> None:
            read = partial(sample, network.values[name])
            members.setdefault(name, Member(plan, read, local.granularity, batch_norm, name in network.given))

        for name in network.constants:
            local = self._at(self, name)
            add(name, local, local.constant_format(network.values[name]))
        for layer in network.layers:
            local = self.at_layer(layer, network.layers)
            if layer.weight in network.given:
                add(layer.weight, local, network.given[layer.weight])
                continue
            axis = layer.channel_axis if local.granularity == "channel" else None
            weight, rounding = local.weight_format(network.values[layer.weight], axis)
            add(layer.weight, local, TensorPlan(Role.WEIGHT, weight, rounding, axis))
        for unit in network.normalizations:
            for name in (unit.scale, unit.offset):
                local = self._at(self, unit.node, name)
                if name == unit.scale or local.granularity in SHARING:
                    add(name, local, local.scale_format(network.values[name]), batch_norm=True)
        return members

    def _at(self, base: "Scheme", *names: str) -> Any:
        """Return ``base`` with the options that the overrides give for ``names``."""
        options = options_for(base, self.overrides, names)
        return dataclasses.replace(base, **options) if options else base

    def activation_format(self, histogram: Histogram) -> TensorPlan:
        """Return the one of :meth:`activation_formats` with the least squared error."""
        values = histogram.occupied()
        return min(
            self.activation_formats(histogram), key=lambda plan: squared_error(plan.format, values, plan.rounding)
        )

    def activation_formats(self, histogram: Histogram) -> list[TensorPlan]:
        """Return the formats to choose from for an activation."""
        largest, signed = max(-histogram.minimum, histogram.maximum), histogram.minimum < 0
        formats = fixed_formats(largest, self.activation_bits, signed=signed)
        return [TensorPlan(Role.ACTIVATION, of, self.rounding) for of in formats]

    def constant_format(self, value: npt.NDArray[np.float32]) -> TensorPlan:
        fitted = fit_fixed(sample(value), self.activation_bits, signed=bool(value.min(initial=0.0) < 0))
        return TensorPlan(Role.CONSTANT, fitted)

    def scale_format(self, value: npt.NDArray[np.float32]) -> TensorPlan:
        """Fixed point for the multiplier of a batch normalization, per channel where the weights are."""
        return scale_format(value, self.batch_norm_bits, self.rounding, by_channel=self.granularity == "channel")


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


def _in_range(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ConfigError(f"{name.replace('_', '-')} is {value}; it must lie in {low}..{high}")
