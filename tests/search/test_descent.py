"""From damages to a plan, with measurements that are made up."""

import numpy as np
import pytest

from qonnx_tools.errors import ConfigError
from qonnx_tools.search.allocation import Program, Sum
from qonnx_tools.search.descent import descend

WIDTHS = (2, 4, 6, 8)


def network(count=6, seed=0, limits=()):
    random = np.random.default_rng(seed)
    hurts, sizes = random.uniform(0.5, 2, count), random.uniform(1, 10, count)
    names = [f"d{at}" for at in range(count)]
    damages = {
        name: tuple(float(0.05 * hurt * 4.0 ** (2 - width)) if width < 8 else 0.0 for width in WIDTHS)
        for name, hurt in zip(names, hurts, strict=True)
    }
    terms = {name: tuple(float(width * size) for width in WIDTHS) for name, size in zip(names, sizes, strict=True)}
    return Program(dict.fromkeys(names, WIDTHS), Sum(terms), damages, limits)


def cost(program, widths):
    return sum(program.cost.terms[name][WIDTHS.index(widths[name])] for name in program.widths)


class Loss:
    """Damage that adds up, raised to ``power``; remembers what it was asked."""

    def __init__(self, program, power=1.0):
        self.program, self.power, self.asked = program, power, []

    def __call__(self, widths):
        self.asked.append(dict(widths))
        return sum(self.program.damage(name, width) for name, width in widths.items()) ** self.power

    @property
    def distinct(self):
        return len({tuple(widths.items()) for widths in self.asked})


def test_the_loss_stays_within_the_budget_and_few_plans_are_measured():
    program = network(20)
    for most in (0.001, 0.01, 0.1):
        loss = Loss(program)
        found = descend(program, loss, loss, most)
        assert loss(found) <= most
        assert loss.distinct < 12
        assert cost(program, found) < cost(program, dict.fromkeys(program.widths, 8))


def test_a_larger_budget_is_never_dearer():
    program = network(12, seed=3)
    costs = [cost(program, descend(program, Loss(program), Loss(program), most)) for most in (0.001, 0.01, 0.05, 0.2)]
    assert costs == sorted(costs, reverse=True)


def test_where_damage_does_not_add_up_the_measurement_decides():
    program = network(12, seed=1)
    plain, worse = (descend(program, Loss(program, power), Loss(program, power), 0.05) for power in (1.0, 0.5))
    assert Loss(program, 0.5)(worse) <= 0.05
    assert cost(program, worse) > cost(program, plain)


def test_steps_between_two_rungs_are_used():
    program = network(20, seed=5)
    loss = Loss(program)
    found = descend(program, loss, loss, 0.03)
    assert 0.03 / 1.2 < loss(found) <= 0.03


@pytest.mark.parametrize("off", [0.3, 3.0, 100.0])
def test_the_exact_measurement_decides_wherever_the_rough_one_leads(off):
    program = network(20, seed=2)
    exact = Loss(program)
    found = descend(program, lambda widths: off * Loss(program)(widths), exact, 0.02)
    assert 0.02 / 1.2 < exact(found) <= 0.02
    assert exact.distinct < 14


def test_a_network_that_bears_nothing_stays_wide():
    program = network()
    assert descend(program, lambda _: 1.0, lambda _: 1.0, 0.01) == dict.fromkeys(program.widths, 8)


def test_a_network_that_bears_everything_is_as_narrow_as_can_be():
    assert set(descend(network(), lambda _: 0.0, lambda _: 0.0, 0.01).values()) == {2}


def test_within_limits_the_least_damage_is_found_where_nothing_keeps_the_loss():
    free = network()
    limit = Sum({name: tuple(map(float, WIDTHS)) for name in free.widths})
    program = network(limits=((limit, 24.0),))
    found = descend(program, lambda _: 1.0, lambda _: 1.0, 0.01)
    assert set(found.values()) == {4}
    with pytest.raises(ConfigError, match="no choice of widths"):
        descend(network(limits=((limit, 11.0),)), lambda _: 0.0, lambda _: 0.0, 0.01)
