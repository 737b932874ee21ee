"""Log activations: exponents that add, thresholds, what is decoded, and when the simulation gives the same codes."""

import dataclasses

import numpy as np
import pytest
from native_runs import all_outputs, compare_everywhere, open_native, run_all
from small_graphs import GRAPHS, V, W, conv, images, model

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.log import Log
from qonnx_tools.conversion import convert
from qonnx_tools.graph import constant_value, nodes, op_of
from qonnx_tools.plan import Role, TensorPlan

LOG = {"scheme": "log", "activations": "log", "activation_bits": 4, "fit": "weights"}
OPS = "qonnx_tools.ops::"


def ops_of(conversion):
    return [op_of(node).removeprefix(OPS) for node in nodes(conversion.model.graph)]


def codes_of_log_tensors(conversion, simulation, x):
    """For each log activation: codes in the native graph, and those of the simulation's tensor."""
    native = run_all(open_native(all_outputs(conversion.model)), {"x": x})
    floats = run_all(open_native(all_outputs(simulation.model)), {"x": x})
    formats = {name: line.format for name, line in conversion.plan.tensors.items() if line.role is Role.ACTIVATION}
    for name, of in formats.items():
        if isinstance(of, Log):
            yield native[f"{name}.quantized.codes"], of.encode(floats[f"{name}.quantized"])


@pytest.mark.parametrize("batch_norm", ["fold", "merge", "separate"])
@pytest.mark.parametrize("trunk", ["fixed8", "log"])
@pytest.mark.parametrize("base", ["2", "sqrt2"])
@pytest.mark.parametrize("name", GRAPHS)
def test_kernels_bodies_and_references_agree(name, base, trunk, batch_norm, count_equal):
    body, values = GRAPHS[name]
    options = {"log_base": base, "trunk": trunk, "batch_norm": batch_norm}
    native = convert(model(body, **values), **LOG, **options, target="native")
    assert not native.in_float
    assert {"LogConv", "LogRequantize"} <= set(ops_of(native)) or name == "product"
    equality = compare_everywhere(native.model, {"x": images()})
    count_equal("kernel = function body = reference", len(equality.kernels), equality.elements)


@pytest.mark.parametrize("rounding", ["linear", "log"])
@pytest.mark.parametrize("trunk", ["fixed8", "log"])
@pytest.mark.parametrize("bits", [3, 4, 5])
def test_scales_that_are_powers_of_two_give_the_codes_of_the_simulation(bits, trunk, rounding):
    body, values = GRAPHS["residual"]
    options = {**LOG, "activation_bits": bits, "log_scale": "power-of-two", "trunk": trunk, "log_rounding": rounding}
    native, simulation = (
        convert(model(body, **values), **options, target=target) for target in ("native", "simulation")
    )
    assert not native.in_float
    compared = list(codes_of_log_tensors(native, simulation, images(20)))
    assert len(compared) >= 1
    for found, expected in compared:
        np.testing.assert_array_equal(found, expected)


def test_other_scales_change_few_codes():
    body, values = GRAPHS["relu"]
    native, simulation = (convert(model(body, **values), **LOG, target=target) for target in ("native", "simulation"))
    for found, expected in codes_of_log_tensors(native, simulation, images(50)):
        assert np.abs(found.astype(int) - expected).max() <= 1
        assert np.mean(found != expected) < 1e-3


@pytest.mark.parametrize("base", ["2", "sqrt2"])
def test_thresholds_are_the_same_in_all_layers(base):
    body, values = GRAPHS["residual"]
    native = convert(model(body, **values), **LOG, log_base=base, trunk="log", target="native")
    thresholds = [constant_value(node.inputs[1]) for node in nodes(native.model.graph, f"{OPS}LogRequantize")]
    behind_layers = [
        constant_value(node.inputs[1])
        for node in nodes(native.model.graph, f"{OPS}LogRequantize")
        if op_of(node.inputs[0].inputs[0]).endswith("LogConv")
    ]
    assert len(thresholds) >= 2
    assert behind_layers
    of_signs = {len(each): each for each in behind_layers}
    assert len(of_signs) <= 2, "codes with and without a sign"
    for each in behind_layers:
        np.testing.assert_array_equal(each, of_signs[len(each)])


def with_formats(source, **formats):
    """A plan for ``source``: of 8 bits in fixed point but for these tensors."""
    plan = convert(source, target="simulation").plan
    roles = {name: plan.tensors[name].role if name in plan.tensors else Role.ACTIVATION for name in formats}
    lines = {name: TensorPlan(roles[name], of) for name, of in formats.items()}
    return dataclasses.replace(plan, tensors={**plan.tensors, **lines})


RELU = conv("c", "x", "z") + "\n[r] r = Relu (z)\n" + conv("d", "r", "y", "v")


@pytest.mark.parametrize("of", [Log(4, 3.0, 1, signed=False), Log(4, 4.0, 1, signed=False), Log(5, 2.5, 1)])
def test_fixed_weights_read_powers_of_two(of):
    source = model(RELU, w=W, v=V)
    native = convert(source, plan=with_formats(source, r=of), target="native")
    assert ops_of(native).count("Lookup") == 1
    assert not native.in_float
    x = images()
    equality = compare_everywhere(native.model, {"x": x})
    simulation = convert(source, plan=with_formats(source, r=of), target="simulation")
    (expected,) = open_native(all_outputs(simulation.model)).run(["y"], {"x": x})
    assert np.abs(equality.kernels["y"] - expected).max() <= 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize(
    ("formats", "reason"),
    [
        ({"r": Log(5, 1.0, 1, signed=False)}, "its input 'r' has the format log5 1 * 2^-k, which no 16-bit grid holds"),
        ({"r": Log(4, 1.0, 2, signed=False)}, "which no 16-bit grid holds, and its weights are fixed point; give it"),
        (
            {"r": Log(4, 1.0, 2, signed=False), "v": Log(4, 1.0, 1)},
            "its input has the format log4 1 * sqrt2^-k, its weights +-log4 1 * 2^-k; give both log codes of the same",
        ),
    ],
)
def test_what_no_integers_multiply(formats, reason):
    source = model(RELU, w=W, v=V)
    native = convert(source, plan=with_formats(source, **formats), target="native")
    (left,) = native.in_float
    assert left.node == "d"
    assert reason in left.reason
    compare_everywhere(native.model, {"x": images()})


CHANGES = [
    (Log(4, 3.0, 1), FixedPoint(8, 4)),
    (FixedPoint(8, 4), Log(4, 3.0, 1)),
    (FixedPoint(16, 11), Log(4, 3.0, 2)),
    (Log(4, 3.0, 2), Log(3, 2.0, 1, signed=False)),
]


@pytest.mark.parametrize(("first", "second"), CHANGES, ids=str)
def test_codes_of_one_format_become_codes_of_another(first, second):
    source = model(conv("c", "x", "z") + "\n[t] t = Transpose (z)\n[u] y = Transpose (t)", w=W)
    plan = with_formats(source, z=first, t=second)
    native, simulation = (convert(source, plan=plan, target=target) for target in ("native", "simulation"))
    x = images()
    equality = compare_everywhere(native.model, {"x": x})
    (expected,) = open_native(all_outputs(simulation.model)).run(["y"], {"x": x})
    np.testing.assert_array_equal(equality.kernels["y"], expected)


def test_an_input_in_log_codes():
    source = model(RELU, w=W, v=V)
    plan = with_formats(source, x=Log(5, 4.0, 2), w=Log(4, 1.0, 2))
    native = convert(source, plan=plan, target="native")
    assert ops_of(native)[0] == "LogQuantize"
    assert ops_of(native).count("LogConv") == 1
    compare_everywhere(native.model, {"x": images()})
