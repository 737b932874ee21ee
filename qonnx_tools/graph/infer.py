"""Shapes and types of intermediate tensors.

onnx infers on a skeleton of the model: large initializers are left out (so neither time nor the 2 GiB limit of
protobuf depend on the weights) and standard nodes stand in for every op of the op table, which has the rule: an
Identity for a quantizer, a convolution between casts for one on codes.
"""

import onnx

from qonnx_tools.errors import ModelError
from qonnx_tools.graph.carry import without
from qonnx_tools.graph.project import is_project_op, plain_domain, stand_in

SMALL = 4096  # bytes; shape arithmetic needs the values of small initializers


def skeleton(proto: onnx.ModelProto, *, with_stand_ins: bool) -> onnx.ModelProto:
    """Copy ``proto`` without the data of large initializers, which become graph inputs."""
    bare = without(proto, ("graph",))
    graph = proto.graph
    bare.graph.CopyFrom(without(graph, ("node", "initializer", "value_info", "quantization_annotation")))
    for tensor in graph.initializer:
        if _payload(tensor) <= SMALL:
            bare.graph.initializer.append(tensor)
        else:
            bare.graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    for node in graph.node:
        if with_stand_ins and is_project_op(node.domain, node.op_type):
            bare.graph.node.extend(stand_in(node))
        else:
            bare.graph.node.append(node)
    if with_stand_ins and not any(plain_domain(entry.domain) == "" for entry in bare.opset_import):
        bare.opset_import.append(onnx.helper.make_opsetid("", 17))
    return bare


def inferred(proto: onnx.ModelProto) -> dict[str, onnx.ValueInfoProto]:
    """Return the value infos that onnx infers, by tensor name; graph inputs and outputs among them."""
    bare = skeleton(proto, with_stand_ins=True)
    try:
        found = onnx.shape_inference.infer_shapes(bare, strict_mode=False, data_prop=True).graph
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError) as error:
        raise ModelError(f"shapes cannot be inferred: {one_line(error)}") from error
    values = [*found.value_info, *found.output]
    return {value.name: value for value in values if value.type.HasField("tensor_type")}


def one_line(error: BaseException) -> str:
    """Return the message of a foreign error as one line."""
    return " ".join(str(error).split())


def _payload(tensor: onnx.TensorProto) -> int:
    count = 1
    for size in tensor.dims:
        count *= size
    return count * 8
