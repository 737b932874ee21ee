"""What a search chooses: widths of the weights and the bias of each layer, of batch-norm constants, of activations.

A width is a number of bits, or bits and the options that a scheme names as an alternative.
"""

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import onnx

from qonnx_tools.graph import Model, from_proto, to_proto
from qonnx_tools.plan import Plan
from qonnx_tools.schemes.base import Scheme
from qonnx_tools.schemes.network import Network
from qonnx_tools.schemes.overrides import Override, options_for
from qonnx_tools.topology import Layer

WEIGHTS, BIAS, ACTIVATION, BATCH_NORM = "weights", "bias", "activation", "batch norm"
KINDS = {
    WEIGHTS: "weight_bits",
    BIAS: "bias_bits",
    ACTIVATION: "activation_bits",
    BATCH_NORM: "batch_norm_bits",
}
"""What is chosen, and the option of a scheme that sets it. The offset of a batch normalization counts as a bias."""


@dataclass(frozen=True)
class Alternative:
    """A width of which the format has other options than the scheme's, such as ``(("log_base", "sqrt2"),)``."""

    bits: int
    options: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return " ".join([str(self.bits), *(f"{name}={value}" for name, value in self.options)])


Width = int | Alternative
"""Bits, with the options of the scheme or with others."""
Widths = Mapping[str, Width]
"""A width for the key of every choice."""


def bits_of(width: Width) -> int:
    """Return the bits of a width."""
    return width.bits if isinstance(width, Alternative) else width


def options_of(width: Width) -> tuple[tuple[str, str], ...]:
    """Return the options of a width that are not the scheme's."""
    return width.options if isinstance(width, Alternative) else ()


def plain(widths: Widths) -> list[tuple[str, int | str]]:
    """Return widths by key as a JSON value: the same whatever their order is."""
    return sorted((key, width if isinstance(width, int) else str(width)) for key, width in widths.items())


@dataclass(frozen=True)
class Choice:
    """One width to choose.

    Attributes:
        kind: one of KINDS.
        name: of the layer or the batch normalization, or of the first activation of a wire.
        tensors: that get the width: more than one where a wire carries several activations side by side.
        widths: to choose from, ascending; behind them, ascending, those of each alternative.
    """

    kind: str
    name: str
    tensors: tuple[str, ...]
    widths: tuple[Width, ...]

    @property
    def key(self) -> str:
        return f"{self.kind} of {self.name}"


@dataclass(frozen=True)
class Space:
    """A network to choose widths for: its canonical graph, as a scheme sees it, and the choices in graph order.

    ``stored`` are the feature maps that its plans store compressed, without loss.
    """

    model: Model
    network: Network
    scheme: Scheme
    choices: tuple[Choice, ...]
    stored: tuple[str, ...] = ()

    @classmethod
    def of(cls, model: Model, network: Network, scheme: Scheme, widths: Mapping[str, tuple[int, ...]]) -> "Space":
        """Return what there is to choose; ``widths`` gives those of each kind, ascending."""
        return cls(model, network, scheme, tuple(_choices(network, widths)))

    def with_alternatives(self, fixed: Collection[str]) -> "Space":
        """Return the space with the alternatives that the scheme has for the weights of each layer.

        Those of them are left out that set one of the options ``fixed``, or one that an override sets for the layer.
        """
        return dataclasses.replace(self, choices=tuple(self._with_alternatives(each, fixed) for each in self.choices))

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, (to_proto(self.model).SerializeToString(), self.network, self.scheme, self.choices)

    def widest(self) -> dict[str, Width]:
        """Return the largest width for every choice, with the options of the scheme."""
        return {choice.key: max(choice.widths, key=bits_of) for choice in self.choices}

    def scheme_with(self, widths: Widths) -> Scheme:
        """Return the scheme with these widths."""
        overrides = [
            Override(tensor, {KINDS[choice.kind]: str(bits_of(width)), **dict(options_of(width))})
            for choice in self.choices
            for width in (widths[choice.key],)
            for tensor in choice.tensors
        ]
        return dataclasses.replace(self.scheme, overrides=(*self.scheme.overrides, *overrides))

    def plan(self, widths: Widths) -> Plan:
        """Return the plan that the scheme proposes with these widths, weights rounded to nearest."""
        return self.scheme_with(widths).propose(self.network)

    def layer(self, name: str) -> Layer:
        """Return a layer by the name of its node."""
        return next(layer for layer in self.network.layers if layer.node == name)

    def _with_alternatives(self, choice: Choice, fixed: Collection[str]) -> Choice:
        if choice.kind != WEIGHTS:
            return choice
        layer = self.layer(choice.name)
        local = self.scheme.at_layer(layer, self.network.layers)
        kept = {*fixed, *options_for(self.scheme, self.scheme.overrides, (layer.node, layer.weight))}
        others = [options for options in local.weight_alternatives if kept.isdisjoint(options)]
        more = [Alternative(bits_of(width), tuple(options.items())) for options in others for width in choice.widths]
        return dataclasses.replace(choice, widths=(*choice.widths, *more))


def _received(model: bytes, network: Network, scheme: Scheme, choices: tuple[Choice, ...]) -> Space:
    """Return a space that was sent to another process."""
    return Space(from_proto(onnx.ModelProto.FromString(model)), network, scheme, choices)


def _choices(network: Network, widths: Mapping[str, tuple[int, ...]]) -> Iterable[Choice]:
    seen: set[str] = set()
    for name in network.histograms:
        wire = network.wire(name)
        if wire[0] not in seen and name in wire:
            seen.add(wire[0])
            yield Choice(ACTIVATION, wire[0], wire, widths[ACTIVATION])
    for layer in network.layers:
        if layer.weight in seen:
            continue  # a tensor that two layers share
        seen.add(layer.weight)
        yield Choice(WEIGHTS, layer.node, (layer.weight,), widths[WEIGHTS])
        if layer.bias is not None and layer.bias not in seen:
            seen.add(layer.bias)
            yield Choice(BIAS, layer.node, (layer.bias,), widths[BIAS])
    for unit in network.normalizations:
        yield Choice(BATCH_NORM, unit.node, (unit.scale,), widths[BATCH_NORM])
        yield Choice(BIAS, unit.node, (unit.offset,), widths[BIAS])
