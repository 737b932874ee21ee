"""One node apart from its graph."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import onnx
import onnx.reference

from qonnx_tools.graph.export import node_proto, onnx_type
from qonnx_tools.graph.surgeon import gs

IR_VERSION = 8
Array = npt.NDArray[np.generic]


def node_model(
    node: gs.Node, inputs: Mapping[str, Array], opsets: Mapping[str, int], constants: Mapping[str, Array] | None = None
) -> onnx.ModelProto:
    """Return a model of ``node`` alone, with the interface of its own outputs.

    Args:
        node: the node; it stays where it is.
        inputs: examples of the tensors that become inputs of the model: their sizes count, but for the first.
        opsets: version by domain.
        constants: the tensors that become initializers.
    """
    outputs = [tensor.name for tensor in node.outputs if not tensor.is_empty()]
    return part_model([node], inputs, outputs, opsets, constants)


def part_model(
    part: Sequence[gs.Node],
    inputs: Mapping[str, Array],
    outputs: Sequence[str],
    opsets: Mapping[str, int],
    constants: Mapping[str, Array] | None = None,
) -> onnx.ModelProto:
    """Return a model of some nodes of a graph, in order, with ``outputs`` by name; see :func:`node_model`."""
    interface = [
        onnx.helper.make_tensor_value_info(name, onnx_type(x.dtype), [None, *x.shape[1:]][: x.ndim])
        for name, x in inputs.items()
    ]
    graph = onnx.helper.make_graph(
        [node_proto(node) for node in part],
        "part",
        interface,
        [onnx.helper.make_empty_tensor_value_info(name) for name in outputs],
        [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()],
    )
    imports = [onnx.helper.make_opsetid(domain, version) for domain, version in opsets.items()]
    return onnx.helper.make_model(graph, opset_imports=imports, ir_version=IR_VERSION)


def evaluate_node(node: gs.Node, opset: int) -> list[Array]:
    """Return the outputs of a default-domain ``node`` with constant inputs, by the reference evaluator of onnx.

    Raises whatever the evaluator raises for a node that it does not know or that is wrong.
    """
    given = {tensor.name: np.asarray(tensor.values) for tensor in node.inputs if not tensor.is_empty()}
    model = node_model(node, given, {"": opset})
    outputs = [output.name for output in model.graph.output]
    return [np.asarray(value) for value in onnx.reference.ReferenceEvaluator(model).run(outputs, given)]
