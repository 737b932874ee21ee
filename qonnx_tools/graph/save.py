"""Write a model file: whole or not at all."""

import os
from pathlib import Path

import onnx

from qonnx_tools.errors import ModelError
from qonnx_tools.graph.check import check_schema
from qonnx_tools.graph.export import to_proto
from qonnx_tools.graph.model import Model
from qonnx_tools.replacing import replacing

_PROTOBUF_LIMIT = 2**31 - 2**20  # bytes; protobuf refuses 2 GiB, the rest is for nodes and names
_EXTERNAL_FROM = 1024  # bytes; smaller initializers stay in the model file, shape inference reads them
_ALIGNMENT = 4096  # bytes; lets a runtime map the file into memory


def save(model: Model, path: str | os.PathLike[str], *, external_data: bool = False) -> None:
    """Write ``model`` to ``path``, and its weights to ``<path>.data`` if asked or if they need more than 2 GiB.

    The file is written beside and renamed: ``path`` holds the former content or the new one, never a part.

    Raises:
        ModelError: the graph is not valid, or the file cannot be written.
    """
    file = Path(path)
    proto = to_proto(model)
    check_schema(proto)
    try:
        if external_data or _weight_bytes(proto) > _PROTOBUF_LIMIT:
            _write_with_data(proto, file)
        else:
            with replacing(file) as [beside]:
                beside.write_bytes(proto.SerializeToString(deterministic=True))
    except OSError as error:
        raise ModelError(f"{file}: cannot be written: {error.strerror or error}") from error


def _write_with_data(proto: onnx.ModelProto, file: Path) -> None:
    data = file.with_name(f"{file.name}.data")
    with replacing(data, file) as [beside_data, beside]:
        with beside_data.open("wb") as stream:
            for tensor in proto.graph.initializer:
                content = tensor.raw_data
                if len(content) < _EXTERNAL_FROM:
                    continue
                stream.write(b"\0" * (-stream.tell() % _ALIGNMENT))
                place = {"location": data.name, "offset": str(stream.tell()), "length": str(len(content))}
                stream.write(content)
                tensor.ClearField("raw_data")
                tensor.data_location = onnx.TensorProto.EXTERNAL
                tensor.external_data.extend(
                    onnx.StringStringEntryProto(key=key, value=value) for key, value in place.items()
                )
        beside.write_bytes(proto.SerializeToString(deterministic=True))


def _weight_bytes(proto: onnx.ModelProto) -> int:
    return sum(len(tensor.raw_data) for tensor in proto.graph.initializer)
