"""The native graph: kernels, bodies and references agree on every tensor, and with the simulation where it is exact."""

import numpy as np
import pytest
from native_runs import compare_everywhere
from small_graphs import GRAPHS, V, W, conv, images, model

from qonnx_tools.conversion import convert
from qonnx_tools.errors import ConfigError, UnsupportedError
from qonnx_tools.graph import nodes, op_of, to_proto
from qonnx_tools.passes.lower_to_native import LowerToNative
from qonnx_tools.pipeline import run_passes
from qonnx_tools.runtime import session


@pytest.mark.parametrize("batch_norm", ["fold", "merge", "separate"])
@pytest.mark.parametrize("scheme", ["fixed", "log"])
@pytest.mark.parametrize("name", GRAPHS)
def test_kernels_equal_bodies_references_and_the_simulation(name, scheme, batch_norm, count_equal):
    body, values = GRAPHS[name]
    source = model(body, **values)
    native = convert(source, scheme=scheme, batch_norm=batch_norm, target="native")
    assert not native.in_float
    assert {op_of(node) for node in nodes(native.model.graph)}.isdisjoint({"Conv", "Add", "Mul", "AveragePool", "Relu"})
    x = images()
    equality = compare_everywhere(native.model, {"x": x})
    count_equal("kernel = function body = reference", len(equality.kernels), equality.elements)
    output = equality.kernels["y"]
    simulation = convert(source, scheme=scheme, batch_norm=batch_norm, target="simulation")
    simulated = session(simulation.model).run(None, {"x": x})[0]
    if scheme == "fixed" and (batch_norm == "fold" or name != "batch norm") and name != "product":
        np.testing.assert_array_equal(output, simulated)
    else:  # a float32 product of a log scale or a batch-norm scale may round a tie the other way
        assert np.abs(output - simulated).max() <= 0.05 * np.abs(simulated).max()


@pytest.mark.parametrize("bits", [4, 8, 10, 16])
@pytest.mark.parametrize("rounding", ["half_even", "half_up", "half_away", "floor", "ceil", "toward_zero"])
def test_every_rounding_and_width(bits, rounding):
    body, values = GRAPHS["residual"]
    native = convert(model(body, **values), weight_bits=bits, activation_bits=bits, rounding=rounding, target="native")
    compare_everywhere(native.model, {"x": images()})


def test_accumulators_are_as_wide_as_the_weights_ask_for():
    body, values = GRAPHS["relu"]
    widths = [
        node.attrs["accumulator_bits"]
        for bits in (4, 8)
        for node in nodes(
            convert(model(body, **values), weight_bits=bits, target="native").model.graph, "qonnx_tools.ops::FixedConv"
        )
    ]
    assert widths[0] < widths[2] <= 8 + 8 + 5 + 1
    assert widths[1] < widths[3] <= 8 + 8 + 6 + 1


def test_what_has_no_integer_form_stays_in_float_and_is_listed():
    source = model(conv("c", "x", "z") + "\n[s] s = Softmax <axis = 1> (z)\n" + conv("d", "s", "y", "v"), w=W, v=V)
    conversion = convert(source, target="native")
    ops = [op_of(node) for node in nodes(conversion.model.graph)]
    assert ops.count("Softmax") == 1
    assert ops.count("qonnx_tools.ops::Dequantize") == 2
    assert [outcome.node for outcome in conversion.in_float] == ["s"]
    compare_everywhere(conversion.model, {"x": images()})


def test_strict_refuses_it():
    source = model(conv("c", "x", "z") + "\n[s] s = Softmax <axis = 1> (z)\n" + conv("d", "s", "y", "v"), w=W, v=V)
    simulation = convert(source, target="simulation").model
    with pytest.raises(UnsupportedError, match=r"node 's': Softmax has no integer form; .* \(--strict\)"):
        run_passes(simulation, [LowerToNative(strict=True)])


def test_strict_in_a_conversion():
    body, values = GRAPHS["relu"]
    assert convert(model(body, **values), target="native", strict=True).model
    for target in ("simulation", "qonnx"):
        with pytest.raises(ConfigError, match=f"strict goes with the target native, not with {target}"):
            convert(model(body, **values), target=target, strict=True)


def test_a_second_lowering_changes_nothing():
    body, values = GRAPHS["residual"]
    native = convert(model(body, **values), target="native").model
    before = to_proto(native).SerializeToString()
    (report,) = run_passes(native, [LowerToNative()])
    assert not report.outcomes
    assert to_proto(native).SerializeToString() == before
