"""What a model must fulfil before it is edited. Each violation is one clear line."""

from collections.abc import Collection, Iterable, Iterator

import numpy as np
import numpy.typing as npt
import onnx

from qonnx_tools.errors import ModelError, UnsupportedError
from qonnx_tools.graph.infer import one_line, skeleton
from qonnx_tools.graph.project import has_schema, plain_domain

_BOUNDS = {"Clip", "Min", "Max"}  # an infinite bound is no bound
_FLOATS = {onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16}
_UNSUPPORTED_ATTRIBUTES = {
    onnx.AttributeProto.GRAPH: "a subgraph (control flow)",
    onnx.AttributeProto.GRAPHS: "subgraphs (control flow)",
    onnx.AttributeProto.SPARSE_TENSOR: "a sparse tensor",
    onnx.AttributeProto.SPARSE_TENSORS: "sparse tensors",
    onnx.AttributeProto.TYPE_PROTO: "a type",
    onnx.AttributeProto.TYPE_PROTOS: "types",
    onnx.AttributeProto.TENSORS: "a list of tensors",
}


def check_header(proto: onnx.ModelProto) -> None:
    """Check that ``proto`` is a model with a graph, an interface and opsets that this onnx knows."""
    if not proto.HasField("graph") or not proto.graph.output:
        raise ModelError("the model has an empty graph: no outputs")
    versions = {plain_domain(entry.domain): entry.version for entry in proto.opset_import}
    if "" not in versions and any(not plain_domain(node.domain) for node in proto.graph.node):
        raise ModelError("the model imports no opset for the default domain: it is truncated or was written wrongly")
    newest = onnx.defs.onnx_opset_version()
    if versions.get("", 1) > newest:
        raise ModelError(
            f"the model uses opset {versions['']}, the installed onnx knows up to {newest}: "
            "export it at an older opset or update onnx"
        )


def check_text(proto: onnx.ModelProto) -> None:
    """Check that all names are UTF-8; protobuf hands out others as bytes."""
    graph = proto.graph
    for node in [*graph.node, *(node for body in proto.functions for node in body.node)]:
        for name in (node.name, node.op_type, node.domain, *node.input, *node.output):
            _check_utf8(name)
        for attribute in node.attribute:
            _check_utf8(attribute.name)
    for thing in (graph, *graph.initializer, *graph.input, *graph.output, *graph.value_info, *proto.functions):
        _check_utf8(thing.name)
    for value in (*graph.input, *graph.output):
        for dim in value.type.tensor_type.shape.dim:
            _check_utf8(dim.dim_param)


def _check_utf8(name: str | bytes) -> None:
    if not isinstance(name, str):
        raise ModelError(f"the name {name!r} is not UTF-8: the file is damaged")


def check_supported(proto: onnx.ModelProto) -> None:
    """Refuse what the editable graph cannot hold."""
    graph = proto.graph
    _unique("local function", (f"{plain_domain(body.domain)}::{body.name}" for body in proto.functions))
    for sparse in graph.sparse_initializer:
        raise ModelError(f"sparse initializer '{sparse.values.name}' is not supported: store it dense")
    for value in [*graph.input, *graph.output]:
        if not value.type.HasField("tensor_type"):
            raise ModelError(f"graph input or output '{value.name}' is not a tensor: only tensors are supported")
        kind = value.type.tensor_type.elem_type
        if not kind or kind not in onnx.TensorProto.DataType.values():
            raise ModelError(f"graph input or output '{value.name}' has no known element type ({kind})")
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type in _UNSUPPORTED_ATTRIBUTES:
                kind = _UNSUPPORTED_ATTRIBUTES[attribute.type]
                raise UnsupportedError(
                    node.name, f"{node.op_type} attribute '{attribute.name}' is {kind}: export the model without it"
                )


def check_names(graph: onnx.GraphProto) -> None:
    """Check that names are unique, every tensor has one source, and every tensor that is read has a source."""
    _unique("node name", (node.name for node in graph.node if node.name))
    _unique("initializer", (tensor.name for tensor in graph.initializer))
    _unique("graph output", (value.name for value in graph.output))
    stored = {tensor.name for tensor in graph.initializer}
    inputs = [value.name for value in graph.input if value.name not in stored]
    computed = [name for node in graph.node for name in node.output if name]
    _unique("tensor", [*inputs, *stored, *computed])
    sources = {*inputs, *stored, *computed}
    for node in graph.node:
        for name in node.input:
            if name and name not in sources:
                raise ModelError(f"node '{node.name}' reads tensor '{name}', which nothing provides")
    for value in graph.output:
        if value.name not in sources:
            raise ModelError(f"graph output '{value.name}' is computed by no node")


def check_ops(
    nodes: Iterable[tuple[str, str, str]], opsets: dict[str, int], functions: Collection[tuple[str, str]]
) -> None:
    """Check that every (domain, op, node name) has a definition: onnx, the op table or a local function."""
    seen: set[tuple[str, str]] = set()
    for domain, op, name in nodes:
        key = (plain_domain(domain), op)
        if key in seen:
            continue
        seen.add(key)
        if key not in functions and not has_schema(domain, op, opsets.get(key[0], 1)):
            shown = f"{key[0]}::{op}" if key[0] else f"{op} (opset {opsets.get('', 1)})"
            raise ModelError(f"node '{name}': unknown op {shown}")


def check_finite(graph: onnx.GraphProto) -> None:
    """Check that no float weight is NaN or infinite; infinite scalar bounds of Clip, Min and Max are allowed."""
    bounds = _names_read_only_by(graph, _BOUNDS)
    for name, tensor in _stored_tensors(graph):
        if tensor.data_type not in _FLOATS:
            continue
        value = array_of(tensor)
        if np.isfinite(value).all():
            continue
        bad = np.isnan(value) if name in bounds and value.size == 1 else ~np.isfinite(value)
        if bad.any():
            kind = "NaN" if np.isnan(value).any() else "infinite"
            raise ModelError(f"initializer '{name}' has {kind} values ({int(bad.sum())} of {value.size})")


def array_of(tensor: onnx.TensorProto) -> npt.NDArray[np.generic]:
    """Return the value of an initializer, or raise ModelError where its data do not fit its type and shape."""
    if tensor.data_type not in onnx.TensorProto.DataType.values():
        raise ModelError(f"initializer '{tensor.name}' has an unknown element type ({tensor.data_type})")
    kind = onnx.TensorProto.DataType.Name(tensor.data_type)
    try:
        value: npt.NDArray[np.generic] = onnx.numpy_helper.to_array(tensor)
    except (TypeError, ValueError, KeyError) as error:
        raise ModelError(f"initializer '{tensor.name}' ({kind}) cannot be read: {one_line(error)}") from error
    if onnx.helper.np_dtype_to_tensor_dtype(value.dtype) != tensor.data_type:
        raise ModelError(f"initializer '{tensor.name}': the installed onnx and numpy cannot hold type {kind}")
    return value


def check_schema(proto: onnx.ModelProto) -> None:
    """Run onnx.checker on the model, without the data of large initializers."""
    try:
        onnx.checker.check_model(skeleton(proto, with_stand_ins=False))
    except (onnx.checker.ValidationError, ValueError) as error:
        raise ModelError(f"the model is not valid ONNX: {one_line(error)}") from error


def _unique(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ModelError(f"duplicate {what} '{name}': names must be unique")
        seen.add(name)


def _names_read_only_by(graph: onnx.GraphProto, ops: set[str]) -> set[str]:
    read, other = set[str](), set[str]()
    for node in graph.node:
        (read if node.op_type in ops else other).update(node.input)
    return read - other


def _stored_tensors(graph: onnx.GraphProto) -> Iterator[tuple[str, onnx.TensorProto]]:
    for tensor in graph.initializer:
        yield tensor.name, tensor
    for node in graph.node:
        if node.op_type == "Constant" and not plain_domain(node.domain):
            for attribute in node.attribute:
                if attribute.name == "value":
                    yield node.output[0], attribute.t
