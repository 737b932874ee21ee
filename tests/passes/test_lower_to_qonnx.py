import itertools

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.formats import Format
from qonnx_tools.arithmetic.log import Log
from qonnx_tools.arithmetic.rounding import Rounding
from qonnx_tools.graph import constant_value, from_proto, to_proto
from qonnx_tools.ops import DOMAIN, QONNX_DOMAINS
from qonnx_tools.passes.base import Rewrite
from qonnx_tools.passes.insert_quantizers import InsertQuantizers
from qonnx_tools.passes.lower_to_qonnx import LowerToQonnx
from qonnx_tools.pipeline import canonicalize, run_passes
from qonnx_tools.plan import Plan, Role, TensorPlan
from qonnx_tools.quantizers import quantizer_of
from qonnx_tools.runtime import session

MODES = {"half_even": "ROUND", "floor": "FLOOR", "ceil": "CEIL", "toward_zero": "DOWN"}
SIGNS = [(True, False), (True, True), (False, False)]
ALL = [
    FixedPoint(bits, 0, signed, narrow)
    for signed, narrow in SIGNS
    for bits in range(1 + signed, 25 + signed)
]  # fmt: skip


def model(quantizers, x=None, shape=None) -> onnx.ModelProto:
    """One graph output for each (op, parameter, attributes), all of the input x, or of the constant x."""
    made, constants, outputs = [], [], []
    for position, (op, parameter, attributes) in enumerate(quantizers):
        source = "x" if x is None else f"w{position}"
        made.append(helper.make_node(op, [source, f"p{position}"], [f"y{position}"], f"q{position}", None, DOMAIN))
        made[-1].attribute.extend(helper.make_attribute(*item) for item in attributes.items())
        constants.append(numpy_helper.from_array(parameter, f"p{position}"))
        dims = (shape or ["n"]) if x is None else x.shape
        outputs.append(helper.make_tensor_value_info(f"y{position}", TensorProto.FLOAT, dims))
        if x is not None:
            constants.append(numpy_helper.from_array(x, f"w{position}"))
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape or ["n"])]
    graph = helper.make_graph(made, "g", inputs, outputs, constants)
    imports = [helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


def quantizer(of: Format, rounding: str | None = None, *, shape=()):
    attributes = {"bits": of.bits, "signed": int(of.signed), "rounding": of.rounding_code(rounding)}
    if isinstance(of, FixedPoint):
        return "FixedQuant", np.array(of.frac, np.int64).reshape(shape), attributes | {"narrow": int(of.narrow)}
    return (
        "LogQuant",
        np.array(of.scale, np.float32).reshape(shape or np.shape(of.scale)),
        attributes | {"steps": of.steps},
    )


def lowered(proto):
    """Lower a model twice: the second time nothing is left to do. Return it with reasons to decline, by node."""
    work = from_proto(proto)
    (report,) = run_passes(work, [LowerToQonnx()])
    after = to_proto(work)
    onnx.checker.check_model(after, full_check=True)
    (again,) = run_passes(work, [LowerToQonnx()])
    assert again.rewrites == ()
    assert to_proto(work) == after
    return work, {item.node: item.reason for item in report.outcomes if not isinstance(item, Rewrite)}


def compare(proto, x, *, fired=True):
    """Equal values before and after, for all outputs; zeros may differ in sign."""
    work, reasons = lowered(proto)
    assert not fired or reasons == {}
    results = [session(each, optimize=False, threads=1).run(None, {"x": x}) for each in (proto, work)]
    for position, (expected, got) in enumerate(zip(*results, strict=True)):
        np.testing.assert_array_equal(got, expected, f"output {position}")  # -0 equals +0, NaN equals NaN
    return work


def awkward_numbers(bits: int) -> np.ndarray:
    """Every quarter step about the codes of 8 bits and about both ends of ``bits``, with the floats beside each."""
    most = 2.0 ** min(bits, 32)
    ends = [sign * end + np.arange(-8, 9) / 4 for end in (most, most / 2, 2.0**23, 2.0**24) for sign in (-1, 1)]
    values = np.concatenate([np.arange(-1100, 1101) / 4, *ends, [0.0, -0.0, np.inf, -np.inf, np.nan, 3e38, 1e-45]])
    exact = values.astype(np.float32)
    return np.concatenate([exact, np.nextafter(exact, np.float32(np.inf)), np.nextafter(exact, np.float32(-np.inf))])


@pytest.mark.parametrize("rounding", MODES)
def test_equals_fixed_point_for_every_width(rounding, random):
    bit_patterns = random.integers(0, 2**32, 20000, dtype=np.uint32).view(np.float32)
    x = np.concatenate([*(awkward_numbers(bits) for bits in range(1, 26)), bit_patterns])
    work = compare(model([quantizer(of, rounding) for of in ALL]), x)
    assert {node.op for node in work.graph.nodes} == {"Quant"}
    for node, of in zip(work.graph.nodes, ALL, strict=True):
        assert quantizer_of(node).format == of, "the Quant says the same format"
        assert quantizer_of(node).rounding == rounding


@given(
    of=st.sampled_from(ALL),
    frac=st.integers(-64, 126),
    rounding=st.sampled_from(list(MODES)),
    x=st.lists(st.floats(width=32), min_size=1, max_size=50),
)
def test_equals_fixed_point_at_every_scale(of, frac, rounding, x):
    values = np.array(x, dtype=np.float32)
    near = np.ldexp(np.float32(1), -frac) * np.arange(-9, 10, dtype=np.float32) / 2
    finer = FixedPoint(of.bits, frac, of.signed, of.narrow)
    compare(model([quantizer(finer, rounding)]), np.concatenate([values, near]))


def test_common_profile():
    work = compare(model([quantizer(FixedPoint(8, 5)), quantizer(FixedPoint(4, -1, signed=False))]), awkward_numbers(8))
    for node, scale, bits, signed in zip(work.graph.nodes, (2**-5, 2), (8, 4), (1, 0), strict=True):
        assert (node.op, node.domain) == ("Quant", "qonnx.custom_op.general")
        assert node.attrs == {"rounding_mode": "ROUND", "signed": signed, "narrow": 0}
        assert [tensor.name for tensor in node.inputs[1:]] == [
            f"{node.name}.scale", f"{node.name}.zeropt", f"{node.name}.bitwidth",
        ]  # fmt: skip
        for tensor, expected in zip(node.inputs[1:], (scale, 0, bits), strict=True):
            value = constant_value(tensor)
            assert (value.shape, value.dtype) == ((), np.float32)
            assert value == expected
    assert to_proto(work).functions == [], "no function body is left behind"
    assert QONNX_DOMAINS[0] in {entry.domain for entry in to_proto(work).opset_import}


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (3, 1, 1)])
def test_per_channel(shape, random):
    x = random.normal(size=(2, 3, 4, 4)).astype(np.float32)
    work = compare(model([quantizer(FixedPoint(4, (1, 2, 5)), shape=shape)], shape=[2, 3, 4, 4]), x)
    assert constant_value(work.graph.nodes[0].inputs[1]).shape == shape


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("bits", [2, 8, 24, 26, 32])
def test_constants_of_any_rounding_and_width(rounding, bits, random):
    x = np.concatenate([awkward_numbers(bits)[:-8], random.normal(size=500).astype(np.float32) * 2.0**bits])
    x = x[np.isfinite(x)]
    work = compare(model([quantizer(FixedPoint(bits, 0), rounding)], x), np.zeros(1, np.float32))
    stored = constant_value(work.graph.nodes[0].inputs[0])
    assert np.array_equal(stored, x) == (rounding in MODES and bits <= 25), "stored as trained where Quant rounds it so"


def test_shared_constant_keeps_its_value(random):
    x = random.integers(-99, 99, 50).astype(np.float32) / 32
    proto = model([quantizer(FixedPoint(8, 4), "half_up"), quantizer(FixedPoint(8, 4))], x)
    proto.graph.node[1].input[0] = proto.graph.node[0].input[0]
    work = compare(proto, np.zeros(1, np.float32))
    rounded, trained = (node.inputs[0] for node in work.graph.nodes)
    assert (rounded.name, trained.name) == ("w0_2", "w0")
    np.testing.assert_array_equal(constant_value(trained), x)


@pytest.mark.parametrize(("bits", "signed", "wanted"), [(4, True, 8), (5, True, 16), (6, True, 32), (4, False, 15)])
def test_logarithmic_weights(bits, signed, wanted, random):
    x = random.normal(size=(3, 200)).astype(np.float32)
    formats = [
        quantizer(Log(bits, 4.0, 1, signed)),
        quantizer(Log(bits, (4.0, 0.5, 2.0**-40), 1, signed), shape=(3, 1)),
    ]
    work = compare(model(formats, x), np.zeros(1, np.float32))
    for node in work.graph.nodes:
        values, scale, _, width = map(constant_value, node.inputs)
        assert width == wanted
        assert node.attrs["narrow"] == signed
        codes = values / scale
        assert np.isin(np.abs(codes), [0, *2.0 ** np.arange(wanted - signed)]).all()


@pytest.mark.parametrize("rounding", ["half_up", "half_away"])
def test_roundings_that_quant_has_not(rounding):
    _, reasons = lowered(model([quantizer(FixedPoint(8, 0), rounding)]))
    assert reasons == {"q0": f"Quant has no mode that equals {rounding} on every number"}


def test_half_away_is_not_the_half_up_of_quant():
    x = np.float32(0.49999997)
    proto = model([quantizer(FixedPoint(8, 0), "half_away")])
    quant = helper.make_node("Quant", ["x", "s", "z", "b"], ["y"], domain=QONNX_DOMAINS[0])
    quant.attribute.extend(
        helper.make_attribute(*item) for item in {"signed": 1, "narrow": 0, "rounding_mode": "HALF_UP"}.items()
    )
    other = helper.make_model(
        helper.make_graph(
            [quant],
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])],
            [numpy_helper.from_array(np.float32(value), name) for name, value in (("s", 1), ("z", 0), ("b", 8))],
        ),
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(QONNX_DOMAINS[0], 1)],
        ir_version=8,
    )
    assert [session(each).run(None, {"x": x.reshape(1)})[0].item() for each in (proto, other)] == [0, 1]


@pytest.mark.parametrize(
    ("of", "reason"),
    [
        (FixedPoint(0, 0), "it has 0 bits, Quant at least 1"),
        (FixedPoint(1, 0), "one signed bit is -1 and +1 to Quant, not -1 and 0"),
        (FixedPoint(26, 0), "Quant is not exact beyond 25 bits: it computes in float32"),
        (FixedPoint(25, 0, signed=False), "Quant is not exact beyond 24 bits: it computes in float32"),
        (Log(5, 1.0), "logarithmic activations have no QONNX op"),
    ],
)
def test_declines_activations(of, reason):
    assert lowered(model([quantizer(of)]))[1] == {"q0": reason}


@pytest.mark.parametrize(
    ("of", "reason"),
    [
        (FixedPoint(1, 0), "one signed bit is -1 and +1 to Quant, not -1 and 0"),
        (Log(5, 1.0, 2), "base sqrt 2: its magnitudes are no integers"),
        (Log(5, 1.5), "its scale is no power of two, which hls4ml and FINN need"),
        (Log(5, (1.0, 1.5)), "its scale is no power of two, which hls4ml and FINN need"),
        (Log(7, 2.0**40), "its 7-bit logarithms span more than 32 bits of integers"),
        (Log(6, 1.0, signed=False), "its 6-bit logarithms span more than 32 bits of integers"),
    ],
)
def test_declines_constants(of, reason):
    assert lowered(model([quantizer(of)], np.linspace(-1, 1, 2, dtype=np.float32)))[1] == {"q0": reason}


def test_declines_parameters_that_are_computed():
    proto = model([quantizer(FixedPoint(8, 3)), quantizer(Log(4, 1.0))], np.ones(2, np.float32))
    del proto.graph.node[0].input[:]
    proto.graph.node[0].input.extend(["x", "f"])
    proto.graph.node[1].input[1] = "s"
    proto.graph.node.insert(0, helper.make_node("Abs", ["p0"], ["f"]))
    proto.graph.node.insert(0, helper.make_node("Abs", ["p1"], ["s"]))
    assert lowered(proto)[1] == {"q0": "its fraction bits are not constant", "q1": "its scale is not constant"}


def test_a_whole_network(digits_model, random):
    """Every tensor of the digits network, quantized by hand; biases have 32 bits."""
    work = from_proto(onnx.load(digits_model))
    canonicalize(work)
    convs = [node for node in work.graph.nodes if node.op == "Conv"]
    tensors = {work.graph.inputs[0].name: TensorPlan(Role.ACTIVATION, FixedPoint(8, 4))}
    for conv in convs:
        tensors[conv.inputs[1].name] = TensorPlan(Role.WEIGHT, FixedPoint(8, 7))
        if len(conv.inputs) > 2:
            tensors[conv.inputs[2].name] = TensorPlan(Role.BIAS, FixedPoint(32, 11))
    run_passes(work, [InsertQuantizers(Plan(tensors=tensors))])
    proto = to_proto(work)
    shape = [size if isinstance(size, int) else 4 for size in work.graph.inputs[0].shape]
    x = random.normal(size=shape).astype(np.float32)
    after, reasons = lowered(proto)
    assert reasons == {}
    name = work.graph.inputs[0].name
    for optimize, threads in itertools.product((False, True), (1, 2)):
        expected, got = (
            session(each, optimize=optimize, threads=threads).run(None, {name: x})[0] for each in (proto, after)
        )
        np.testing.assert_array_equal(got, expected)
