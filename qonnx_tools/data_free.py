"""Calibration without data: what a network's own batch-norm statistics say about its activations.

A trained BatchNormalization knows its output: mean beta and standard deviation gamma in every channel, whatever
the input. So the network runs on synthetic images with every BatchNormalization normalizing by the statistics of
that run. Each of its outputs then has the distribution that training left, and what lies between (additions,
activation functions, pooling) is computed, not guessed. Without preprocessing the mean and the spread of the input
are fitted so that the first BatchNormalization receives what it received in training.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper

from qonnx_tools.calibration import Calibration, count_values, images_a_run
from qonnx_tools.data import Preprocessing, synthetic_images
from qonnx_tools.errors import ModelError
from qonnx_tools.graph import Model, constant_value, gs, is_constant, nodes, producer, to_proto
from qonnx_tools.histogram import Histogram
from qonnx_tools.runtime import run, session

IMAGES = 64
SEED = 20190701
Images = npt.NDArray[np.float32]


def calibrate_without_data(
    model: Model, tensors: Sequence[str], preprocessing: Preprocessing | None = None, seed: int = SEED
) -> Calibration:
    """Return histograms of ``tensors`` for the canonical ``model``, its BatchNormalization nodes not yet folded.

    Raises ``DataError`` where the size of an input image is not known.
    """
    norms = list(nodes(model.graph, "BatchNormalization"))
    proto = to_proto(model)
    size = model.graph.inputs[0].shape[0]
    count = min(IMAGES, 4 * images_a_run(model, tensors))
    try:
        images, histograms = _run(model, of_any_batch(proto), count, tensors, preprocessing, seed)
    except ModelError:
        if not isinstance(size, int):
            raise
        images, histograms = _run(model, proto, size, tensors, preprocessing, seed)
    source = f"no data: {len(images)} synthetic images" + (
        f", normalized by the statistics of {len(norms)} batch-norm layers" if norms else "; no batch norm to go by"
    )
    return Calibration(histograms, source, 0)


def of_any_batch(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of ``proto`` without a fixed batch size: the statistics of one image would say little.

    A Reshape to a fixed batch size may not run in it.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    for value in (*copy.graph.input, *copy.graph.output):
        if value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_param = "N"
    del copy.graph.value_info[:]
    return copy


def normalizing_by_batch(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of ``proto`` in which every BatchNormalization uses the statistics of the batch it is given."""
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    if next(item.version for item in copy.opset_import if item.domain in ("", "ai.onnx")) < 14:
        copy = onnx.version_converter.convert_version(copy, 17)  # BatchNormalization has a training mode since 14
    for node in copy.graph.node:
        if node.op_type == "BatchNormalization":
            kept = [item for item in node.attribute if item.name != "training_mode"]
            del node.attribute[:]
            node.attribute.extend([*kept, helper.make_attribute("training_mode", 1)])
            node.output.extend([f"{node.output[0]}.batch_mean", f"{node.output[0]}.batch_variance"])
    return copy


def _run(
    model: Model,
    proto: onnx.ModelProto,
    count: int,
    tensors: Sequence[str],
    preprocessing: Preprocessing | None,
    seed: int,
) -> tuple[Images, Mapping[str, Histogram]]:
    images = synthetic_images(tuple(model.graph.inputs[0].shape or ()), count, seed, preprocessing)
    if preprocessing is None:
        images = _as_in_training(model, proto, images)
    return images, count_values(normalizing_by_batch(proto), _name(model), tensors, images)


def _as_in_training(model: Model, proto: onnx.ModelProto, images: Images) -> Images:
    """Scale and shift ``images``, zero mean and unit variance, to fit the running statistics behind the first Conv.

    With m the mean of each input channel, the running mean of channel c is  sum_i m_i sum_k W[c, i, k] + b_c:
    least squares gives m. The spread is the ratio of the running variance to the Conv's variance on ``images``, its
    geometric mean over channels.
    """
    found = _first_convolution(model.graph)
    if found is None:
        return images
    conv, norm = found
    weights = constant_value(conv.inputs[1]).astype(np.float64)
    bias = constant_value(conv.inputs[2]).astype(np.float64) if len(conv.inputs) > 2 else 0.0
    running_mean, running_variance = (constant_value(tensor).astype(np.float64) for tensor in norm.inputs[3:5])
    name = conv.outputs[0].name
    (response,) = run(session(proto, outputs=[name]), images, [name])
    variance = response.astype(np.float64).var(axis=(0, *range(2, response.ndim)))
    alive = (variance > 0) & (running_variance > 1e-6 * running_variance.max())
    spread = np.exp(0.5 * np.mean(np.log(running_variance[alive] / variance[alive]))) if alive.any() else 1.0
    sums = weights.reshape(*weights.shape[:2], -1).sum(axis=2)
    mean = np.linalg.lstsq(sums, running_mean - bias, rcond=0.05)[0]
    shape = (1, -1, *[1] * (images.ndim - 2))
    return np.asarray(images * spread + mean.reshape(shape), dtype=np.float32)


def _first_convolution(graph: gs.Graph) -> tuple[Any, Any] | None:
    """Return the Conv that reads the graph input, and the BatchNormalization behind it."""
    for norm in nodes(graph, "BatchNormalization"):
        conv = producer(norm.inputs[0])
        if conv is None or conv.op != "Conv" or conv.inputs[0] is not graph.inputs[0]:
            continue
        if conv.attrs.get("group", 1) == 1 and is_constant(*conv.inputs[1:], *norm.inputs[1:]):
            return conv, norm
    return None


def _name(model: Model) -> str:
    return str(model.graph.inputs[0].name)
