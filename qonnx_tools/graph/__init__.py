"""The only door to .onnx files and to onnx-graphsurgeon: load, save, verify and small tools to edit a graph."""

from qonnx_tools.graph.carry import Carried
from qonnx_tools.graph.edit import (
    Names,
    constant_value,
    consumers,
    disconnect,
    input_value,
    insert_after,
    is_constant,
    is_given,
    is_graph_output,
    mark_outputs,
    nodes,
    op_of,
    producer,
    replace_input,
    set_constant,
    set_input,
    sole_consumer,
    take_over_output,
    tensor_names,
    unique_name,
)
from qonnx_tools.graph.evaluate import evaluate_node, node_model, part_model
from qonnx_tools.graph.export import to_proto, update_shapes
from qonnx_tools.graph.load import from_proto, load
from qonnx_tools.graph.metadata import node_metadata, own_metadata, set_node_metadata
from qonnx_tools.graph.model import Model
from qonnx_tools.graph.order import clean_up, topological_order
from qonnx_tools.graph.project import plain_domain
from qonnx_tools.graph.save import save
from qonnx_tools.graph.surgeon import gs
from qonnx_tools.graph.text import parse
from qonnx_tools.graph.verify import Signature, verify

__all__ = [
    "Carried",
    "Model",
    "Names",
    "Signature",
    "clean_up",
    "constant_value",
    "consumers",
    "disconnect",
    "evaluate_node",
    "from_proto",
    "gs",
    "input_value",
    "insert_after",
    "is_constant",
    "is_given",
    "is_graph_output",
    "load",
    "mark_outputs",
    "node_metadata",
    "node_model",
    "nodes",
    "op_of",
    "own_metadata",
    "parse",
    "part_model",
    "plain_domain",
    "producer",
    "replace_input",
    "save",
    "set_constant",
    "set_input",
    "set_node_metadata",
    "sole_consumer",
    "take_over_output",
    "tensor_names",
    "to_proto",
    "topological_order",
    "unique_name",
    "update_shapes",
    "verify",
]
