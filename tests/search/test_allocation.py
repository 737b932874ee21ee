"""The integer program against trying every choice."""

from itertools import product as every

import numpy as np
import pytest

from qonnx_tools.errors import ConfigError
from qonnx_tools.search.allocation import Decision, Product, allocate


def multiplier(one, other, each, decisions):
    widths = {item.name: item.widths for item in decisions}
    return Product(one, other, tuple(tuple(each * a * b for b in widths[other]) for a in widths[one]))


def cost_and_damage(decisions, products, chosen):
    picked = {each.name: each.widths.index(chosen[each.name]) for each in decisions}
    cost = sum(each.costs[picked[each.name]] for each in decisions)
    cost += sum(item.costs[picked[item.one]][picked[item.other]] for item in products)
    return cost, sum(each.damages[picked[each.name]] for each in decisions)


def best(decisions, products, budget):
    choices = [dict(zip([each.name for each in decisions], picked, strict=True))
               for picked in every(*(each.widths for each in decisions))]  # fmt: skip
    found = [cost_and_damage(decisions, products, chosen) for chosen in choices]
    return min(cost for cost, damage in found if damage <= budget)


@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_cheaper(seed):
    random = np.random.default_rng(seed)
    decisions = []
    for name in "abcde":
        widths = tuple(sorted(random.choice(np.arange(1, 9), size=3, replace=False).tolist()))
        damages = tuple(sorted(random.uniform(0, 1, size=3).tolist(), reverse=True))
        decisions.append(Decision(name, widths, tuple(float(width * 3) for width in widths), damages))
    products = [multiplier(*pair, decisions) for pair in (("a", "b", 2.0), ("c", "b", 1.5), ("d", "e", 0.5))]
    budget = sum(min(each.damages) for each in decisions) + random.uniform(0.1, 1.5)
    chosen = allocate(decisions, products, budget)
    cost, damage = cost_and_damage(decisions, products, chosen)
    assert damage <= budget + 1e-6
    assert cost == pytest.approx(best(decisions, products, budget), rel=1e-3)


def test_a_budget_that_nothing_meets():
    with pytest.raises(ConfigError, match="no choice of widths stays within the budget"):
        allocate([Decision("a", (2, 4), (2.0, 4.0), (0.5, 0.3))], [], 0.1)


def test_without_a_budget_everything_is_as_narrow_as_can_be():
    decisions = [Decision(name, (2, 4, 8), (2.0, 4.0, 8.0), (9.0, 3.0, 0.0)) for name in "ab"]
    assert allocate(decisions, [multiplier("a", "b", 1.0, decisions)], np.inf) == {"a": 2, "b": 2}
    assert allocate(decisions, [multiplier("a", "b", 1.0, decisions)], 0.0) == {"a": 8, "b": 8}
