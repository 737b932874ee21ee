"""The format of an activation chosen by what it does to the outputs of the layers that read it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qonnx_tools.graph import constant_value, consumers, gs, is_constant
from qonnx_tools.plan import TensorPlan
from qonnx_tools.quantizers import quantizer_node
from qonnx_tools.reconstruction.layer_view import SUPPORTED
from qonnx_tools.reconstruction.walk import Batches, Walk, detached
from qonnx_tools.topology import is_passive

ELEMENTS = 1 << 18
"""Of an activation, that its formats are judged by, on images from all over the batches."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class _Reader:
    """A layer behind operators that pass values on; without a layer, whatever else reads the values as they are."""

    path: tuple[gs.Node, ...]
    layer: gs.Node | None


def choose_format(walk: Walk, quantizer: gs.Node, candidates: Sequence[TensorPlan]) -> TensorPlan:
    """Return the candidate with the least sum of noise over signal at the outputs of the layers behind ``quantizer``.

    The values are those of the quantized network, the outputs those of the trained one with its weights. A constant
    difference of an output channel is no noise, for the bias takes it up.
    """
    source, result = quantizer.inputs[0], quantizer.outputs[0]
    trained, entered = (_some(values[source.name]) for values in (walk.trained, walk.quantized))
    readers = list(_readers(result))
    outputs = [_passed(walk, reader, result, trained) for reader in readers]
    signals = [_power(_applied(walk, reader, each)) for reader, each in zip(readers, outputs, strict=True)]

    def noise(candidate: TensorPlan) -> float:
        node = quantizer_node(detached(source), detached(result), quantizer.name, candidate)
        rounded = walk.run(node, {source.name: entered}, again=True)[result.name]
        total = 0.0
        for reader, wanted, signal in zip(readers, outputs, signals, strict=True):
            got = _passed(walk, reader, result, rounded)
            errors = [one - other for one, other in zip(got, wanted, strict=True)]
            total += _power(_applied(walk, reader, errors)) / signal if signal else 0.0
        return total

    return min(candidates, key=noise)


def _some(batches: Batches) -> Batches:
    """Return images from all over ``batches``, in batches of the same size, with ELEMENTS numbers or a few more."""
    size, total = len(batches[0]), sum(map(len, batches))  # all but the last have the same size
    count = math.ceil(ELEMENTS / batches[0].size)
    if count >= len(batches):
        return batches
    taken = np.linspace(0, total, count * size, endpoint=False).astype(int)
    return [np.stack([batches[at // size][at % size] for at in part]) for part in np.split(taken, count)]


def _readers(tensor: gs.Variable, path: tuple[gs.Node, ...] = ()) -> Iterator[_Reader]:
    for node in consumers(tensor):
        first = node.inputs[0] is tensor
        if first and node.op in SUPPORTED and is_constant(node.inputs[1]):
            yield _Reader(path, node)
        elif first and is_passive(node) and is_constant(*list(node.inputs)[1:]) and len(node.outputs) == 1:
            yield from _readers(node.outputs[0], (*path, node))
        else:
            yield _Reader(path, None)


def _passed(walk: Walk, reader: _Reader, start: gs.Variable, values: Batches) -> Batches:
    """Return what reaches the layer of ``reader``."""
    name = start.name
    for node in reader.path:
        values = walk.run(node, {name: values}, again=True)[node.outputs[0].name]
        name = node.outputs[0].name
    return values


def _applied(walk: Walk, reader: _Reader, values: Batches) -> Batches:
    """Return the products of the layer's trained weights with ``values``, which are its input or an error of it."""
    if reader.layer is None:
        return values
    layer = reader.layer
    weights = gs.Constant(layer.inputs[1].name, constant_value(layer.inputs[1]))
    inputs = [detached(layer.inputs[0]), weights]
    product = gs.Node(layer.op, layer.name, dict(layer.attrs), inputs, [detached(layer.outputs[0])])
    found = walk.run(product, {layer.inputs[0].name: values}, again=True)[layer.outputs[0].name]
    axis = 1 if layer.op == "Conv" else found[0].ndim - 1
    means = np.mean([each.mean(axis=tuple(d for d in range(each.ndim) if d != axis)) for each in found], axis=0)
    shape = [1] * found[0].ndim
    shape[axis] = -1
    return [each - means.reshape(shape).astype(each.dtype) for each in found]


def _power(batches: Batches) -> float:
    return float(sum(np.square(each, dtype=np.float64).sum() for each in batches))
