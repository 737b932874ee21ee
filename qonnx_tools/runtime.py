"""onnxruntime sessions with the custom-op library registered."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from qonnx_tools.errors import ModelError
from qonnx_tools.graph import Model, load, to_proto
from qonnx_tools.ops import op_table

if TYPE_CHECKING:
    import onnxruntime as ort

LIBRARY = "libqonnx_tools_ops.so"
LONGEST_MESSAGE = 400
"""Characters of an error of onnxruntime that are shown."""


def library_path() -> Path:
    """Return the path of the compiled custom-op library; register it with ``SessionOptions`` to run our graphs.

    Raises ``ModelError`` where the package was not built with it.
    """
    import qonnx_tools  # noqa: PLC0415  # an editable install has more than one folder

    for folder in qonnx_tools.__path__:
        path = Path(folder) / "_lib" / LIBRARY
        if path.is_file():
            return path
    raise ModelError(f"{LIBRARY} is not installed with the package; run `pip install .` in a checkout")


def session(
    model: str | os.PathLike[str] | onnx.ModelProto | Model,
    *,
    threads: int | None = None,
    optimize: bool = True,
    outputs: Sequence[str] = (),
) -> "ort.InferenceSession":
    """Return an onnxruntime session for ``model`` that knows the project's ops and the QONNX dialect.

    Quantizers of constants (weights) are computed once, here, so that onnxruntime sees plain weights: it can then
    prepack them and fuse the layer with what follows.

    Args:
        model: a file, or a model in memory.
        threads: threads that one run may use; None for all cores.
        optimize: whether onnxruntime may optimize the graph.
        outputs: tensors to make graph outputs besides those of the model.

    Raises:
        ModelError: the model cannot be read, or onnxruntime refuses it.
    """
    import onnxruntime as ort  # noqa: PLC0415  # slow to import

    proto = _proto(model)
    fold_constant_quantizers(proto)
    present = {output.name for output in proto.graph.output}
    proto.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in outputs if name not in present)
    options = ort.SessionOptions()
    options.log_severity_level = 4  # errors are raised; onnxruntime would print them as well
    options.intra_op_num_threads = threads or 0
    if not optimize:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.register_custom_ops_library(str(library_path()))
    try:
        return ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions share no other base
        raise ModelError(f"onnxruntime refuses the model: {_one_line(error)}") from error


def run(
    runner: "ort.InferenceSession", images: npt.NDArray[np.float32], outputs: Sequence[str] | None = None
) -> list[npt.NDArray[Any]]:
    """Run a session of one input on ``images``, ``[n, ...]``, and return ``outputs`` (None: those of the model).

    Where the model fixes its batch size the images are run in batches of it. A last batch that is short is filled up
    with its last image, and the results of the filling are dropped, along the first dimension of each output that has
    the batch size there.

    Raises:
        ModelError: onnxruntime fails, as it does on images of another shape.
    """
    (entry,) = runner.get_inputs()
    size = entry.shape[0] if entry.shape and isinstance(entry.shape[0], int) else len(images)
    parts: list[list[npt.NDArray[Any]]] = []
    for start in range(0, len(images), size):
        batch = images[start : start + size]
        full = np.concatenate([batch, np.repeat(batch[-1:], size - len(batch), axis=0)]) if len(batch) < size else batch
        try:
            results = runner.run(outputs, {entry.name: full})
        except Exception as error:  # onnxruntime's exceptions share no other base
            raise ModelError(f"onnxruntime fails on the images: {_one_line(error)}") from error
        parts.append([item[: len(batch)] if np.shape(item)[:1] == (size,) else item for item in results])
    return parts[0] if len(parts) == 1 else [np.concatenate(items) for items in zip(*parts, strict=True)]


def fold_constant_quantizers(proto: onnx.ModelProto) -> int:
    """Replace each quantizer whose inputs are all initializers by its result, in place; return how many there were."""
    table = op_table()
    given = {value.name for value in proto.graph.input}  # an initializer there is a default: a run may give another
    values = {tensor.name: tensor for tensor in proto.graph.initializer if tensor.name not in given}
    kept, folded = [], 0
    for node in proto.graph.node:
        op = table.get((node.domain, node.op_type))
        if op is None or not all(name in values for name in node.input):
            kept.append(node)
            continue
        (result,) = op.reference([numpy_helper.to_array(values[name]) for name in node.input], _attributes(node))
        values[node.output[0]] = numpy_helper.from_array(result, node.output[0])
        proto.graph.initializer.append(values[node.output[0]])
        folded += 1
    del proto.graph.node[:]
    proto.graph.node.extend(kept)
    _drop_unread_initializers(proto)
    return folded


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    values = {item.name: helper.get_attribute_value(item) for item in node.attribute}
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in values.items()}


def _drop_unread_initializers(proto: onnx.ModelProto) -> None:
    read = {name for node in proto.graph.node for name in node.input}
    read |= {output.name for output in proto.graph.output} | {tensor.name for tensor in proto.graph.input}
    kept = [tensor for tensor in proto.graph.initializer if tensor.name in read]
    if len(kept) == len(proto.graph.initializer):
        return
    del proto.graph.initializer[:]
    proto.graph.initializer.extend(kept)


def _proto(model: Any) -> onnx.ModelProto:
    if isinstance(model, onnx.ModelProto):
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        return copy
    return to_proto(model if isinstance(model, Model) else load(model))


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:LONGEST_MESSAGE] or type(error).__name__
