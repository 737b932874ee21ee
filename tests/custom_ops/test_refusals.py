"""A node that cannot be computed gives one clear error, at session creation where everything is known then."""

import numpy as np
import pytest

DIALECT = "qonnx.custom_op.general"
f32 = np.float32
X = np.zeros((2, 3), f32)
QUANT = [X, f32(1), f32(0), f32(8)]
SIGNED = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
TRUNC = [X, f32(1), f32(0), f32(8), f32(4)]
FLOAT = [X, f32(1), f32(4), f32(3), f32(7), f32(480)]
SATURATES = {"saturation": 1, "has_inf": 0, "has_nan": 0}


def changed(inputs, position, value):
    return [*inputs[:position], value, *inputs[position + 1 :]]


REFUSED = [
    ("FixedQuant", [X, np.int64(0)], {}, "attribute 'bits' is missing"),
    ("FixedQuant", [X, np.int64(0)], {"bits": 33}, "attribute 'bits' is 33; it must lie in 0..32"),
    ("FixedQuant", [X, np.int64(0)], {"bits": -1}, "attribute 'bits' is -1"),
    ("FixedQuant", [X, np.int64(0)], {"bits": "8"}, "attribute 'bits' is missing or not an int"),
    ("FixedQuant", [X, np.int64(0)], {"bits": 8, "signed": 0.5}, "attribute 'signed' is missing or not an int"),
    ("FixedQuant", [X, np.int64(0)], {"bits": 8, "signed": 0, "narrow": 1}, "only a signed format can be narrow"),
    ("FixedQuant", [X, np.int64(0)], {"bits": 8, "rounding": 6}, "attribute 'rounding' is 6; it must lie in 0..5"),
    ("FixedQuant", [X, np.int64(127)], {"bits": 8}, "input 'frac' is 127; fraction bits must lie in -64..126"),
    ("FixedQuant", [X, np.array([0, 1, -65])], {"bits": 8}, "input 'frac' is -65"),
    ("FixedQuant", [X, np.array([0, 1])], {"bits": 8}, "shape [2] do not broadcast to the shape [2, 3] of x"),
    ("FixedQuant", [X, np.zeros((1, 2, 3), np.int64)], {"bits": 8}, "shape [1, 2, 3] do not broadcast"),
    ("FixedQuant", [X, np.zeros(0, np.int64)], {"bits": 8}, "shape [0] do not broadcast"),
    ("LogQuant", [X, f32(1)], {"bits": 1}, "attribute 'bits' is 1; it must lie in 2..8"),
    ("LogQuant", [X, f32(1)], {"bits": 9, "signed": 0}, "attribute 'bits' is 9; it must lie in 1..8"),
    ("LogQuant", [X, f32(1)], {"bits": 4, "steps": 3}, "attribute 'steps' is 3"),
    ("LogQuant", [X, f32(1)], {"bits": 4, "rounding": 2}, "attribute 'rounding' is 2"),
    ("LogQuant", [X, f32(0)], {"bits": 4}, "input 'scale' is 0; it must be a positive float32 number"),
    ("LogQuant", [X, f32(-1)], {"bits": 4}, "input 'scale' is -1"),
    ("LogQuant", [X, f32(np.nan)], {"bits": 4}, "input 'scale' is nan"),
    ("LogQuant", [X, f32(np.inf)], {"bits": 4}, "input 'scale' is inf"),
    ("LogQuant", [X, f32(1)], {"bits": 8, "signed": 0}, "reach below 2**-126"),
    ("Quant", changed(QUANT, 3, f32(2.5)), SIGNED, "input 'bitwidth' is 2.5; it must be a whole number in 1..64"),
    ("Quant", changed(QUANT, 3, f32(np.nan)), SIGNED, "input 'bitwidth' is nan"),
    ("Quant", changed(QUANT, 3, f32(0)), SIGNED, "input 'bitwidth' is 0"),
    ("Quant", changed(QUANT, 3, f32([4, 4])), SIGNED, "input 'bitwidth' has shape [2]"),
    ("Quant", changed(QUANT, 3, f32([])), SIGNED, "input 'bitwidth' has shape [0]"),
    ("Quant", changed(QUANT, 3, np.array("8")), SIGNED, "input 'bitwidth' has an unsupported element type"),
    ("Quant", changed(QUANT, 1, np.ones((4, 2, 3), f32)), SIGNED, "do not broadcast to the shape [2, 3] of x"),
    ("Quant", changed(changed(QUANT, 1, np.ones(2, f32)), 2, np.ones(3, f32)), SIGNED, "do not broadcast together"),
    ("Quant", QUANT, {"narrow": 0}, "attribute 'signed' is missing"),
    ("Quant", QUANT, {"signed": 1}, "attribute 'narrow' is missing"),
    ("Quant", QUANT, {**SIGNED, "rounding_mode": "NEAREST"}, "attribute 'rounding_mode' is 'NEAREST'; choose one of"),
    ("Quant", QUANT, {**SIGNED, "rounding_mode": b"\xff\x00"}, "attribute 'rounding_mode' is '?'; choose one of"),
    ("Quant", QUANT, {**SIGNED, "rounding_mode": 3}, "attribute 'rounding_mode' is missing or not a string"),
    ("Trunc", TRUNC, {}, "attribute 'rounding_mode' is missing"),
    ("Trunc", changed(TRUNC, 4, f32(-1)), {"rounding_mode": "FLOOR"}, "input 'out_bits' is -1"),
    ("Trunc", [*changed(TRUNC, 4, np.int32(1)), f32(4)], {"rounding_mode": "FLOOR"}, "'out_scale' is not float32"),
    ("Trunc", [*TRUNC, f32(0)], {"rounding_mode": "FLOOR"}, "input 'out_bits' is 0"),
    ("FloatQuant", FLOAT, {**SATURATES, "saturation": 0}, "set one of the three"),
    ("FloatQuant", FLOAT, {"saturation": 1}, "attribute 'has_inf' is missing"),
    ("FloatQuant", changed(FLOAT, 2, f32(2.5)), SATURATES, "input 'exponent_bits' is 2.5"),
    ("FloatQuant", changed(FLOAT, 3, f32(-1)), SATURATES, "input 'mantissa_bits' is -1"),
    ("FloatQuant", changed(FLOAT, 4, f32(0.5)), SATURATES, "input 'exponent_bias' is 0.5"),
    ("FloatQuant", changed(FLOAT, 5, f32(np.nan)), SATURATES, "input 'max_val'"),
]


@pytest.mark.parametrize(("op", "inputs", "attributes", "message"), REFUSED)
@pytest.mark.parametrize("when", ["creation", "run"])
def test_the_message_names_node_op_and_cause(op, inputs, attributes, message, when, run_node):
    domain = "qonnx_tools.ops" if op in {"FixedQuant", "LogQuant"} else DIALECT
    constant = range(1, len(inputs)) if when == "creation" else ()
    with pytest.raises(Exception, match=f"node 'the_node' .{op}.: ") as caught:
        run_node(op, inputs, attributes, domain=domain, constant=constant)
    assert message in str(caught.value)


def test_constant_parameters_are_refused_at_session_creation(make_model, make_session):
    model = make_model("LogQuant", [X, f32(-1)], {"bits": 4})
    with pytest.raises(Exception, match="input 'scale' is -1"):
        make_session(model)


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int32])
def test_x_must_be_float32(dtype, run_node):
    with pytest.raises(Exception, match=r"(?i)type"):
        run_node("FixedQuant", [np.zeros(3, dtype), np.int64(0)], {"bits": 8})


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5])
def test_wrong_number_of_inputs(count, run_node):
    with pytest.raises(Exception, match=r"(?i)input"):
        run_node("Quant", [*QUANT, f32(1)][:count], SIGNED, domain=DIALECT)
