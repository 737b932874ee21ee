"""Random nodes of the ops that multiply by weights: inputs and attributes."""

import os

import numpy as np

CARRIERS = {2: np.uint8, 3: np.int8, 4: np.uint16, 5: np.int16, 6: np.int32}
SEED = int(os.environ.get("QONNX_TOOLS_TEST_SEED", "0"))


def codes(source, dtype, shape):
    """Codes of the whole range, the ends more often."""
    info = np.iinfo(dtype)
    values = source.integers(info.min, info.max, shape, endpoint=True)
    ends = source.choice([info.min, info.max, 0], shape)
    return np.where(source.random(shape) < 0.2, ends, values).astype(dtype)


def output_format(source):
    """Any output format with a carrier that holds it."""
    to = int(source.choice(list(CARRIERS)))
    info = np.iinfo(CARRIERS[to])
    signed = int(info.min < 0)
    bits = int(source.integers(0, min(info.bits, 32), endpoint=True))
    narrow = int(signed and source.random() < 0.3)
    return {"bits": bits, "signed": signed, "narrow": narrow, "to": to, "rounding": int(source.integers(6))}


def parameters(source, channels, expected_bits):
    """Shift, bias, multiplier and addend, some of them left out."""
    per_channel = bool(source.integers(2))
    shape = (channels,) if per_channel else ()
    expected_bits = min(max(expected_bits, 1), 48)
    shift = source.integers(max(-3, expected_bits - 12), expected_bits + 2, shape)
    bias_type = source.choice([np.int32, np.int64])
    bias = source.integers(-(2 ** min(expected_bits, 30)), 2 ** min(expected_bits, 30), channels).astype(bias_type)
    empty = np.zeros(0, np.float32)
    inputs = [np.asarray(shift, np.int64), bias if source.random() < 0.7 else empty]
    if source.random() < 0.4:
        multiplier = source.integers(-(2**15), 2**15, shape).astype(np.int32)
        inputs[0] = inputs[0] + 12
        addend = np.asarray(source.integers(-(2**40), 2**40, shape), np.int64)
        inputs += [multiplier, addend] if source.random() < 0.7 else [multiplier]
    elif inputs[1] is empty:
        inputs.pop()
    return inputs


def small(source, low, high):
    return int(source.integers(low, high, endpoint=True))


def clustered(source, shape, largest):
    """Log codes most of which lie within 7 octaves below the largest."""
    codes = largest - source.integers(0, min(7, largest), shape)
    codes = np.where(source.random(shape) < 0.04, source.integers(0, largest, shape, endpoint=True), codes)
    return (codes * source.choice([-1, 1], shape)).astype(np.int8)


def weights(source, op, shape):
    """Weights and the attributes that describe them."""
    if not op.startswith("Fixed"):
        bits, steps = small(source, 2, 6), small(source, 1, 2)
        largest = 2 ** (bits - 1) - 1
        described = {"weight_bits": bits, "steps": steps}
        size = largest
        if op.startswith("Log"):
            x_signed = small(source, 0, 1)
            described |= {"x_bits": small(source, 1 + x_signed, 6), "x_signed": x_signed}
            described["guard_bits"] = small(source, 0, 32)
            size = described["guard_bits"] - 16
        if source.random() < 0.5:  # as in trained layers: few weights lie far below a filter's largest
            return clustered(source, shape, largest), described, size
        return source.integers(-largest, largest, shape, endpoint=True).astype(np.int8), described, size
    dtype = source.choice([np.int8, np.int8, np.int16, np.uint8, np.uint16])
    w = codes(source, dtype, shape)
    if dtype == np.int16 and source.random() < 0.5:
        w >>= 6
    return w, {}, int(np.abs(w.astype(np.int64)).max()).bit_length()


def within_format(x, extra):
    """Of log codes, a few beyond their format; other codes as they are."""
    if "x_bits" not in extra or x.size % 3 == 0:
        return x
    return np.where(x % 37 == 5, x, x % (2 ** extra["x_bits"]) - extra["x_signed"] * 2 ** (extra["x_bits"] - 1)).astype(
        x.dtype
    )


def convolution_case(source, op):
    axes = small(source, 1, 2)
    group = small(source, 1, 4) if source.random() < 0.4 else 1
    inner, outer = small(source, 1, 9), small(source, 1, 15)
    if source.random() < 0.2:
        group, inner, outer = small(source, 2, 20), 1, small(source, 1, 2)  # depthwise
    if source.random() < 0.2:
        inner = small(source, 60, 300)
    kernel = [small(source, 1, 4) for _ in range(axes)] if source.random() < 0.7 else [1] * axes
    strides = [small(source, 1, 3) for _ in range(axes)] if source.random() < 0.5 else [1] * axes
    dilations = [small(source, 1, 2) for _ in range(axes)]
    pads = [small(source, 0, 3) if source.random() < 0.5 else 0 for _ in range(2 * axes)]
    extent = [dilation * (size - 1) + 1 for size, dilation in zip(kernel, dilations, strict=True)]
    spatial = [
        max(1, extent[at] - pads[at] - pads[axes + at]) + small(source, 0, 30 if axes == 1 else 13)
        for at in range(axes)
    ]
    x_type = source.choice([np.uint8, np.int8, np.uint16, np.int16])
    x = codes(source, x_type, (int(source.choice([1, 1, 2, 9])), group * inner, *spatial))
    w, extra, size = weights(source, op, (group * outer, inner, *kernel))
    x = within_format(x, extra)
    window = {"kernel_shape": kernel, "strides": strides, "dilations": dilations, "pads": pads, "group": group}
    depth = int(np.prod(w.shape[1:]))
    return x, w, window | extra, size + np.iinfo(x_type).bits + depth.bit_length() // 2, group * outer


def gemm_case(source, op):
    depth, out = small(source, 1, 300), small(source, 1, 150)
    x_type = source.choice([np.uint8, np.int8, np.uint16, np.int16])
    x = codes(source, x_type, (small(source, 1, 20), depth))
    transposed = small(source, 0, 1)
    w, extra, size = weights(source, op, (out, depth) if transposed else (depth, out))
    x = within_format(x, extra)
    return x, w, {"transB": transposed} | extra, size + np.iinfo(x_type).bits + depth.bit_length() // 2, out


def case(number, op):
    source = np.random.default_rng([SEED, number, len(op), {"F": 0, "S": 1, "L": 2}[op[0]]])
    x, w, attributes, expected_bits, channels = (convolution_case if op.endswith("Conv") else gemm_case)(source, op)
    attributes |= output_format(source)
    attributes["accumulator_bits"] = int(source.choice([64, 32, 33, 40, 48, 24, 17, 8, 1, 31]))
    return [x, w, *parameters(source, channels, expected_bits)], attributes


def present(inputs):
    """None where an input is left out."""
    return [None if value.dtype == np.float32 else value for value in inputs]
