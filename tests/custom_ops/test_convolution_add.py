"""Convolutions with an addition behind them equal the convolution's kernel, then FixedAdd's, and the reference."""

import numpy as np
import pytest
from weighted_cases import case, codes, output_format, present

from qonnx_tools.ops import DOMAIN, op_table

OPS = ["FixedConvAdd", "ShiftConvAdd", "LogConvAdd"]
PARAMETERS = (1, 2, 3, 4, 5, 7, 8, 9)
FORMAT = ("bits", "signed", "narrow", "rounding", "lowest", "highest")


def reference(op, inputs, attributes):
    return op_table()[DOMAIN, op].reference(inputs, attributes)[0]


def clip(source, output):
    """Perhaps bounds on the codes of a format."""
    most = min(output["bits"], 20)
    low, high = sorted(int(bound) for bound in source.integers(-(2**most) // 4, 2**most // 2 + 1, 2))
    if output["signed"] and source.random() < 0.3:
        reach = 2 ** (most - 1) - 1
        return output | {"lowest": int(np.clip(low, -reach, reach)), "highest": max(high, 0)}
    return output


def complete(inputs):
    """All six inputs of a convolution."""
    neutral = [None, None, None, np.int64(0), np.int32(1), np.int64(0)]
    given = [*present(inputs), *[None] * (6 - len(inputs))]
    return [each if value is None else value for value, each in zip(given, neutral, strict=True)]


def added(source, op, inputs, attributes):
    """The inputs and attributes of a convolution, with an addition behind it."""
    conv = {name: value for name, value in attributes.items() if name not in {*FORMAT, "to"}}
    inner = clip(source, {name: attributes[name] for name in FORMAT[:4]})
    (y,) = op_table()[DOMAIN, op.removesuffix("Add")].reference(inputs, conv | inner | {"to": 6})
    kind = source.choice([np.int8, np.uint8, np.int16, np.uint16, np.int32])
    output = clip(source, output_format(source))
    wide = source.random() < 0.2
    lefts = [np.int64(left) for left in source.integers(0, 40 if wide else 9, 2)]
    size = max(attributes["bits"] + lefts[0], np.iinfo(kind).bits + lefts[1])
    shift = np.int64(source.integers(max(size - output["bits"] - 4, -2), min(size, 62) + 1))
    between = {f"conv_{name}": value for name, value in inner.items()}
    return [*inputs, codes(source, kind, y.shape), *lefts, shift], conv | between | output


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("part", range(3))
def test_random_nodes_equal_the_reference(op, part, run_codes):
    for number in range(part * 20, part * 20 + 20):
        source = np.random.default_rng([number, *op.encode()])
        inputs, attributes = case(number, op.removesuffix("Add"))
        inputs, attributes = added(source, op, complete(inputs), attributes)
        found = run_codes(op, inputs, attributes, threads=1 + number % 2, constant=PARAMETERS)
        expected = reference(op, inputs, attributes)
        what = (number, attributes, [(value.dtype, value.shape) for value in inputs])
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape), what
        np.testing.assert_array_equal(found, expected, err_msg=str(what))


def network_node(source, size, channels, kernel, group=1, stride=1):
    """A node as networks of 8 bits have it: the end of a residual block, ReLU behind it."""
    inner, outer = channels
    x = codes(source, np.uint8, (2, inner, size, size))
    w = codes(source, np.int8, (outer, inner // group, kernel, kernel))
    window = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [kernel // 2] * 4}
    window |= {"dilations": [1, 1], "group": group}
    residual = codes(source, np.uint8, (2, outer, *[(size - 1) // stride + 1] * 2))
    shift = source.integers(7, 12, outer)
    bias = source.integers(-9999, 9999, outer)
    formats = {"conv_bits": 8, "bits": 8, "signed": 0, "to": 2}
    tail = [np.int32(1), np.int64(0), residual, np.int64(1), np.int64(2), np.int64(2)]
    return [x, w, shift, bias, *tail], window | formats | {"accumulator_bits": 32}


@pytest.mark.parametrize(
    ("size", "channels", "kernel", "group", "stride"),
    [
        (7, (64, 200), 1, 1, 1),
        (14, (40, 70), 3, 1, 1),
        (15, (33, 130), 1, 1, 2),
        (31, (16, 17), 3, 1, 1),
        (56, (8, 80), 1, 1, 1),
        (9, (24, 24), 3, 24, 1),
        (30, (12, 24), 5, 12, 2),
        (13, (24, 48), 3, 4, 1),
    ],
)
@pytest.mark.parametrize("threads", [1, 2])
def test_ends_of_residual_blocks(run_codes, size, channels, kernel, group, stride, threads):
    source = np.random.default_rng(size)
    inputs, attributes = network_node(source, size, channels, kernel, group, stride)
    found = run_codes("FixedConvAdd", inputs, attributes, threads=threads, constant=PARAMETERS)
    np.testing.assert_array_equal(found, reference("FixedConvAdd", inputs, attributes))
    assert np.unique(found).size > 100


def test_parameters_that_vary_give_the_same(run_codes):
    inputs, attributes = network_node(np.random.default_rng(3), 9, (20, 30), 3)
    expected = run_codes("FixedConvAdd", inputs, attributes, constant=PARAMETERS)
    np.testing.assert_array_equal(run_codes("FixedConvAdd", inputs, attributes, constant=()), expected)


def test_an_empty_batch(run_codes):
    inputs, attributes = network_node(np.random.default_rng(3), 9, (20, 30), 3)
    inputs[0], inputs[6] = inputs[0][:0], inputs[6][:0]
    assert run_codes("FixedConvAdd", inputs, attributes, constant=PARAMETERS).shape == (0, 30, 9, 9)
