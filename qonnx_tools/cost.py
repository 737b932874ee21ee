"""What a quantized network costs an accelerator: bits to store, and the work of its multipliers.

Everything is for one image. Memory and multiplier cost are those of Goyal et al., arXiv 2102.02147: the bits of all
weights, biases and activations (and of the constants of batch normalization, where it is not folded), and the product
of the widths of a layer's weights and of its *output*, summed over its multiplications. What the multiplier of a layer
really sees is the layer's *input*; that cost stands beside it.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

UNIFORM_BITS = 8
"""Width of all weights, biases and activations of the network that savings are relative to."""


@dataclass(frozen=True)
class LayerWork:
    """The multiplications of one layer, and the widths of what it reads, stores and makes, in bits.

    Attributes:
        name: of the layer.
        macs: multiplications.
        fan_in: products in one sum.
        weights: how many there are.
        biases: how many there are.
        weight_bits: of each weight; 32 in float.
        bias_bits: of each bias; 32 in float.
        input_bits: of each number that it reads; 32 in float.
        output_bits: of each number that it makes; None where that is no stored tensor, as at the end of a network.
        weight_places: how many powers of two a weight in log codes may be; None in fixed point or float.
        input_places: how many an input in log codes may be.
        accumulator_bits: width of its accumulator; None where the arithmetic does not say.
        weight_steps: magnitudes an octave of weights in log codes: 1 is base 2, 2 is base sqrt(2).
    """

    name: str
    macs: int
    fan_in: int
    weights: int
    biases: int
    weight_bits: int
    bias_bits: int
    input_bits: int
    output_bits: int | None
    weight_places: int | None = None
    input_places: int | None = None
    accumulator_bits: int | None = None
    weight_steps: int | None = None


@dataclass(frozen=True)
class Stored:
    """A tensor that is stored: its numbers, and the width of each in bits."""

    name: str
    elements: int
    bits: int


@dataclass(frozen=True)
class Work:
    """A network: its layers, its activations, the names of those that are kept at each step, batch-norm constants."""

    layers: tuple[LayerWork, ...]
    maps: tuple[Stored, ...]
    kept: tuple[frozenset[str], ...] = ()
    normalizations: tuple[Stored, ...] = ()

    def with_bits(self, bits: int) -> "Work":
        """Return the same network with every weight, bias and activation ``bits`` wide, in fixed point."""
        return replace(
            self,
            layers=tuple(
                replace(
                    layer,
                    weight_bits=bits,
                    bias_bits=bits,
                    input_bits=bits,
                    output_bits=None if layer.output_bits is None else bits,
                    weight_places=None,
                    input_places=None,
                    accumulator_bits=None,
                    weight_steps=None,
                )
                for layer in self.layers
            ),
            maps=tuple(replace(each, bits=bits) for each in self.maps),
            normalizations=tuple(replace(each, bits=bits) for each in self.normalizations),
        )


@dataclass(frozen=True)
class Cost:
    """What a network costs.

    Attributes:
        weight_memory_bits: of all weights.
        bias_memory_bits: of all biases.
        normalization_memory_bits: of the constants of batch normalization.
        map_memory_bits: of all activations, side by side.
        peak_map_memory_bits: of the activations that are kept at the same time, where there are most.
        multiplier_cost: sum of macs x weight bits x output bits; input bits where the output is not stored.
        multiplier_input_cost: sum of macs x weight bits x input bits.
        shift_add_cost: full adders and multiplexers that are busy, see :func:`adders`.
        bit_operations: sum of macs x (b_w b_x + b_w + b_x + log2(fan-in)), after Baskin et al. 2021.
        accumulator_cost: sum of macs x accumulator bits, of one of them.
    """

    weight_memory_bits: int
    bias_memory_bits: int
    normalization_memory_bits: int
    map_memory_bits: int
    peak_map_memory_bits: int
    multiplier_cost: int
    multiplier_input_cost: int
    shift_add_cost: int
    bit_operations: float
    accumulator_cost: int

    @property
    def memory_bits(self) -> int:
        """Of all constants and activations together."""
        constants = self.weight_memory_bits + self.bias_memory_bits + self.normalization_memory_bits
        return constants + self.map_memory_bits


def cost_of(work: Work) -> Cost:
    """Return what a network costs."""
    bits = {each.name: each.elements * each.bits for each in work.maps}
    return Cost(
        weight_memory_bits=sum(layer.weights * layer.weight_bits for layer in work.layers),
        bias_memory_bits=sum(layer.biases * layer.bias_bits for layer in work.layers),
        normalization_memory_bits=sum(each.elements * each.bits for each in work.normalizations),
        map_memory_bits=sum(bits.values()),
        peak_map_memory_bits=max((sum(bits[name] for name in names) for names in work.kept), default=0),
        **{name: sum(map(each, work.layers)) for name, each in LAYER_COSTS.items()},
    )


def savings(work: Work) -> Mapping[str, float]:
    """Return the shares that a network saves against the same one with 8 bits everywhere, by name."""
    own, uniform = cost_of(work), cost_of(work.with_bits(UNIFORM_BITS))
    pairs = {
        "memory_saving_vs_8bit": (own.memory_bits, uniform.memory_bits),
        "multiplier_saving_vs_8bit": (own.multiplier_cost, uniform.multiplier_cost),
        "multiplier_input_saving_vs_8bit": (own.multiplier_input_cost, uniform.multiplier_input_cost),
    }
    return {name: 1 - mine / other if other else 0.0 for name, (mine, other) in pairs.items()}


def totals(work: Work) -> dict[str, float]:
    """Return what a network costs, and what it saves against 8 bits everywhere, by name."""
    cost = cost_of(work)
    return {
        "memory_bits": cost.memory_bits,
        "peak_map_memory_bits": cost.peak_map_memory_bits,
        "multiplier_cost": cost.multiplier_cost,
        "multiplier_input_cost": cost.multiplier_input_cost,
        "shift_add_cost": cost.shift_add_cost,
        "bit_operations": cost.bit_operations,
        "accumulator_cost": cost.accumulator_cost,
        **savings(work),
    }


def accumulator_bits(layer: LayerWork) -> int:
    """Return the width of a layer's accumulators: the one that they have, or what its widths alone ask for."""
    if layer.accumulator_bits is not None:
        return layer.accumulator_bits
    reach = (layer.weight_places or layer.weight_bits) + (layer.input_places or layer.input_bits)
    return reach + math.ceil(math.log2(layer.fan_in + 1))


def adders(layer: LayerWork) -> int:
    """Return the one-bit full adders and two-way multiplexers that one product takes, its accumulation included.

    A multiplier of b_w by b_x bits is b_w - 1 rows of b_x adders. A shifter of K places is ceil(log2 K) rows of
    multiplexers as wide as what comes out; a product of two log codes is an adder of exponents, and a decoder of as
    many places. A product adds to one accumulator, which is one row of adders.
    """
    accumulator = accumulator_bits(layer)
    if layer.weight_places is None:
        return (layer.weight_bits - 1) * layer.input_bits + accumulator
    if layer.input_places is None:
        places = layer.weight_places
        return _rows(places) * (layer.input_bits + places - 1) + accumulator
    places = layer.weight_places + layer.input_places - 1
    return max(layer.weight_bits, layer.input_bits) + _rows(places) * places + accumulator


def bit_operations(layer: LayerWork) -> float:
    """Return the bit operations of one product: b_w b_x + b_w + b_x + log2(fan-in)."""
    product = layer.weight_bits * layer.input_bits + layer.weight_bits + layer.input_bits
    return product + math.log2(layer.fan_in)


LAYER_COSTS: Mapping[str, Callable[[LayerWork], Any]] = {
    "multiplier_cost": lambda layer: layer.macs * layer.weight_bits * (layer.output_bits or layer.input_bits),
    "multiplier_input_cost": lambda layer: layer.macs * layer.weight_bits * layer.input_bits,
    "shift_add_cost": lambda layer: layer.macs * adders(layer),
    "bit_operations": lambda layer: layer.macs * bit_operations(layer),
    "accumulator_cost": lambda layer: layer.macs * accumulator_bits(layer),
}
"""The fields of :class:`Cost` that are a sum over layers, and what one layer adds."""


def _rows(places: int) -> int:
    return math.ceil(math.log2(places)) if places > 1 else 0
