"""The greedy search of Goyal et al., arXiv 2102.02147: one tensor after the other, each as narrow as its budget allows.

Numbers are rint(x * 2^F) clipped to +-(2^(BW - 1) - 1), one format a tensor; with BW = 1 all are zero. Weights come
first, then biases, then activations; inside a component layers come in graph order, and what is chosen stays. Half of
the whole budget, e, bounds the loss after layer l of L: e l / L for weights, e for biases, e + e l / L for activations.
For each tensor:

1. BW and F go down together, until two widths have lost too much; the smallest that does not is kept.
2. BW goes down alone, likewise: large values are clipped.
3. The neighbours of (BW, F), one more or less of each, are looked at. The best of them is taken where it gains
   ``LEAST_GAIN`` of accuracy, else the narrowest within the budget.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from qonnx_tools.arithmetic.fixed_point import FRAC_RANGE, FixedPoint
from qonnx_tools.errors import ConfigError

FIRST_BITS = 12
FIRST_BIAS_BITS = 8
MORE_BITS = 4
"""Added to all widths of a component until it loses no more than its share."""
MOST_BITS = 24
LEAST_GAIN = 0.0015
"""Accuracy, in 0..1, for which a wider neighbour is taken."""

Formats = Mapping[str, FixedPoint]
"""By the name of a tensor; what has none is in float."""
Loss = Callable[[Formats], float]
"""The share of its accuracy that the float model loses with these formats."""


@dataclass(frozen=True)
class Component:
    """Tensors of one kind, in graph order.

    Attributes:
        name: what they are, for messages.
        groups: names of the tensors that share a format, layer after layer.
        largest: the largest magnitude of each group.
        bits: to begin with.
        budgets: the loss allowed after each group, in 0..1.
    """

    name: str
    groups: tuple[tuple[str, ...], ...]
    largest: tuple[float, ...]
    bits: int
    budgets: tuple[float, ...]


def component_budgets(budget: float, weights: int, biases: int, activations: int) -> tuple[tuple[float, ...], ...]:
    """Return the losses allowed after each weight, bias and activation of a search whose budget is ``budget``."""
    half = budget / 2
    rising = [tuple(half * (layer + 1) / count for layer in range(count)) for count in (weights, activations)]
    return rising[0], (half,) * biases, tuple(half + each for each in rising[1])


def sequential(components: tuple[Component, ...], loss: Loss, budget: float) -> Iterator[dict[str, FixedPoint]]:
    """Yield the formats after each tensor; the last are the result.

    Args:
        components: weights, biases, activations.
        loss: of formats.
        budget: the largest loss allowed, in 0..1.

    Raises:
        ConfigError: a component loses more than half of the budget however wide it is.
    """
    chosen: dict[str, FixedPoint] = {}
    for component in components:
        chosen |= _start(component, chosen, loss, budget / 2)
        for tensors, allowed in zip(component.groups, component.budgets, strict=True):
            search = _Tensor(tensors, dict(chosen), loss, allowed)
            chosen |= dict.fromkeys(tensors, search.narrowed(chosen[tensors[0]]))
            yield dict(chosen)


def _start(component: Component, chosen: Formats, loss: Loss, allowed: float) -> dict[str, FixedPoint]:
    """Return formats for the whole component that lose no more than ``allowed`` beside what is chosen."""
    before = loss(chosen) if chosen else 0.0
    for bits in range(component.bits, MOST_BITS + 1, MORE_BITS):
        formats = {
            name: _format(bits, bits - 1 - _octave(largest))
            for tensors, largest in zip(component.groups, component.largest, strict=True)
            for name in tensors
        }
        if loss({**chosen, **formats}) - before <= allowed:
            return formats
    raise ConfigError(
        f"the {component.name} lose more than half of the budget even with {MOST_BITS} bits; allow a larger drop"
    )


class _Tensor:
    """The search for the format of one tensor, or of some that share one."""

    def __init__(self, tensors: tuple[str, ...], chosen: dict[str, FixedPoint], loss: Loss, allowed: float) -> None:
        self._tensors, self._chosen, self._loss, self._allowed = tensors, chosen, loss, allowed

    def narrowed(self, start: FixedPoint) -> FixedPoint:
        """Return the format that the three steps lead to."""
        frac = _number(start)
        both = self._down(start, [_format(bits, frac - start.bits + bits) for bits in range(start.bits - 1, 0, -1)])
        alone = self._down(both, [_format(bits, _number(both)) for bits in range(both.bits - 1, 0, -1)])
        around = [
            _format(alone.bits + wider, _number(alone) + finer)
            for wider in (-1, 0, 1)
            for finer in (-1, 0, 1)
            if alone.bits + wider >= 1
        ]
        losses = {each: self._with(each) for each in around}
        within = [each for each in around if losses[each] <= self._allowed] or [alone]
        narrowest = min(within, key=lambda each: (each.bits, losses[each]))
        best = min(around, key=lambda each: (losses[each], each.bits))
        return best if losses[narrowest] - losses[best] >= LEAST_GAIN else narrowest

    def _down(self, start: FixedPoint, steps: list[FixedPoint]) -> FixedPoint:
        """Return the last of ``steps`` within the budget, as far as the second that is not."""
        kept, failures = start, 0
        for each in steps:
            if self._with(each) <= self._allowed:
                kept = each
            else:
                failures += 1
            if failures == 2:
                break
        return kept

    def _with(self, own: FixedPoint) -> float:
        return self._loss({**self._chosen, **dict.fromkeys(self._tensors, own)})


def _format(bits: int, frac: int) -> FixedPoint:
    low, high = FRAC_RANGE
    return FixedPoint(bits, min(max(frac, low), high), narrow=True)


def _number(of: FixedPoint) -> int:
    if isinstance(of.frac, int):
        return of.frac
    raise TypeError("the formats of this search are per tensor")


def _octave(largest: float) -> int:
    """Return ceil(log2 ``largest``)."""
    if largest <= 0:
        return 0
    mantissa, exponent = math.frexp(largest)
    return exponent - (mantissa == 0.5)
