"""What a network costs: sums that can be done by hand."""

import math

import pytest

from qonnx_tools.cost import LayerWork, Stored, Work, accumulator_bits, adders, cost_of, savings

FIRST = LayerWork("first", 1000, 9, 36, 4, 3, 8, 7, 5)
LAST = LayerWork("last", 200, 20, 200, 0, 4, 32, 5, None)
WORK = Work(
    (FIRST, LAST),
    (Stored("x", 100, 7), Stored("y", 40, 5), Stored("z", 20, 8)),
    (frozenset({"x", "y"}), frozenset({"y", "z"})),
)


def test_memory():
    cost = cost_of(WORK)
    assert cost.weight_memory_bits == 36 * 3 + 200 * 4
    assert cost.bias_memory_bits == 4 * 8
    assert cost.map_memory_bits == 700 + 200 + 160
    assert cost.peak_map_memory_bits == 900
    assert cost.memory_bits == 908 + 32 + 1060


def test_multipliers():
    cost = cost_of(WORK)
    assert cost.multiplier_cost == 1000 * 3 * 5 + 200 * 4 * 5, "the last layer has no stored output: its input counts"
    assert cost.multiplier_input_cost == 1000 * 3 * 7 + 200 * 4 * 5
    operations = 1000 * (21 + 10 + math.log2(9)) + 200 * (20 + 9 + math.log2(20))
    assert cost.bit_operations == pytest.approx(operations)


def test_savings_are_against_the_same_network_with_8_bits():
    found = savings(WORK)
    uniform = 8 * (236 + 4 + 160)
    assert found["memory_saving_vs_8bit"] == pytest.approx(1 - 2000 / uniform)
    assert found["multiplier_saving_vs_8bit"] == pytest.approx(1 - (15000 + 4000) / (64 * 1200))
    assert found["multiplier_input_saving_vs_8bit"] == pytest.approx(1 - (21000 + 4000) / (64 * 1200))
    assert set(savings(WORK.with_bits(8)).values()) == {0.0}


def test_a_network_without_layers_saves_nothing():
    assert set(savings(Work((), ())).values()) == {0.0}


@pytest.mark.parametrize(
    ("layer", "width", "each"),
    [
        (LayerWork("fixed", 1, 15, 1, 0, 4, 8, 8, 8), 4 + 8 + 4, 3 * 8 + 16),
        (LayerWork("shift", 1, 15, 1, 0, 4, 8, 8, 8, weight_places=7), 7 + 8 + 4, 3 * 14 + 19),
        (LayerWork("log", 1, 15, 1, 0, 4, 8, 5, 8, weight_places=4, input_places=16), 24, 5 + 5 * 19 + 24),
        (LayerWork("sign", 1, 15, 1, 0, 2, 8, 8, 8, weight_places=1), 13, 13),
        (LayerWork("narrow", 1, 15, 1, 0, 4, 8, 8, 8, accumulator_bits=12), 12, 3 * 8 + 12),
    ],
    ids=lambda value: value.name if isinstance(value, LayerWork) else "",
)
def test_adders(layer, width, each):
    assert accumulator_bits(layer) == width
    assert adders(layer) == each
    cost = cost_of(Work((layer,), ()))
    assert (cost.accumulator_cost, cost.shift_add_cost) == (width, each)


def test_shifts_cost_less_than_multiplications_at_equal_bits():
    shift = LayerWork("shift", 1, 144, 1, 0, 4, 8, 8, 8, weight_places=4)
    fixed = LayerWork("fixed", 1, 144, 1, 0, 4, 8, 8, 8)
    assert adders(shift) - accumulator_bits(shift) < adders(fixed) - accumulator_bits(fixed)
