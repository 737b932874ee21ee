"""From the editable graph back to a ModelProto."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from qonnx_tools.errors import ModelError, UnsupportedError
from qonnx_tools.graph.carry import Carried, describe
from qonnx_tools.graph.infer import SMALL, inferred
from qonnx_tools.graph.metadata import own_metadata
from qonnx_tools.graph.model import Model
from qonnx_tools.graph.order import topological_order
from qonnx_tools.graph.project import has_layout, plain_domain, project_functions
from qonnx_tools.graph.surgeon import gs

OLDEST_IR, NEWEST_IR = 8, 10  # 8: local functions; 10: the newest that every supported onnxruntime reads


def to_proto(model: Model) -> onnx.ModelProto:
    """Write ``model`` as a ModelProto: sorted, with function bodies of project ops and freshly inferred shapes.

    The same model gives the same bytes every time. A graph laid out for hls4ml describes its initializers, too.
    """
    proto = write_proto(model)
    known = inferred(write_proto(model, weights=False))
    for tensor in intermediate_tensors(model.graph):
        value = known.get(tensor.name) or _value_info(tensor)
        if value is None:
            continue
        value.ClearField("doc_string")
        proto.graph.value_info.append(describe(value, model.carried.values.get(tensor.name)))
    if any(has_layout(node.domain) for node in model.graph.nodes):
        _describe_initializers(proto)
    return proto


def _describe_initializers(proto: onnx.ModelProto) -> None:
    """Write value infos of initializers, too: hls4ml looks the shapes of all tensors up there."""
    for tensor in proto.graph.initializer:
        proto.graph.value_info.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))


def update_shapes(model: Model) -> None:
    """Infer the shape and type of every intermediate tensor anew and set them in the graph."""
    known = inferred(write_proto(model, weights=False))
    for tensor in intermediate_tensors(model.graph):
        value = known.get(tensor.name)
        if value is not None:
            tensor.dtype, tensor.shape = dtype_of(value), shape_of(value)


def write_proto(model: Model, *, weights: bool = True) -> onnx.ModelProto:
    """Write ``model`` without value infos of intermediate tensors.

    With ``weights=False`` large initializers are graph inputs, as :func:`~qonnx_tools.graph.infer.skeleton` has them.
    """
    graph, carried = model.graph, model.carried
    proto = onnx.ModelProto()
    proto.CopyFrom(carried.model)
    proto.ir_version = min(max(proto.ir_version, OLDEST_IR), NEWEST_IR)
    order = topological_order(graph)
    functions = _functions(model, order)
    proto.functions.extend(functions)
    proto.opset_import.extend(_opset_imports(model, order, functions))
    proto.metadata_props.extend(
        onnx.StringStringEntryProto(key=key, value=value) for key, value in model.metadata.items()
    )
    proto.graph.CopyFrom(carried.graph)
    proto.graph.node.extend(node_proto(node, carried.nodes.get(node.name)) for node in order)
    proto.graph.input.extend(_interface(tensor, model) for tensor in graph.inputs)
    proto.graph.output.extend(_interface(tensor, model) for tensor in graph.outputs)
    for tensor in _constants(graph, order).values():
        value = np.asarray(tensor.values)
        if weights or value.nbytes <= SMALL:
            _write_array(proto.graph.initializer.add(name=tensor.name), value)
            proto.graph.initializer[-1].MergeFrom(carried.initializers.get(tensor.name, onnx.TensorProto()))
        else:
            proto.graph.input.append(_interface(tensor, model))
    _write_annotations(proto.graph, carried)
    return proto


def intermediate_tensors(graph: gs.Graph) -> list[gs.Tensor]:
    """Return the named tensors that nodes compute and that are not graph outputs."""
    ends = {tensor.name for tensor in [*graph.inputs, *graph.outputs]}
    found = [tensor for node in graph.nodes for tensor in node.outputs]
    return [tensor for tensor in found if not tensor.is_empty() and tensor.name not in ends]


def dtype_of(value: onnx.ValueInfoProto) -> Any:
    """Return the numpy type of a value info; None where it has none."""
    kind = value.type.tensor_type.elem_type
    return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(kind)) if kind else None


def shape_of(value: onnx.ValueInfoProto) -> list[int | str | None] | None:
    """Return the shape of a value info: sizes, names of dynamic dimensions, or None for an unknown one."""
    if not value.type.tensor_type.HasField("shape"):
        return None
    return [
        dim.dim_value if dim.HasField("dim_value") else dim.dim_param or None
        for dim in value.type.tensor_type.shape.dim
    ]


def onnx_type(dtype: Any) -> int:
    """Return the ONNX element type of a tensor's ``dtype``."""
    return dtype if isinstance(dtype, int) else int(onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


def _functions(model: Model, order: list[gs.Node]) -> list[onnx.FunctionProto]:
    used = {(plain_domain(node.domain), node.op) for node in order}
    used |= {(plain_domain(node.domain), node.op_type) for body in model.functions.values() for node in body.node}
    project = [body for body in project_functions(used, model.opset) if (body.domain, body.name) not in model.functions]
    return [*model.functions.values(), *project]


def _opset_imports(
    model: Model, order: list[gs.Node], functions: list[onnx.FunctionProto]
) -> list[onnx.OperatorSetIdProto]:
    versions = dict(model.opsets)
    used = {plain_domain(node.domain) for node in order} | {body.domain for body in functions}
    for domain in sorted(used):
        versions.setdefault(domain, 1)
    return [onnx.helper.make_opsetid(domain, version) for domain, version in versions.items()]


def node_proto(node: gs.Node, carried: onnx.NodeProto | None = None) -> onnx.NodeProto:
    """Write one node, with what was carried for it and the metadata that passes noted on it."""
    proto = onnx.NodeProto(name=node.name, op_type=node.op, domain=plain_domain(node.domain))
    proto.input.extend(tensor.name for tensor in node.inputs)
    proto.output.extend(tensor.name for tensor in node.outputs)
    for key, value in node.attrs.items():
        proto.attribute.append(_attribute(node, key, value))
    if carried is not None:
        proto.MergeFrom(carried)
    own = own_metadata(node)
    if own:
        kept = [entry for entry in proto.metadata_props if entry.key not in own]
        del proto.metadata_props[:]
        proto.metadata_props.extend(kept)
        proto.metadata_props.extend(onnx.StringStringEntryProto(key=key, value=value) for key, value in own.items())
    return proto


def _attribute(node: gs.Node, key: str, value: Any) -> onnx.AttributeProto:
    if isinstance(value, onnx.AttributeProto):
        return value
    if isinstance(value, gs.Constant):
        value = onnx.numpy_helper.from_array(np.asarray(value.values), value.name)
    elif isinstance(value, np.ndarray):
        value = onnx.numpy_helper.from_array(value)
    if isinstance(value, list | tuple) and not value:
        return onnx.AttributeProto(name=key, type=_empty_list_type(node, key))
    try:
        return onnx.helper.make_attribute(key, value)
    except (TypeError, ValueError) as error:
        raise UnsupportedError(node.name, f"attribute '{key}' cannot be written: {error}") from error


def _empty_list_type(node: gs.Node, key: str) -> Any:
    try:
        schema = onnx.defs.get_schema(node.op, domain=plain_domain(node.domain))
        return int(schema.attributes[key].type)  # type: ignore[call-overload]
    except (onnx.defs.SchemaError, KeyError):
        return onnx.AttributeProto.INTS


def _constants(graph: gs.Graph, order: list[gs.Node]) -> dict[str, gs.Tensor]:
    found: dict[str, gs.Tensor] = {}
    for tensor in [*(tensor for node in order for tensor in node.inputs), *graph.outputs]:
        if isinstance(tensor, gs.Constant) and found.setdefault(tensor.name, tensor) is not tensor:
            raise ModelError(f"two initializers share the name '{tensor.name}'")
    return found


def _write_array(proto: onnx.TensorProto, value: npt.NDArray[np.generic]) -> None:
    """Write ``value`` into ``proto``, with one copy of the data where numpy itself has the type."""
    if value.dtype.kind not in "biufc":
        proto.MergeFrom(onnx.numpy_helper.from_array(value))
        return
    proto.data_type = onnx_type(value.dtype)
    proto.dims.extend(value.shape)
    proto.raw_data = value.astype(value.dtype.newbyteorder("<"), copy=False).tobytes()


def _interface(tensor: gs.Tensor, model: Model) -> onnx.ValueInfoProto:
    value = _value_info(tensor)
    if value is None:
        raise ModelError(f"graph input or output '{tensor.name}' has no type: set its dtype")
    return describe(value, model.carried.values.get(tensor.name))


def _value_info(tensor: gs.Tensor) -> onnx.ValueInfoProto | None:
    if tensor.dtype is None:
        return None
    return onnx.helper.make_tensor_value_info(tensor.name, onnx_type(tensor.dtype), tensor.shape)


def _write_annotations(graph: onnx.GraphProto, carried: Carried) -> None:
    """Keep the quantization annotations of tensors that are still there, with the values that they name."""
    names = {name for node in graph.node for name in [*node.input, *node.output]}
    names |= {tensor.name for tensor in graph.initializer} | {value.name for value in graph.input}
    del graph.quantization_annotation[:]
    used: set[str] = set()
    for note in carried.graph.quantization_annotation:
        values = {entry.value for entry in note.quant_parameter_tensor_names}
        if note.tensor_name in names and values <= names | carried.annotation_values.keys():
            graph.quantization_annotation.append(note)
            used |= values
    stored = {tensor.name for tensor in graph.initializer} | {value.name for value in graph.input}
    missing = (used & carried.annotation_values.keys()) - stored
    graph.initializer.extend(carried.annotation_values[name] for name in sorted(missing))
