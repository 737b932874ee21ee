"""Properties that every op of the table has."""

import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, TensorProto, helper

from qonnx_tools import ops
from qonnx_tools.errors import ConfigError
from qonnx_tools.ops._codes import CodesOp

OPS = list(ops.op_table().items())
NAMES = [f"{domain}.{name}" for (domain, name), _ in OPS]
every_op = pytest.mark.parametrize(("key", "op"), OPS, ids=NAMES)
every_definition = pytest.mark.parametrize("op", [op for _, op in OPS], ids=NAMES)
QUANTIZERS = [op for _, op in OPS if op.name not in {"Dequantize", "LogDequantize"} and not isinstance(op, CodesOp)]
every_quantizer = pytest.mark.parametrize("op", QUANTIZERS, ids=lambda op: f"{op.domains[0]}.{op.name}")
every_code_op = pytest.mark.parametrize("op", [op for _, op in OPS if isinstance(op, CodesOp)], ids=lambda op: op.name)

CODES_IN_MODELS = {  # what the ops on codes make of the examples, the batch being symbolic; None: it depends on codes
    "Quantize": (TensorProto.INT8, ["N", 3, 4]),
    "Dequantize": (TensorProto.FLOAT, ["N", 3, 4]),
    "LogQuantize": (TensorProto.INT8, ["N", 3, 4]),
    "LogDequantize": (TensorProto.FLOAT, ["N", 3, 4]),
    "Requantize": (TensorProto.INT8, ["N", 3, 4]),
    "Affine": (TensorProto.INT8, ["N", 3, 4]),
    "FixedAdd": (TensorProto.INT8, ["N", 3, 4]),
    "FixedMul": (TensorProto.INT8, ["N", 3, 4]),
    "Lookup": (TensorProto.UINT8, ["N", 3, 4]),
    "FixedAveragePool": (TensorProto.INT8, ["N", 4, 1, 1]),
    "FixedMaxPool": (TensorProto.INT8, ["N", 4, 4, 5]),
    "FixedConv": (TensorProto.INT8, ["N", 6, 4, 5]),
    "ShiftConv": (TensorProto.INT8, ["N", 6, 4, 5]),
    "FixedGemm": (TensorProto.INT8, ["N", 5]),
    "ShiftGemm": (TensorProto.INT8, ["N", 5]),
    "LogConv": (TensorProto.INT8, ["N", 6, 4, 5]),
    "LogGemm": (TensorProto.INT8, ["N", 5]),
    "FixedConvAdd": (TensorProto.INT8, ["N", 6, 4, 5]),
    "ShiftConvAdd": (TensorProto.INT8, ["N", 6, 4, 5]),
    "LogConvAdd": (TensorProto.INT8, ["N", 6, 4, 5]),
    "LogRequantize": (TensorProto.INT8, ["N", 3, 4]),
    "FeatureMapRoundTrip": (TensorProto.INT8, ["N", 4, 7, 6]),
    "FeatureMapEncode": (TensorProto.UINT8, [None]),
    "FeatureMapDecode": (TensorProto.INT8, [None, 4, 7, 6]),
}


def result_of(op):
    return CODES_IN_MODELS.get(op.name, (TensorProto.FLOAT, ["N", 3, 4]))


def sizes_of(kind):
    sizes = [dim.dim_param or dim.dim_value or None for dim in kind.shape.dim]
    return [None if str(size).startswith("unk__") else size for size in sizes]


def model(key, op, example, attributes=None, opset=17, functions=()):
    """One node between a graph input and a standard op; parameters are initializers."""
    domain, name = key
    inputs, required = example
    names = [wanted.name for wanted in op.inputs[: len(inputs)]]
    kind, shape = result_of(op)
    interface = helper.make_tensor_value_info(
        names[0], helper.np_dtype_to_tensor_dtype(inputs[0].dtype), ["N", *inputs[0].shape[1:]]
    )
    given = required if attributes is None else attributes
    node = helper.make_node(name, names, ["h"], domain=domain)
    node.attribute.extend(
        helper.make_attribute(key, value, attr_type=AttributeProto.INTS if value == () else None)
        for key, value in given.items()
    )
    graph = helper.make_graph(
        [node, helper.make_node("Abs", ["h"], ["y"])],
        "g",
        [interface],
        [helper.make_tensor_value_info("y", kind, shape)],
        [onnx.numpy_helper.from_array(value, key) for key, value in zip(names[1:], inputs[1:], strict=True)],
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid(domain, 1)]
    return helper.make_model(graph, opset_imports=imports, functions=list(functions), ir_version=10)


@pytest.fixture
def example(op, examples):
    return examples[op.name]


# onnx before 1.19 cannot infer through a schema registered from Python.
INFERS = hasattr(onnx.defs.OpSchema, "set_type_and_shape_inference_function")


@pytest.fixture(autouse=True)
def schemas():
    ops.register_schemas()
    ops.register_schemas()  # a second time does nothing


def test_the_table_has_the_ops():
    project = {name for domain, name in ops.op_table() if domain == ops.DOMAIN}
    assert {"FixedQuant", "LogQuant", *CODES_IN_MODELS} <= project
    for domain in ops.QONNX_DOMAINS:
        names = {name for known, name in ops.op_table() if known == domain}
        assert names == {"Quant", "IntQuant", "BipolarQuant", "Trunc", "FloatQuant"}


@every_op
def test_the_checker_accepts_it(key, op, example):
    onnx.checker.check_model(model(key, op, example), full_check=INFERS)
    onnx.checker.check_model(model(key, op, example, op.complete(example[1])), full_check=INFERS)


@every_op
def test_the_checker_refuses_a_misspelt_attribute(key, op, example):
    with pytest.raises(onnx.checker.ValidationError, match="sinned"):
        onnx.checker.check_model(model(key, op, example, {**example[1], "sinned": 1}))


def required_by(op):
    return [attribute.name for attribute in op.attributes if attribute.default is None]


@every_op
def test_the_checker_misses_a_required_attribute(key, op, example):
    assert set(required_by(op)) <= set(example[1])
    for name in required_by(op):
        given = {key: value for key, value in example[1].items() if key != name}
        with pytest.raises(onnx.checker.ValidationError, match=name):
            onnx.checker.check_model(model(key, op, example, given))


@every_op
@pytest.mark.parametrize("with_body", [False, True])
def test_shapes_are_inferred(key, op, example, with_body):
    if not INFERS:
        pytest.skip("onnx before 1.19 cannot infer through a schema registered from Python")
    functions = ops.function_bodies([key], 17) if with_body else []
    found = onnx.shape_inference.infer_shapes(model(key, op, example, functions=functions), strict_mode=True)
    kind = next(value.type.tensor_type for value in found.graph.value_info if value.name == "h")
    assert (kind.elem_type, sizes_of(kind)) == result_of(op)


@every_op
def test_stand_ins_have_the_type_and_shape_of_the_result(key, op, example):
    proto = model(key, op, example)
    (node, after) = proto.graph.node
    del proto.graph.node[:]
    proto.graph.node.extend([*op.stand_in(node), after])
    onnx.checker.check_model(proto, full_check=True)
    found = onnx.shape_inference.infer_shapes(proto, strict_mode=True)
    kind = next(value.type.tensor_type for value in found.graph.value_info if value.name == "h")
    assert (kind.elem_type, sizes_of(kind)) == result_of(op)
    (y,) = op.reference(*example)
    expected = {"N": y.shape[0]}
    assert helper.np_dtype_to_tensor_dtype(y.dtype) == kind.elem_type
    known = zip(y.shape, result_of(op)[1], strict=True)
    assert all(size is None or length == expected.get(size, size) for length, size in known)


@every_op
def test_a_stand_in_of_a_node_without_attributes_is_no_accident(key, op, example):
    """A damaged node must not end the inference of a model in a traceback."""
    proto = model(key, op, example, {})
    op.stand_in(proto.graph.node[0])
    del proto.graph.node[0].input[:]
    del proto.graph.node[0].output[:]
    op.stand_in(proto.graph.node[0])


@every_definition
def test_defaults_may_be_written_or_left_out(op, example):
    inputs, attributes = example
    (y,) = op.reference(inputs, attributes)
    (again,) = op.reference(inputs, op.complete(attributes))
    np.testing.assert_array_equal(y, again)
    for left_out, wanted in enumerate(op.inputs):
        if wanted.default is not None and left_out < len(inputs):
            neutral = [
                np.array(each.default, each_given.dtype) if each.default is not None else each_given
                for each, each_given in zip(op.inputs, inputs, strict=True)
            ]
            (y,) = op.reference([*inputs[:left_out], *neutral[left_out:]], attributes)
            (again,) = op.reference(inputs[:left_out], attributes)
            np.testing.assert_array_equal(y, again)
            middle = [*inputs[:left_out], None, *inputs[left_out + 1 :]]
            (y,) = op.reference([*inputs[:left_out], neutral[left_out], *inputs[left_out + 1 :]], attributes)
            np.testing.assert_array_equal(y, op.reference(middle, attributes)[0])


@every_quantizer
def test_the_reference_of_a_quantizer_keeps_shape_and_type(op, example):
    for shape in ((), (3,), (0, 2), (2, 3, 4, 5)):
        x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        (y,) = op.reference([x, *example[0][1:]], example[1])
        assert (y.shape, y.dtype) == (shape, np.float32)


@every_definition
def test_the_reference_names_what_is_wrong(op, example):
    inputs, required = example
    with pytest.raises(ConfigError, match="no attribute 'sinned'"):
        op.reference(inputs, {**required, "sinned": 1})
    for name in required_by(op):
        given = {key: value for key, value in required.items() if key != name}
        with pytest.raises(ConfigError, match=f"attribute '{name}' is missing"):
            op.reference(inputs, given)
        with pytest.raises(ConfigError, match=f"attribute '{name}' is "):
            op.reference(inputs, {**given, name: [1.5]})
    fewest = sum(not wanted.optional for wanted in op.inputs)
    with pytest.raises(ConfigError, match="inputs; it takes"):
        op.reference(inputs[: fewest - 1], required)
    with pytest.raises(ConfigError, match="inputs; it takes"):
        op.reference([None, *inputs[1:]], required)
    with pytest.raises(ConfigError, match="inputs; it takes"):
        op.reference([*inputs, *[inputs[0]] * len(op.inputs)], required)


@every_quantizer
def test_a_quantizer_names_a_parameter_that_does_not_broadcast(op, example):
    x, values = np.zeros((2, 3), np.float32), example[0][1:]
    with pytest.raises(ConfigError, match=r"input '\w+' has shape \[2\], which does not broadcast to \[2, 3\]"):
        op.reference([x, np.resize(values[0], 2), *values[1:]], example[1])


@every_code_op
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"bits": 9}, r"attribute 'to' is 3 \(int8\), which does not hold codes -256..255"),
        ({"signed": 0}, r"attribute 'to' is 3 \(int8\), which does not hold codes 0..255"),
        ({"to": 7}, "attribute 'to' is 7; choose one of 2 uint8, 3 int8"),
        ({"bits": 33}, "bits is 33; a fixed-point format has 0 to 32 bits"),
        ({"narrow": 1, "signed": 0}, "an unsigned format has none"),
        ({"rounding": 6}, "attribute 'rounding' is 6; choose one of 0 half_even|no attribute 'rounding'"),
        ({"lowest": 5, "highest": 4}, "attributes 'lowest' 5 and 'highest' 4 leave no code|no attribute 'lowest'"),
        ({"lowest": 128}, "attributes 'lowest' 128 and 'highest' 2147483647 leave no code|no attribute 'lowest'"),
    ],
)
def test_output_formats_that_cannot_be_are_named(op, example, changed, message):
    if not {"bits", "narrow", "to"} <= {attribute.name for attribute in op.attributes}:
        pytest.skip("it has no fixed-point output")
    with pytest.raises(ConfigError, match=message):
        op.reference(example[0], {**example[1], **changed})


@every_op
def test_bodies_are_valid_and_the_same_each_time(key, op, example):
    if op.body(17) is None:
        assert ops.function_bodies([key], 17) == []
        return
    for opset in (13, 17, onnx.defs.onnx_opset_version()):
        *called, body = ops.function_bodies([key, ("", "Conv"), key], opset)
        assert [(each.domain, each.name) for each in (*called, body)] == [*op.calls, key]
        imported = [("", opset), *([(ops.DOMAIN, 1)] if called else [])]
        assert [(entry.domain, entry.version) for entry in body.opset_import] == imported
        assert {(node.domain, node.op_type) for node in body.node if node.domain} == set(op.calls)
        assert body.SerializeToString(deterministic=True) == op.body(opset).SerializeToString(deterministic=True)
        functions = [*called, body]
        onnx.checker.check_model(model(key, op, example, opset=opset, functions=functions), full_check=INFERS)
    with pytest.raises(ConfigError, match="from opset 13 on; the model has 12"):
        ops.function_bodies([key], 12)


def test_bodies_come_sorted_and_after_those_that_they_call():
    used = ["ShiftConvAdd", "LogQuant", "FixedConvAdd", "FixedConv"]
    found = ops.function_bodies([(ops.DOMAIN, name) for name in used], 17)
    names = ["FixedConv", "FixedAdd", "FixedConvAdd", "LogQuant", "ShiftConv", "ShiftConvAdd"]
    assert [body.name for body in found] == names


def test_onnx_reference_can_be_imported_afterwards_and_python_ends_well():
    code = "from qonnx_tools import ops; ops.register_schemas(); import onnx.reference"
    subprocess.run([sys.executable, "-P", "-c", code], check=True, timeout=60)
