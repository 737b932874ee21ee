"""What onnx-graphsurgeon drops, carried beside the graph by name.

Whole protobuf messages are carried, emptied of what the graph itself holds, so that a field added to ONNX later
comes through as well: model header, graph header, node headers, value and initializer descriptions, local functions.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import onnx

Proto = TypeVar("Proto", bound=Any)

_IN_MODEL = ("graph", "functions", "opset_import", "metadata_props")
_IN_GRAPH = ("node", "initializer", "sparse_initializer", "input", "output", "value_info")
_IN_NODE = ("name", "op_type", "domain", "input", "output", "attribute")


@dataclass
class Carried:
    """The parts of a ModelProto that a ``gs.Graph`` has no place for.

    Attributes:
        model: the model without graph, functions, opset imports and metadata.
        graph: the graph without nodes, tensors and value infos: name, doc string, metadata, quantization annotations.
        nodes: by node name, the node without op, inputs, outputs and attributes: doc string, metadata, overload.
        values: by tensor name, a value info without shape: doc string, metadata, and its dimensions' denotations.
        initializers: by tensor name, an initializer without data: doc string, metadata.
        annotation_values: by tensor name, the initializers that a quantization annotation names.
    """

    model: onnx.ModelProto = field(default_factory=onnx.ModelProto)
    graph: onnx.GraphProto = field(default_factory=onnx.GraphProto)
    nodes: dict[str, onnx.NodeProto] = field(default_factory=dict)
    values: dict[str, onnx.ValueInfoProto] = field(default_factory=dict)
    initializers: dict[str, onnx.TensorProto] = field(default_factory=dict)
    annotation_values: dict[str, onnx.TensorProto] = field(default_factory=dict)


def carry(proto: onnx.ModelProto) -> Carried:
    """Take from ``proto`` all that the graph editor does not keep."""
    graph = proto.graph
    annotated = {entry.value for note in graph.quantization_annotation for entry in note.quant_parameter_tensor_names}
    values = [*graph.value_info, *graph.input, *graph.output]
    return Carried(
        model=without(proto, _IN_MODEL),
        graph=without(graph, _IN_GRAPH),
        nodes=_by_name((node.name, without(node, _IN_NODE)) for node in graph.node),
        values=_by_name((value.name, _description(value)) for value in values),
        initializers=_by_name((tensor.name, _remarks(tensor)) for tensor in graph.initializer),
        annotation_values={tensor.name: _copy(tensor) for tensor in graph.initializer if tensor.name in annotated},
    )


def without(proto: Proto, fields: Collection[str]) -> Proto:
    """Copy a message, leaving out ``fields``: the others only are copied, so that weights are not."""
    copy: Proto = type(proto)()
    for descriptor, value in proto.ListFields():
        if descriptor.name in fields:
            continue
        if descriptor.message_type is None and not isinstance(value, str | bytes | int | float):
            getattr(copy, descriptor.name).extend(value)
        elif descriptor.message_type is None:
            setattr(copy, descriptor.name, value)
        elif hasattr(value, "extend"):
            getattr(copy, descriptor.name).extend(value)
        else:
            getattr(copy, descriptor.name).CopyFrom(value)
    return copy


def describe(value: onnx.ValueInfoProto, carried: onnx.ValueInfoProto | None) -> onnx.ValueInfoProto:
    """Give ``value`` the doc string, metadata and denotations that were carried for its name."""
    if carried is None:
        return value
    value.MergeFrom(without(carried, ("type",)))
    dims, notes = value.type.tensor_type.shape.dim, carried.type.tensor_type.shape.dim
    if carried.type.denotation:
        value.type.denotation = carried.type.denotation
    if len(dims) == len(notes):
        for dim, note in zip(dims, notes, strict=True):
            dim.MergeFrom(note)
    return value


def _remarks(tensor: onnx.TensorProto) -> onnx.TensorProto:
    """Copy what a tensor says beside its data, without touching the data."""
    found = onnx.TensorProto(metadata_props=tensor.metadata_props)
    if tensor.doc_string:
        found.doc_string = tensor.doc_string
    return found


def _copy(proto: Proto) -> Proto:
    copy: Proto = type(proto)()
    copy.CopyFrom(proto)
    return copy


def _description(value: onnx.ValueInfoProto) -> onnx.ValueInfoProto:
    found = without(value, ("name", "type"))
    dims = value.type.tensor_type.shape.dim
    if value.type.denotation:
        found.type.denotation = value.type.denotation
    if any(dim.denotation for dim in dims):
        found.type.tensor_type.shape.dim.extend(
            onnx.TensorShapeProto.Dimension(denotation=dim.denotation or None) for dim in dims
        )
    return found


def _by_name(found: Iterable[tuple[str, Proto]]) -> dict[str, Proto]:
    return {name: proto for name, proto in found if name and proto.ListFields()}
