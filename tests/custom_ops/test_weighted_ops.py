"""Convolutions and matrix products on codes equal the numpy reference, to the bit."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from weighted_cases import case, codes, present


@pytest.mark.parametrize("op", ["FixedConv", "ShiftConv", "LogConv", "FixedGemm", "ShiftGemm", "LogGemm"])
@pytest.mark.parametrize("part", range(4))
def test_random_nodes_equal_the_reference(op, part, run_codes, reference_codes):
    for number in range(part * 40, part * 40 + 40):
        inputs, attributes = case(number, op)
        found = run_codes(op, present(inputs), attributes, threads=1 + number % 2)
        expected = reference_codes(op, present(inputs), attributes)
        what = (number, attributes, [(value.dtype, value.shape) for value in inputs])
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape), what
        np.testing.assert_array_equal(found, expected, err_msg=str(what))


@pytest.mark.parametrize("op", ["FixedConv", "FixedGemm", "LogConv", "LogGemm"])
def test_parameters_that_vary_give_the_same(op, run_codes):
    inputs, attributes = case(3, op)
    expected = run_codes(op, present(inputs), attributes)
    np.testing.assert_array_equal(run_codes(op, present(inputs), attributes, constant=()), expected)


def test_one_session_serves_concurrent_runs(create_codes):
    source = np.random.default_rng(5)
    w = codes(source, np.int8, (40, 24, 3, 3))
    attributes = {"kernel_shape": [3, 3], "pads": [1] * 4, "bits": 8, "to": 3, "accumulator_bits": 32}
    session = create_codes(
        "FixedConv", [codes(source, np.uint8, (1, 24, 30, 30)), w, np.int64(9)], attributes, threads=2
    )
    inputs = [codes(source, np.uint8, (1, 24, 30, 30)) for _ in range(8)]
    expected = [session.run(None, {"i0": x})[0] for x in inputs]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda x: session.run(None, {"i0": x})[0], inputs * 25))
    for y, wanted in zip(found, expected * 25, strict=True):
        np.testing.assert_array_equal(y, wanted)
