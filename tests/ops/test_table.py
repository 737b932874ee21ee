"""Properties that every op of the table has."""

import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from qonnx_tools import ops
from qonnx_tools.errors import ConfigError

OPS = list(ops.op_table().items())
NAMES = [f"{domain}.{name}" for (domain, name), _ in OPS]
every_op = pytest.mark.parametrize(("key", "op"), OPS, ids=NAMES)
every_definition = pytest.mark.parametrize("op", [op for _, op in OPS], ids=NAMES)

PARAMETERS = {  # a valid value for every input after the first, by name
    "frac": np.array(3, np.int64),
    "scale": np.array(0.5, np.float32),
    "zeropt": np.array(0, np.float32),
    "bitwidth": np.array(8, np.float32),
    "in_bits": np.array(8, np.float32),
    "out_bits_or_scale": np.array(4, np.float32),
    "out_bits": np.array(4, np.float32),
    "exponent_bits": np.array(4, np.float32),
    "mantissa_bits": np.array(3, np.float32),
    "exponent_bias": np.array(7, np.float32),
    "max_val": np.array(240, np.float32),
}
REQUIRED = {"bits": 5, "signed": 1, "narrow": 0, "rounding_mode": "FLOOR", "has_inf": 0, "has_nan": 0, "saturation": 1}


def parameters(op):
    return {given.name: PARAMETERS[given.name] for given in op.inputs[1:]}


def required(op):
    return {given.name: REQUIRED[given.name] for given in op.attributes if given.default is None}


def model(key, op, attributes, opset=17, functions=(), out_shape=("N", 3, 2)):
    domain, name = key
    constants = parameters(op)
    node = helper.make_node(name, ["x", *constants], ["h"], domain=domain, **attributes)
    graph = helper.make_graph(
        [node, helper.make_node("Relu", ["h"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, out_shape)],
        [onnx.numpy_helper.from_array(value, key) for key, value in constants.items()],
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid(domain, 1)]
    return helper.make_model(graph, opset_imports=imports, functions=list(functions), ir_version=10)


@pytest.fixture(autouse=True)
def schemas():
    ops.register_schemas()
    ops.register_schemas()  # a second time does nothing


def test_the_table_has_the_ops():
    project = {name for domain, name in ops.op_table() if domain == ops.DOMAIN}
    assert {"FixedQuant", "LogQuant"} <= project
    for domain in ops.QONNX_DOMAINS:
        names = {name for known, name in ops.op_table() if known == domain}
        assert names == {"Quant", "IntQuant", "BipolarQuant", "Trunc", "FloatQuant"}


@every_op
def test_the_checker_accepts_it(key, op):
    onnx.checker.check_model(model(key, op, required(op)), full_check=True)
    onnx.checker.check_model(model(key, op, op.complete(required(op))), full_check=True)


@every_op
def test_the_checker_refuses_a_misspelt_attribute(key, op):
    with pytest.raises(onnx.checker.ValidationError, match="sinned"):
        onnx.checker.check_model(model(key, op, {**required(op), "sinned": 1}))


@every_op
def test_the_checker_misses_a_required_attribute(key, op):
    for name in required(op):
        given = {key: value for key, value in required(op).items() if key != name}
        with pytest.raises(onnx.checker.ValidationError, match=name):
            onnx.checker.check_model(model(key, op, given))


@every_op
@pytest.mark.parametrize("with_body", [False, True])
def test_shapes_are_inferred(key, op, with_body):
    if not hasattr(onnx.defs.OpSchema, "set_type_and_shape_inference_function"):
        pytest.skip("onnx before 1.19 cannot infer through a schema registered from Python")
    functions = ops.function_bodies([key], 17) if with_body else []
    found = onnx.shape_inference.infer_shapes(model(key, op, required(op), functions=functions), strict_mode=True)
    kind = next(value.type.tensor_type for value in found.graph.value_info if value.name == "h")
    assert kind.elem_type == TensorProto.FLOAT
    assert [dim.dim_param or dim.dim_value for dim in kind.shape.dim] == ["N", 3, 2]


@every_definition
def test_the_reference_keeps_shape_and_type(op):
    for shape in ((), (3,), (0, 2), (2, 3, 4, 5)):
        x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        (y,) = op.reference([x, *parameters(op).values()], required(op))
        assert (y.shape, y.dtype) == (shape, np.float32)
        (again,) = op.reference([x, *parameters(op).values()], op.complete(required(op)))
        np.testing.assert_array_equal(y, again)


@every_definition
def test_the_reference_names_what_is_wrong(op):
    x, values = np.zeros((2, 3), np.float32), list(parameters(op).values())
    with pytest.raises(ConfigError, match="no attribute 'sinned'"):
        op.reference([x, *values], {**required(op), "sinned": 1})
    for name in required(op):
        given = {key: value for key, value in required(op).items() if key != name}
        with pytest.raises(ConfigError, match=f"attribute '{name}' is missing"):
            op.reference([x, *values], given)
        with pytest.raises(ConfigError, match=f"attribute '{name}' is "):
            op.reference([x, *values], {**given, name: [1]})
    with pytest.raises(ConfigError, match="inputs; it takes"):
        op.reference([x], required(op))
    with pytest.raises(ConfigError, match=r"input '\w+' has shape \[2\], which does not broadcast to \[2, 3\]"):
        op.reference([x, np.resize(values[0], 2), *values[1:]], required(op))


@every_op
def test_bodies_are_valid_and_the_same_each_time(key, op):
    if op.body(17) is None:
        assert ops.function_bodies([key], 17) == []
        return
    for opset in (13, 17, onnx.defs.onnx_opset_version()):
        (body,) = ops.function_bodies([key, ("", "Conv"), key], opset)
        assert (body.domain, body.name) == key
        assert [(entry.domain, entry.version) for entry in body.opset_import] == [("", opset)]
        assert body.SerializeToString(deterministic=True) == op.body(opset).SerializeToString(deterministic=True)
        onnx.checker.check_model(model(key, op, required(op), opset, [body]), full_check=True)
    with pytest.raises(ConfigError, match="from opset 13 on; the model has 12"):
        ops.function_bodies([key], 12)


def test_bodies_come_sorted():
    found = ops.function_bodies([(ops.DOMAIN, "LogQuant"), (ops.DOMAIN, "FixedQuant")], 17)
    assert [body.name for body in found] == ["FixedQuant", "LogQuant"]


def test_onnx_reference_can_be_imported_afterwards_and_python_ends_well():
    code = "from qonnx_tools import ops; ops.register_schemas(); import onnx.reference"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
