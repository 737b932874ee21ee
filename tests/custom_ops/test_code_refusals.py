"""A node on codes that cannot be computed gives one clear error when the session is created."""

import numpy as np
import pytest

i8, u8, i16, i32, i64, f32 = np.int8, np.uint8, np.int16, np.int32, np.int64, np.float32
X = np.zeros((1, 4, 5, 5), u8)
W = np.zeros((6, 4, 3, 3), i8)
OUT = {"bits": 8, "signed": 1, "to": 3}
CONV = OUT | {"kernel_shape": [3, 3], "accumulator_bits": 32}
SHIFT = CONV | {"weight_bits": 3}
LOG = CONV | {"x_bits": 3, "x_signed": 0, "weight_bits": 3, "guard_bits": 6}
GEMM = OUT | {"accumulator_bits": 32}
POOL = {"kernel_shape": [2, 2], "to": 2}
S = i64(4)
ADD = CONV | {"conv_bits": 8}
R = np.zeros((1, 6, 3, 3), u8)


def conv_add(residual=R, left=0, residual_left=0, shift=4):
    """The inputs of a convolution with an addition."""
    return [X, W, S, i64(0), i32(1), i64(0), residual, i64(left), i64(residual_left), i64(shift)]


REFUSED = [
    ("FixedConv", [X, W, S], CONV | {"bits": 33}, "attribute 'bits' is 33; it must lie in 0..32"),
    ("FixedConv", [X, W, S], CONV | {"bits": 9}, "is int8, which does not hold the codes -256..255 of 9 bits"),
    ("FixedConv", [X, W, S], CONV | {"signed": 0}, "is int8, which does not hold the codes 0..255 of 8 bits"),
    ("FixedConv", [X, W, S], CONV | {"signed": 0, "narrow": 1}, "only a signed format can be narrow"),
    ("FixedConv", [X, W, S], CONV | {"lowest": 5, "highest": 4}, "attributes 'lowest' 5 and 'highest' 4 leave no code"),
    ("FixedConv", [X, W, S], CONV | {"lowest": 128}, "attributes 'lowest' 128 and 'highest' 127 leave no code"),
    ("FixedConv", [X, W, S], CONV | {"rounding": 6}, "attribute 'rounding' is 6; it must lie in 0..5"),
    ("FixedConv", [X, W, S], CONV | {"accumulator_bits": 0}, "attribute 'accumulator_bits' is 0; it must lie in 1..64"),
    ("FixedConv", [X, W, S], OUT | {"accumulator_bits": 32}, "attribute 'kernel_shape' has 0 numbers; give 1 or 2"),
    ("FixedConv", [X, W, S], CONV | {"kernel_shape": [3, 3, 3]}, "attribute 'kernel_shape' has 3 numbers; give 1 or 2"),
    (
        "FixedConv",
        [X, W, S],
        CONV | {"kernel_shape": [2, 3]},
        "'w' has shape [6, 4, 3, 3]; give it as [M, C/group, ker",
    ),
    ("FixedConv", [X, W, S], CONV | {"strides": [1]}, "attribute 'strides' has 1 numbers; kernel_shape asks for 2"),
    ("FixedConv", [X, W, S], CONV | {"strides": [0, 1]}, "attribute 'strides' has 0; its numbers must lie in 1..65535"),
    (
        "FixedConv",
        [X, W, S],
        CONV | {"pads": [0, 0, -1, 0]},
        "attribute 'pads' has -1; its numbers must lie in 0..65535",
    ),
    ("FixedConv", [X, W, S], CONV | {"dilations": [2**40, 1]}, "attribute 'dilations' has 1099511627776"),
    ("FixedConv", [X, W, S], CONV | {"group": 4}, "its 6 output channels do not divide into attribute 'group', 4"),
    ("FixedConv", [X, W, S], CONV | {"group": 0}, "attribute 'group' is 0"),
    ("FixedConv", [X, W.astype(f32), S], CONV, "input 'w' is float32; give it as one of int8, uint8, int16, uint16"),
    ("FixedConv", [X.astype(i32), W, S], CONV, "input 'x' is int32; give it as one of int8, uint8, int16, uint16"),
    ("FixedConv", [X, W, i32(4)], CONV, "input 'shift' is int32; give it as one of int64"),
    ("FixedConv", [X, W, i64(63)], CONV, "input 'shift' is 63; it must lie in -62..62"),
    (
        "FixedConv",
        [X, W, np.zeros(5, i64)],
        CONV,
        "input 'shift' has shape [5]; give one number, or one a channel: [6]",
    ),
    ("FixedConv", [X, W, S, np.zeros(4, i32)], CONV, "input 'bias' has shape [4]"),
    ("FixedConv", [X, W, S, np.zeros(6, f32)], CONV, "input 'bias' is float32; give it as one of int32, int64"),
    ("FixedConv", [X, W, S, None, np.zeros((1, 6), i32)], CONV, "input 'multiplier' has shape [1, 6]"),
    ("FixedConv", [X, W, S, None, None, i32(1)], CONV, "input 'addend' is int32"),
    ("ShiftConv", [X, W, S], SHIFT | {"steps": 3}, "attribute 'steps' is 3; it must lie in 1..2"),
    ("LogConv", [X, W, S], SHIFT, "attribute 'x_bits' is missing"),
    ("LogConv", [X, W, S], LOG | {"weight_bits": 9}, "attribute 'weight_bits' is 9; it must lie in 2..8"),
    ("LogConv", [X, W, S], LOG | {"x_bits": 1, "x_signed": 1}, "attribute 'x_bits' is 1; it must lie in 2..8"),
    ("LogConv", [X, W, S], LOG | {"x_bits": 8}, "attribute 'x_bits' is 8, with base 2 and 'x_signed' 0"),
    ("LogConv", [X, W, S], LOG | {"guard_bits": 33}, "attribute 'guard_bits' is 33; it must lie in 0..32"),
    ("LogConv", [X, W + i8(4), S], LOG, "'w' has the log code 4; by attribute 'weight_bits' codes lie in -3..3"),
    ("LogRequantize", [X, np.arange(1, 7)], OUT | {"bits": 3}, "[6]; attributes 'bits' and 'signed' ask for [3]"),
    ("LogRequantize", [X, np.array([1, 3, 2])], OUT | {"bits": 3}, "'thresholds' has 2 after 3; give positive"),
    ("LogRequantize", [X, np.array([0, 1, 2])], OUT | {"bits": 3}, "'thresholds' has 0 after 1; give positive"),
    ("LogRequantize", [X, np.arange(1, 128)], OUT | {"to": 2}, "is uint8, which does not hold the codes of 'bits'"),
    ("LogRequantize", [X.astype(i64), np.arange(1, 4)], OUT | {"bits": 3}, "input 'x' is int64; give it as one of"),
    ("FixedConvAdd", conv_add(), CONV, "attribute 'conv_bits' is missing"),
    (
        "FixedConvAdd",
        conv_add(),
        ADD | {"conv_bits": 32, "conv_signed": 0},
        "attribute 'conv_bits' makes the codes 0..4294967295 of 32 bits, which int32 does not hold",
    ),
    ("FixedConvAdd", conv_add(), ADD | {"conv_signed": 0, "conv_narrow": 1}, "'conv_narrow' is 1 but 'conv_signed' is"),
    ("FixedConvAdd", conv_add(), ADD | {"conv_lowest": 5, "conv_highest": 4}, "'conv_highest' 4 leave no code"),
    ("FixedConvAdd", conv_add(), ADD | {"conv_rounding": 6}, "attribute 'conv_rounding' is 6; it must lie in 0..5"),
    ("FixedConvAdd", conv_add(), ADD | {"bits": 9}, "is int8, which does not hold the codes -256..255 of 9 bits"),
    ("FixedConvAdd", conv_add(left=63), ADD, "input 'left' is 63; it must lie in 0..62"),
    ("FixedConvAdd", conv_add(residual_left=-1), ADD, "input 'residual_left' is -1; it must lie in 0..62"),
    ("FixedConvAdd", conv_add(shift=63), ADD, "input 'sum_shift' is 63; it must lie in -62..62"),
    ("FixedConvAdd", conv_add(R.astype(f32)), ADD, "input 'residual' is float32; give it as one of int8, uint8, int16"),
    ("ShiftConvAdd", conv_add(), ADD, "attribute 'weight_bits' is missing"),
    ("ShiftConv", [X, W, S], CONV, "attribute 'weight_bits' is missing"),
    (
        "ShiftConv",
        [X, W + i8(4), S],
        SHIFT,
        "input 'w' has the log code 4; by attribute 'weight_bits' codes lie in -3..3",
    ),
    ("ShiftConv", [X, W, S], SHIFT | {"weight_bits": 17}, "attribute 'weight_bits' is 17"),
    ("FixedGemm", [np.zeros((2, 4), u8), np.zeros(4, i8), S], GEMM, "input 'w' has shape [4]; give it as [K, M], or"),
    ("FixedGemm", [np.zeros((2, 4), u8), np.zeros((4, 0), i8), S], GEMM, "input 'w' has shape [4, 0]"),
    ("Affine", [X, np.ones(4, i32), np.ones(3, i64), S], OUT, "input 'multiplier' has shape [4]"),
    ("FixedAdd", [X, X, i64(-1), i64(0), S], OUT, "input 'left_a' is -1; it must lie in 0..62"),
    ("FixedAdd", [X, X, i64(0), np.zeros(2, i64), S], OUT, "input 'left_b' has shape [2]; give a single number"),
    (
        "FixedMaxPool",
        [X],
        POOL | {"pads": [0, 2, 0, 0]},
        "attribute 'pads' has 2; a window spans 2, and padding must be",
    ),
    ("FixedMaxPool", [X], POOL | {"to": 3}, "input 'x' is uint8; attribute 'to' says int8, which it must be"),
    ("FixedMaxPool", [X], POOL | {"strides": [1]}, "attribute 'strides' has 1 numbers; kernel_shape asks for 2"),
    ("FixedMaxPool", [X], {"to": 2}, "attribute 'kernel_shape' has 0 numbers"),
    ("FixedAveragePool", [X, np.ones(2, i32), S], OUT, "input 'multiplier' has shape [2]; give a single number"),
    (
        "Lookup",
        [X, np.zeros(5, i8)],
        {"input_bits": 8, "to": 3},
        "input 'table' has shape [5]; attribute 'input_bits' 8",
    ),
    (
        "Lookup",
        [X, np.zeros(4, i16)],
        {"input_bits": 2, "to": 3},
        "input 'table' is int16; attribute 'to' asks for int8",
    ),
    ("Lookup", [X, np.zeros(4, i8)], {"input_bits": 17, "to": 3}, "attribute 'input_bits' is 17"),
    ("Quantize", [X.astype(f32), i64(200)], OUT, "input 'frac' is 200; fraction bits must lie in -64..126"),
    ("Dequantize", [X, i64(-65)], {}, "input 'frac' is -65"),
    ("LogQuantize", [X.astype(f32), f32(-1)], {"bits": 4, "to": 3}, "input 'scale' is -1"),
    ("LogQuantize", [X.astype(f32), f32(1)], {"bits": 4, "to": 2}, "is uint8, which does not hold the codes -7..7"),
    ("LogDequantize", [X, f32(0)], {"bits": 4}, "input 'scale' is 0"),
]

REFUSED_AT_RUN = [
    (
        "FixedConvAdd",
        conv_add(R[..., 1:]),
        ADD,
        "input 'residual' has shape [1, 6, 3, 2]; the convolution gives [1, 6, 3, 3]",
    ),
    ("FixedMaxPool", [np.zeros((1, 4, 1, 5), u8)], POOL, "padded too small for a window of 2"),
    ("FixedMaxPool", [np.zeros((1, 4, 5), u8)], POOL, "'x' has shape [1, 4, 5]; kernel_shape of 2 numbers asks for 4"),
    (
        "FixedConv",
        [np.zeros((1, 5, 5, 5), u8), W, S],
        CONV,
        "input 'x' has shape [1, 5, 5, 5]; w and group ask for 4 ch",
    ),
    (
        "FixedConv",
        [np.zeros((1, 4, 5), u8), W, S],
        CONV,
        "input 'x' has shape [1, 4, 5]; kernel_shape of 2 numbers asks",
    ),
    ("FixedConv", [np.zeros((1, 4, 2, 5), u8), W, S], CONV, "padded too small for a window of 3"),
    ("FixedGemm", [np.zeros((2, 3), u8), np.zeros((4, 5), i8), S], GEMM, "'x' has shape [2, 3]; w asks for [N, 4]"),
    ("Affine", [X, np.ones(3, i32), i64(0), S], OUT, "its dimension 1 (attribute 'axis') must be 3"),
    ("Requantize", [X, np.zeros((1, 2, 1, 1), i64)], OUT, "do not broadcast to the shape [1, 4, 5, 5]"),
    (
        "FixedAveragePool",
        [np.zeros((2, 2), u8), i32(1), S],
        OUT,
        "'x' has shape [2, 2]; give [N, C] and one or two dim",
    ),
]


@pytest.mark.parametrize(("op", "inputs", "attributes", "message"), REFUSED)
def test_session_creation_names_node_op_and_cause(op, inputs, attributes, message, create_codes):
    with pytest.raises(Exception, match=r"(?i)node|input") as caught:
        create_codes(op, inputs, attributes, data=2 if op == "FixedAdd" else 1)
    assert message in str(caught.value)
    assert f"node 'the_node' ({op}): " in str(caught.value)


@pytest.mark.parametrize(("op", "inputs", "attributes", "message"), REFUSED_AT_RUN)
def test_the_shape_of_x_is_checked_when_it_is_known(op, inputs, attributes, message, run_codes):
    with pytest.raises(Exception, match=f"node 'the_node' .{op}.: ") as caught:
        run_codes(op, inputs, attributes)
    assert message in str(caught.value)


@pytest.mark.parametrize("shape", [(0, 4, 5, 5), (0, 4, 9, 3)])
def test_empty_batches(shape, run_codes):
    found = run_codes("FixedConv", [np.zeros(shape, u8), W, S], CONV)
    assert (found.dtype, found.shape) == (np.dtype(i8), (0, 6, shape[2] - 2, shape[3] - 2))
    assert run_codes("FixedGemm", [np.zeros((0, 4), u8), np.zeros((4, 5), i8), S], GEMM).shape == (0, 5)


def test_shapes_and_types_are_inferred(create_codes):
    session = create_codes("FixedConv", [np.zeros((3, 4, 9, 7), u8), W, S], CONV | {"strides": [2, 1]})
    assert session.get_outputs()[0].shape == [3, 6, 4, 5]
    assert session.get_outputs()[0].type == "tensor(int8)"
