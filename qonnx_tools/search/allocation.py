"""Which width each tensor gets: the cheapest choice whose predicted damage stays within a budget.

An integer program: one width is chosen for each decision; damage adds up over decisions, and so do costs, but for
products: the cost of a multiplier depends on the widths of both of its operands. Of those, every pair of widths has a
variable of its own, whose sums over either operand are that operand's choice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qonnx_tools.errors import ConfigError


@dataclass(frozen=True)
class Decision:
    """A width to choose: ``widths`` ascend; ``costs`` and ``damages`` are what each of them adds."""

    name: str
    widths: tuple[int, ...]
    costs: tuple[float, ...]
    damages: tuple[float, ...]


@dataclass(frozen=True)
class Product:
    """What depends on two decisions: ``costs[i][j]`` for width i of ``one`` and width j of ``other``."""

    one: str
    other: str
    costs: tuple[tuple[float, ...], ...]


def allocate(decisions: Sequence[Decision], products: Sequence[Product], budget: float) -> dict[str, int]:
    """Return the width of each decision, by name: of least cost, the damages adding up to ``budget`` at most.

    Raises:
        ConfigError: no choice stays within the budget.
    """
    from scipy import sparse  # noqa: PLC0415  # slow to import
    from scipy.optimize import Bounds, LinearConstraint, milp  # noqa: PLC0415

    first = np.cumsum([0, *(len(each.widths) for each in decisions)])
    at = {each.name: (first[place], each) for place, each in enumerate(decisions)}
    costs = [cost for each in decisions for cost in each.costs]
    rows: list[tuple[Mapping[int, float], float, float]] = [
        ({int(first[place]) + k: 1.0 for k in range(len(each.widths))}, 1.0, 1.0)
        for place, each in enumerate(decisions)
    ]
    damages = [damage for each in decisions for damage in each.damages]
    rows.append(({k: damage for k, damage in enumerate(damages) if damage}, -np.inf, budget))
    for product in products:
        (start, one), (other_start, other) = at[product.one], at[product.other]
        pairs = np.arange(len(one.widths) * len(other.widths)).reshape(len(one.widths), -1) + len(costs)
        costs += [cost for row in product.costs for cost in row]
        rows += [
            ({**dict.fromkeys(map(int, pairs[k]), 1.0), int(start) + k: -1.0}, 0.0, 0.0) for k in range(len(one.widths))
        ]
        rows += [
            ({**dict.fromkeys(map(int, pairs[:, k]), 1.0), int(other_start) + k: -1.0}, 0.0, 0.0)
            for k in range(len(other.widths))
        ]
    count = len(costs)
    entries = [(row, column, value) for row, (terms, _, _) in enumerate(rows) for column, value in terms.items()]
    places = np.array([entry[:2] for entry in entries]).T
    matrix = sparse.csr_array(([value for *_, value in entries], places), shape=(len(rows), count))
    limits = LinearConstraint(matrix, [low for _, low, _ in rows], [high for _, _, high in rows])
    integral: npt.NDArray[np.int64] = (np.arange(count) < first[-1]).astype(np.int64)
    scale = max(map(abs, costs), default=1.0) or 1.0
    found = milp(np.array(costs) / scale, integrality=integral, bounds=Bounds(0, 1), constraints=limits)
    if found.x is None:
        raise ConfigError("no choice of widths stays within the budget: allow more bits, or a larger drop")
    return {
        each.name: each.widths[int(np.argmax(found.x[first[place] : first[place + 1]]))]
        for place, each in enumerate(decisions)
    }
