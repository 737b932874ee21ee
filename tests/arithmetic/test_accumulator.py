"""The accumulator width: nothing overflows it, and one bit fewer does overflow."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qonnx_tools.arithmetic.accumulator import accumulator_bound, accumulator_range, bits_for
from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.integer import convolve, log_weights, wrap
from qonnx_tools.arithmetic.window import Window
from qonnx_tools.errors import ConfigError


def all_sums(row, x_range, bias):
    """What an output can be, for every input there is."""
    codes = range(x_range[0], x_range[1] + 1)
    return [sum(w * x for w, x in zip(row, xs, strict=True)) + bias for xs in itertools.product(codes, repeat=len(row))]


@pytest.mark.parametrize("x_range", [(0, 1), (-1, 0), (-2, 1), (-1, 1), (0, 3), (-3, 0), (0, 0)])
@pytest.mark.parametrize("bias", [-9, -1, 0, 1, 8])
def test_every_input_of_tiny_layers(x_range, bias):
    for row in itertools.product(range(-2, 3), repeat=3):
        sums = all_sums(row, x_range, bias)
        assert accumulator_range([row], x_range, [bias]) == (min(sums), max(sums))
        bits = accumulator_bound([row], x_range, np.array([bias]))
        assert wrap(sums, bits).tolist() == sums
        if bits > 1:
            assert wrap(sums, bits - 1).tolist() != sums


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 16), st.booleans(), st.integers(1, 16), st.integers(1, 3))
def test_the_worst_map_of_a_convolution(seed, x_bits, signed, w_bits, group):
    rng = np.random.default_rng(seed)
    low, high = FixedPoint(x_bits, 0, signed).code_range
    w = rng.integers(*FixedPoint(w_bits, 0).code_range, (2 * group, 3, 3, 2), endpoint=True)
    bias = rng.integers(-(2**20), 2**20, 2 * group)
    bits = accumulator_bound(w, (low, high), bias)
    reached = []
    for m, row in enumerate(w):
        for upper, lower in ((high, low), (low, high)):
            x = np.zeros((1, 3 * group, 3, 2), np.int64)
            x[0, m // 2 * 3 : m // 2 * 3 + 3] = np.where(row > 0, upper, lower)
            padded = convolve(x, w, Window.of((3, 2), pads=(2, 1, 2, 1)), group) + bias.reshape(1, -1, 1, 1)
            np.testing.assert_array_equal(wrap(padded, bits), padded)
            reached.append(convolve(x, w, Window.of((3, 2)), group)[0, m, 0, 0] + bias[m])
    assert (min(reached), max(reached)) == accumulator_range(w, (low, high), bias)
    assert bits == 1 or not np.array_equal(wrap(reached, bits - 1), reached)


def test_shift_weights_and_transposed_matrices():
    codes = np.array([[7, -7], [1, 0]])
    weights = log_weights(codes, 4)
    assert accumulator_range(weights, (0, 255)) == (-64 * 255, 64 * 255)
    assert accumulator_range(weights, (0, 255), axis=1) == (-64 * 255, 65 * 255)
    assert accumulator_bound(weights, (0, 255), axis=1) == 16


def test_a_bias_for_all_and_no_weights():
    assert accumulator_range(np.array([[1], [-1]]), (-1, 1), 5) == (4, 6)
    assert accumulator_bound(np.zeros((0, 4)), (-8, 7)) == 1
    assert accumulator_bound(np.zeros((4, 0)), (-8, 7), np.array([0, 0, 100, 0])) == 8


@pytest.mark.parametrize(
    ("low", "high", "bits"),
    [(0, 0, 1), (-1, 0, 1), (0, 1, 2), (-2, 1, 2), (-3, 1, 3), (-128, 127, 8), (0, 128, 9), (-(2**63), 2**63 - 1, 64)],
)
def test_bits_for(low, high, bits):
    assert bits_for(low, high) == bits


def test_an_input_without_zero_is_refused():
    with pytest.raises(ConfigError, match=r"codes are 1\.\.3; they must hold 0"):
        accumulator_bound([[1]], (1, 3))


def test_a_bias_that_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match=r"the bias has shape \[3\]; 2 outputs take \[2\] or \[\]"):
        accumulator_bound([[1], [2]], (0, 3), [1, 2, 3])
