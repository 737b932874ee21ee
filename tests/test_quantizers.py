"""A format becomes a node and comes back; nodes of the QONNX dialect count only where they are exactly a format."""

import numpy as np
import pytest

from qonnx_tools.arithmetic import qonnx_dialect
from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.formats import Format, format_kinds
from qonnx_tools.arithmetic.log import Log, LogRounding
from qonnx_tools.arithmetic.rounding import Rounding
from qonnx_tools.errors import ConfigError
from qonnx_tools.graph import gs
from qonnx_tools.ops import DOMAIN, QONNX_DOMAINS, op_table
from qonnx_tools.plan import Role, TensorPlan
from qonnx_tools.quantizers import Quantizer, is_quantizing, quantizer_node, quantizer_of

SHAPE = (3, 5, 2, 4)
PER_TENSOR = [
    FixedPoint(8, 4),
    FixedPoint(0, 0),
    FixedPoint(1, -3),
    FixedPoint(32, 126, narrow=True),
    FixedPoint(16, -64, signed=False),
    Log(5, 1.5),
    Log(2, 0.3, 2),
    Log(8, 2.0**120, 2, signed=False),
]


def per_channel(channels: int) -> list[Format]:
    random = np.random.default_rng(channels)
    fracs, scales = random.integers(-9, 20, channels), random.uniform(0.1, 9, channels).astype(np.float32)
    return [
        FixedPoint(6, tuple(fracs.tolist()), narrow=True),
        FixedPoint(7, tuple(fracs.tolist()), signed=False),
        Log(4, tuple(scales.tolist()), 2),
        Log(3, tuple(scales.tolist()), signed=False),
    ]


CASES = [(each, None) for each in PER_TENSOR] + [
    (each, axis) for axis in range(len(SHAPE)) for each in per_channel(SHAPE[axis])
]


def node_of(number_format: Format, rounding: str | None, axis: int | None) -> gs.Node:
    tensor = gs.Variable("x", np.float32, SHAPE)
    return quantizer_node(tensor, gs.Variable("y"), "q", TensorPlan(Role.WEIGHT, number_format, rounding, axis))


def test_every_format_is_tried():
    assert {type(each) for each, _ in CASES} == set(format_kinds().values())


@pytest.mark.parametrize(("number_format", "axis"), CASES, ids=str)
def test_a_format_comes_back_from_its_node(number_format, axis):
    for rounding in (None, *number_format.roundings):
        node = node_of(number_format, rounding, axis)
        found = quantizer_of(node)
        if isinstance(number_format, Log):  # a node holds its scale as float32
            scale = np.float32(number_format.scale).tolist()
            number_format = Log(
                number_format.bits,
                tuple(scale) if axis is not None else scale,
                number_format.steps,
                number_format.signed,
            )
        assert found == Quantizer(number_format, rounding or next(iter(number_format.roundings)), axis)
        assert is_quantizing(node)


@pytest.mark.parametrize(("number_format", "axis"), CASES, ids=str)
def test_the_node_computes_what_the_format_says(number_format, axis):
    x = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32) * 4
    node = node_of(number_format, None, axis)
    (y,) = op_table()[node.domain, node.op].reference([x, np.asarray(node.inputs[1].values)], dict(node.attrs))
    np.testing.assert_array_equal(y, number_format.quantize(x, None, axis))


def test_defaults_of_attributes_that_are_left_out():
    frac = gs.Constant("frac", np.array(3))
    node = gs.Node("FixedQuant", "q", {"bits": 4}, [gs.Variable("x", np.float32, SHAPE), frac], [], domain=DOMAIN)
    assert quantizer_of(node) == Quantizer(FixedPoint(4, 3), Rounding.HALF_EVEN)
    scale = gs.Constant("scale", np.array(2, np.float32))
    node = gs.Node("LogQuant", "q", {"bits": 4}, [gs.Variable("x", np.float32, SHAPE), scale], [], domain=DOMAIN)
    assert quantizer_of(node) == Quantizer(Log(4, 2.0), LogRounding.LINEAR)


@pytest.mark.parametrize(
    ("shape", "axis"), [((4,), 3), ((2, 1), 2), ((5, 1, 1), 1), ((1, 5, 1, 1), 1), ((3, 1, 1, 1), 0)]
)
def test_the_axis_is_that_of_the_tensor_however_short_the_parameter(shape, axis):
    fracs = np.arange(np.prod(shape)).reshape(shape)
    inputs = [gs.Variable("x", np.float32, SHAPE), gs.Constant("frac", fracs.astype(np.int64))]
    found = quantizer_of(gs.Node("FixedQuant", "q", {"bits": 8}, inputs, [], domain=DOMAIN))
    assert found == Quantizer(FixedPoint(8, tuple(range(SHAPE[axis]))), Rounding.HALF_EVEN, axis)
    scale = gs.Constant("scale", np.ldexp(np.float32(1), -fracs))
    assert quantizer_of(quant(scale=scale)) == found


def test_parameters_along_two_axes_are_no_format_of_ours():
    inputs = [gs.Variable("x", np.float32, SHAPE), gs.Constant("frac", np.zeros((3, 5, 1, 1), np.int64))]
    node = gs.Node("FixedQuant", "q", {"bits": 8}, inputs, [], domain=DOMAIN)
    assert quantizer_of(node) is None
    assert is_quantizing(node)


def test_computed_parameters_are_no_format_yet():
    node = node_of(FixedPoint(8, 4), None, None)
    node.inputs = [node.inputs[0], gs.Variable("frac", np.int64, ())]
    assert quantizer_of(node) is None


def quant(scale=0.25, zero_point=0.0, bits=8.0, op="Quant", domain=QONNX_DOMAINS[0], **attributes) -> gs.Node:
    constants = [
        value if isinstance(value, gs.Constant) else gs.Constant(name, np.asarray(value, np.float32))
        for name, value in (("scale", scale), ("zero", zero_point), ("bits", bits))
    ]
    given = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"} | attributes
    return gs.Node(op, "q", given, [gs.Variable("x", np.float32, SHAPE), *constants], [], domain=domain)


@pytest.mark.parametrize("domain", QONNX_DOMAINS)
@pytest.mark.parametrize("op", ["Quant", "IntQuant"])
@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, FixedPoint(8, 2)),
        ({"narrow": 1}, FixedPoint(8, 2, narrow=True)),
        ({"signed": 0}, FixedPoint(8, 2, signed=False)),
        ({"signed": 0, "bits": 1}, FixedPoint(1, 2, signed=False)),
        ({"scale": 16, "bits": 25}, FixedPoint(25, -4)),
    ],
)
@pytest.mark.parametrize(
    ("mode", "rounding"), [("ROUND", "half_even"), ("floor", "floor"), ("CEIL", "ceil"), ("DOWN", "toward_zero")]
)
def test_quant_that_is_exactly_a_format(domain, op, parameters, expected, mode, rounding):
    node = quant(op=op, domain=domain, rounding_mode=mode, **parameters)
    assert quantizer_of(node) == Quantizer(expected, rounding)
    random = np.random.default_rng(1)
    x = np.concatenate([random.normal(size=500) * 40, np.arange(-600, 600) / 8, [np.inf, -np.inf]]).astype(np.float32)
    by_quant = qonnx_dialect.int_quant(
        x, node.inputs[1].values, 0, node.inputs[3].values, signed=bool(node.attrs["signed"]),
        narrow=bool(node.attrs["narrow"]), rounding_mode=mode,
    )  # fmt: skip
    np.testing.assert_array_equal(by_quant, expected.quantize(x, rounding))


@pytest.mark.parametrize(
    "parameters",
    [
        {"scale": 0.3},
        {"scale": -0.25},
        {"scale": 0.0},
        {"scale": np.inf},
        {"scale": np.nan},
        {"scale": 2.0**65},
        {"scale": 2.0**-127},
        {"scale": [0.25, 0.5, 0.3, 1]},
        {"zero_point": 1.0},
        {"bits": 2.5},
        {"bits": 0},
        {"bits": 26},
        {"bits": 25, "signed": 0},
        {"bits": 64},
        {"bits": 1},
        {"bits": np.nan},
        {"bits": [8.0, 4.0, 8.0, 4.0]},
        {"signed": 0, "narrow": 1},
        {"rounding_mode": "UP"},
        {"rounding_mode": "HALF_UP"},
        {"rounding_mode": "HALF_DOWN"},
    ],
    ids=str,
)
def test_quant_that_is_no_format_of_ours(parameters):
    node = quant(**parameters)
    assert quantizer_of(node) is None
    assert is_quantizing(node)


def test_nodes_that_quantize_nothing():
    x = gs.Variable("x", np.float32, SHAPE)
    for op, domain in (("Relu", None), ("Quant", "somebody.else"), ("FixedQuant", None)):
        node = gs.Node(op, "n", {}, [x], [], domain=domain)
        assert quantizer_of(node) is None
        assert not is_quantizing(node)
    assert is_quantizing(gs.Node("QuantizeLinear", "n", {}, [x], []))


def test_a_format_without_an_op():
    class Other(FixedPoint):
        pass

    with pytest.raises(ConfigError, match="no op quantizes to fixed formats"):
        node_of(Other(8, 0), None, None)
