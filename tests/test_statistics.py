"""Intervals and tests against published figures and their defining equations."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qonnx_tools.errors import DataError
from qonnx_tools.statistics import compare_paired, proportion


def paired(both: int, only_reference: int, only_candidate: int, neither: int):
    counts = [both, only_reference, only_candidate, neither]
    return compare_paired(np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts))


@pytest.mark.parametrize(
    ("successes", "total", "low", "high"),
    [  # R. G. Newcombe, Statistics in Medicine 17 (1998) 857, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_interval_is_the_published_one(successes, total, low, high):
    found = proportion(successes, total)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)
    assert found.share == successes / total


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_ends_of_the_wilson_interval_solve_its_equation(drawn):
    successes, total = drawn
    found = proportion(successes, total)
    for end in (found.low, found.high):
        distance = abs(successes / total - end)
        assert math.isclose(
            distance, 1.959963984540054 * math.sqrt(end * (1 - end) / total), rel_tol=1e-6, abs_tol=1e-9
        )
    assert 0 <= found.low <= found.share <= found.high <= 1


@pytest.mark.parametrize(("successes", "total"), [(0, 0), (-1, 5), (6, 5)])
def test_counts_that_are_no_proportion_are_refused(successes, total):
    with pytest.raises(DataError, match=r"no images|must lie in"):
        proportion(successes, total)


def test_paired_comparison_is_the_published_one():
    # M. W. Fagerland, S. Lydersen, P. Laake, Statistics in Medicine 33 (2014) 2850: 21 children, b = 1, c = 7.
    found = paired(1, 1, 7, 12)
    assert (found.total, found.only_reference, found.only_candidate) == (21, 1, 7)
    assert found.difference == 6 / 21
    assert (round(found.low, 3), round(found.high, 3)) == (0.013, 0.508)
    assert found.p_value == pytest.approx(18 / 256)  # 2 * (1 + 8) / 2**8


def test_swapping_the_models_turns_the_sign():
    found, swapped = paired(50, 3, 9, 10), paired(50, 9, 3, 10)
    assert (swapped.difference, swapped.low, swapped.high) == (-found.difference, -found.high, -found.low)
    assert swapped.p_value == found.p_value


def test_models_that_agree_still_get_an_interval_with_a_width():
    found = paired(480, 0, 0, 20)
    assert found.difference == 0
    assert found.p_value == 1
    assert found.low == -found.high
    assert 0.005 < found.high < 0.006


def test_large_counts_agree_with_the_plain_wald_interval():
    b, c, n = 200, 150, 5000
    found = paired(n - b - c - 250, b, c, 250)
    reach = 1.959963984540054 * math.sqrt(b + c - (b - c) ** 2 / n) / n
    assert found.low == pytest.approx((c - b) / n - reach, abs=5e-5)
    assert found.high == pytest.approx((c - b) / n + reach, abs=5e-5)


@pytest.mark.parametrize(("reference", "candidate"), [(2, 3), (0, 0)])
def test_results_that_cannot_be_paired_are_refused(reference, candidate):
    with pytest.raises(DataError, match=r"same images|no images"):
        compare_paired(np.ones(reference, bool), np.ones(candidate, bool))
