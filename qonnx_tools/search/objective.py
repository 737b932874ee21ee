"""The cost that a search lessens, as an integer program wants it: what each width, and each pair of widths, adds."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qonnx_tools.cost import LAYER_COSTS, UNIFORM_BITS, Cost, LayerWork, Work, cost_of
from qonnx_tools.errors import ConfigError
from qonnx_tools.search.allocation import Decision, Product
from qonnx_tools.search.space import ACTIVATION, WEIGHTS, Choice, Space, Widths
from qonnx_tools.workload import work_of

MEMORY = "memory"
_FIELDS: Mapping[str, str] = {
    MEMORY: "memory_bits",
    "multipliers": "multiplier_cost",
    "multiplier-inputs": "multiplier_input_cost",
    "shift-adds": "shift_add_cost",
    "bops": "bit_operations",
    "accumulators": "accumulator_cost",
}
COSTS = tuple(_FIELDS)
"""What a search can lessen."""


def value(cost: Cost, name: str) -> float:
    """Return one of COSTS."""
    return float(getattr(cost, _FIELDS[name]))


@dataclass(frozen=True)
class Objective:
    """Some of COSTS, each relative to that of the same network with 8 bits everywhere, added up."""

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in self.names:
            if name not in COSTS:
                raise ConfigError(f"cost '{name}' is unknown; choose from {', '.join(COSTS)}")

    def of(self, work: Work) -> float:
        """Return the cost of a network; 1 is that with 8 bits everywhere."""
        own, uniform = cost_of(work), cost_of(work.with_bits(UNIFORM_BITS))
        return sum(value(own, name) / max(value(uniform, name), 1.0) for name in self.names) / len(self.names)

    def program(self, space: Space, damages: Mapping[str, Mapping[int, float]]) -> tuple[list[Decision], list[Product]]:
        """Return the decisions and products of the integer program; ``damages`` are by key and width."""
        tables = _Tables(space)
        shares = {name: 1 / max(value(tables.uniform, name), 1.0) / len(self.names) for name in self.names}
        decisions = [
            Decision(
                choice.key,
                choice.widths,
                tuple(shares.get(MEMORY, 0.0) * tables.numbers(choice) * width for width in choice.widths),
                tuple(damages[choice.key][width] for width in choice.widths),
            )
            for choice in space.choices
        ]
        products = [
            tables.product(*pair, name, shares[name])
            for name in self.names
            if name != MEMORY
            for pair in tables.pairs(name)
        ]
        return decisions, products


class _Tables:
    """What the widths of a space make of its layers."""

    def __init__(self, space: Space) -> None:
        self._space = space
        widest = space.widest()
        self._base = work_of(space.model, space.plan(widest))
        self.uniform = cost_of(self._base.with_bits(UNIFORM_BITS))
        self._layers = {layer.name: layer for layer in self._base.layers}
        self._maps = {each.name: each.elements for each in self._base.maps}
        self._at = {kind: self._with_all(kind, widest) for kind in (WEIGHTS, ACTIVATION)}

    def numbers(self, choice: Choice) -> int:
        """Return how many numbers get the width of ``choice``."""
        if choice.kind == ACTIVATION:
            return sum(self._maps.get(name, 0) for name in choice.tensors)
        layer = self._layers[choice.name]
        return layer.weights if choice.kind == WEIGHTS else layer.biases

    def pairs(self, cost: str) -> list[tuple[Choice, Choice, str]]:
        """Return the choices that decide a layer's cost together, weights first, and the name of the layer."""
        of_weights = {choice.tensors[0]: choice for choice in self._space.choices if choice.kind == WEIGHTS}
        of_maps = {
            name: choice for choice in self._space.choices if choice.kind == ACTIVATION for name in choice.tensors
        }
        found = []
        for layer in self._space.network.layers:
            result = of_maps.get(layer.result) or of_maps.get(layer.output)
            read = next((of_maps[name] for name in layer.sources if name in of_maps), None)
            other = (result or read) if cost == "multipliers" else read
            if layer.weight in of_weights and other is not None:
                found.append((of_weights[layer.weight], other, layer.node))
        return found

    def product(self, weights: Choice, other: Choice, layer: str, cost: str, share: float) -> Product:
        """Return the costs of every pair of widths."""
        by_weights, by_map = self._at[WEIGHTS], self._at[ACTIVATION]

        def one(width: int, map_width: int) -> float:
            stored, read = by_weights[width][layer], by_map[map_width][layer]
            joined = dataclasses.replace(
                stored, input_bits=read.input_bits, output_bits=read.output_bits, input_places=read.input_places
            )
            return share * float(LAYER_COSTS[_FIELDS[cost]](joined))

        rows = tuple(tuple(one(width, each) for each in other.widths) for width in weights.widths)
        return Product(weights.key, other.key, rows)

    def _with_all(self, kind: str, widest: Widths) -> dict[int, dict[str, LayerWork]]:
        """Return the layers with every choice of one kind at each width that any of them may have."""
        space = self._space
        widths = sorted({width for choice in space.choices if choice.kind == kind for width in choice.widths})
        found = {}
        for width in widths:
            keys = {choice.key: nearest(choice.widths, width) for choice in space.choices if choice.kind == kind}
            work = work_of(space.model, space.plan({**widest, **keys}))
            found[width] = {layer.name: layer for layer in work.layers}
        return found


def nearest(widths: Sequence[int], width: int) -> int:
    """Return the width of ``widths`` that is nearest to ``width``; of two, the smaller."""
    return min(widths, key=lambda each: (abs(each - width), each))
