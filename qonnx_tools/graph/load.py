"""Read a model from a file or a ModelProto."""

import os
from pathlib import Path

import onnx
import onnx.external_data_helper
import onnx.version_converter
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from qonnx_tools.errors import ModelError, UnsupportedError
from qonnx_tools.graph import check
from qonnx_tools.graph.carry import carry
from qonnx_tools.graph.edit import mark_outputs
from qonnx_tools.graph.export import update_shapes
from qonnx_tools.graph.infer import one_line
from qonnx_tools.graph.metadata import set_node_metadata
from qonnx_tools.graph.model import Model
from qonnx_tools.graph.project import is_laid_out, is_project_op, plain_domain, register_schemas
from qonnx_tools.graph.surgeon import gs

OLDEST_OPSET, CONVERTED_OPSET = 13, 17


def load(path: str | os.PathLike[str]) -> Model:
    """Read an ONNX file with its external data.

    A model below opset 13 is converted to opset 17. Initializers that are also listed as graph inputs become plain
    initializers. Nodes without a name get one.

    Raises:
        ModelError: there is no such file, it is damaged, not valid ONNX, uses an unknown op or has NaN weights.
        UnsupportedError: a node has a subgraph or another attribute that cannot be edited.
    """
    file = Path(path)
    proto = _parse(file)
    try:
        _read_external_data(proto, file.parent)
        return _import(proto)
    except UnsupportedError as error:
        raise UnsupportedError(error.node, f"{error.reason} (in {file})") from error
    except ModelError as error:
        raise ModelError(f"{file}: {one_line(error)}") from error


def from_proto(proto: onnx.ModelProto) -> Model:
    """Take over a ModelProto, which stays as it is. Checks and conversions are those of :func:`load`."""
    own = onnx.ModelProto()
    own.CopyFrom(proto)
    _read_external_data(own, Path())
    return _import(own)


def _parse(file: Path) -> onnx.ModelProto:
    try:
        content = file.read_bytes()
    except FileNotFoundError as error:
        raise ModelError(f"{file}: no such file") from error
    except IsADirectoryError as error:
        raise ModelError(f"{file}: is a directory, not an ONNX file") from error
    except OSError as error:
        raise ModelError(f"{file}: cannot be read: {error.strerror}") from error
    if not content:
        raise ModelError(f"{file}: the file is empty")
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(content)
    except DecodeError as error:
        looks_right = content[:1] == b"\x08"  # the ir_version, which every ONNX writer puts first
        what = "truncated or damaged" if looks_right else "not an ONNX file"
        if len(content) >= 2**31:
            what = "larger than the 2 GiB that ONNX allows for one file: store the weights as external data"
        raise ModelError(f"{file}: {what} ({len(content)} bytes)") from error
    if not proto.ir_version and not proto.HasField("graph"):
        raise ModelError(f"{file}: not an ONNX file ({len(content)} bytes)")
    return proto


def _read_external_data(proto: onnx.ModelProto, folder: Path) -> None:
    for tensor in proto.graph.initializer:
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        where = {entry.key: entry.value for entry in tensor.external_data}
        file = folder / where.get("location", "")
        if not file.is_file():
            raise ModelError(f"external data file '{file}' of initializer '{tensor.name}' is missing")
        try:
            needed = int(where.get("offset", 0)) + int(where.get("length", 0))
            if file.stat().st_size < needed:
                raise ModelError(
                    f"external data file '{file}' is truncated: initializer '{tensor.name}' needs {needed} bytes, "
                    f"the file has {file.stat().st_size}"
                )
            onnx.external_data_helper.load_external_data_for_tensor(tensor, str(folder))
        except (OSError, ValueError, onnx.checker.ValidationError) as error:
            raise ModelError(
                f"external data of initializer '{tensor.name}' in '{file}' cannot be read: {one_line(error)}"
            ) from error
        tensor.ClearField("data_location")
        tensor.ClearField("external_data")


def _import(proto: onnx.ModelProto) -> Model:
    try:
        return _checked(proto)
    except UnicodeDecodeError as error:
        raise ModelError(f"a name or text is not UTF-8: {error}") from error


def _checked(proto: onnx.ModelProto) -> Model:
    register_schemas()
    check.check_header(proto)
    check.check_text(proto)
    _normalize(proto)
    graph = proto.graph
    functions = {(plain_domain(body.domain), body.name): body for body in proto.functions}
    opsets = {entry.domain: entry.version for entry in proto.opset_import}
    check.check_supported(proto)
    check.check_names(graph)
    check.check_ops(((node.domain, node.op_type, node.name) for node in graph.node), opsets, functions)
    for body in functions.values():
        inner = {plain_domain(entry.domain): entry.version for entry in body.opset_import}
        named = ((node.domain, node.op_type, f"{body.name}/{node.name or node.op_type}") for node in body.node)
        check.check_ops(named, inner, functions)
    check.check_schema(proto)
    check.check_finite(graph)
    carried = carry(proto)
    metadata = {entry.key: entry.value for entry in proto.metadata_props}
    if opsets.get("", OLDEST_OPSET) < OLDEST_OPSET:
        proto = _convert(proto)
        _normalize(proto)
        opsets = {entry.domain: entry.version for entry in proto.opset_import}
    opsets.setdefault("", CONVERTED_OPSET)
    # a part of a message keeps the whole alive, weights included: take copies
    own = {key: onnx.FunctionProto.FromString(body.SerializeToString()) for key, body in functions.items()}
    model = Model(
        graph=_surgeon_graph(proto),
        opsets=opsets,
        metadata=metadata,
        functions={key: body for key, body in own.items() if not is_project_op(*key) and not is_laid_out(*key)},
        carried=carried,
    )
    mark_outputs(model.graph)
    update_shapes(model)
    return model


def _normalize(proto: onnx.ModelProto) -> None:
    """Name unnamed nodes, spell the default domain "", and take initializers off the graph inputs."""
    graph = proto.graph
    proto.ir_version = max(proto.ir_version, 4)  # below 4, every initializer has to be a graph input
    for entry in proto.opset_import:
        entry.domain = plain_domain(entry.domain)
    taken = {node.name for node in graph.node}
    for index, node in enumerate(graph.node):
        node.domain = plain_domain(node.domain)
        if not node.name:
            node.name = _fresh(f"{node.op_type}_{index}", taken)
            taken.add(node.name)
    stored = {tensor.name for tensor in graph.initializer}
    if any(value.name in stored for value in graph.input):
        kept = [value for value in graph.input if value.name not in stored]
        del graph.input[:]
        graph.input.extend(kept)


def _fresh(wish: str, taken: set[str]) -> str:
    name, count = wish, 1
    while name in taken:
        count += 1
        name = f"{wish}_{count}"
    return name


def _convert(proto: onnx.ModelProto) -> onnx.ModelProto:
    version = next(entry.version for entry in proto.opset_import if not entry.domain)
    try:
        converted: onnx.ModelProto = onnx.version_converter.convert_version(proto, CONVERTED_OPSET)
    except (onnx.version_converter.ConvertError, RuntimeError, ValueError) as error:
        raise ModelError(
            f"opset {version} cannot be converted to {CONVERTED_OPSET}: {one_line(error)}; export the model at opset 17"
        ) from error
    return converted


def _surgeon_graph(proto: onnx.ModelProto) -> gs.Graph:
    bare = onnx.ModelProto(ir_version=proto.ir_version, opset_import=proto.opset_import)
    bare.graph.name = proto.graph.name
    for field in ("node", "input", "output"):
        getattr(bare.graph, field).extend(getattr(proto.graph, field))
    values = {tensor.name: check.array_of(tensor) for tensor in proto.graph.initializer}
    for name in values:  # gs knows fewer element types than onnx: it gets the arrays below
        bare.graph.initializer.add(name=name, data_type=onnx.TensorProto.FLOAT, dims=[0])
    graph = gs.import_onnx(bare)
    for node, given in zip(graph.nodes, bare.graph.node, strict=True):
        for entry in given.metadata_props:
            set_node_metadata(node, entry.key, entry.value)
    for tensor in [*graph.tensors().values(), *graph.outputs]:
        if isinstance(tensor, gs.Constant):
            tensor.values = values[tensor.name]
    return graph
