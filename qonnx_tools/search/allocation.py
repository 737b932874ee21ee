"""Which width each choice gets: the cheapest widths whose predicted damage stays within a budget.

An integer program: one width is chosen for each decision, and costs and damages add up. What depends on two decisions,
such as the cost of a multiplier on the widths of both of its operands, has a variable for every pair of widths, whose
sums over either operand are that operand's choice.
"""

import ctypes
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from qonnx_tools.errors import ConfigError
from qonnx_tools.search.space import Width, Widths

GAP = 1e-4
"""Share of the least cost by which the cost found may exceed it."""
STDOUT = 1
NODES = 10_000
"""Branches looked at; the best solution found by then is taken. A limit of time would let the answer depend on it."""


@dataclass(frozen=True)
class Product:
    """What depends on two decisions: ``values[i][j]`` for width i of ``one`` and width j of ``other``; inf forbids."""

    one: str
    other: str
    values: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Sum:
    """A number that widths add up to: what each width of a decision adds, by its name, and what pairs of them add."""

    terms: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    products: tuple[Product, ...] = ()


@dataclass(frozen=True)
class Program:
    """The integer program.

    Attributes:
        widths: to choose from, ascending, by decision.
        cost: to lessen.
        damages: what each width adds, by decision.
        limits: further sums, and what they may come to at most.
    """

    widths: Mapping[str, tuple[Width, ...]]
    cost: Sum
    damages: Mapping[str, tuple[float, ...]]
    limits: tuple[tuple[Sum, float], ...] = ()

    @cached_property
    def least_damage(self) -> float:
        """The damage of the best width of every decision."""
        return sum(map(min, self.damages.values()))

    @cached_property
    def most_damage(self) -> float:
        """The damage of the worst width of every decision."""
        return sum(map(max, self.damages.values()))

    def value(self, widths: Widths) -> float:
        """Return the cost of some widths."""
        at = {name: self.widths[name].index(width) for name, width in widths.items()}
        terms = sum(values[at[name]] for name, values in self.cost.terms.items())
        return terms + sum(each.values[at[each.one]][at[each.other]] for each in self.cost.products)

    def damage(self, name: str, width: Width) -> float:
        """Return the damage of one width."""
        return self.damages[name][self.widths[name].index(width)]

    def solve(self, budget: float) -> dict[str, Width]:
        """Return the width of each decision: of least cost, the damages adding up to ``budget`` at most.

        Raises:
            ConfigError: no choice stays within the budget and the limits.
        """
        from scipy.optimize import Bounds, LinearConstraint, milp  # noqa: PLC0415  # slow to import

        matrix = _Matrix(self.widths)
        costs = matrix.row(self.cost)
        matrix.bound(matrix.row(Sum(self.damages)), budget)
        for limit, most in self.limits:
            matrix.bound(matrix.row(limit), most)
        goal = np.zeros(matrix.count)
        for column, value in costs.items():
            goal[column] = value
        with silenced():
            found = milp(
                goal / (np.abs(goal).max(initial=0.0) or 1.0),
                integrality=(np.arange(matrix.count) < matrix.decided).astype(np.int64),
                bounds=Bounds(0, np.array(matrix.uppers)),
                constraints=LinearConstraint(matrix.sparse(), matrix.lows, matrix.highs),
                options={"mip_rel_gap": GAP, "node_limit": NODES},
            )
        if found.x is None:
            raise ConfigError("no choice of widths stays within the budget: allow more bits, or a larger drop")
        return {
            name: widths[int(np.argmax(found.x[first : first + len(widths)]))]
            for (name, widths), first in zip(self.widths.items(), matrix.firsts.values(), strict=True)
        }


@contextmanager
def silenced() -> Iterator[None]:
    """Send to nowhere what C code writes to the standard output: HiGHS says some things whatever it is told."""
    flush = ctypes.CDLL(None).fflush
    sys.stdout.flush()
    flush(None)
    kept, nowhere = os.dup(STDOUT), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, STDOUT)
        yield
        flush(None)
    finally:
        os.dup2(kept, STDOUT)
        os.close(kept)
        os.close(nowhere)


class _Matrix:
    """Columns: a width of a decision each, then pairs of widths. Rows are added; each has a lower and an upper end."""

    def __init__(self, widths: Mapping[str, Sequence[Width]]) -> None:
        counts = list(map(len, widths.values()))
        self.firsts = dict(zip(widths, np.cumsum([0, *counts]).tolist(), strict=False))
        self.decided = sum(counts)
        self.uppers = [1.0] * self.decided
        self.lows: list[float] = []
        self.highs: list[float] = []
        self._rows: list[Mapping[int, float]] = []
        for name, count in zip(widths, counts, strict=True):
            self._add({self.firsts[name] + k: 1.0 for k in range(count)}, 1.0, 1.0)

    @property
    def count(self) -> int:
        """How many columns there are."""
        return len(self.uppers)

    def row(self, of: Sum) -> dict[int, float]:
        """Return the factors of the columns that ``of`` is the sum of."""
        found: dict[int, float] = {}
        for name, values in of.terms.items():
            for k, value in enumerate(values):
                found[self.firsts[name] + k] = value
        for product in of.products:
            found.update(self._pairs(product))
        return found

    def bound(self, row: Mapping[int, float], most: float) -> None:
        """Let a row come to ``most`` at most."""
        self._add({column: value for column, value in row.items() if value}, -np.inf, most)

    def sparse(self) -> Any:
        """Return the rows."""
        from scipy import sparse  # noqa: PLC0415  # slow to import

        entries = [(row, column, value) for row, terms in enumerate(self._rows) for column, value in terms.items()]
        rows, columns, values = zip(*entries, strict=True)
        return sparse.csr_array((values, (rows, columns)), shape=(len(self._rows), self.count))

    def _pairs(self, product: Product) -> Iterator[tuple[int, float]]:
        """Add columns for the pairs of widths, and yield each with its value."""
        first, values = self.count, product.values
        across = len(values[0])
        for value in (value for row in values for value in row):
            self.uppers.append(1.0 if math.isfinite(value) else 0.0)
            yield self.count - 1, value if math.isfinite(value) else 0.0
        for k in range(len(values)):
            pairs = {first + k * across + j: 1.0 for j in range(across)}
            self._add({**pairs, self.firsts[product.one] + k: -1.0}, 0.0, 0.0)
        for j in range(across):
            pairs = {first + k * across + j: 1.0 for k in range(len(values))}
            self._add({**pairs, self.firsts[product.other] + j: -1.0}, 0.0, 0.0)

    def _add(self, row: Mapping[int, float], low: float, high: float) -> None:
        self._rows.append(row)
        self.lows.append(low)
        self.highs.append(high)
