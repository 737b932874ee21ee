"""The costs that a search lessens or limits, as an integer program wants them: what widths and pairs of them add."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from qonnx_tools.accelerator import Accelerator
from qonnx_tools.cost import LAYER_COSTS, UNIFORM_BITS, LayerWork, Work, accumulator_bits, cost_of
from qonnx_tools.errors import ConfigError
from qonnx_tools.search.allocation import Product, Program, Sum
from qonnx_tools.search.options import FEATURE_MAPS
from qonnx_tools.search.space import ACTIVATION, WEIGHTS, Choice, Space, Width, Widths, bits_of, options_of
from qonnx_tools.workload import work_of

MEMORY, PEAK, ACCELERATOR = "memory", "peak", "accelerator"
_OF_LAYERS: Mapping[str, str] = {
    "multipliers": "multiplier_cost",
    "multiplier-inputs": "multiplier_input_cost",
    "shift-adds": "shift_add_cost",
    "bops": "bit_operations",
    "accumulators": "accumulator_cost",
}
COSTS = (MEMORY, *_OF_LAYERS, FEATURE_MAPS)
"""What a search can lessen, beside the cost on an accelerator, and limit, beside the peak of the activations kept."""


@dataclass(frozen=True)
class Term:
    """A cost: so much for each stored bit, so much for each layer, and so much for feature maps by name and width."""

    bit: float
    layer: Callable[[LayerWork], float] | None
    maps: Mapping[str, Mapping[int, float]] = field(default_factory=dict)

    def of(self, work: Work) -> float:
        """Return the cost of a network."""
        layers = sum(map(self.layer, work.layers)) if self.layer else 0.0
        maps = sum(self.maps[each.name][each.bits] for each in work.maps if each.name in self.maps)
        return self.bit * cost_of(work).memory_bits + layers + maps


@dataclass(frozen=True)
class Objective:
    """Some of COSTS, each relative to that of the same network with 8 bits everywhere, added up; and limits.

    Attributes:
        names: of the costs; ACCELERATOR is that on ``accelerator``.
        limits: the largest share of the cost with 8 bits everywhere, by name of the cost, or PEAK.
        accelerator: what the user says of the hardware.
        stored: bytes of the feature maps that are stored compressed, by name and width, for FEATURE_MAPS.
    """

    names: tuple[str, ...]
    limits: Mapping[str, float] = field(default_factory=dict)
    accelerator: Accelerator | None = None
    stored: Mapping[str, Mapping[int, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.names:
            if name not in COSTS and (name != ACCELERATOR or self.accelerator is None):
                raise ConfigError(f"cost '{name}' is unknown; choose from {', '.join(COSTS)}, or give a .toml file")
        for name, most in self.limits.items():
            if name not in (*COSTS, PEAK):
                raise ConfigError(f"limit of '{name}' is unknown; choose from {', '.join((*COSTS, PEAK))}")
            if not most > 0:
                raise ConfigError(f"limit of '{name}' is {most:g}; give a share above 0")

    @property
    def stores_maps(self) -> bool:
        """Whether the bytes of feature maps count."""
        return FEATURE_MAPS in {*self.names, *self.limits}

    def of(self, work: Work) -> float:
        """Return the cost of a network; 1 is that with 8 bits everywhere."""
        return sum(self._share(name, work) for name in self.names) / len(self.names)

    def excess(self, work: Work) -> float:
        """Return by how much a network exceeds the limits, as a share of 8 bits everywhere; 0 or less is within."""
        return max((self._share(name, work) - most for name, most in self.limits.items()), default=0.0)

    def program(self, space: Space, damages: Mapping[str, Mapping[Width, float]]) -> Program:
        """Return the integer program; ``damages`` are by key and width."""
        tables = _Tables(space, self.accelerator)
        uniform = tables.base.with_bits(UNIFORM_BITS)
        weights = {name: 1 / max(self._term(name).of(uniform), 1.0) for name in {*self.names, *self.limits} - {PEAK}}
        parts = [tables.sum(self._term(name), name, weights[name] / len(self.names)) for name in self.names]
        terms = {
            choice.key: tuple(map(sum, zip(*(part.terms[choice.key] for part in parts), strict=True)))
            for choice in space.choices
        }
        limits = [
            (tables.sum(self._term(name), name, weights[name]), most)
            for name, most in self.limits.items()
            if name != PEAK
        ]
        if PEAK in self.limits:
            limits += [(each, self.limits[PEAK]) for each in tables.peaks(cost_of(uniform).peak_map_memory_bits)]
        return Program(
            widths={choice.key: choice.widths for choice in space.choices},
            cost=Sum(terms, (*(product for part in parts for product in part.products), *tables.forbidden())),
            damages={
                choice.key: tuple(damages[choice.key][width] for width in choice.widths) for choice in space.choices
            },
            limits=tuple(limits),
        )

    def _share(self, name: str, work: Work) -> float:
        uniform = work.with_bits(UNIFORM_BITS)
        if name == PEAK:
            return cost_of(work).peak_map_memory_bits / max(cost_of(uniform).peak_map_memory_bits, 1)
        term = self._term(name)
        return term.of(work) / max(term.of(uniform), 1.0)

    def _term(self, name: str) -> Term:
        if name == MEMORY:
            return Term(1.0, None)
        if name == ACCELERATOR and self.accelerator is not None:
            each = self.accelerator
            return Term(each.costs.memory_bit, lambda layer: layer.macs * each.product_cost(layer))
        if name == FEATURE_MAPS:
            return Term(0.0, None, self.stored)
        return Term(0.0, LAYER_COSTS[_OF_LAYERS[name]])


class _Tables:
    """What the widths of a space make of its layers."""

    def __init__(self, space: Space, accelerator: Accelerator | None) -> None:
        self._space = space
        self._most_accumulator = accelerator.accumulator_bits if accelerator else 0
        widest = space.widest()
        self.base = work_of(space.model, space.plan(widest))
        self._maps = {each.name: each.elements for each in self.base.maps}
        self._at = {kind: self._with_all(kind, widest) for kind in (WEIGHTS, ACTIVATION)}

    def sum(self, term: Term, name: str, scale: float) -> Sum:
        """Return ``scale`` times a cost as a sum over choices."""
        terms = {
            choice.key: tuple(
                scale * (term.bit * self._numbers(choice) * bits_of(width) + _bytes(term, choice, width))
                for width in choice.widths
            )
            for choice in self._space.choices
        }
        cost = term.layer
        if cost is None:
            return Sum(terms)
        return Sum(terms, tuple(self._product(*pair, lambda layer: scale * cost(layer)) for pair in self._pairs(name)))

    def peaks(self, uniform: int) -> list[Sum]:
        """Return the activations kept at each step, as shares of the ``uniform`` peak."""
        found = []
        for kept in self.base.kept:
            counts = {
                choice.key: sum(self._maps.get(name, 0) for name in choice.tensors if name in kept)
                for choice in self._space.choices
                if choice.kind == ACTIVATION
            }
            found.append(
                Sum({
                    choice.key: tuple(counts[choice.key] * bits_of(width) / max(uniform, 1) for width in choice.widths)
                    for choice in self._space.choices
                    if counts.get(choice.key)
                })
            )  # fmt: skip
        return found

    def forbidden(self) -> list[Product]:
        """Return what costs nothing, but forbids the pairs of widths whose sums the accumulators could not hold."""
        if not self._most_accumulator:
            return []

        def cost(layer: LayerWork) -> float:
            return 0.0 if accumulator_bits(layer) <= self._most_accumulator else float("inf")

        return [self._product(*pair, cost) for pair in self._pairs("accumulators")]

    def _numbers(self, choice: Choice) -> int:
        """Return how many numbers get the width of ``choice``."""
        if choice.kind == ACTIVATION:
            return sum(self._maps.get(name, 0) for name in choice.tensors)
        return sum(self._space.network.values[name].size for name in choice.tensors)

    def _pairs(self, cost: str) -> list[tuple[Choice, Choice, str]]:
        """Return the choices that decide a layer's cost together, weights first, and the name of the layer."""
        of_weights = {choice.tensors[0]: choice for choice in self._space.choices if choice.kind == WEIGHTS}
        of_maps = {
            name: choice for choice in self._space.choices if choice.kind == ACTIVATION for name in choice.tensors
        }
        found = []
        for layer in self._space.network.layers:
            made = (layer.result, layer.output, layer.sum)
            result = next((of_maps[name] for name in made if name in of_maps), None)
            read = next((of_maps[name] for name in layer.sources if name in of_maps), None)
            other = (result or read) if cost == "multipliers" else read
            if layer.weight in of_weights and other is not None:
                found.append((of_weights[layer.weight], other, layer.node))
        return found

    def _product(self, weights: Choice, other: Choice, layer: str, cost: Callable[[LayerWork], float]) -> Product:
        """Return the costs of every pair of widths."""
        by_weights, by_map = self._at[WEIGHTS], self._at[ACTIVATION]

        def one(width: Width, map_width: Width) -> float:
            stored, read = by_weights[width][layer], by_map[map_width][layer]
            joined = dataclasses.replace(
                stored, input_bits=read.input_bits, output_bits=read.output_bits, input_places=read.input_places
            )
            return float(cost(joined))

        rows = tuple(tuple(one(width, each) for each in other.widths) for width in weights.widths)
        return Product(weights.key, other.key, rows)

    def _with_all(self, kind: str, widest: Widths) -> dict[Width, dict[str, LayerWork]]:
        """Return the layers with every choice of one kind at each width that any of them may have."""
        space = self._space
        widths = dict.fromkeys(width for choice in space.choices if choice.kind == kind for width in choice.widths)
        found = {}
        for width in widths:
            keys = {choice.key: nearest(choice.widths, width) for choice in space.choices if choice.kind == kind}
            work = work_of(space.model, space.plan({**widest, **keys}))
            found[width] = {layer.name: layer for layer in work.layers}
        return found


def _bytes(term: Term, choice: Choice, width: Width) -> float:
    """Return what the maps of ``choice`` cost by their names."""
    if choice.kind != ACTIVATION:
        return 0.0
    return sum(term.maps[name][bits_of(width)] for name in choice.tensors if name in term.maps)


def nearest(widths: Sequence[Width], width: Width) -> Width:
    """Return the width of ``widths`` that is nearest to ``width``, best of its options; of two, the smaller."""
    return min(
        widths,
        key=lambda each: (options_of(each) != options_of(width), abs(bits_of(each) - bits_of(width)), bits_of(each)),
    )
