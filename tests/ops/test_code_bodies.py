"""Function bodies of the ops on codes equal their references, on plain onnxruntime and on onnx's evaluator."""

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from qonnx_tools import ops
from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.log import LogRounding
from qonnx_tools.arithmetic.rounding import Rounding
from qonnx_tools.errors import ConfigError

TABLE = {name: op for (domain, name), op in ops.op_table().items() if domain == ops.DOMAIN}
WITH_BODY = sorted(name for name, op in TABLE.items() if op.body(17))
TYPES = {np.uint8: 2, np.int8: 3, np.uint16: 4, np.int16: 5, np.int32: 6}
MODES = list(Rounding)
seeds = st.integers(0, 2**32 - 1)
some = settings(deadline=None, max_examples=100)


def element_type(dtype):
    return TYPES[np.dtype(dtype).type]


def random_codes(rng, number_format, shape):
    """Codes in their carrier, the ends of the range among them more often than by chance."""
    low, high = number_format.code_range
    codes = rng.integers(low, high, shape, endpoint=True)
    ends = rng.integers(0, 12, shape)
    return np.where(ends == 0, low, np.where(ends == 1, high, codes)).astype(number_format.carrier)


@st.composite
def outputs(draw):
    """Attributes of an output format, with any rounding and any element type that holds it."""
    kind = draw(st.sampled_from(["signed", "narrow", "unsigned"]))
    target = FixedPoint(draw(st.integers(0, 32 - (kind == "unsigned"))), 0, kind != "unsigned", kind == "narrow")
    low, high = target.code_range
    wide_enough = [to for dtype, to in TYPES.items() if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max]
    return {
        "bits": target.bits,
        "signed": int(target.signed),
        "narrow": int(target.narrow),
        "rounding": draw(st.integers(0, 5)),
        "to": draw(st.sampled_from(wide_enough)),
    }


@st.composite
def clipped_outputs(draw):
    """The same, and perhaps bounds on the codes."""
    output = draw(outputs())
    low, high = FixedPoint(output["bits"], 0, bool(output["signed"]), bool(output["narrow"])).code_range
    first, last = sorted([draw(st.integers(low, high)), draw(st.integers(low, high))])
    bounds = [{}, {"lowest": first}, {"highest": last}, {"lowest": first, "highest": last}, {"highest": 2**31 - 1}]
    return output | draw(st.sampled_from(bounds))


@st.composite
def number_formats(draw, most_bits=16):
    return FixedPoint(draw(st.integers(1, most_bits)), 0, draw(st.booleans()))


def parameters(rng, count, low, high, dtype):
    """A 0-d or per-channel parameter."""
    return np.array(rng.integers(low, high, () if rng.random() < 0.4 else count, endpoint=True), dtype)


def ending(rng, count, sums, output):
    """Shift, bias, multiplier and addend that bring sums of this size to about the range of the output."""
    bias = parameters(rng, count, -sums, sums, np.int64 if sums > 2**30 else rng.choice([np.int32, np.int64]))
    multiplier = np.array(1, np.int32)
    if rng.random() < 0.6:
        multiplier = parameters(rng, count, -(2**15), 2**15, np.int32)
    addend = parameters(rng, count, -sums, sums, np.int64)
    size = int(2 * sums * max(int(np.abs(multiplier.astype(np.int64)).max(initial=1)), 1)).bit_length()
    most = max(size - output["bits"], 0)
    return parameters(rng, count, max(most - 6, -3), min(most + 2, 62), np.int64), bias, multiplier, addend


shapes = st.lists(st.integers(0, 4), max_size=4).map(tuple)


@some
@given(shapes, seeds, number_formats(31), clipped_outputs(), st.sampled_from([0, 1, 8, 20, 40, 62]))
def test_requantize(check_body, shape, seed, source, output, shift):
    rng = np.random.default_rng(seed)
    steps = np.array(rng.integers(-shift, shift, tuple(n if rng.random() < 0.5 else 1 for n in shape), endpoint=True))
    x = random_codes(rng, source, shape)
    check_body(TABLE["Requantize"], [x, np.array(steps, np.int64)], output, onnx_too=x.size > 0)


@pytest.mark.parametrize("mode", MODES)
def test_requantize_at_every_tie(check_body, mode):
    x = np.tile(np.arange(-600, 601, dtype=np.int16)[:, None], 11)
    shifts = np.array([0, 1, 2, 3, 4, 5, 9, 10, 11, -1, -4])
    check_body(TABLE["Requantize"], [x, shifts], {"bits": 8, "rounding": mode.code, "to": 3})


@some
@given(seeds, number_formats(31), clipped_outputs(), st.sampled_from([0, 1, -1, 2]))
def test_affine(check_body, seed, source, output, axis):
    rng = np.random.default_rng(seed)
    x = random_codes(rng, source, (2, 3, 4))
    shift, addend, multiplier, _ = ending(rng, x.shape[axis], 2**source.bits, output)
    check_body(TABLE["Affine"], [x, multiplier, np.array(addend, np.int64), shift], {**output, "axis": axis})


BROADCASTS = [((2, 3, 4), (2, 3, 4)), ((2, 3, 4), (3, 1)), ((4,), (2, 3, 4)), ((), (2,)), ((2, 1), (1, 3)), ((), ())]


@some
@given(seeds, number_formats(31), number_formats(31), clipped_outputs(), st.sampled_from(BROADCASTS))
def test_fixed_add(check_body, seed, format_a, format_b, output, broadcast):
    rng = np.random.default_rng(seed)
    a, b = (random_codes(rng, each, shape) for each, shape in zip((format_a, format_b), broadcast, strict=True))
    lefts = rng.integers(0, 30, 2)
    shift = int(rng.integers(-2, max(format_a.bits + lefts[0], format_b.bits + lefts[1])))
    check_body(TABLE["FixedAdd"], [a, b, np.array(lefts[0]), np.array(lefts[1]), np.array(shift)], output)


@some
@given(seeds, number_formats(31), number_formats(31), clipped_outputs(), st.sampled_from(BROADCASTS))
def test_fixed_mul(check_body, seed, format_a, format_b, output, broadcast):
    rng = np.random.default_rng(seed)
    a, b = (random_codes(rng, each, shape) for each, shape in zip((format_a, format_b), broadcast, strict=True))
    shape = np.broadcast_shapes(a.shape, b.shape) if rng.random() < 0.4 else ()
    shift = rng.integers(0, format_a.bits + format_b.bits, shape, endpoint=True)
    check_body(TABLE["FixedMul"], [a, b, np.array(shift, np.int64)], output)


@some
@given(seeds, st.integers(1, 12), st.booleans(), st.sampled_from(list(TYPES)))
def test_lookup(check_body, seed, bits, signed, dtype):
    rng = np.random.default_rng(seed)
    source = FixedPoint(bits, 0, signed)
    limits = np.iinfo(dtype)
    table = rng.integers(limits.min, limits.max, 2**bits, dtype, endpoint=True)
    x = random_codes(rng, source, (3, 5))
    check_body(
        TABLE["Lookup"], [x, table], {"input_bits": bits, "input_signed": int(signed), "to": element_type(dtype)}
    )


def test_lookup_of_codes_outside_the_format(check_body):
    table = np.arange(16, dtype=np.int8)
    x = np.arange(-128, 128).astype(np.int8)
    for signed in (0, 1):
        check_body(TABLE["Lookup"], [x, table], {"input_bits": 4, "input_signed": signed, "to": 3})


@st.composite
def windows(draw):
    """kernel, strides, pads, dilations, and a map that the window fits."""
    rank = draw(st.integers(1, 2))
    sizes = st.lists(st.integers(1, 3), min_size=rank, max_size=rank)
    kernel, strides, dilations = draw(sizes), draw(sizes), draw(sizes)
    pads = draw(st.lists(st.integers(0, 2), min_size=2 * rank, max_size=2 * rank))
    spans = [(size - 1) * dilation + 1 for size, dilation in zip(kernel, dilations, strict=True)]
    least = [max(span - pads[at] - pads[at + rank], 1) for at, span in enumerate(spans)]
    spatial = [size + draw(st.integers(0, 4)) for size in least]
    return {"kernel_shape": kernel, "strides": strides, "pads": pads, "dilations": dilations}, tuple(spatial)


def convolution(rng, window, spatial, w_format, x_format):
    group = int(rng.integers(1, 4))
    inner, outer = rng.integers(1, 4, 2)
    x = random_codes(rng, x_format, (int(rng.integers(1, 3)), group * inner, *spatial))
    w = random_codes(rng, w_format, (group * outer, inner, *window["kernel_shape"]))
    return x, w, group


# The evaluator of onnx walks convolutions in Python, so it sees fewer of them.
@settings(deadline=None, max_examples=150)
@given(windows(), seeds, number_formats(), number_formats(), clipped_outputs(), st.integers(1, 64), st.booleans())
def test_fixed_conv(check_body, case, seed, x_format, w_format, output, narrow_accumulator, constant):
    window, spatial = case
    rng = np.random.default_rng(seed)
    x, w, group = convolution(rng, window, spatial, w_format, x_format)
    sums = 2 ** (x_format.bits + w_format.bits) * int(np.prod(w.shape[1:]))
    bits = narrow_accumulator if rng.random() < 0.5 else 64
    inputs = [x, w, *ending(rng, w.shape[0], sums, output)]
    check_body(
        TABLE["FixedConv"],
        inputs,
        {**window, **output, "group": group, "accumulator_bits": bits},
        constant=("w", "shift", "bias", "multiplier", "addend") if constant else (),
        onnx_too=seed % 4 == 0,
    )


def log_codes(rng, bits, shape):
    return random_codes(rng, FixedPoint(bits, 0, narrow=True), shape)


steps = st.integers(1, 2)


@settings(deadline=None, max_examples=150)
@given(
    windows(), seeds, number_formats(), st.integers(2, 6), steps, clipped_outputs(), st.integers(1, 64), st.booleans()
)
def test_shift_conv(check_body, case, seed, x_format, weight_bits, steps, output, narrow_accumulator, constant):
    window, spatial = case
    rng = np.random.default_rng(seed)
    x, w, group = convolution(rng, window, spatial, FixedPoint(weight_bits, 0, narrow=True), x_format)
    sums = 2 ** (x_format.bits + 2 ** (weight_bits - 1) - 2) * int(np.prod(w.shape[1:]))
    bits = narrow_accumulator if rng.random() < 0.5 else 64
    inputs = [x, w, *ending(rng, w.shape[0], min(sums, 2**50), output)]
    check_body(
        TABLE["ShiftConv"],
        inputs,
        {**window, **output, "group": group, "accumulator_bits": bits, "weight_bits": weight_bits, "steps": steps},
        constant=("w", "shift", "bias", "multiplier", "addend") if constant else (),
        onnx_too=seed % 4 == 0,
    )


@some
@given(
    seeds,
    number_formats(),
    number_formats(),
    clipped_outputs(),
    st.integers(1, 64),
    st.integers(0, 1),
    st.integers(0, 3),
)
def test_fixed_gemm(check_body, seed, x_format, w_format, output, narrow_accumulator, transpose, rows):
    rng = np.random.default_rng(seed)
    k, m = (int(size) for size in rng.integers(1, 40, 2))
    x = random_codes(rng, x_format, (rows, k))
    w = random_codes(rng, w_format, (m, k) if transpose else (k, m))
    inputs = [x, w, *ending(rng, m, 2 ** (x_format.bits + w_format.bits) * k, output)]
    bits = narrow_accumulator if rng.random() < 0.5 else 64
    check_body(TABLE["FixedGemm"], inputs, {**output, "transB": transpose, "accumulator_bits": bits}, onnx_too=rows > 0)


@some
@given(seeds, number_formats(), st.integers(2, 6), steps, clipped_outputs(), st.integers(1, 64), st.integers(0, 1))
def test_shift_gemm(check_body, seed, x_format, weight_bits, steps, output, narrow_accumulator, transpose):
    rng = np.random.default_rng(seed)
    k, m = (int(size) for size in rng.integers(1, 40, 2))
    x = random_codes(rng, x_format, (2, k))
    w = log_codes(rng, weight_bits, (m, k) if transpose else (k, m))
    sums = 2 ** (x_format.bits + 2 ** (weight_bits - 1) - 2) * k
    inputs = [x, w, *ending(rng, m, min(sums, 2**50), output)]
    bits = narrow_accumulator if rng.random() < 0.5 else 64
    check_body(
        TABLE["ShiftGemm"],
        inputs,
        {**output, "transB": transpose, "accumulator_bits": bits, "weight_bits": weight_bits, "steps": steps},
    )


@st.composite
def log_units(draw):
    """Attributes of two log formats and how their codes multiply; any number of products is dropped."""
    x_signed = draw(st.integers(0, 1))
    return {
        "x_bits": draw(st.integers(1 + x_signed, 6)),
        "x_signed": x_signed,
        "weight_bits": draw(st.integers(2, 6)),
        "steps": draw(steps),
        "guard_bits": draw(st.integers(0, 32)),
    }


def log_inputs(unit):
    """The format of codes x, one bit wider at times: those beyond count as the nearest inside."""
    return FixedPoint(unit["x_bits"], 0, bool(unit["x_signed"]))


@settings(deadline=None, max_examples=150)
@given(windows(), seeds, log_units(), clipped_outputs(), st.integers(1, 64), st.booleans())
def test_log_conv(check_body, case, seed, unit, output, narrow_accumulator, constant):
    window, spatial = case
    rng = np.random.default_rng(seed)
    w_format = FixedPoint(unit["weight_bits"], 0, narrow=True)
    x, w, group = convolution(rng, window, spatial, w_format, log_inputs(unit))
    sums = 2 ** unit["guard_bits"] * int(np.prod(w.shape[1:]))
    bits = narrow_accumulator if rng.random() < 0.5 else 64
    check_body(
        TABLE["LogConv"],
        [x, w, *ending(rng, w.shape[0], sums, output)],
        {**window, **output, **unit, "group": group, "accumulator_bits": bits},
        constant=("w", "shift", "bias", "multiplier", "addend") if constant else (),
        onnx_too=seed % 4 == 0,
    )


WEIGHTS_OF_SUMS = {
    "FixedConvAdd": (FixedPoint(8, 0), {}),
    "ShiftConvAdd": (FixedPoint(4, 0, narrow=True), {"weight_bits": 4, "steps": 2}),
    "LogConvAdd": (FixedPoint(4, 0, narrow=True), {"weight_bits": 4, "x_bits": 5, "guard_bits": 10}),
}


@settings(deadline=None, max_examples=150)
@given(windows(), seeds, st.sampled_from(list(WEIGHTS_OF_SUMS)), clipped_outputs(), clipped_outputs(), st.booleans())
def test_conv_add(check_body, case, seed, op, inner, output, constant):
    """The body, and the kernels' definition: FixedAdd of what the convolution gives."""
    window, spatial = case
    rng = np.random.default_rng(seed)
    w_format, described = WEIGHTS_OF_SUMS[op]
    x, w, group = convolution(rng, window, spatial, w_format, FixedPoint(5, 0))
    shift, bias, multiplier, addend = ending(rng, w.shape[0], 2 ** (13 + w[0].size.bit_length()), inner)
    conv = {**window, **described, "group": group, "accumulator_bits": int(rng.integers(1, 64, endpoint=True))}
    whole = [x, w, *(np.asarray(each) for each in (shift, bias, multiplier, addend))]
    (codes,) = TABLE[op.removesuffix("Add")].reference(whole, {**conv, **inner, "to": 6})
    residual = random_codes(rng, FixedPoint(int(rng.integers(1, 31)), 0), codes.shape)
    lefts = [np.array(left) for left in rng.integers(0, 30, 2)]
    shift = np.array(int(rng.integers(-2, 40)))
    between = {f"conv_{name}": value for name, value in inner.items() if name != "to"}
    y = check_body(
        TABLE[op],
        [*whole, residual, *lefts, shift],
        {**conv, **between, **output},
        constant=("w", "shift", "bias", "multiplier", "addend") if constant else (),
        onnx_too=seed % 4 == 0,
    )
    np.testing.assert_array_equal(y, TABLE["FixedAdd"].reference([codes, residual, *lefts, shift], output)[0])


def test_what_is_added_to_a_convolution_has_its_shape(examples):
    inputs, attributes = examples["FixedConvAdd"]
    narrow = [*inputs[:6], inputs[6][:, :, :1], *inputs[7:]]
    with pytest.raises(ConfigError, match=r"'residual' has shape \[2, 6, 1, 5\]; the convolution gives \[2, 6, 4, 5\]"):
        TABLE["FixedConvAdd"].reference(narrow, attributes)
    with pytest.raises(ConfigError, match=r"input 'residual_left' has shape \[1\]; give a 0-d tensor"):
        TABLE["FixedConvAdd"].reference([*inputs[:8], np.array([1]), inputs[9]], attributes)


@some
@given(seeds, log_units(), clipped_outputs(), st.integers(1, 64), st.integers(0, 1), st.integers(0, 3))
def test_log_gemm(check_body, seed, unit, output, narrow_accumulator, transpose, rows):
    rng = np.random.default_rng(seed)
    k, m = (int(size) for size in rng.integers(1, 40, 2))
    x = random_codes(rng, log_inputs(unit), (rows, k))
    w = log_codes(rng, unit["weight_bits"], (m, k) if transpose else (k, m))
    inputs = [x, w, *ending(rng, m, 2 ** unit["guard_bits"] * k, output)]
    bits = narrow_accumulator if rng.random() < 0.5 else 64
    attributes = {**output, **unit, "transB": transpose, "accumulator_bits": bits}
    check_body(TABLE["LogGemm"], inputs, attributes, onnx_too=rows > 0)


@some
@given(shapes, seeds, st.integers(1, 8), st.booleans(), st.sampled_from(list(TYPES)))
def test_log_requantize(check_body, shape, seed, bits, signed, dtype):
    bits = max(bits, 1 + signed)
    rng = np.random.default_rng(seed)
    limits = np.iinfo(dtype)
    thresholds = np.sort(rng.integers(1, rng.choice([9, limits.max, 2**40]), 2 ** (bits - signed) - 1, endpoint=True))
    x = rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    near = rng.choice(np.clip(thresholds, 0, limits.max), shape) * rng.choice([-1, 1] if limits.min else [1], shape)
    x = np.array(np.where(rng.random(shape) < 0.5, near, x), dtype)
    attributes = {"bits": bits, "signed": int(signed), "to": 5}
    check_body(TABLE["LogRequantize"], [x, thresholds], attributes, onnx_too=x.size > 0)


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [
        ([1, 2], r"thresholds has shape \[2\]; 3 bits take \[3\]"),
        ([0, 1, 2], "thresholds must be positive, and none below the one before"),
        ([1, 3, 2], "thresholds must be positive, and none below the one before"),
    ],
)
def test_thresholds_rise(thresholds, message):
    with pytest.raises(ConfigError, match=message):
        TABLE["LogRequantize"].reference([np.zeros(2, np.int8), np.array(thresholds)], {"bits": 3, "to": 3})


@pytest.mark.parametrize("batch", [0, 1, 3])
def test_a_batch_of_any_size(check_body, batch):
    rng = np.random.default_rng(batch)
    x, w = random_codes(rng, FixedPoint(8, 0), (batch, 4, 6, 5)), random_codes(rng, FixedPoint(8, 0), (6, 2, 3, 3))
    byte = {"bits": 8, "to": 3}
    check_body(TABLE["FixedAveragePool"], [x, np.array(7, np.int32), np.array(9)], byte, onnx_too=batch > 0)
    pooling = {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 1, 1, 1], "dilations": [1, 1], "to": 3}
    check_body(TABLE["FixedMaxPool"], [x], pooling, onnx_too=batch > 0)
    inputs = [x, w, np.array(9), np.arange(6), np.array(1, np.int32), np.array(0)]
    window = {"kernel_shape": [3, 3], "strides": [2, 1], "pads": [1, 1, 1, 1], "dilations": [1, 1], "group": 2}
    check_body(TABLE["FixedConv"], inputs, {**window, **byte, "accumulator_bits": 32}, onnx_too=batch > 0)


@pytest.mark.parametrize("name", WITH_BODY)
def test_shapes_that_are_known_before(examples, one_node_on_onnxruntime, name):
    """onnxruntime then computes what it can of the shapes when it loads the model."""
    inputs, attributes = examples[name]
    op = TABLE[name]
    shapes = {wanted.name: np.shape(value) for wanted, value in zip(op.inputs, inputs, strict=False)}
    found, expected = one_node_on_onnxruntime(op, inputs, attributes, (), shapes)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", ["FixedConv", "FixedGemm"])
@pytest.mark.parametrize("signs", [(1, 1), (1, -1), (-1, -1)])
def test_the_largest_sums(check_body, name, signs):
    """A float accumulator would be far beyond 2**24 here."""
    extreme = {1: np.uint16(65535), -1: np.int16(-32768)}
    x, w = (extreme[sign] for sign in signs)
    tail = [np.array(31), np.array(-12345), np.array(3, np.int32), np.array(77)]
    output = {"bits": 32, "to": 6, "accumulator_bits": 60}
    if name == "FixedGemm":
        inputs = [np.full((2, 4000), x), np.full((4000, 3), w), *tail]
        check_body(TABLE[name], inputs, output)
    else:
        window = {"kernel_shape": [3, 3], "strides": [1, 1], "pads": [0, 1, 1, 0], "dilations": [1, 1]}
        inputs = [np.full((1, 512, 4, 4), x), np.full((2, 512, 3, 3), w), *tail]
        check_body(TABLE[name], inputs, {**window, **output}, onnx_too=False)


@some
@given(windows(), seeds, number_formats(), clipped_outputs(), st.booleans(), st.booleans())
def test_fixed_average_pool(check_body, case, seed, x_format, output, everything, defaults):
    window, spatial = case
    rng = np.random.default_rng(seed)
    kernel, pads = window["kernel_shape"], window["pads"]
    rank = len(kernel)
    spatial = tuple(max(size, kernel[at] - pads[at] - pads[at + rank]) for at, size in enumerate(spatial))
    attributes = {} if everything else {"kernel_shape": kernel, "strides": window["strides"], "pads": pads}
    if defaults and not everything:
        spatial = tuple(max(size, kernel[at]) for at, size in enumerate(spatial))
        attributes = {"kernel_shape": kernel}
    x = random_codes(rng, x_format, (2, 3, *spatial))
    multiplier, shift = np.array(rng.integers(-5, 2**16), np.int32), np.array(rng.integers(-2, 34))
    check_body(TABLE["FixedAveragePool"], [x, multiplier, shift], {**attributes, **output}, onnx_too=seed % 4 == 0)


def test_the_average_of_everything_takes_no_window(check_body, examples):
    inputs, attributes = examples["FixedAveragePool"]
    check_body(TABLE["FixedAveragePool"], inputs, {**attributes, "strides": [1, 1], "pads": [0, 0, 0, 0]})
    for window in ({"strides": [2, 1]}, {"pads": [0, 1, 0, 0]}):
        with pytest.raises(ConfigError, match="averages the whole map; leave out strides and pads"):
            TABLE["FixedAveragePool"].reference(inputs, {**attributes, **window})


def test_the_average_of_a_large_map(check_body):
    x = np.full((1, 2, 256, 256), 65535, np.uint16)
    inputs = [x, np.array(1, np.int32), np.array(16)]
    check_body(TABLE["FixedAveragePool"], inputs, {"bits": 16, "signed": 0, "to": 4}, onnx_too=False)


@some
@given(windows(), seeds, st.sampled_from(list(TYPES)))
def test_fixed_max_pool(check_body, case, seed, dtype):
    window, spatial = case
    spans = [(size - 1) * dilation for size, dilation in zip(window["kernel_shape"], window["dilations"], strict=True)]
    pads = [min(pad, span) for pad, span in zip(window["pads"], spans * 2, strict=True)]
    spatial = tuple(max(size, span + 1) for size, span in zip(spatial, spans, strict=True))
    rng = np.random.default_rng(seed)
    limits = np.iinfo(dtype)
    x = rng.integers(limits.min, limits.max, (2, 3, *spatial), dtype, endpoint=True)
    x[rng.random(x.shape) < 0.3] = limits.min
    check_body(TABLE["FixedMaxPool"], [x], {**window, "pads": pads, "to": element_type(dtype)}, onnx_too=seed % 4 == 0)


@pytest.mark.parametrize("dtype", list(TYPES))
def test_a_window_of_nothing_but_padding(check_body, dtype):
    """With a dilation the places of a window can all lie beside a small map."""
    window = {"kernel_shape": [2], "strides": [1], "pads": [1, 1], "dilations": [3], "to": element_type(dtype)}
    x = np.full((1, 2, 2), 5, dtype)
    check_body(TABLE["FixedMaxPool"], [x], window, onnx_too=False)
    (y,) = TABLE["FixedMaxPool"].reference([x], window)
    assert y.tolist() == [[[np.iinfo(dtype).min]] * 2]


def test_padding_is_smaller_than_the_window():
    window = {"kernel_shape": [2, 2], "strides": [1, 1], "pads": [0, 2, 0, 0], "dilations": [1, 1], "to": 3}
    with pytest.raises(ConfigError, match=r"pads is \[0, 2, 0, 0\]; it must be less than the window, which spans"):
        TABLE["FixedMaxPool"].reference([np.zeros((1, 1, 4, 4), np.int8)], window)
    with pytest.raises(ConfigError, match="attribute 'to' is 3; x has type uint8"):
        TABLE["FixedMaxPool"].reference([np.zeros((1, 1, 4, 4), np.uint8)], {**window, "pads": [0, 0, 0, 0]})
    with pytest.raises(ConfigError, match=r"x \[2, 2\] is no 1-D or 2-D feature map"):
        TABLE["FixedMaxPool"].reference([np.zeros((2, 2), np.int8)], {**window, "pads": [0, 0, 0, 0]})


@some
@given(shapes, seeds, outputs(), st.integers(-64, 126))
def test_quantize(check_body, shape, seed, output, frac):
    rng = np.random.default_rng(seed)
    fracs = np.array(
        np.clip(frac + rng.integers(-3, 3, tuple(n if rng.random() < 0.5 else 1 for n in shape)), -64, 126), np.int64
    )
    halves = rng.integers(-9, 9, shape) * 0.5 + rng.choice(
        [0, 0, 2.0 ** output["bits"], -(2.0 ** output["bits"]) / 2], shape
    )
    x = np.array(np.ldexp(halves * rng.choice([1.0, 1.0, 1.0, 0.999], shape), -frac), np.float32)
    check_body(TABLE["Quantize"], [x, fracs], output, onnx_too=x.size > 0)


def test_quantize_what_is_special(check_body):
    x = np.array([np.nan, np.inf, -np.inf, -0.0, 3e38, -3e38, 1e-45, 2.0**31, -(2.0**31), 2.0**31 - 128], np.float32)
    for bits, signed, to in ((32, 1, 6), (31, 0, 6), (16, 0, 4), (8, 1, 3), (1, 0, 2), (0, 1, 3)):
        for mode in MODES:
            check_body(
                TABLE["Quantize"], [x, np.array(0)], {"bits": bits, "signed": signed, "rounding": mode.code, "to": to}
            )


@some
@given(shapes, seeds, st.sampled_from(list(TYPES)), st.integers(-60, 120))
def test_dequantize(check_body, shape, seed, dtype, frac):
    rng = np.random.default_rng(seed)
    limits = np.iinfo(dtype)
    codes = rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    fracs = np.array(frac + rng.integers(-4, 4, tuple(n if rng.random() < 0.5 else 1 for n in shape)), np.int64)
    check_body(TABLE["Dequantize"], [np.array(codes, dtype), fracs], {}, onnx_too=codes.size > 0)


LOG_SETTINGS = [
    (bits, steps, signed)
    for bits in range(1, 9)
    for steps in (1, 2)
    for signed in (0, 1)
    if bits > signed and (bits, steps, signed) != (8, 1, 0)
]


@pytest.mark.parametrize(("bits", "steps", "signed"), LOG_SETTINGS)
def test_log_codes_there_and_back(check_body, bits, steps, signed):
    largest = np.array([[0.37], [8.0]], np.float32) * np.float32(2.0**40)
    codes = np.arange(-128 * signed, 128) if signed else np.arange(256)
    codes = codes.astype(np.int8 if signed else np.uint8)
    fields = {"bits": bits, "steps": steps, "signed": signed}
    values = check_body(TABLE["LogDequantize"], [np.stack([codes] * 2), largest], fields)
    middles = np.concatenate([values, (values[:, 1:] + values[:, :-1]) / 2], axis=1)
    x = np.concatenate(
        [
            middles,
            np.nextafter(middles, np.float32(np.inf)),
            np.nextafter(middles, np.float32(0)),
            -middles,
            np.full((2, 3), [np.nan, np.inf, -np.inf], np.float32),
        ],
        axis=1,
    )
    for mode in LogRounding:
        to = element_type(codes.dtype)
        check_body(TABLE["LogQuantize"], [x, largest], {**fields, "rounding": mode.code, "to": to})


def newest_opset():
    """The newest opset of onnx that this onnxruntime runs."""
    x, inputs = helper.make_tensor_value_info("x", 1, [1]), np.ones(1, np.float32)
    for opset in range(onnx.defs.onnx_opset_version(), 21, -1):
        graph = helper.make_graph(
            [helper.make_node("Relu", ["x"], ["y"])], "g", [x], [helper.make_tensor_value_info("y", 1, [1])]
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
        try:
            onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": inputs})
        except onnxruntime.capi.onnxruntime_pybind11_state.Fail:
            continue
        return opset
    return 21


@pytest.mark.parametrize("opset", sorted({13, 17, 21, newest_opset()}))
@pytest.mark.parametrize("name", WITH_BODY)
def test_opsets(check_body, examples, name, opset):
    inputs, attributes = examples[name]
    check_body(TABLE[name], inputs, attributes, opset=opset)


@pytest.mark.parametrize("name", WITH_BODY)
def test_constant_inputs_and_attributes_left_out(examples, one_node_on_onnxruntime, name):
    inputs, attributes = examples[name]
    op = TABLE[name]
    for constant in ((), tuple(wanted.name for wanted in op.inputs[1 : len(inputs)])):
        found, expected = one_node_on_onnxruntime(op, inputs, attributes, constant)
        np.testing.assert_array_equal(found, expected)
