"""Products of log codes: what each is, what is dropped, how sums meet, how wide accumulators are."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qonnx_tools.arithmetic.accumulator import accumulator_bound
from qonnx_tools.arithmetic.integer import gemm, shift_weights, wrap
from qonnx_tools.arithmetic.log import Log, LogRounding, thresholds
from qonnx_tools.arithmetic.log_products import LogUnit, joined, threshold_codes, usual_guard_bits
from qonnx_tools.errors import ConfigError


def units(largest_bits, guard_bits):
    for x_bits, signed, weight_bits, steps in itertools.product(range(1, largest_bits), (0, 1), (2, 3, 4), (1, 2)):
        if x_bits > signed:
            yield from (LogUnit(x_bits, bool(signed), weight_bits, steps, guard) for guard in guard_bits)


def every_pair(unit):
    largest_x, largest_w = unit.x_count, unit.weight_count
    x = np.arange(-largest_x if unit.x_signed else 0, largest_x + 1)
    return x[:, None], np.arange(-largest_w, largest_w + 1)


@pytest.mark.parametrize("guard_bits", [0, 1, 5, 32])
def test_every_product(guard_bits):
    for unit in units(5, [guard_bits]):
        x, w = every_pair(unit)
        even, odd = unit.products(x, w)
        for at, code_x in enumerate(x[:, 0].tolist()):
            for to, code_w in enumerate(w.tolist()):
                e = unit.x_count - abs(code_x) + unit.weight_count - abs(code_w)
                sign = np.sign(code_x) * np.sign(code_w)
                size = int(Fraction(2) ** (guard_bits - e // unit.steps))  # 0 where it is below 1
                expected = (0, sign * size) if e % unit.steps else (sign * size, 0)
                assert (even[at, to], odd[at, to]) == expected, (unit, code_x, code_w)


def test_the_fewest_guard_bits_that_drop_nothing():
    for unit in units(5, [0]):
        exact = LogUnit(unit.x_bits, unit.x_signed, unit.weight_bits, unit.steps, unit.exact_guard_bits)
        x, w = every_pair(unit)
        is_zero = (x == 0) | (w == 0)
        np.testing.assert_array_equal(sum(exact.products(x, w)) == 0, is_zero)
        if exact.guard_bits:
            fewer = LogUnit(unit.x_bits, unit.x_signed, unit.weight_bits, unit.steps, exact.guard_bits - 1)
            assert not np.array_equal(sum(fewer.products(x, w)) == 0, is_zero)


def test_usual_guard_bits():
    assert usual_guard_bits(Log(5, 1.0, 2, signed=False), Log(5, 0.3, 2)) == 22
    assert usual_guard_bits(Log(4, 1.0, 1, signed=False), Log(4, 0.3, 1)) == 20
    assert usual_guard_bits(Log(5, 1.0, 1, signed=False), Log(5, 0.3, 1)) == 24


def test_products_stand_for_values():
    for unit in units(5, [30]):
        x, w = every_pair(unit)
        even, odd = unit.products(x, w)
        of_x = Log(unit.x_bits, 1.0, unit.steps, unit.x_signed).decode(x)
        of_w = Log(unit.weight_bits, 1.0, unit.steps).decode(w)
        found = (even + odd * np.sqrt(0.5)) * 2.0**-30
        np.testing.assert_allclose(found, of_x.astype(np.float64) * of_w, rtol=1e-6)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.sampled_from(list(units(6, [0, 7, 24]))))
def test_sums_are_sums_of_products(seed, unit):
    rng = np.random.default_rng(seed)
    x = rng.integers(-9 if unit.x_signed else 0, 40, (3, 11))  # a few beyond the format
    w = rng.integers(-unit.weight_count, unit.weight_count, (11, 4), endpoint=True)
    even, odd = unit.sums(x, w, gemm)
    each = unit.products(x[:, :, None], w[None])
    np.testing.assert_array_equal(even, each[0].sum(axis=1))
    np.testing.assert_array_equal(odd, each[1].sum(axis=1))


def test_even_and_odd_meet():
    odd = np.concatenate([np.arange(-3000, 3000), np.arange(-9, 9) << 44, [65536, -65536]])
    expected = [round(Fraction(int(value) * 46341, 65536)) for value in odd]  # ties to even
    np.testing.assert_array_equal(joined(np.full(odd.shape, 5), odd), np.array(expected) + 5)


@pytest.mark.parametrize("bias", [-9, 0, 8])
@pytest.mark.parametrize("guard_bits", [0, 2, 6])
def test_accumulators_of_every_input_of_tiny_layers(bias, guard_bits):
    for unit in units(4, [guard_bits]):
        if unit.weight_bits > 3:
            continue
        codes = every_pair(unit)[0][:, 0]
        for row in itertools.product((-3, -1, 2) if unit.weight_bits == 3 else (-1, 0, 1), repeat=2):
            pairs = np.array(list(itertools.product(codes, repeat=2)))
            even, odd = unit.sums(pairs, np.array(row)[:, None], gemm)
            reached = np.concatenate([even[:, 0] + bias, odd[:, 0]])
            bits = unit.accumulator_bound([row], np.array([bias]))
            np.testing.assert_array_equal(wrap(reached, bits), reached)
            assert bits == 1 or not np.array_equal(wrap(reached, bits - 1), reached), (unit, row)


def test_shifts_stand_for_weights():
    for bits, steps in itertools.product(range(2, 7), (1, 2)):
        number_format = Log(bits, 1.0, steps)
        codes = np.arange(-number_format.count, number_format.count + 1)
        even, odd = shift_weights(codes, bits, steps)
        assert not np.any((even != 0) & (odd != 0))
        smallest = 2.0 ** -((number_format.count - 1) / steps)
        values = (even + odd * np.sqrt(0.5)) * smallest
        np.testing.assert_allclose(values, number_format.decode(codes), rtol=1e-6)
        assert accumulator_bound(odd[:, None], (0, 1)) <= 32


@pytest.mark.parametrize("mode", list(LogRounding))
def test_thresholds_on_a_fine_grid_encode_as_the_format_does(mode):
    for bits, steps, signed in itertools.product((3, 4), (1, 2), (True, False)):
        of = Log(bits, 1.0, steps, signed)
        reach = thresholds(np.float32(1), of.count, steps, mode)[::-1]
        exact = reach if mode is LogRounding.LINEAR else np.sqrt(reach)
        x = np.arange(-(2**16), 2**16)
        on_grid = np.ceil(exact * 2**15).astype(np.int64)
        found = threshold_codes(x, on_grid, signed=signed)
        np.testing.assert_array_equal(found, of.encode(x / 2**15, mode))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((4, True, 4, 1, 33), "guard_bits is 33"),
        ((4, True, 4, 1, -1), "guard_bits is -1"),
        ((4, True, 4, 3, 3), "steps is 3"),
        ((1, True, 4, 1, 3), "bits is 1"),
        ((4, True, 9, 1, 3), "bits is 9"),
    ],
)
def test_what_no_unit_has(arguments, message):
    with pytest.raises(ConfigError, match=message):
        LogUnit(*arguments)


def test_weights_outside_the_format():
    with pytest.raises(ConfigError, match=r"a weight has code -8; 4 bits hold \+-7"):
        LogUnit(4, True, 4, 1, 3).products(1, -8)
    with pytest.raises(ConfigError, match="steps is 3"):
        shift_weights([1], 4, 3)
