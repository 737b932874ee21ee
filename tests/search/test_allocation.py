"""The integer program against trying every choice."""

import ctypes
import os
from itertools import product as every

import numpy as np
import pytest

from qonnx_tools.errors import ConfigError
from qonnx_tools.search.allocation import Product, Program, Sum, silenced


def multiplier(one, other, each, widths):
    return Product(one, other, tuple(tuple(each * a * b for b in widths[other]) for a in widths[one]))


def value(of, widths, chosen):
    at = {name: widths[name].index(chosen[name]) for name in widths}
    terms = sum(values[at[name]] for name, values in of.terms.items())
    return terms + sum(item.values[at[item.one]][at[item.other]] for item in of.products)


def least(program, budget):
    choices = [dict(zip(program.widths, picked, strict=True)) for picked in every(*program.widths.values())]
    fits = [
        chosen
        for chosen in choices
        if value(Sum(program.damages), program.widths, chosen) <= budget
        and all(value(limit, program.widths, chosen) <= most for limit, most in program.limits)
    ]
    return min((value(program.cost, program.widths, chosen) for chosen in fits), default=None)


def random_program(seed, limits=()):
    random = np.random.default_rng(seed)
    widths = {name: tuple(sorted(random.choice(np.arange(1, 9), size=3, replace=False).tolist())) for name in "abcde"}
    damages = {name: tuple(sorted(random.uniform(0, 1, size=3).tolist(), reverse=True)) for name in widths}
    terms = {name: tuple(3.0 * width for width in each) for name, each in widths.items()}
    products = tuple(multiplier(*pair, widths) for pair in (("a", "b", 2.0), ("c", "b", 1.5), ("d", "e", 0.5)))
    return Program(widths, Sum(terms, products), damages, limits), random


@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_cheaper(seed):
    program, random = random_program(seed)
    budget = program.least_damage + random.uniform(0.1, 1.5)
    chosen = program.solve(budget)
    assert value(Sum(program.damages), program.widths, chosen) <= budget + 1e-6
    assert value(program.cost, program.widths, chosen) == pytest.approx(least(program, budget), rel=1e-3)
    assert program.value(chosen) == pytest.approx(value(program.cost, program.widths, chosen))


@pytest.mark.parametrize("seed", range(8))
def test_nothing_within_the_limits_is_cheaper(seed):
    free, random = random_program(seed)
    widths = free.widths
    limits = (
        (Sum({name: tuple(map(float, widths[name])) for name in "abc"}), float(sum(widths[name][1] for name in "abc"))),
        (Sum({}, (multiplier("b", "d", 1.0, widths),)), float(widths["b"][1] * widths["d"][1])),
    )
    program = Program(widths, free.cost, free.damages, limits)
    budget = program.most_damage * random.uniform(0.5, 1.0)
    best = least(program, budget)
    if best is None:
        with pytest.raises(ConfigError, match="no choice of widths"):
            program.solve(budget)
        return
    chosen = program.solve(budget)
    assert all(value(limit, widths, chosen) <= most + 1e-6 for limit, most in limits)
    assert value(program.cost, widths, chosen) == pytest.approx(best, rel=1e-3)


def test_a_forbidden_pair_is_never_chosen():
    widths = {"a": (2, 4), "b": (2, 4)}
    damages = dict.fromkeys(widths, (1.0, 0.0))
    cost = Sum(dict.fromkeys(widths, (2.0, 4.0)), (Product("a", "b", ((0.0, 0.0), (0.0, np.inf))),))
    program = Program(widths, cost, damages)
    assert sorted(program.solve(1.0).values()) == [2, 4]
    with pytest.raises(ConfigError, match="no choice of widths"):
        program.solve(0.5)


def test_a_budget_that_nothing_meets():
    with pytest.raises(ConfigError, match="no choice of widths stays within the budget"):
        Program({"a": (2, 4)}, Sum({"a": (2.0, 4.0)}), {"a": (0.5, 0.3)}).solve(0.1)


def test_without_a_budget_everything_is_as_narrow_as_can_be():
    widths = dict.fromkeys("ab", (2, 4, 8))
    cost = Sum(dict.fromkeys("ab", (2.0, 4.0, 8.0)), (multiplier("a", "b", 1.0, widths),))
    program = Program(widths, cost, dict.fromkeys("ab", (9.0, 3.0, 0.0)))
    assert program.solve(np.inf) == {"a": 2, "b": 2}
    assert program.solve(0.0) == {"a": 8, "b": 8}


def test_what_the_solver_writes_past_python_is_not_seen(capfd):
    libc = ctypes.CDLL(None)
    with silenced():
        libc.puts(b"from the solver")
        os.write(1, b"unbuffered")
    os.write(1, b"from us")
    assert capfd.readouterr().out == "from us"
