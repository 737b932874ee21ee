"""Calibration without data: what a network's own batch-norm statistics say about its activations.

A trained BatchNormalization knows its output: mean beta and standard deviation gamma in every channel, whatever
the input. So the network runs on synthetic images with every BatchNormalization normalizing by the statistics of
that run. Each of its outputs then has the distribution that training left, and what lies between (additions,
activation functions, pooling) is computed, not guessed. Without preprocessing the mean and the spread of the input
are fitted so that the first BatchNormalization receives what it received in training.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper

from qonnx_tools.calibration import Calibration, batch_size, count_values
from qonnx_tools.data import Preprocessing, synthetic_images
from qonnx_tools.graph import Model, constant_value, gs, is_constant, nodes, producer, to_proto
from qonnx_tools.runtime import session

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
    fixed = model.graph.inputs[0].shape[0]
    count = fixed if isinstance(fixed, int) else min(IMAGES, 4 * batch_size(model, tensors))
    images = synthetic_images(tuple(model.graph.inputs[0].shape or ()), count, seed, preprocessing)
    if preprocessing is None:
        images = _as_in_training(model, images)
    histograms = count_values(normalizing_by_batch(to_proto(model)), _name(model), tensors, images)
    source = f"no data: {count} synthetic images" + (
        f", normalized by the statistics of {len(norms)} batch-norm layers" if norms else "; no batch norm to go by"
    )
    return Calibration(histograms, source, 0)


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


def _as_in_training(model: Model, images: Images) -> Images:
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
    (response,) = session(model, outputs=[conv.outputs[0].name]).run([conv.outputs[0].name], {_name(model): images})
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
