"""Every tensor of a native graph three times: by the kernels, by the function bodies, by the numpy references."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from qonnx_tools.arithmetic.window import Window
from qonnx_tools.graph import to_proto
from qonnx_tools.ops import op_table
from qonnx_tools.runtime import library_path

EXACT = frozenset({
    "Cast", "Clip", "Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "GlobalMaxPool", "Identity", "Max",
    "MaxPool", "Min", "Pad", "Relu", "Reshape", "Resize", "Shape", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile",
    "Transpose", "Unsqueeze",
})  # fmt: skip
"""Standard ops that move numbers or choose among them. All others compute in float, in an order of their own."""

Tensors = dict[str, np.ndarray]


@dataclass(frozen=True)
class Equality:
    """What was compared, and the names of the tensors that nodes in float made: those were given, not compared."""

    kernels: Tensors
    left_out: tuple[str, ...]

    @property
    def elements(self) -> int:
        return sum(tensor.size for tensor in self.kernels.values())


def compare_everywhere(model, feeds: Mapping[str, np.ndarray]) -> Equality:
    """Assert that kernels, function bodies and references agree on every tensor that is exact."""
    proto, inputs, left_out = without_float(all_outputs(model), dict(feeds))
    kernels = run_all(open_native(proto), inputs)
    bodies = run_all(open_native(proto, kernels=False), inputs)
    references = by_references(proto, inputs)
    makers = {name: node.op_type for node in proto.graph.node for name in node.output if name}
    assert makers.keys() == kernels.keys() == bodies.keys() == references.keys()
    for name, found in kernels.items():
        assert_equal(found, bodies[name], f"{makers[name]} '{name}': kernel and function body")
        assert_equal(found, references[name], f"{makers[name]} '{name}': kernel and reference")
    return Equality(kernels, tuple(left_out))


def all_outputs(model) -> onnx.ModelProto:
    """The model with every tensor that a node makes as an output, and no others."""
    proto = onnx.ModelProto()
    proto.CopyFrom(model if isinstance(model, onnx.ModelProto) else to_proto(model))
    names = [name for node in proto.graph.node for name in node.output if name]
    del proto.graph.output[:]
    proto.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    return proto


def without_float(proto: onnx.ModelProto, feeds: Tensors) -> tuple[onnx.ModelProto, Tensors, list[str]]:
    """The model less the nodes that compute in float, whose results become inputs: proto, what to feed, their names."""
    floats = [node for node in proto.graph.node if not _is_exact(node)]
    if not floats:
        return proto, feeds, []
    values = run_all(open_native(proto, optimize=False), feeds)
    given = {name: values[name] for node in floats for name in node.output if name}
    graph = helper.make_graph(
        [node for node in proto.graph.node if _is_exact(node)],
        "exact",
        [*proto.graph.input, *_interface(given)],
        [value for value in proto.graph.output if value.name not in given],
        proto.graph.initializer,
        value_info=[value for value in proto.graph.value_info if value.name not in given],
    )
    opsets, functions = proto.opset_import, proto.functions
    rest = helper.make_model(graph, opset_imports=opsets, functions=functions, ir_version=proto.ir_version)
    return rest, feeds | given, list(given)


def open_native(proto, *, kernels=True, threads=1, optimize=True) -> ort.InferenceSession:
    """A session with the project's library, or without it: then onnxruntime runs the function bodies."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    if not optimize:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    if kernels:
        options.register_custom_ops_library(str(library_path()))
    return ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])


def run_all(runner: ort.InferenceSession, feeds: Mapping[str, np.ndarray]) -> Tensors:
    """Every output by name."""
    names = [output.name for output in runner.get_outputs()]
    return dict(zip(names, runner.run(names, dict(feeds)), strict=True))


def by_references(proto: onnx.ModelProto, feeds: Mapping[str, np.ndarray]) -> Tensors:
    """Run the graph node by node: the project's ops by their references, standard ops by onnx's evaluator."""
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer} | dict(feeds)
    made = {}
    for node in proto.graph.node:
        op = op_table().get((node.domain, node.op_type))
        inputs = [values[name] if name else None for name in node.input]
        results = op.reference(inputs, _attributes(node)) if op else _evaluated(node, inputs, proto)
        made |= {name: np.asarray(value) for name, value in zip(node.output, results, strict=True) if name}
        values |= made
    return made


def assert_equal(found: np.ndarray, expected: np.ndarray, what: str) -> None:
    """Same type, same shape, same numbers."""
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape), what
    np.testing.assert_array_equal(found, expected, err_msg=what)


def _is_exact(node: onnx.NodeProto) -> bool:
    return (node.domain, node.op_type) in op_table() or (node.domain == "" and node.op_type in EXACT)


def _attributes(node: onnx.NodeProto) -> dict:
    return {item.name: helper.get_attribute_value(item) for item in node.attribute}


def _interface(values: Tensors) -> list[onnx.ValueInfoProto]:
    return [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for name, value in values.items()
    ]


def _evaluated(node, inputs, proto):
    if node.op_type in BY_HAND:
        return [BY_HAND[node.op_type](inputs[0], _attributes(node))]
    given = {name: value for name, value in zip(node.input, inputs, strict=True) if name}
    outputs = [helper.make_empty_tensor_value_info(name) for name in node.output if name]
    graph = helper.make_graph([node], "one_node", _interface(given), outputs)
    standard = [opset for opset in proto.opset_import if opset.domain in ("", "ai.onnx")]
    results = iter(ReferenceEvaluator(helper.make_model(graph, opset_imports=standard)).run(None, given))
    return [next(results) if name else None for name in node.output]


def _max_pool(x, attributes):
    assert attributes.get("auto_pad", b"NOTSET") == b"NOTSET", attributes
    kernel = attributes["kernel_shape"]
    pads = attributes.get("pads", [0] * 2 * len(kernel))
    window = Window.of(kernel, attributes.get("strides", ()), (), attributes.get("dilations", ()))
    sides = []
    for at, size in enumerate(x.shape[2:]):
        begin, end = pads[at], pads[at + len(kernel)]
        last = begin + size + end - window.dilations[at] * (kernel[at] - 1) - 1
        over = -last % window.strides[at]
        reaches_in = attributes.get("ceil_mode", 0) and last + over < begin + size
        sides.append((begin, end + (over if reaches_in else 0)))
    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    padded = np.pad(x, [(0, 0), (0, 0), *sides], constant_values=lowest)
    return reduce(np.maximum, window.views(padded))


BY_HAND = {"Flatten": lambda x, _: x.reshape(*x.shape[:1], int(np.prod(x.shape[1:]))), "MaxPool": _max_pool}
"""onnx's evaluator is slow at MaxPool and wrong in one dimension, and does not flatten an empty batch."""
