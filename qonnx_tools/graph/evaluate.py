"""Compute one node whose inputs are all constant."""

import numpy as np
import numpy.typing as npt
import onnx
import onnx.reference

from qonnx_tools.graph.export import node_proto, onnx_type
from qonnx_tools.graph.surgeon import gs


def evaluate_node(node: gs.Node, opset: int) -> list[npt.NDArray[np.generic]]:
    """Return the outputs of a default-domain ``node`` with constant inputs, by the reference evaluator of onnx.

    Raises whatever the evaluator raises for a node that it does not know or that is wrong.
    """
    given = {tensor.name: np.asarray(tensor.values) for tensor in node.inputs if not tensor.is_empty()}
    interface = [onnx.helper.make_tensor_value_info(name, onnx_type(x.dtype), x.shape) for name, x in given.items()]
    outputs = [tensor.name for tensor in node.outputs if not tensor.is_empty()]
    graph = onnx.helper.make_graph(
        [node_proto(node)], "one_node", interface, [onnx.helper.make_empty_tensor_value_info(name) for name in outputs]
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)])
    return [np.asarray(value) for value in onnx.reference.ReferenceEvaluator(model).run(outputs, given)]
