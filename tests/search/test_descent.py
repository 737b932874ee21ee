"""From damages to a plan, with measurements that are made up."""

import numpy as np

from qonnx_tools.search.allocation import Decision
from qonnx_tools.search.descent import descend

WIDTHS = (2, 4, 6, 8)


def network(count=6, seed=0):
    random = np.random.default_rng(seed)
    weight = random.uniform(0.5, 2, count)
    return [
        Decision(
            f"d{at}",
            WIDTHS,
            tuple(float(width * size) for width in WIDTHS),
            tuple(float(0.05 * hurt * 4.0 ** (2 - width)) if width < 8 else 0.0 for width in WIDTHS),
        )
        for at, (size, hurt) in enumerate(zip(random.uniform(1, 10, count), weight, strict=True))
    ]


def cost(decisions, widths):
    return sum(each.costs[each.widths.index(widths[each.name])] for each in decisions)


class Loss:
    """Damage that adds up, times ``factor``; remembers how often it was asked."""

    def __init__(self, decisions, factor=1.0, power=1.0):
        self.decisions, self.factor, self.power, self.asked = decisions, factor, power, []

    def __call__(self, widths):
        self.asked.append(dict(widths))
        total = sum(each.damages[each.widths.index(widths[each.name])] for each in self.decisions)
        return self.factor * total**self.power


def test_the_loss_stays_within_the_budget_and_few_plans_are_measured():
    decisions = network(20)
    for most in (0.001, 0.01, 0.1):
        loss = Loss(decisions)
        found = descend(decisions, [], loss, most)
        assert loss(found) <= most
        assert len(loss.asked) < 14
        assert cost(decisions, found) < cost(decisions, {each.name: 8 for each in decisions})


def test_a_larger_budget_is_never_dearer():
    decisions = network(12, seed=3)
    costs = [cost(decisions, descend(decisions, [], Loss(decisions), most)) for most in (0.001, 0.01, 0.05, 0.2)]
    assert costs == sorted(costs, reverse=True)


def test_where_damage_does_not_add_up_the_measurement_decides():
    decisions = network(12, seed=1)
    plain, worse = (descend(decisions, [], Loss(decisions, power=power), 0.05) for power in (1.0, 0.5))
    assert Loss(decisions, power=0.5)(worse) <= 0.05
    assert cost(decisions, worse) > cost(decisions, plain)


def test_steps_between_two_rungs_are_used():
    decisions = network(20, seed=5)
    loss = Loss(decisions)
    found = descend(decisions, [], loss, 0.03)
    assert 0.03 / 2 < loss(found) <= 0.03, "a rung alone may fall short by a factor of sqrt 2, and more where it jumps"


def test_a_network_that_bears_nothing_stays_wide():
    decisions = network()
    assert descend(decisions, [], lambda _: 1.0, 0.01) == {each.name: 8 for each in decisions}


def test_a_network_that_bears_everything_is_as_narrow_as_can_be():
    decisions = network()
    assert set(descend(decisions, [], lambda _: 0.0, 0.01).values()) == {2}
