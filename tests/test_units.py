"""Units: layers of equal code formats share one, whatever their scales are."""

import json

import numpy as np
import pytest

from qonnx_tools.cli.inspect import to_json
from qonnx_tools.conversion import convert
from qonnx_tools.graph import constant_value, from_proto, nodes, parse, to_proto
from qonnx_tools.inspection import inspect
from qonnx_tools.origin import origin_of
from qonnx_tools.units import Unit

TEXT = """
    <ir_version: 8, opset_import: ["" : 17]>
    g (float[N, 3, 8, 8] x) => (float[N, 5] y)
    <float[4, 3, 3, 3] w, float[4, 4, 3, 3] v, float[64, 5] u>
    {
        [first] a = Conv <pads = [1, 1, 1, 1]> (x, w) b = Relu (a)
        [second] c = Conv <pads = [1, 1, 1, 1]> (b, v) d = Relu (c)
        e = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (d)
        f = Flatten (e)
        [last] y = Gemm (f, u)
    }
"""


def network(largest=1.0):
    random = np.random.default_rng(1)
    shapes = {"w": (4, 3, 3, 3), "v": (4, 4, 3, 3), "u": (64, 5)}
    values = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    return from_proto(parse(TEXT, **values | {"v": values["v"] * np.float32(largest)}))


def found(**options):
    return inspect(convert(network(), scheme="log", **options).model)


def test_a_unit_serves_layers_whatever_their_scales_are():
    near, far = (inspect(convert(network(largest), scheme="log").model) for largest in (1, 1000))
    assert [item.unit for item in near.units] == [item.unit for item in far.units]
    assert [layer.unit for layer in near.layers] == [
        Unit("shift", 8, True, 5, 1), *[Unit("shift", 8, False, 5, 1)] * 2,
    ]  # fmt: skip
    assert [(item.unit, item.layers) for item in near.units] == [
        (Unit("shift", 9, True, 5, 1), ("first", "second", "last")),
    ]


@pytest.mark.parametrize("steps", [1, 2])
def test_log_units(steps):
    result = found(
        log_base="2" if steps == 1 else "sqrt2",
        activations="log",
        activation_bits=4,
        weight_bits=4,
        first_last="log",
        trunk="log",
    )
    shared, alone = result.units
    assert shared.layers == ("second", "last")
    assert shared.unit == Unit("log", 4, False, 4, steps, (15 + 7 - 2) // steps)
    assert (shared.unit.accumulators, shared.unit.drops_products) == (steps, False)
    assert shared.unit.weight_table == tuple(2.0 ** (exponent / steps) for exponent in range(-6, 1))
    assert shared.unit.input_table == tuple(2.0 ** (exponent / steps) for exponent in range(-14, 1))
    assert (alone.layers, alone.unit.input_signed) == (("first",), True)
    by_name = {layer.name: layer for layer in result.layers}
    assert shared.accumulator_bits == max(by_name[name].accumulator_bits for name in shared.layers)


RESIDUAL = """
    <ir_version: 8, opset_import: ["" : 17]>
    g (float[N, 4, 6, 6] x) => (float[N, 4, 6, 6] y)
    <float[4, 4, 3, 3] w, float[4, 4, 3, 3] v, float[4, 4, 3, 3] u>
    {
        [first] a = Conv <pads = [1, 1, 1, 1]> (x, w) b = Relu (a)
        [inner] c = Conv <pads = [1, 1, 1, 1]> (b, v) d = Add (b, c) e = Relu (d)
        [last] f = Conv <pads = [1, 1, 1, 1]> (e, u) g = Add (e, f) y = Relu (g)
    }
"""


@pytest.mark.parametrize(
    ("trunk", "kinds"),
    [
        ("fixed8", {"shift": ("first", "inner", "last")}),
        ("fixed8-log", {"log": ("inner", "last"), "shift": ("first",)}),
        ("log", {"log": ("first", "inner", "last")}),
    ],
)
def test_the_trunk_of_a_residual_network(trunk, kinds):
    random = np.random.default_rng(1)
    values = {name: random.normal(size=(4, 4, 3, 3)).astype(np.float32) for name in "wvu"}
    source = from_proto(parse(RESIDUAL, **values))
    options = {"activations": "log", "activation_bits": 4, "overrides": ["x.for_layers:activation_bits=5"]}
    if trunk != "log":
        del options["overrides"]
    conversion = convert(source, scheme="log", trunk=trunk, **options)
    assert {item.unit.kind: item.layers for item in inspect(conversion.model).units} == kinds
    again = convert(source, plan=conversion.plan)
    assert to_proto(again.model).SerializeToString() == to_proto(conversion.model).SerializeToString()


def test_a_log_unit_with_a_sign_serves_as_many_magnitudes_without():
    options = {"activations": "log", "activation_bits": 4, "trunk": "log"}
    model = convert(network(), scheme="log", overrides=["x.for_layers:activation_bits=5"], **options).model
    (report,) = inspect(model).units
    assert report.layers == ("first", "second", "last")
    assert report.unit == Unit("log", 5, True, 5, 1, 24)


def test_codes_of_weights_are_in_the_table_of_their_unit():
    model = convert(network(), scheme="log", activations="log", activation_bits=4).model
    units = {layer.name: layer.unit for layer in inspect(model).layers}
    assert set(units) == {"first", "second", "last"}
    for node in nodes(model.graph):
        if node.op.endswith(("Conv", "Gemm")):
            codes = np.abs(constant_value(node.inputs[1]))
            assert codes.max() == len(units[origin_of(model, node).node].weight_table)


def test_few_guard_bits_drop_products():
    assert Unit("log", 5, False, 5, 1, 24).drops_products
    assert not Unit("log", 5, False, 5, 2, 22).drops_products
    assert not Unit("fixed", 8, True, 8).drops_products


def test_fixed_units_and_float_layers():
    result = inspect(convert(network(), overrides=["second:weight_bits=6"]).model)
    assert [item.unit for item in result.units] == [
        Unit("fixed", 9, True, 8), Unit("fixed", 8, False, 6),
    ]  # fmt: skip
    assert (result.units[0].unit.weight_table, result.units[0].unit.input_table) == (None, None)
    assert inspect(network()).units == ()


def test_json_names_units_by_their_place():
    document = json.loads(json.dumps(to_json(found())))
    assert [layer["unit"] for layer in document["layers"]] == [0, 0, 0]
    assert document["units"][0]["layers"] == ["first", "second", "last"]
    assert document["units"][0]["weight_table"][-1] == 1
    assert [layer["unit"] for layer in to_json(inspect(network()))["layers"]] == [None] * 3
