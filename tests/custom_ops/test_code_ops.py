"""Elementwise ops, pooling and tables on codes equal the numpy reference, to the bit."""

import os

import numpy as np
import pytest

from qonnx_tools.arithmetic import integer
from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.log import Log, LogRounding
from qonnx_tools.arithmetic.log_products import threshold_codes
from qonnx_tools.arithmetic.rounding import Rounding
from qonnx_tools.arithmetic.window import Window

CARRIERS = {2: np.uint8, 3: np.int8, 4: np.uint16, 5: np.int16, 6: np.int32}
SHAPES = [((), ()), ((5,), ()), ((2, 3, 4), (3, 1)), ((2, 3, 4), (4,)), ((1, 3, 41, 29), (1, 3, 1, 1)), ((0, 3), (3,))]
SEED = int(os.environ.get("QONNX_TOOLS_TEST_SEED", "0"))
f32 = np.float32


def codes(source, dtype, shape):
    """Codes of the whole range, the ends more often."""
    info = np.iinfo(dtype)
    values = source.integers(info.min, info.max, shape, endpoint=True)
    return np.where(source.random(shape) < 0.2, source.choice([info.min, info.max, 0, 1], shape), values).astype(dtype)


def any_codes(source, shape):
    return codes(source, CARRIERS[int(source.choice(list(CARRIERS)))], shape)


def any_format(source):
    """Attributes of an output format, the format, its rounding and its carrier."""
    to = int(source.choice(list(CARRIERS)))
    info = np.iinfo(CARRIERS[to])
    signed = bool(info.min < 0)
    bits = int(source.integers(0, info.bits, endpoint=True))
    narrow = bool(signed and source.random() < 0.3)
    rounding = int(source.integers(6))
    attributes = {"bits": bits, "signed": int(signed), "narrow": int(narrow), "to": to, "rounding": rounding}
    return attributes, FixedPoint(bits, 0, signed, narrow), list(Rounding)[rounding], CARRIERS[to]


def test_clipped_results(run_codes):
    """Bounds inside the format, at its ends and beyond."""
    for number, source in sources("clip"):
        x, shift = any_codes(source, (700,)), np.int64(source.integers(-3, 20))
        attributes, target, rounding, carrier = any_format(source)
        low, high = target.code_range
        lowest, highest = np.sort(source.integers(low, high, 2, endpoint=True))
        bounds = [{"lowest": int(lowest), "highest": int(highest)}, {"lowest": int(lowest)}, {"highest": int(highest)}]
        bounds += [{"lowest": -(2**31), "highest": 2**31 - 1}, {"lowest": low, "highest": high}]
        clip = bounds[number % len(bounds)]
        found = run_codes("Requantize", [x, shift], attributes | clip)
        codes_of_y = integer.requantize(x, shift, target, rounding).astype(np.int64)
        expected = np.clip(codes_of_y, clip.get("lowest", low), clip.get("highest", high))
        same(found, expected, carrier, (number, attributes, clip, x.dtype))


def same(found, expected, carrier, what):
    assert (found.dtype, found.shape) == (np.dtype(carrier), np.shape(expected)), what
    np.testing.assert_array_equal(found, np.asarray(expected).astype(carrier), err_msg=str(what))


def sources(name, count=60):
    for number in range(count):
        yield number, np.random.default_rng([SEED, number, *name.encode()])


def test_requantize(run_codes):
    for number, source in sources("requantize"):
        shape, parameter = SHAPES[number % len(SHAPES)]
        x, shift = any_codes(source, shape), source.integers(-20, 34, parameter)
        attributes, target, rounding, carrier = any_format(source)
        found = run_codes("Requantize", [x, np.asarray(shift)], attributes, threads=1 + number % 2)
        same(found, integer.requantize(x, shift, target, rounding), carrier, (number, attributes, x.dtype))


def test_affine(run_codes):
    for number, source in sources("affine"):
        axis = int(source.integers(-3, 3))
        x = any_codes(source, (2, 3, 40))
        channels = x.shape[axis]
        shapes = [(channels,) if source.random() < 0.6 else () for _ in range(3)]
        multiplier = np.asarray(source.integers(-(2**31), 2**31, shapes[0]), np.int32)
        addend = np.asarray(source.integers(-(2**50), 2**50, shapes[1]), np.int64)
        shift = np.asarray(source.integers(0, 62, shapes[2], endpoint=True), np.int64)
        if number % 3 == 0:
            multiplier, addend = np.ones_like(multiplier), addend % 1000
        attributes, target, rounding, carrier = any_format(source)
        found = run_codes("Affine", [x, multiplier, addend, shift], attributes | {"axis": axis})
        expected = integer.affine(x, multiplier, addend, shift, target, rounding, axis)
        same(found, expected, carrier, (number, attributes, axis, x.dtype))


@pytest.mark.parametrize("op", ["FixedAdd", "FixedMul"])
def test_sums_and_products(op, run_codes):
    shapes = [((2, 3, 4), (2, 3, 4)), ((3, 1), (2, 3, 4)), ((2, 3, 4), ()), ((1, 5, 1), (4, 1, 7)), ((0,), (1,))]
    shapes.append(((2, 9, 60, 61), (2, 9, 60, 61)))
    for number, source in sources(op):
        a, b = (any_codes(source, shape) for shape in shapes[number % len(shapes)])
        attributes, target, rounding, carrier = any_format(source)
        if op == "FixedAdd":
            lefts = tuple(int(left) for left in source.integers(0, [6, 30][number % 2], 2))
            shift = int(source.integers(-1, 40))
            inputs = [a, b, np.int64(lefts[0]), np.int64(lefts[1]), np.int64(shift)]
            expected = integer.add(a, b, lefts, shift, target, rounding)
        else:
            shift = np.asarray(source.integers(0, 40, () if number % 2 else b.shape))
            if shift.ndim and np.broadcast_shapes(a.shape, b.shape) != b.shape:
                shift = shift.ravel()[0] if shift.size else np.int64(3)
            inputs = [a, b, np.asarray(shift)]
            expected = integer.multiply(a, b, shift, target, rounding)
        found = run_codes(op, inputs, attributes, threads=1 + number % 2, data=2)
        same(found, expected, carrier, (number, attributes, a.dtype, b.dtype))


def test_log_requantize(run_codes):
    for number, source in sources("thresholds"):
        x, signed = any_codes(source, SHAPES[number % len(SHAPES)][0]), bool(number % 2)
        bits = int(source.integers(1 + signed, 9))
        most = int(source.choice([9, 2**15, 2**31, 2**40]))
        thresholds = np.sort(source.integers(1, most, 2 ** (bits - signed) - 1, endpoint=True))
        attributes = {"bits": bits, "signed": int(signed), "to": 5}
        found = run_codes("LogRequantize", [x, thresholds], attributes, threads=1 + number % 2)
        same(found, threshold_codes(x, thresholds, signed=signed), np.int16, (number, attributes, x.dtype))


def test_average_pool(run_codes):
    for number, source in sources("pool"):
        axes = int(source.integers(1, 3))
        dtype = source.choice([np.uint8, np.int8, np.uint16, np.int16])
        x = codes(source, dtype, (2, 5, *source.integers(4, 9, axes)))
        kernel = [int(size) for size in source.integers(1, 5, axes)]
        window = {
            "kernel_shape": kernel,
            "strides": [int(size) for size in source.integers(1, 4, axes)],
            "pads": [int(source.integers(0, size)) for size in kernel * 2],
        }
        if number % 3 == 0:
            window = {}
        multiplier, shift = int(source.integers(-(2**20), 2**20)), int(source.integers(0, 40))
        attributes, target, rounding, carrier = any_format(source)
        found = run_codes("FixedAveragePool", [x, np.int32(multiplier), np.int64(shift)], attributes | window)
        reach = Window.of(window["kernel_shape"], window["strides"], window["pads"]) if window else None
        expected = integer.average_pool(x, reach, multiplier, shift, target, rounding)
        same(found, expected, carrier, (number, attributes, window, dtype))


def test_average_pool_of_large_windows(run_codes):
    """32 bits do not hold the sums, with a window or without."""
    x = np.full((1, 2, 190, 261), 65535, np.uint16)
    x[0, 1] = codes(np.random.default_rng(1), np.uint16, x.shape[2:])
    attributes, target = {"bits": 16, "signed": 0, "to": 4}, FixedPoint(16, 0, False)
    for window in ({"kernel_shape": [189, 260], "strides": [1, 1], "pads": [1, 0, 0, 2]}, {}):
        found = run_codes("FixedAveragePool", [x, np.int32(87), np.int64(22)], attributes | window)
        reach = Window.of(*window.values()) if window else None
        same(found, integer.average_pool(x, reach, 87, 22, target), np.uint16, window)


def test_max_pool(run_codes):
    for number, source in sources("max pool", 150):
        axes = int(source.integers(1, 3))
        to = int(source.choice(list(CARRIERS)))
        kernel = [int(size) for size in source.integers(1, [4, 14][number % 2], axes)]
        dilations = [int(size) for size in source.integers(1, 3, axes)]
        spans = [(size - 1) * dilation + 1 for size, dilation in zip(kernel, dilations, strict=True)]
        sizes = [span + int(source.integers([9, 80][number % 5 == 0])) for span in spans]
        strides = [int(size) for size in source.integers(1, 4, axes)]
        pads = [int(source.integers(0, span)) for span in spans * 2]
        if number % 4 == 0:  # the whole map
            sizes, strides, pads, dilations = kernel, [1] * axes, [0, 0] * axes, [1] * axes
        x = codes(source, CARRIERS[to], (number % 3, 5, *sizes))
        if number % 2:
            x[source.random(x.shape) < 0.7] = np.iinfo(x.dtype).min
        window = {"kernel_shape": kernel, "strides": strides, "pads": pads, "dilations": dilations}
        found = run_codes("FixedMaxPool", [x], window | {"to": to}, threads=1 + number % 2)
        same(found, integer.max_pool(x, Window.of(*window.values())), x.dtype, (number, window, sizes, x.dtype))


def test_one_window_as_large_as_the_map(run_codes):
    """It begins in the padding, or does not."""
    x = codes(np.random.default_rng(4), np.int16, (1, 3, 4, 5))
    for pads in ([0, 0, 0, 0], [1, 0, 0, 0], [0, 2, 0, 0], [1, 1, 1, 1]):
        window = {"kernel_shape": [4, 5], "strides": [9, 9], "pads": pads}
        reach = Window.of(*window.values())
        found = run_codes("FixedMaxPool", [x], window | {"dilations": [1, 1], "to": 5})
        same(found, integer.max_pool(x, reach), np.int16, pads)
        found = run_codes("FixedAveragePool", [x, np.int32(3), np.int64(5)], window | {"bits": 16, "to": 5})
        same(found, integer.average_pool(x, reach, 3, 5, FixedPoint(16, 0)), np.int16, pads)


def test_max_pool_of_more_than_one_share(run_codes):
    x = codes(np.random.default_rng(0), np.int8, (3, 16, 57, 55))
    window = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 0, 1], "dilations": [1, 1]}
    for threads in (1, 2):
        found = run_codes("FixedMaxPool", [x], window | {"to": 3}, threads=threads)
        same(found, integer.max_pool(x, Window.of(*window.values())), np.int8, threads)


def test_pools_whose_only_window_hangs_over_the_edge(run_codes):
    """The window is as large as the map, but does not lie on it."""
    for size in ((2,), (3, 2)):
        x = codes(np.random.default_rng(3), np.int8, (3, 16, *size))
        for pads in np.ndindex(*[min(side, 2) for side in size * 2]):
            window = {"kernel_shape": list(size), "strides": [9] * len(size), "pads": list(pads)}
            reach = Window.of(*window.values())
            largest = run_codes("FixedMaxPool", [x], window | {"dilations": [1] * len(size), "to": 3})
            same(largest, integer.max_pool(x, reach), np.int8, window)
            attributes, target = {"bits": 16, "signed": 1, "to": 5}, FixedPoint(16, 0)
            mean = run_codes("FixedAveragePool", [x, np.int32(5), np.int64(1)], attributes | window)
            same(mean, integer.average_pool(x, reach, 5, 1, target), np.int16, window)


def test_lookup(run_codes):
    for number, source in sources("lookup"):
        bits, signed, to = int(source.integers(1, 17)), int(source.integers(2)), int(source.choice(list(CARRIERS)))
        shape = [(3, 700), (), (63,), (64,), (257,), (0,)][number % 6]
        x, table = any_codes(source, shape), codes(source, CARRIERS[to], 2**bits)
        found = run_codes("Lookup", [x, table], {"input_bits": bits, "input_signed": signed, "to": to})
        same(found, integer.lookup(x, table, bits, signed=bool(signed)), CARRIERS[to], (number, bits, signed, x.dtype))


def per_element(values, shape):
    return np.broadcast_to(np.asarray(values), shape).ravel()


def test_quantize(run_codes, awkward_numbers):
    for number, source in sources("quantize"):
        shape, parameter = SHAPES[number % len(SHAPES)]
        scale = source.choice([1, 2.0**-10, 2.0**20])
        with np.errstate(over="ignore"):
            x = (source.choice(awkward_numbers, shape) * (scale if number % 2 else 1)).astype(f32)
        frac = np.asarray(source.integers(-8, 16, parameter))
        attributes, target, rounding, carrier = any_format(source)
        found = run_codes("Quantize", [x, frac], attributes, threads=1 + number % 2)
        expected = [
            FixedPoint(target.bits, int(bits), target.signed, target.narrow).encode(f32(value), rounding)
            for value, bits in zip(x.ravel(), per_element(frac, shape), strict=True)
        ]
        same(found, np.array(expected).reshape(shape), carrier, (number, attributes))


def test_dequantize(run_codes, assert_same_bits):
    for number, source in sources("dequantize"):
        shape, parameter = SHAPES[number % len(SHAPES)]
        x, frac = any_codes(source, shape), np.asarray(source.integers(-64, 127, parameter))
        found = run_codes("Dequantize", [x, frac], {})
        expected = (x.astype(np.float64) * np.ldexp(1.0, -frac)).astype(f32)
        assert_same_bits(found, np.asarray(expected), number)


def log_format(source):
    signed, steps = int(source.integers(2)), int(source.integers(1, 3))
    return {"bits": int(source.integers(1 + signed, 7)), "steps": steps, "signed": signed}


def test_log_codes(run_codes, assert_same_bits, awkward_numbers):
    for number, source in sources("log"):
        shape, parameter = SHAPES[number % len(SHAPES)]
        attributes, rounding = log_format(source), int(source.integers(2))
        scale = np.asarray(source.choice([0.3, 1, 2.5, 100], parameter), f32)
        x = source.choice(awkward_numbers, shape).astype(f32)
        to = int(source.choice([3, 5, 6] if attributes["signed"] else [2, 4, 5]))
        found = run_codes("LogQuantize", [x, scale], attributes | {"rounding": rounding, "to": to})
        kind = (attributes["steps"], bool(attributes["signed"]))
        formats = [Log(attributes["bits"], float(each), *kind) for each in per_element(scale, shape)]
        values = zip(formats, x.ravel(), strict=True)
        expected = np.array([each.encode(value, list(LogRounding)[rounding]) for each, value in values])
        same(found, expected.reshape(shape), CARRIERS[to], (number, attributes, rounding))
        given = any_codes(source, shape)
        low, high = Log(attributes["bits"], 1.0, *kind).code_range
        decoded = run_codes("LogDequantize", [given, scale], attributes)
        clipped = np.clip(given.astype(np.int64), low, high).ravel()
        expected = np.array([each.decode(code) for each, code in zip(formats, clipped, strict=True)], f32)
        assert_same_bits(decoded, expected.reshape(shape), (number, attributes))
